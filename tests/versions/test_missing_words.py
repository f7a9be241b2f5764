"""What a newer server says and an older one cannot: made as near as it can be, and told."""

from __future__ import annotations

import pytest

import fastload
from fastload.errors import ConstraintError

NEWER = """CREATE TABLE t (
  id int PRIMARY KEY, name varchar(255) NOT NULL, code varchar(191) NOT NULL, doc json,
  total int AS (id + 1) STORED, near point NOT NULL SRID 4326, seen timestamp NOT NULL,
  said varchar(20) DEFAULT (concat('a', 'b')), hidden int INVISIBLE,
  UNIQUE KEY by_name (name), UNIQUE KEY by_code (code), KEY name_first (name, id),
  KEY by_length ((char_length(name))), KEY down (id DESC), SPATIAL KEY by_place (near),
  CHECK (id > 0));
INSERT INTO t (id, name, code, doc, near, seen, hidden) VALUES
  (1, 'one', 'c1', '{"a": [1, "ä"]}', ST_SRID(POINT(1, 2), 4326), '2020-01-01', 7),
  (2, 'two', 'c2', NULL, ST_SRID(POINT(3, 4), 4326), '2020-01-02', NULL)"""
DUMPED = "SELECT id, name, code, total, seen, said, hidden FROM t ORDER BY id"


async def test_everything_is_told(mysql, mysql56, made):
    first, second = made(mysql), made(mysql56)
    mysql.execute(NEWER, first)
    result = await fastload.copy(mysql.url_for(first), mysql56.url_for(second))
    told = {f"{n.kind} {n.name.partition('.')[2]}": n.reason for n in result.not_carried}
    assert set(told) >= {
        "type of column t.doc",
        "generated column t.total",
        "SRID of column t.near",
        "default t.seen",
        "default t.said",
        "invisibility of column t.hidden",
        "key t.by_name",
        "width of index t.name_first",
        "index t.by_length",
        "order of index t.down",
        "index t.by_place",
        "check t.t_chk_1",
    }
    assert "191 of name" in told["width of index t.name_first"]
    assert mysql56.execute(DUMPED, second) == mysql.execute(DUMPED, first)
    assert mysql56.execute("SELECT doc FROM t WHERE id = 1", second) == [('{"a": [1, "ä"]}',)]
    shown = mysql56.execute("SHOW CREATE TABLE t", second)[0][1]
    assert "UNIQUE KEY `by_code`" in shown
    assert "KEY `name_first` (`name`(191),`id`)" in shown
    assert "`seen` timestamp NOT NULL DEFAULT '0000-00-00 00:00:00'" in shown
    assert "ON UPDATE" not in shown


async def test_from_postgres(target, mysql56, made):
    target.psql(
        """CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text UNIQUE,
             doc jsonb, twice int GENERATED ALWAYS AS (1 + 1) STORED, at timestamptz, n uuid,
             label varchar(300), CHECK (id > 0));
           CREATE INDEX by_label ON t (label);
           INSERT INTO t (name, doc, at, n, label) VALUES ('x', '{"a": 1}',
             '2020-01-01 00:00:00.123456+00', '0c4e1a2b-0000-0000-0000-000000000001', 'long')"""
    )
    name = made(mysql56)
    result = await fastload.copy(target.url, mysql56.url_for(name))
    told = {n.kind for n in result.not_carried}
    assert {"type of column", "generation of column", "width of index", "check"} <= told
    row = mysql56.execute("SELECT id, name, doc, twice, CAST(at AS CHAR), n, label FROM t", name)
    uuid, at = "0c4e1a2b-0000-0000-0000-000000000001", "2020-01-01 00:00:00.123456"
    assert row == [(1, "x", '{"a": 1}', 2, at, uuid, "long")]
    ((width,),) = mysql56.execute(
        "SELECT character_maximum_length FROM information_schema.columns "
        "WHERE table_schema = DATABASE() AND column_name = 'name'",
        name,
    )
    assert width * 4 <= 767


async def test_a_long_name_of_a_run_is_continued(mysql, mysql56, made):
    first, second, run = made(mysql), made(mysql56), "é" * 200
    mysql.execute(
        """CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a int, KEY (a),
  CONSTRAINT to_a FOREIGN KEY (a) REFERENCES a (id));
SET foreign_key_checks = 0; INSERT INTO a VALUES (1); INSERT INTO b VALUES (1), (2)""",
        first,
    )
    urls = mysql.url_for(first), mysql56.url_for(second)
    with pytest.raises(ConstraintError):
        await fastload.copy(*urls, run=run)
    mysql56.execute("DELETE FROM b WHERE a = 2; DELETE FROM a WHERE id = 2", second)
    result = await fastload.copy(*urls, run=run)
    assert result.run == run
    assert "to_a" in mysql56.execute("SHOW CREATE TABLE b", second)[0][1]
    assert mysql56.execute("SELECT COUNT(*) FROM b", second) == [(1,)]
