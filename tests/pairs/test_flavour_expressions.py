"""Expressions between MySQL and MariaDB: kept where both mean the same by them, else told."""

from __future__ import annotations

import pymysql
import pytest

import fastload
from fastload.errors import FastloadError

pytestmark = pytest.mark.mysql

BASE = (
    "id int PRIMARY KEY, a int, b int, u bigint unsigned, d decimal(10,2), g double, "
    "t varchar(20) COLLATE utf8mb4_general_ci, c char(4), bb varbinary(10), b2 varbinary(10), "
    "ti time(3), y year, j json, dt datetime(6), x varchar(20) CHARACTER SET latin1"
)
ROW = (
    "1, 7, -3, 5, 2.55, 2.5, '12', 'c', '12', '36', '10:11:12.75', 2020, '{\"a\": [1, \"x\"]}', "
    "'2020-02-29 23:59:59.5', 'ab'"
)
# What MySQL 9 and MariaDB 10.11 were seen to compute to other values, or one of them refuses.
UNLIKE = [
    ("varbinary(10)", "bb & b2"), ("int", "bit_count(bb)"), ("int", "time_to_sec(ti)"),
    ("varchar(20)", "least(a, t)"), ("varchar(20)", "greatest(t, x)"),
    ("varchar(20)", "regexp_substr(t, '1')"), ("int", "json_contains(j, '1', '$.a')"),
    ("decimal(24,8)", "a / 7 * 7"), ("varchar(50)", "json_value(j, '$.a')"),
    ("varchar(32)", "md5(t)"), ("bigint unsigned", "u - 1"), ("int", "y - 1"),
    ("int", "t = '\u00e9'"), ("varchar(30)", "concat('a\\\\b', t)"),
    ("varchar(30)", "concat('''', t)"), ("int", "char_length(c)"),
    ("decimal(14,4)", "a / 3"), ("int", "x = t"),
]  # fmt: skip
ALIKE = [
    ("int", "a + b * 2"), ("decimal(13,3)", "d * 0.5"), ("double", "g * 2"),
    ("varchar(50)", "concat(t, '-', a)"), ("int", "coalesce(b, 0)"), ("int", "t = '12'"),
    ("int", "t like '1_'"), ("int", "case when a > 3 then 1 else 0 end"),
    ("date", "cast(dt as date)"),
    ("int", "char_length(t)"), ("int", "year(dt)"), ("int", "a div 2"),
]  # fmt: skip


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request, in_mysql, in_mariadb):
    """Source and target."""
    return (in_mysql, in_mariadb) if request.param == "mysql" else (in_mariadb, in_mysql)


def made(source, expressions):
    """Make a table of these generated columns, stored and not by turns; return their names."""
    columns = [
        f"v{i} {type_} AS ({text}) {'STORED' if i % 2 else 'VIRTUAL'}"
        for i, (type_, text) in enumerate(expressions)
    ]
    source.execute(f"CREATE TABLE t ({BASE}, {', '.join(columns)})")
    names = ", ".join(part.split()[0] for part in BASE.replace("(10,2)", "").split(", "))
    source.execute(f"INSERT INTO t ({names}) VALUES ({ROW})")


def taken(source, expressions):
    """Return the expressions that this flavour takes at all."""
    found = []
    for type_, text in expressions:
        try:
            source.execute(f"CREATE TABLE one ({BASE}, v {type_} AS ({text}) STORED)")
        except pymysql.err.Error:
            continue
        source.execute("DROP TABLE one")
        found.append((type_, text))
    return found


def generated(database):
    rows = database.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = database() "
        "AND generation_expression <> ''"
    )
    return {name for (name,) in rows}


async def test_what_may_mean_something_else_is_copied_as_values(pair):
    source, target = pair
    known = taken(source, UNLIKE)
    assert len(known) >= len(UNLIKE) - 4
    made(source, known)
    result = await fastload.copy(source.url, target.url, verify=True)
    told = [n.name for n in result.not_carried if n.kind == "generation of column"]
    assert told == [f"{target.name}.t.v{i}" for i in range(len(known))]
    assert generated(target) == set()
    columns = ", ".join(f"hex(v{i})" for i in range(len(known)))
    query = f"SELECT {columns} FROM t"
    assert target.execute(query) == source.execute(query)


async def test_what_means_the_same_is_generated_there(pair):
    source, target = pair
    made(source, ALIKE)
    result = await fastload.copy(source.url, target.url, verify=True)
    assert {n.kind for n in result.not_carried} <= {
        "type of column", "sign of zero in column",
        "collation utf8mb4_0900_ai_ci", "collation utf8mb4_uca1400_ai_ci",
    }  # fmt: skip
    assert generated(target) == {f"v{i}" for i in range(len(ALIKE))}
    columns = ", ".join(f"v{i}" for i in range(len(ALIKE)))
    assert target.execute(f"SELECT {columns} FROM t") == source.execute(f"SELECT {columns} FROM t")


async def test_checks_and_defaults(pair):
    source, target = pair
    source.execute(
        "CREATE TABLE t (id int PRIMARY KEY, bb varbinary(9), s varchar(9), n int DEFAULT (1 + 2), "
        "h int DEFAULT (bit_count(x'ff')), j json DEFAULT (json_array()), "
        "CONSTRAINT bits CHECK (bit_count(bb) >= 0), CONSTRAINT known CHECK (s IN ('a', 'b')))"
    )
    result = await fastload.copy(source.url, target.url)
    told = {(n.kind, n.name) for n in result.not_carried if n.kind in ("check", "default")}
    assert told == {("check", f"{target.name}.t.bits"), ("default", f"{target.name}.t.h")}
    target.execute("INSERT INTO t (id, s) VALUES (1, 'a')")
    assert target.execute("SELECT n, h, j FROM t") == [(3, None, "[]")]
    with pytest.raises(pymysql.err.Error, match="known"):
        target.execute("INSERT INTO t (id, s) VALUES (2, 'c')")


async def test_a_counting_column_that_mysql_generates_nothing_from(in_mariadb, in_mysql):
    in_mariadb.execute(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v int AS (id + 1) VIRTUAL)"
        "; INSERT INTO t (id) VALUES (4)"
    )
    result = await fastload.copy(in_mariadb.url, in_mysql.url)
    assert {n.kind for n in result.not_carried} >= {"generation of column"}
    assert in_mysql.execute("SELECT id, v FROM t") == [(4, 5)]


async def test_a_table_that_cannot_be_made_is_named(in_mysql, in_mariadb):
    """A name is taken by what is no table."""
    in_mysql.execute("CREATE TABLE good (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY)")
    in_mariadb.execute("CREATE SEQUENCE t")
    with pytest.raises(FastloadError) as caught:
        await fastload.copy(in_mysql.url, in_mariadb.url)
    assert caught.value.table == f"{in_mariadb.name}.t"
