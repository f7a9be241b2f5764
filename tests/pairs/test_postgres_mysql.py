"""PostgreSQL to MySQL and MariaDB: every type with its extremes, and what is refused."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

import fastload
from fastload.errors import (
    EncodeError,
    LossyType,
    SchemaMismatch,
    TargetError,
    Unrepresentable,
    UnsupportedType,
)
from tests.pairs import matrix

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]

SETTINGS = "SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; SET lc_monetary = 'C'"


def filled(source, types):
    columns = ", ".join(f"{matrix.column(i)} {t.declared}" for i, t in enumerate(types))
    rows = ", ".join(f"({n}, {', '.join(values)})" for n, values in enumerate(matrix.rows(types)))
    source.psql(
        f"{SETTINGS}; {matrix.POSTGRES_TYPES}; "
        f"CREATE TABLE t (id int PRIMARY KEY, {columns}); INSERT INTO t VALUES {rows}"
    )


def in_postgres(source, types):
    found = matrix.expressions(types, "postgres")
    # A function takes up to 100 arguments: the rows are joined of two lists.
    lists = [f"jsonb_build_array({', '.join(part)})" for part in (found[:50], found[50:])]
    query = f"SELECT json_agg({' || '.join(lists)} ORDER BY id) FROM t"
    shown = source.psql(f"{SETTINGS}; {query}").splitlines()[-1]
    return matrix.told(types, json.loads(shown))


def in_family(database, types):
    texts = ", ".join(matrix.expressions(types, "mysql"))
    query = f"SET time_zone = '+00:00'; SELECT {texts} FROM t ORDER BY id"
    return matrix.told(types, database.execute(query))


def declared(database):
    rows = database.execute(
        "SELECT column_type FROM information_schema.columns WHERE table_schema = database() "
        "AND table_name = 't' AND column_name <> 'id' ORDER BY ordinal_position"
    )
    return [matrix.bare(type_) for (type_,) in rows]


async def test_every_type_arrives_as_it_is(source, database):
    types = matrix.POSTGRES
    filled(source, types)
    await fastload.copy(source.url, database.url)
    here, there = in_postgres(source, types), in_family(database, types)
    assert {n: (here[n], there[n]) for n in here if there[n] != here[n]} == {}
    own = {"json": "longtext", "char(36)": "uuid"} if database.server.flavour == "mariadb" else {}
    assert declared(database) == [own.get(t.there, t.there) for t in types]


def with_one(source, type_, value):
    """Make table t with NULL and the value."""
    source.psql(
        f"{SETTINGS}; CREATE TABLE t (id int PRIMARY KEY, v {type_}); "
        f"INSERT INTO t VALUES (1, NULL), (2, '{value}')"
    )


def rows(database):
    return database.execute("SELECT id, v IS NULL FROM t ORDER BY id")


# Type, a value that MySQL's column does not hold, and how the error shows it.
UNREPRESENTABLE = [
    ("real", "NaN", "nan"),
    ("double precision", "-Infinity", "-inf"),
    ("numeric(12,2)", "NaN", "NaN"),
    ("date", "infinity", "infinity"),
    ("date", "0044-03-15 BC", "0044-03-15 BC"),
    ("date", "10000-01-01", "10000-01-01"),
    ("timestamp", "-infinity", "-infinity"),
    ("timestamp", "0001-12-31 BC", "0001-12-31 00:00:00 BC"),
    ("timestamptz", "infinity", "infinity"),
    ("timestamptz", "10000-01-01 00:00+00", "10000-01-01 00:00:00"),
    ("time", "24:00", "24:00:00"),
    ("interval", "2562047788:00:54.775807", "9223372036854775807 microseconds"),
    ("numeric(9,2)[]", "{1,NaN}", "an array with such an item"),
    ("date[]", "{infinity}", "an array with such an item"),
    ("integer[]", "{{1,2},{3,4}}", "2 dimensions"),
    ("integer[]", "[0:1]={1,2}", "begins at 0"),
]


@pytest.mark.parametrize(("type_", "value", "shown"), UNREPRESENTABLE)
async def test_what_mysql_does_not_hold(source, in_mysql, type_, value, shown):
    with_one(source, type_, value)
    with pytest.raises(Unrepresentable) as caught:
        await fastload.copy(source.url, in_mysql.url)
    error = caught.value
    assert (error.table.rpartition(".")[2], error.key, error.column) == ("t", "id=2", "v")
    assert shown in error.message
    assert rows(in_mysql) == []


async def test_what_mysql_does_not_hold_becomes_null_where_asked(source, database):
    columns = [f"v{i}" for i in range(len(UNREPRESENTABLE))]
    made = ", ".join(f"{c} {t[0]}" for c, t in zip(columns, UNREPRESENTABLE, strict=True))
    values = ", ".join(f"'{value}'" for _, value, _ in UNREPRESENTABLE)
    source.psql(
        f"{SETTINGS}; CREATE TABLE t (id int PRIMARY KEY, kept text, {made}); "
        f"INSERT INTO t VALUES (1, 'kept', {values})"
    )
    await fastload.copy(source.url, database.url, on_unrepresentable="null")
    assert database.execute("SELECT * FROM t") == [(1, "kept", *[None] * len(columns))]


async def test_an_item_that_json_does_not_hold(source, in_mysql):
    with_one(source, "double precision[]", "{1,Infinity}")
    with pytest.raises(Unrepresentable, match="item 1 of the list: inf") as caught:
        await fastload.copy(source.url, in_mysql.url, run="r")
    assert (caught.value.key, caught.value.column) == ("id=2", "v")
    again = {"run": "r", "fresh": True}
    await fastload.copy(source.url, in_mysql.url, on_unrepresentable="null", **again)
    assert in_mysql.execute("SELECT CAST(v AS CHAR) FROM t WHERE id = 2") == [("[1, null]",)]


# Documents that PostgreSQL takes and MySQL does not.
DOCUMENTS = [
    ("jsonb", "1e400", "too big"),
    ("json", '"\\ud800"', "surrogate"),
    ("jsonb", "[" * 101 + "]" * 101, "maximum depth"),
]


@pytest.mark.parametrize(("type_", "value", "why"), DOCUMENTS)
async def test_documents_that_mysql_does_not_take(source, in_mysql, type_, value, why):
    with_one(source, type_, value)
    with pytest.raises(TargetError, match=why) as caught:
        await fastload.copy(source.url, in_mysql.url)
    assert caught.value.column in ("v", None)
    assert rows(in_mysql) == []


# Types that no column of MySQL holds, and what the hint offers.
UNSUPPORTED = [
    ("numeric", r"numeric\(38,10\)"),
    ("numeric(70,5)", "'text' keeps every digit"),
    ("numeric(40,31)", "'text' keeps every digit"),
    ("numeric(5,-3)", r"numeric\(38,10\)"),
    ("numeric[]", "'text'"),
    ("bytea[]", "'text'"),
    ("uuid[]", "'text'"),
    ("interval[]", "'text'"),
]


@pytest.mark.parametrize(("type_", "hint"), UNSUPPORTED)
async def test_types_without_a_column_stop_the_plan(source, in_mysql, type_, hint):
    source.psql(f"CREATE TABLE t (id int PRIMARY KEY, v {type_}); INSERT INTO t VALUES (1, NULL)")
    with pytest.raises(UnsupportedType, match=hint) as caught:
        await fastload.copy(source.url, in_mysql.url)
    assert caught.value.column == "v"
    assert "public.t.v" in caught.value.hint
    assert in_mysql.execute("SHOW TABLES") == []


async def test_the_hints_of_types_without_a_column_help(source, in_mysql):
    names = [f"v{i}" for i in range(len(UNSUPPORTED))]
    made = ", ".join(f"{n} {t}" for n, (t, _) in zip(names, UNSUPPORTED, strict=True))
    source.psql(f"CREATE TABLE t (id int PRIMARY KEY, {made}); INSERT INTO t VALUES (1, 12345)")
    types = {f"public.t.{n}": "text" for n in names} | {"public.t.v0": "numeric(38,10)"}
    await fastload.copy(source.url, in_mysql.url, types=types)
    nulls = [None] * (len(names) - 1)
    assert in_mysql.execute("SELECT * FROM t") == [(1, Decimal("12345.0000000000"), *nulls)]


# The source's column and a value, the target's column, the error, and what is said of it.
EXISTING = [
    ("integer", "128", "tinyint", EncodeError, "128"),
    ("integer", "-1", "int unsigned", EncodeError, "-1"),
    ("integer", "2156", "year", EncodeError, "2156"),
    ("text", "abc", "varchar(2)", EncodeError, "abc"),
    ("text", "a ", "char(9)", EncodeError, "ends with a space"),
    ("text", "x", "enum('a')", SchemaMismatch, "not written"),
    ("text", "😀", "varchar(9) CHARACTER SET latin1", EncodeError, "string"),
    ("text", "x", "int", SchemaMismatch, "not written"),
    ("bytea", "\\x00", "binary(2)", EncodeError, "length"),
    ("bytea", "\\x00", "text", SchemaMismatch, "not written"),
    ("double precision", "0", "float", LossyType, "seventh"),
    ("numeric(9,2)", "0", "decimal(9,1)", LossyType, "point"),
    ("numeric(9,2)", "9999999.99", "decimal(7,2)", EncodeError, "9999999.99"),
    ("timestamp", "2024-01-01", "datetime", LossyType, "fractions"),
    ("timestamp", "2024-01-01", "timestamp(6) NULL", SchemaMismatch, "not written"),
    ("timestamptz", "2038-01-19 03:14:08+00", "timestamp(6) NULL", Unrepresentable, "2038-01-19"),
    ("uuid", "00000000-0000-0000-0000-000000000000", "varchar(30)", SchemaMismatch, "not written"),
]


@pytest.mark.parametrize(("type_", "value", "there", "kind", "why"), EXISTING)
async def test_columns_that_are_there_change_nothing(
    source, in_mysql, type_, value, there, kind, why
):
    with_one(source, type_, value)
    in_mysql.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {there})")
    with pytest.raises(kind, match=why) as caught:
        await fastload.copy(source.url, in_mysql.url, mode="append")
    assert caught.value.column == "v"
    assert rows(in_mysql) == []
