"""Whole schemas: rows by sums of hashes, keys and references by each server's own catalogue."""

from __future__ import annotations

import re

import pytest

import fastload
from fastload.testing import tpch
from fastload.testing.mysql_schemas import RENTAL, SCHEMAS
from tests.pairs import schema_facts

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]


def named(schema):
    return schema.name


@pytest.mark.parametrize("schema", SCHEMAS, ids=named)
async def test_a_schema_goes_to_postgres_and_back(database, target, schema):
    schema.load(database.server, database.name, 0.5)
    kinds, before = schema_facts.kinds(database), schema_facts.in_family(database)
    sums = schema_facts.sums_in_family(database, kinds)
    await fastload.copy(database.url, target.url)
    assert schema_facts.sums_in_postgres(target, kinds) == sums
    there = schema_facts.in_postgres(target)
    assert there == before
    with database.server.database("back") as url:
        result = await fastload.copy(target.url, url)
        back = type(database)(database.server, "back")
        assert schema_facts.sums_in_family(back, kinds) == sums
        # An index over a column's beginning has become one over an expression.
        plain = [i for i in before.indexes if "(" not in i[1]]
        assert schema_facts.in_family(back) == before._replace(indexes=plain)
        lost = [n for n in result.not_carried if n.kind == "index"]
        assert len(lost) == len(before.indexes) - len(plain)


@pytest.fixture(params=["mysql", "mariadb"])
def pair(request, in_mysql, in_mariadb):
    """A source of one flavour, and a target of the other."""
    return (in_mysql, in_mariadb) if request.param == "mysql" else (in_mariadb, in_mysql)


@pytest.mark.parametrize("schema", SCHEMAS, ids=named)
async def test_a_schema_goes_to_the_other_flavour(pair, schema):
    source, target = pair
    schema.load(source.server, source.name, 0.5)
    kinds = schema_facts.kinds(source)
    result = await fastload.copy(source.url, target.url)
    assert schema_facts.sums_in_family(target, kinds) == schema_facts.sums_in_family(source, kinds)
    assert schema_facts.in_family(target) == schema_facts.in_family(source)
    left = {n.kind for n in result.not_carried}
    assert left >= {"view", "trigger", "function"} if schema is RENTAL else left >= {"view"}


def created(database):
    """Return what makes each table, without the next number, which goes by what was drawn."""
    shown = {}
    for table, kind in database.execute("SHOW FULL TABLES"):
        if kind == "BASE TABLE":
            text = database.execute(f"SHOW CREATE TABLE `{table}`")[0][1]
            shown[table] = re.sub(r" AUTO_INCREMENT=\d+", "", text)
    return shown


@pytest.mark.parametrize("schema", SCHEMAS, ids=named)
async def test_a_schema_goes_to_another_database_of_the_server(database, schema):
    schema.load(database.server, database.name, 0.5)
    kinds = schema_facts.kinds(database)
    with database.server.database("beside") as url:
        await fastload.copy(database.url, url)
        beside = type(database)(database.server, "beside")
        assert created(beside) == created(database)
        assert schema_facts.sums_in_family(beside, kinds) == schema_facts.sums_in_family(
            database, kinds
        )
        assert schema_facts.in_family(beside).next == schema_facts.in_family(database).next


async def test_tpch_goes_to_mysql_and_back(source, target, in_mysql):
    tpch.load(source.server, source.name, 0.01)
    await fastload.copy(source.url, in_mysql.url)
    await fastload.copy(in_mysql.url, target.url)
    for table in tpch.TABLES:
        assert target.checksum(table) == source.checksum(table), table
    here, there = schema_facts.in_postgres(source), schema_facts.in_postgres(target)
    assert (there.keys, there.references) == (here.keys, here.references)


# Table and column names, and the reserved words among them, with a row of values each.
NAMES = ("a`b", 'a"b', "a'b", "a.b", " a b", "a\\b", "select", "ünï 名", "A%s{0}$1;--", "x" * 63)
VALUES = ("", " ", "\\N", "a\tb\nc\\", "'\"`", "😀é", "NULL", "%s{}$1", "\x1a\b", "x" * 70_000)


def quoted(name, mark):
    return mark + name.replace(mark, mark * 2) + mark


