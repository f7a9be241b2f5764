"""MySQL and MariaDB to PostgreSQL: every type with its extremes, and what is refused."""

from __future__ import annotations

import json

import pytest

import fastload
from fastload.errors import (
    EncodeError,
    FastloadError,
    LossyType,
    PlanError,
    SchemaMismatch,
    Unrepresentable,
)
from tests.pairs import matrix

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]


def in_postgres(target, types):
    texts = ", ".join(matrix.expressions(types, "postgres"))
    query = f"SELECT json_agg(json_build_array({texts}) ORDER BY id) FROM t"
    shown = target.psql(f"SET timezone = 'UTC'; {query}")
    return matrix.told(types, json.loads(shown.splitlines()[-1]))


def in_family(database, types):
    texts = ", ".join(matrix.expressions(types, "mysql"))
    query = f"SET time_zone = '+00:00'; SELECT {texts} FROM t ORDER BY id"
    return matrix.told(types, database.execute(query))


def declared(target):
    return target.psql(
        "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = 't'::regclass AND attnum > 1 ORDER BY attnum"
    ).splitlines()


async def test_every_type_arrives_as_it_is(database, target):
    types = matrix.of_flavour(database.server.flavour)
    matrix.fill(database, types)
    await fastload.copy(database.url, target.url)
    wanted = [t.there.format(name=matrix.column(i)) for i, t in enumerate(types)]
    assert declared(target) == wanted
    here, there = in_family(database, types), in_postgres(target, types)
    assert {n: (here[n], there[n]) for n in here if there[n] != here[n]} == {}


# Declaration; a value that PostgreSQL's column does not hold, as SQL and as the error shows it.
UNREPRESENTABLE = [
    ("date", "'0000-00-00'", "0000-00-00", Unrepresentable),
    ("date", "'2024-00-15'", "2024-00-15", Unrepresentable),
    ("date", "'2024-02-00'", "2024-02-00", Unrepresentable),
    ("datetime", "'2024-00-01 01:02:03'", "2024-00-01 01:02:03", Unrepresentable),
    ("datetime(3)", "0", "0000-00-00 00:00:00", Unrepresentable),
    ("timestamp(6) NULL", "0", "0000-00-00 00:00:00", Unrepresentable),
    ("enum('a','b')", "'none of them'", "''", Unrepresentable),
    ("varchar(9)", "'a\\0b'", r"'a\x00b'", EncodeError),
    ("longtext", "'\\0'", r"'\x00'", EncodeError),
    ("char(3) CHARACTER SET utf16", "'\\0 a'", r"'\x00 a'", EncodeError),
]
# The same into a column that is there: its type on either side, the value, and what is shown.
OUT_OF_RANGE = [
    ("bigint unsigned", "bigint", "18446744073709551615", "18446744073709551615"),
    ("int", "smallint", "32768", "32768"),
    ("time", "time", "'24:00:01'", "86401"),
    ("time", "time", "'-00:00:01'", "-1"),
    ("varchar(9)", "uuid", "'x'", "'x'"),
]


def with_one(database, type_, value):
    """Make table t with NULL and the value."""
    database.execute(
        "SET sql_mode = '', time_zone = '+00:00'; "
        f"CREATE TABLE t (id int PRIMARY KEY, v {type_}); "
        f"INSERT INTO t VALUES (1, NULL), (2, {value})"
    )


def place(error):
    return error.side, error.table.rpartition(".")[2], error.key, error.column


def rows(target):
    return target.psql("SELECT id, v IS NULL FROM t ORDER BY id").splitlines()


@pytest.mark.parametrize(("type_", "value", "shown", "kind"), UNREPRESENTABLE)
async def test_what_postgres_does_not_hold(in_mysql, target, type_, value, shown, kind):
    with_one(in_mysql, type_, value)
    with pytest.raises(kind) as caught:
        await fastload.copy(in_mysql.url, target.url)
    assert place(caught.value)[1:] == ("t", "id=2", "v")
    assert shown in caught.value.message
    assert rows(target) == []


