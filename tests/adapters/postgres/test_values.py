"""Every built-in type with its extremes, by both routes, both ways between two versions."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastload
from fastload.testing import tpch

VALUES = {
    "boolean": ["true", "false"],
    "smallint": ["-32768", "0", "32767"],
    "integer": ["-2147483648", "0", "2147483647"],
    "bigint": ["-9223372036854775808", "0", "9223372036854775807"],
    "oid": ["0", "4294967295"],
    "real": ["1e-45", "-0", "NaN", "Infinity", "-Infinity", "3.4028235e38"],
    "double precision": ["5e-324", "-0", "NaN", "Infinity", "-Infinity", "0.1"],
    "numeric": ["0", "-0.000", "NaN", "Infinity", "-Infinity", "1e1000", "1e-1000", "123.4500"],
    "numeric(12,2)": ["9999999999.99", "-9999999999.99", "0.01", "NaN"],
    "numeric(38,0)": ["9" * 38, "-" + "9" * 38],
    "numeric(50,20)": ["9" * 30 + "." + "9" * 20],
    "numeric(5,-3)": ["99999000", "-1000"],
    "numeric(3,5)": ["0.00999"],
    "text": ["", " ", "NULL", "\\N", "\t\n\r\\", "äöü€😀", "x" * 100_000],
    "varchar(5)": ["", "abcde", "  "],
    "char(5)": ["", "ab", "abcde"],
    '"char"': ["a", ""],
    "name": ["", "x" * 63],
    "bytea": ["", "\\x00ff", "\\x5c4e"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
    "json": ['{"b": 1, "a":  [null, "\\u00e9"], "b": 2}', "null", '"x"'],
    "jsonb": ['{"a": 1e400}', "null", "[]"],
    "date": ["-infinity", "infinity", "4713-01-01 BC", "5874897-12-31", "1970-01-01"],
    "time": ["00:00", "24:00:00", "23:59:59.999999"],
    "time(0)": ["24:00:00", "12:34:56"],
    "timetz": ["00:00+15:59", "24:00-15:59"],
    "timestamp": ["-infinity", "infinity", "4713-01-01 BC", "294276-12-31 23:59:59.999999"],
    "timestamptz": ["-infinity", "infinity", "4713-01-02 BC", "294276-12-31 23:59:59.999999+00"],
    "interval": ["-178000000 years", "1 mon -1 day 00:00:01", "2562047788:00:54.775807", "0"],
    "bit(3)": ["101"],
    "varbit": ["", "1010101"],
    "inet": ["::1", "192.168.0.1/24"],
    "cidr": ["10.0.0.0/8"],
    "macaddr": ["08:00:2b:01:02:03"],
    "money": ["-92233720368547758.08", "1.00"],
    "point": ["(1e300,-0)"],
    "tsvector": ["'a':1A 'b':2"],
    "int4range": ["empty", "[1,5)", "(,)"],
    "pg_lsn": ["FFFFFFFF/FFFFFFFF"],
    "mood": ["sad", 'o\'k "x"'],
    "integer[]": ["{}", "{1,NULL,-1}", "[0:1]={1,2}", "{{1,2},{3,4}}"],
    "text[]": ["{}", '{NULL,"NULL","","a,b","\\"x\\\\"}'],
    "numeric[]": ["{1.50,NaN,NULL}"],
    "timestamptz[]": ["{infinity,2024-01-01 00:00+00}"],
    "mood[]": ["{sad,NULL}"],
    "jsonb[]": ['{"{\\"a\\": 1}",NULL}'],
}
MOOD = "CREATE TYPE mood AS ENUM ('sad', 'o''k \"x\"')"


def literal(value, type_):
    return "'" + value.replace("'", "''") + f"'::{type_}"


@pytest.fixture
def every(source):
    """A table per type, with the values among NULLs: one before, between and after."""
    return filled(source)


def filled(database):
    statements = ["SET timezone = 'UTC'", MOOD]
    for number, (type_, values) in enumerate(VALUES.items()):
        rows = ["(1, NULL)"]
        for place, value in enumerate(values):
            rows += [f"({2 * place + 2}, {literal(value, type_)})", f"({2 * place + 3}, NULL)"]
        statements.append(f"CREATE TABLE t{number} (id int PRIMARY KEY, v {type_})")
        statements.append(f"INSERT INTO t{number} VALUES {', '.join(rows)}")
    database.psql("; ".join(statements))
    return database


def texts(database, number):
    return database.psql(f"SET timezone = 'UTC'; SELECT * FROM t{number} ORDER BY id")


@pytest.mark.parametrize("route", ["auto", "arrow"])
async def test_every_type_arrives_as_it_is(every, target, route):
    await fastload.copy(every.url, target.url, route=route)
    declared = (
        "SELECT attrelid::regclass::text, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attname = 'v' AND attrelid::regclass::text LIKE 't%' ORDER BY 1"
    )
    assert target.psql(declared) == every.psql(declared)
    for number, type_ in enumerate(VALUES):
        assert texts(target, number) == texts(every, number), type_


async def test_a_newer_server_copies_to_an_older_one(target, source):
    filled(target)
    for route in ("auto", "arrow"):
        await fastload.copy(target.url, source.url, route=route, mode="replace")
        for number, type_ in enumerate(VALUES):
            assert texts(source, number) == texts(target, number), (route, type_)


@pytest.mark.parametrize("route", ["auto", "arrow"])
async def test_the_oldest_server_is_read_and_written(old, target, route):
    filled(old)
    await fastload.copy(old.url, target.url, route=route)
    for number, type_ in enumerate(VALUES):
        assert texts(target, number) == texts(old, number), type_


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-(2**63), 2**63 - 1),
            st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
            st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=7),
            st.none() | st.floats(),
            st.none() | st.lists(st.none() | st.integers(-(2**31), 2**31 - 1), max_size=4),
            st.none() | st.binary(max_size=9),
        ),
        max_size=30,
    )
)
async def test_any_rows_arrive_by_both_routes(source, target, rows):
    source.psql(
        "DROP TABLE IF EXISTS r; CREATE TABLE r (a bigint, b text, c numeric, d float8, e int[], "
        "f bytea)"
    )
    values = ", ".join("(" + ", ".join(map(spelled, row)) + ")" for row in rows)
    if values:
        source.psql(f"INSERT INTO r VALUES {values}")
    for route in ("wire", "arrow"):
        await fastload.copy(source.url, target.url, tables=["r"], route=route, mode="replace")
        assert target.checksum("r") == source.checksum("r"), route


def spelled(value):
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'"
    if isinstance(value, list):
        return "'{" + ",".join("NULL" if v is None else str(v) for v in value) + "}'"
    return "'" + str(value).replace("'", "''") + "'"


@pytest.mark.slow
async def test_tpch_is_equal_row_by_row_by_both_routes(source, target):
    tpch.load(source.server, source.name, 0.01, keys=True)
    for route in ("wire", "arrow"):
        result = await fastload.copy(
            source.url, target.url, route=route, mode="replace", parallel=2
        )
        assert {t.route for t in result.tables} == {route}
        for table in tpch.TABLES:
            assert target.checksum(table) == source.checksum(table), (route, table)
