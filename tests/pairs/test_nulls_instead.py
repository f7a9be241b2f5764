"""on_unrepresentable="null": what the other side cannot hold becomes NULL, and is counted."""

from __future__ import annotations

import uuid

import pyarrow as pa
import pytest

import fastload
from fastload.errors import FastloadError
from fastload.model import Column, Key, QualifiedName, Table
from fastload.testing import memory

NAME = QualifiedName("public", "t")


def column(name, type_):
    return Column(name=name, type=type_, arrow=type_, nullable=name != "id")


@pytest.fixture
def held():
    """A memory database with a table of values that others do not have."""
    database = memory.database(f"nulls-{uuid.uuid4().hex}")
    columns = (column("id", "int32"), column("s", "string"), column("n", "uint64"))
    key = Key(name="t_pkey", columns=("id",), primary=True)
    database.create(Table(name=NAME, columns=columns, keys=(key,)))
    rows = [[1, 2, 3, 4], ["a", "b\0c", None, "long text"], [1, 2**63, 2**64 - 1, None]]
    schema = database.tables[NAME].rows.schema
    arrays = [pa.array(c, f.type) for c, f in zip(rows, schema, strict=True)]
    database.put(NAME, pa.table(arrays, schema=schema))
    yield database
    memory.forget(database.name)


async def refused_then_nulled(source, target, **options):
    with pytest.raises(FastloadError) as raised:
        await fastload.copy(source, target, run="nulls", **options)
    assert raised.value.key is not None
    options |= {"run": "nulls", "fresh": True}
    return await fastload.copy(source, target, on_unrepresentable="null", **options)


async def test_into_postgres(held, target):
    target.psql("CREATE TABLE t (id int PRIMARY KEY, s varchar(8), n bigint)")
    result = await refused_then_nulled(held, target.url, mode="append")
    assert target.psql("SELECT id, s, n FROM t ORDER BY id").splitlines() == [
        "1|a|1", "2||", "3||", "4||",
    ]  # fmt: skip
    assert result.nulled == result.tables[0].nulled == result.to_dict()["nulled"] == 4
    assert "public.t: 4 values" in str(result)
    assert "Values that became NULL" in result.html()


async def test_only_in_the_columns_that_are_named(held, target):
    target.psql("CREATE TABLE t (id int PRIMARY KEY, s text, n bigint)")
    policy = {"public.t.s": "null"}
    with pytest.raises(FastloadError) as raised:
        await fastload.copy(held, target.url, mode="append", on_unrepresentable=policy)
    assert (raised.value.column, raised.value.key) == ("n", "id=2")


@pytest.mark.mysql
async def test_into_mysql(held, database):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, s varchar(8), n bigint)")
    where = {"rename": {"public.t": (database.name, "t")}, "mode": "append"}
    result = await refused_then_nulled(held, database.url, **where)
    assert database.execute("SELECT * FROM t ORDER BY id") == [
        (1, "a", 1), (2, "b\0c", None), (3, None, None), (4, None, None),
    ]  # fmt: skip
    assert result.nulled == 3


@pytest.mark.mysql
async def test_from_mysql_to_postgres(database, target):
    database.execute(
        "SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, s text, d date);"
        "INSERT INTO t VALUES (1, 'a\\0b', '2024-01-01'), (2, 'c', '0000-00-00'), (3, NULL, NULL)"
    )
    result = await refused_then_nulled(database.url, target.url)
    assert target.psql("SELECT * FROM t ORDER BY id").splitlines() == [
        "1||2024-01-01",
        "2|c|",
        "3||",
    ]
    # One by the encoder, for PostgreSQL; one by the decoder, as Arrow has no such day.
    assert result.nulled == 2


@pytest.mark.mysql
async def test_from_postgres_to_mysql(source, database):
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, f float8, ts timestamp);"
        "INSERT INTO t VALUES (1, 'NaN', 'infinity'), (2, 1.5, '2024-01-01'),"
        "(3, NULL, '4713-01-01 BC')"
    )
    result = await refused_then_nulled(source.url, database.url)
    found = database.execute("SELECT id, f, ts IS NULL FROM t ORDER BY id")
    assert found == [(1, None, 1), (2, 1.5, 0), (3, None, 1)]
    assert result.nulled == 3


async def test_into_memory(held):
    narrow = memory.database(f"narrow-{uuid.uuid4().hex}")
    columns = (column("id", "int32"), column("s", "string"), column("n", "int64"))
    narrow.create(Table(name=NAME, columns=columns))
    result = await fastload.copy(held, narrow, mode="append", on_unrepresentable="null")
    assert narrow.tables[NAME].rows["n"].to_pylist() == [1, None, None, None]
    assert result.nulled == 2
    memory.forget(narrow.name)


async def test_a_write_counts_too(target):
    target.psql("CREATE TABLE t (s text)")
    result = await fastload.write(pa.table({"s": ["a"]}), target.url, "public.t", mode="append")
    assert result.nulled == 0
    assert "became NULL" not in str(result)
