CREATE TABLE own (
  a int INVISIBLE, b int, j json, g point NOT NULL SRID 4326, v vector(3), f text,
  e int CHECK (e > 0) NOT ENFORCED, c varchar(10) COLLATE utf8mb4_0900_as_cs,
  face varchar(9) DEFAULT '😀', wide varchar(9) CHARACTER SET utf16 DEFAULT '😀é',
  KEY fx ((b + 1)), KEY iv (b) INVISIBLE, KEY mv ((CAST(j->'$.z' AS UNSIGNED ARRAY))),
  UNIQUE KEY uf ((lower(c)) DESC), FULLTEXT KEY ng (f) WITH PARSER ngram, SPATIAL KEY sp (g));
CREATE TABLE attributes (a int COLUMN_FORMAT FIXED STORAGE DISK, b int)
  AUTOEXTEND_SIZE=4M STATS_PERSISTENT=0 COMPRESSION='zlib';
CREATE TABLE archived (a int) ENGINE=ARCHIVE;
