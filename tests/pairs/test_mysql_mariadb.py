"""Between MySQL and MariaDB, and between databases of one server: every type with its extremes."""

from __future__ import annotations

import re

import pytest

import fastload
from fastload.errors import EncodeError, FastloadError, LossyType, SchemaMismatch, Unrepresentable
from tests.pairs import matrix
from tests.pairs.matrix import NUMBER, TEXT, Type

pytestmark = pytest.mark.mysql

# What only the family keeps, where sql_mode let it in.
LAX = (
    Type("date", ("'0000-00-00'", "'2024-00-15'", "'2024-02-00'"), NUMBER, ""),
    Type("datetime", ("'0000-00-00'", "'2024-00-01 23:59:59'"), NUMBER, ""),
    Type("datetime(6)", ("'2024-02-00 00:00:00.000001'", "0"), NUMBER, ""),
    Type("timestamp NULL", ("0", "'2024-02-29 01:02:03'"), NUMBER, ""),
    Type("set('a','b')", ("'none of them'", "'b,a'"), TEXT, ""),
    Type("varchar(9)", ("'a\\0b'", "'\\0'"), TEXT, ""),
    Type("longtext CHARACTER SET utf16", ("'\\0'",), TEXT, ""),
    Type("char(5) CHARACTER SET latin1", ("'\\0é'",), TEXT, ""),
    Type("varchar(9) CHARACTER SET binary", ("x'ff00'", "''"), matrix.BYTES, ""),
)
# Types that the other flavour does not have or spells otherwise; of it, all that it is.
REPLACED = {
    "mysql": {"json": "longtext", "vector(2)": "longblob"},
    "mariadb": {
        "json": "json", "uuid": "char(36)", "inet4": "varchar(15)", "inet6": "varchar(45)",
    },
}  # fmt: skip


def texts(database, types):
    query = f"SELECT {', '.join(matrix.expressions(types, 'mysql'))} FROM t ORDER BY id"
    return matrix.told(types, database.execute(f"SET time_zone = '+00:00'; {query}"))


def declared(database):
    rows = database.execute(
        "SELECT column_type FROM information_schema.columns WHERE table_schema = database() "
        "AND table_name = 't' AND column_name <> 'id' ORDER BY ordinal_position"
    )
    return [matrix.bare(type_) for (type_,) in rows]


def charsets(database):
    found = database.execute(
        "SELECT column_name, character_set_name FROM information_schema.columns WHERE "
        "table_schema = database() AND table_name = 't' AND column_type NOT IN ('json', 'longtext')"
    )
    return {name: charset for name, charset in found if charset}


def wanted(types, flavour):
    """Return how the other flavour shows these columns."""
    found = []
    for type_ in types:
        bare = re.sub(r" (CHARACTER SET \w+|NULL|SRID \d+)$", "", type_.declared)
        found.append(REPLACED[flavour].get(bare, bare))
    return found


def shown(database, name="t"):
    return database.execute(f"SHOW CREATE TABLE {name}")[0][1]


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request, in_mysql, in_mariadb):
    """The source's flavour, the source, and the target of the other flavour."""
    both = (in_mysql, in_mariadb)
    return (request.param, *(both if request.param == "mysql" else both[::-1]))


async def test_every_type_reaches_the_other_flavour(pair):
    flavour, source, target = pair
    types = [t for t in matrix.of_flavour(flavour) if t not in matrix.NOT_MYSQL]
    matrix.fill(source, types)
    await fastload.copy(source.url, target.url)
    assert declared(target) == wanted(types, flavour)
    kept = charsets(source)
    assert {name: charsets(target).get(name) for name in kept} == kept
    here, there = texts(source, types), texts(target, types)
    assert {n: (here[n], there[n]) for n in here if there[n] != here[n]} == {}


async def test_what_only_the_family_keeps_reaches_the_other_flavour(pair):
    _, source, target = pair
    matrix.fill(source, LAX)
    await fastload.copy(source.url, target.url)
    assert texts(target, LAX) == texts(source, LAX)


async def test_every_type_reaches_another_database_of_the_server(database):
    types = (*matrix.of_flavour(database.server.flavour), *LAX)
    matrix.fill(database, types)
    with database.server.database("beside") as url:
        await fastload.copy(database.url, url)
        beside = type(database)(database.server, "beside")
        assert shown(beside) == shown(database)
        assert texts(beside, types) == texts(database, types)


def with_one(database, type_, value):
    database.execute(
        f"SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, v {type_}); "
        f"INSERT INTO t VALUES (1, {value})"
    )


async def test_times_that_only_mariadb_holds(in_mariadb, in_mysql):
    with_one(in_mariadb, "time(6)", "'838:59:59.999999'")
    with pytest.raises(EncodeError, match=r"Out of range value for column 'v' \(1264\)") as caught:
        await fastload.copy(in_mariadb.url, in_mysql.url)
    assert caught.value.column == "v"
    assert in_mysql.execute("SELECT * FROM t") == []


async def test_a_value_that_is_no_label_is_not_written_again(database):
    """Servers keep it as an empty text with the number 0, and take it from no client."""
    with_one(database, "enum('a','b')", "'none of them'")
    with database.server.database("beside") as url:
        with pytest.raises(Unrepresentable, match="'' is no label") as caught:
            await fastload.copy(database.url, url, run="r")
        assert (caught.value.key, caught.value.column) == ("id=1", "v")
        assert database.server.execute("SELECT * FROM t", "beside") == []
        await fastload.copy(database.url, url, on_unrepresentable="null", run="r", fresh=True)
        assert database.server.execute("SELECT * FROM t", "beside") == [(1, None)]


# The source's column, a value, the target's column, and what is said of it.
EXISTING = [
    ("int", "-1", "int unsigned", EncodeError, "-1"),
    ("bigint unsigned", "18446744073709551615", "bigint", EncodeError, "18446744073709551615"),
    ("bit(9)", "256", "bit(8)", EncodeError, "256"),
    ("decimal(5,0)", "99999", "decimal(4,0)", EncodeError, "99999"),
    ("varchar(9)", "'abc'", "varchar(2)", EncodeError, "abc"),
    ("varchar(9)", "'a '", "char(9)", EncodeError, "ends with a space"),
    ("varbinary(9)", "x'00'", "binary(2)", EncodeError, "length"),
    ("datetime", "'2038-01-19 03:14:08'", "timestamp", SchemaMismatch, "not written"),
    ("datetime(3)", "NULL", "datetime", LossyType, "fractions"),
    ("double", "NULL", "float", LossyType, "seventh"),
    ("decimal(9,2)", "NULL", "decimal(9,1)", LossyType, "point"),
    ("enum('a','b')", "'b'", "enum('a')", SchemaMismatch, "not written"),
    ("varchar(9)", "'x'", "int", SchemaMismatch, "not written"),
    ("varchar(9)", "'é😀'", "varchar(9) CHARACTER SET latin1", FastloadError, "latin1|string"),
]


@pytest.mark.parametrize(("type_", "value", "there", "kind", "why"), EXISTING)
async def test_columns_that_are_there_change_nothing(
    in_mysql, in_mariadb, type_, value, there, kind, why
):
    with_one(in_mysql, type_, value)
    in_mariadb.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {there} NULL)")
    with pytest.raises(kind, match=why) as caught:
        await fastload.copy(in_mysql.url, in_mariadb.url, mode="append")
    assert caught.value.column == "v"
    assert caught.value.table.endswith(".t")
    assert in_mariadb.execute("SELECT * FROM t") == []
