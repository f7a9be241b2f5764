CREATE TABLE types (
  a tinyint, a1 tinyint(1), a4 tinyint(4) unsigned zerofill, b smallint unsigned, c mediumint,
  cu mediumint unsigned, d int, e int(10) unsigned zerofill, f bigint unsigned, g serial,
  h bit, i bit(64), j float, k float(7,3), l double, m double(10,2), n decimal,
  o decimal(65,30), p decimal(5), q date, r datetime, s datetime(6), t timestamp NULL,
  u timestamp(3) NULL, v time, w time(6), x year,
  ca char, cb char(255), cc varchar(20) CHARACTER SET latin1,
  cd varchar(300) CHARACTER SET gbk COLLATE gbk_bin, ce text CHARACTER SET utf16, cf tinytext,
  cg mediumtext CHARACTER SET utf8mb3, ch longtext, ci char(10) CHARSET ascii COLLATE ascii_bin,
  ba binary, bb binary(16), bc varbinary(100), bd tinyblob, be blob, bf mediumblob, bg longblob,
  en enum('a','it''s','back\\slash','com,ma','new
line','é','()'), se set('x','y''s','z'), js json,
  gg geometry, gp point, gl linestring, gpo polygon, gmp multipoint, gml multilinestring,
  gmpo multipolygon, ggc geometrycollection
);
CREATE TABLE `defaults` (
  i int DEFAULT 5, n int DEFAULT -7, d decimal(5,2) DEFAULT 1.50, f double DEFAULT 1.5e100,
  t varchar(50) DEFAULT 'it''s \\ a
line, `(', e varchar(5) DEFAULT '', nn varchar(5) NOT NULL, nul int DEFAULT NULL,
  b bit(3) DEFAULT b'101', h binary(2) DEFAULT x'00ff',
  l varchar(9) CHARACTER SET latin1 DEFAULT 'é', dd date DEFAULT '2020-01-01',
  ts timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  dt datetime(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
  en enum('a','b') DEFAULT 'b', se set('a','b') DEFAULT 'a,b', bo tinyint(1) DEFAULT TRUE,
  x1 int DEFAULT (1 + 2), x2 varchar(40) DEFAULT (uuid()), x3 text DEFAULT ('abc'),
  x4 varchar(20) DEFAULT (concat('a)', '(b')), x5 json DEFAULT (json_array()),
  x6 varchar(30) DEFAULT (case when 1 = 1 then 'a,b' else '`' end), x7 date DEFAULT (curdate()),
  mark varchar(9) DEFAULT 'why?'
) COMMENT 'ta''ble \\ with
newline, AUTO_INCREMENT=3';
CREATE TABLE `we``ird.na me é` (
  `i``d.` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY COMMENT 'col''s \\ "c"
newline, comma',
  `b c` int, `é` varchar(20), `new
line` int, `key` int, `aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg` int,
  gs int GENERATED ALWAYS AS (`b c` + 1) STORED,
  gv varchar(80) GENERATED ALWAYS AS (concat(`é`, ',`)''', 'x\\')) VIRTUAL COMMENT 'gen',
  KEY `in``dex.` (`b c`) COMMENT 'index''s'
) AUTO_INCREMENT=100;
CREATE TABLE `aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg` (
  id tinyint AUTO_INCREMENT PRIMARY KEY);
CREATE TABLE parent (
  id int unsigned NOT NULL, code char(3) NOT NULL, sub int NOT NULL, boss int unsigned,
  PRIMARY KEY (id), UNIQUE KEY both_ (code, sub), UNIQUE KEY (sub), UNIQUE KEY nulls (boss, sub),
  CONSTRAINT self FOREIGN KEY (boss) REFERENCES parent (id) ON DELETE SET NULL ON UPDATE CASCADE
);
CREATE TABLE child (
  a int unsigned, b char(3), c int, d int, e int,
  CONSTRAINT f1 FOREIGN KEY (a) REFERENCES parent (id) ON DELETE CASCADE,
  CONSTRAINT f2 FOREIGN KEY (b, c) REFERENCES parent (code, sub),
  CONSTRAINT f3 FOREIGN KEY (c) REFERENCES parent (sub) ON UPDATE SET NULL ON DELETE RESTRICT,
  CONSTRAINT ck CHECK (d > 0 and e <> ',`)(' and e <> 'it''s'), CHECK (d in (1,2,3))
);
CREATE TABLE indexes (
  a int, b varchar(200), c text, d int NOT NULL, g point NOT NULL, h int NOT NULL,
  PRIMARY KEY (d, h), UNIQUE KEY u (a), UNIQUE KEY up (b(10)), KEY p (c(20), a), KEY ab (a, d),
  KEY de (a DESC, d), UNIQUE KEY ud (h DESC), FULLTEXT KEY ft (b, c), SPATIAL KEY sp (g)
) ROW_FORMAT=DYNAMIC;
CREATE TABLE prefixed (b blob NOT NULL, PRIMARY KEY (b(20)));
CREATE TABLE parts (id int NOT NULL, y date NOT NULL, PRIMARY KEY (id, y))
  COMMENT='AUTO_INCREMENT=7 PARTITION BY'
  PARTITION BY RANGE (year(y)) SUBPARTITION BY HASH(id) SUBPARTITIONS 2
  (PARTITION p0 VALUES LESS THAN (2000), PARTITION `p,1` VALUES LESS THAN MAXVALUE);
CREATE TABLE isam (id int AUTO_INCREMENT PRIMARY KEY, t text, FULLTEXT KEY (t)) ENGINE=MyISAM;
CREATE TABLE mem (id int, KEY (id) USING HASH) ENGINE=MEMORY MAX_ROWS=100;
CREATE TABLE own_check (a int CHECK (a > 1), b int);
CREATE TABLE latin (a char(3)) DEFAULT CHARSET latin1;
CREATE TABLE packed (a int PRIMARY KEY, b blob) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8;
CREATE VIEW seen AS SELECT id FROM parent;
CREATE TRIGGER trig BEFORE INSERT ON parent FOR EACH ROW SET NEW.sub = 1;
CREATE PROCEDURE proc() SELECT 1;
CREATE FUNCTION func() RETURNS int DETERMINISTIC RETURN 1;
CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DO DELETE FROM isam;