def hostile(mark, text, value):
    """Return what makes a table of each name, with columns of all names, and one that refers."""
    columns = [quoted(name, mark) for name in NAMES]
    made = ", ".join(f"{c} {text}" for c in columns)
    values = ", ".join(map(value, VALUES))
    for name in NAMES:
        yield f"CREATE TABLE {quoted(name, mark)} ({quoted('order', mark)} int PRIMARY KEY, {made})"
        yield f"INSERT INTO {quoted(name, mark)} VALUES (1, {values})"
    first = quoted(NAMES[0], mark)
    yield (
        f"CREATE TABLE {quoted('group', mark)} ({first} int, CONSTRAINT {quoted('k.1', mark)} "
        f"FOREIGN KEY ({first}) REFERENCES {first} ({quoted('order', mark)}))"
    )
    yield f"INSERT INTO {quoted('group', mark)} VALUES (1)"


def mysql_value(text):
    return "CONVERT(x'" + text.encode().hex() + "' USING utf8mb4)"


def postgres_value(text):
    return f"convert_from('\\x{text.encode().hex()}', 'UTF8')"


def rows_in_family(database, name):
    return database.execute(f"SELECT * FROM {quoted(name, '`')}")


def check_postgres(database):
    wanted = " AND ".join(
        f"{quoted(c, chr(34))} = {postgres_value(v)}" for c, v in zip(NAMES, VALUES, strict=True)
    )
    for name in NAMES:
        found = database.psql(f"SELECT count(*) FROM {quoted(name, chr(34))} WHERE {wanted}")
        assert found == "1", name
    assert database.psql("SELECT conname FROM pg_constraint WHERE contype = 'f'") == "k.1"


async def test_hostile_names_and_values_of_the_family(database, target):
    for statement in hostile("`", "longtext", mysql_value):
        database.execute(f"SET NAMES utf8mb4; {statement}")
    await fastload.copy(database.url, target.url)
    check_postgres(target)


async def test_hostile_names_and_values_of_postgres(source, database):
    source.psql("; ".join(hostile('"', "text", postgres_value)))
    check_postgres(source)
    await fastload.copy(source.url, database.url)
    for name in NAMES:
        assert rows_in_family(database, name) == [(1, *VALUES)], name
    assert rows_in_family(database, "group") == [(1,)]


async def test_hostile_names_and_values_within_the_family(pair):
    source, target = pair
    for statement in hostile("`", "longtext", mysql_value):
        source.execute(statement)
    longest = "ö" * 64
    source.execute(f"CREATE TABLE `{longest}` (`{longest}` int PRIMARY KEY)")
    await fastload.copy(source.url, target.url)
    for name in NAMES:
        assert rows_in_family(target, name) == [(1, *VALUES)], name
    assert rows_in_family(target, "group") == [(1,)]
    assert rows_in_family(target, longest) == []


async def test_a_reference_of_a_column_that_another_is_generated_from(source, database):
    """The server takes no action for such a reference, which then refuses instead."""
    source.psql(
        "CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1); "
        "CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE, "
        "g int GENERATED ALWAYS AS (p * 2) STORED); INSERT INTO c VALUES (1, 1), (2, NULL)"
    )
    result = await fastload.copy(source.url, database.url)
    assert "action of foreign key" in {n.kind for n in result.not_carried}
    assert database.execute("SELECT * FROM c") == [(1, 1, 2), (2, None, None)]
    references = [("c", "p", "p", "id", "NO ACTION", "NO ACTION")]
    assert schema_facts.in_family(database).references == references


async def test_numbers_beyond_a_bigint_are_used_up(database, target):
    database.execute(
        "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY) "
        "AUTO_INCREMENT = 9223372036854775900"
    )
    await fastload.copy(database.url, target.url)
    with pytest.raises(RuntimeError, match="reached maximum value"):
        target.psql("INSERT INTO t DEFAULT VALUES")


async def test_a_check_that_is_not_enforced_is_left_and_told(in_mysql, in_mariadb, target):
    in_mysql.execute(
        "CREATE TABLE t (id int PRIMARY KEY, CONSTRAINT off CHECK (id > 9) NOT ENFORCED, "
        "CONSTRAINT word CHECK (id <> char_length('NOT ENFORCED'))); INSERT INTO t VALUES (1)"
    )
    for there, schema in ((target, "public"), (in_mariadb, in_mariadb.name)):
        result = await fastload.copy(in_mysql.url, there.url)
        left = [(n.name, n.reason) for n in result.not_carried if n.kind == "check"]
        assert left == [(f"{schema}.t.off", "it is not enforced on the source")]