async def test_what_postgres_does_not_hold_becomes_null_where_asked(database, target):
    columns = [f"v{i}" for i in range(len(UNREPRESENTABLE))]
    made = ", ".join(f"{c} {t[0]}" for c, t in zip(columns, UNREPRESENTABLE, strict=True))
    values = ", ".join(t[1] for t in UNREPRESENTABLE)
    database.execute(
        "SET sql_mode = '', time_zone = '+00:00'; "
        f"CREATE TABLE t (id int PRIMARY KEY, kept varchar(9), {made}) CHARSET utf8mb4; "
        f"INSERT INTO t VALUES (1, 'kept', {values})"
    )
    await fastload.copy(database.url, target.url, on_unrepresentable="null")
    assert target.psql("SELECT * FROM t") == "1|kept" + "|" * len(columns)


@pytest.mark.parametrize(("type_", "there", "value", "shown"), OUT_OF_RANGE)
async def test_what_a_column_that_is_there_does_not_hold(
    in_mysql, target, type_, there, value, shown
):
    with_one(in_mysql, type_, value)
    target.psql(f"CREATE TABLE t (id int PRIMARY KEY, v {there})")
    with pytest.raises(EncodeError) as caught:
        await fastload.copy(in_mysql.url, target.url, mode="append")
    assert place(caught.value) == ("target", "t", "id=2", "v")
    assert shown in caught.value.message
    assert rows(target) == []
    await fastload.copy(
        in_mysql.url, target.url, mode="append", on_unrepresentable="null", fresh=True
    )
    assert rows(target) == ["1|t", "2|t"]


# Type on either side; the error, and what it says.
REFUSED = [
    ("double", "real", LossyType, "digits beyond the seventh"),
    ("decimal(10,2)", "numeric(10,1)", LossyType, "digits after the point"),
    ("decimal(20,0)", "bigint", SchemaMismatch, "not written into bigint"),
    ("datetime(6)", "timestamp(3)", LossyType, "fractions of a second"),
    ("time(6)", "time(0)", LossyType, "fractions of a second"),
    ("json", "jsonb", LossyType, "order of members"),
    ("varchar(9)", "char(9)", LossyType, "spaces at the end"),
    ("varchar(9)", "integer", SchemaMismatch, "not written into integer"),
    ("datetime", "timestamptz", SchemaMismatch, "not written into timestamp with time zone"),
    ("timestamp NULL", "timestamp", SchemaMismatch, "not written into timestamp without"),
    ("blob", "text", SchemaMismatch, "not written into text"),
    ("int", "int GENERATED ALWAYS AS (id) STORED", SchemaMismatch, "generates this column"),
]


@pytest.mark.parametrize(("type_", "there", "kind", "why"), REFUSED)
async def test_columns_that_do_not_fit_stop_the_plan(in_mysql, target, type_, there, kind, why):
    with_one(in_mysql, type_, "NULL")
    target.psql(f"CREATE TABLE t (id int PRIMARY KEY, v {there})")
    with pytest.raises(kind, match=why) as caught:
        await fastload.copy(in_mysql.url, target.url, mode="append")
    assert (caught.value.table, caught.value.column) == ("public.t", "v")
    assert rows(target) == []
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


async def test_a_name_that_postgres_would_cut_stops_the_plan(in_mysql, target):
    name = "ü" * 32
    in_mysql.execute(f"CREATE TABLE t (id int PRIMARY KEY, `{name}` int)")
    with pytest.raises(PlanError, match="longer than 63 bytes") as caught:
        await fastload.copy(in_mysql.url, target.url)
    assert caught.value.column == name
    assert target.psql("SELECT to_regclass('t') IS NULL") == "t"


async def test_a_number_as_boolean_has_two_values(database, target):
    with_one(database, "tinyint(1)", "2")
    types = {f"{database.name}.t.v": "boolean"}
    with pytest.raises(FastloadError) as caught:
        await fastload.copy(database.url, target.url, types=types)
    assert place(caught.value)[1:] == ("t", "id=2", "v")
    database.execute("UPDATE t SET v = 1 WHERE id = 2")
    await fastload.copy(database.url, target.url, types=types, fresh=True)
    assert target.psql("SELECT v FROM t WHERE id = 2") == "t"
