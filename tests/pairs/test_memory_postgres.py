"""Copies between databases of different kinds: everything goes by Arrow, nothing is shared."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pyarrow as pa
import pytest

import fastload
from fastload.errors import ResumeRefused, SchemaMismatch, TargetNotEmpty
from fastload.model import Column, ForeignKey, Key, QualifiedName, Table
from fastload.testing import memory

PARENT, CHILD = QualifiedName("public", "parent"), QualifiedName("public", "child")


def _column(name: str, type_: str, *, nullable: bool = True) -> Column:
    return Column(name=name, type=type_, arrow=type_, nullable=nullable)


def _key(*columns: str) -> Key:
    return Key(name=f"key_of_{columns[0]}", columns=columns, primary=True)


@pytest.fixture
def shop():
    """Two tables, one of which refers to the other."""
    name = f"shop-{uuid.uuid4().hex}"
    database = memory.database(name)
    parent = Table(
        name=PARENT,
        columns=(_column("id", "int64", nullable=False), _column("note", "string")),
        keys=(_key("id"),),
    )
    child = Table(
        name=CHILD,
        columns=(
            _column("parent", "int64", nullable=False),
            _column("line", "int32", nullable=False),
            _column("price", "decimal128(12, 2)"),
        ),
        keys=(_key("parent", "line"),),
        foreign_keys=(
            ForeignKey(
                name="child_of_parent",
                columns=("parent",),
                references=PARENT,
                referenced_columns=("id",),
            ),
        ),
    )
    for table in (parent, child):
        database.create(table)
    numbers = range(1, 1001)
    put(database, PARENT, [numbers, [None if i % 3 == 0 else f"note {i}" for i in numbers]])
    lines = [(i, n) for i in numbers for n in range(i % 4)]
    prices = [Decimal(i * n).scaleb(-2) for i, n in lines]
    put(database, CHILD, [[i for i, _ in lines], [n for _, n in lines], prices])
    yield database
    memory.forget(name)


def put(database, name, columns):
    schema = database.tables[name].rows.schema
    arrays = [pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)]
    database.put(name, pa.table(arrays, schema=schema))


def rows(database, name):
    held = database.tables[name].rows
    return sorted(zip(*(c.to_pylist() for c in held.columns), strict=True), key=repr)


async def test_tables_keys_and_references_reach_postgres(shop, target):
    result = await fastload.copy(shop, target.url, parallel=2)
    assert result.rows == 1000 + 1500
    assert target.psql("SELECT count(*), count(note), sum(id) FROM parent") == "1000|667|500500"
    assert target.psql("SELECT count(*), sum(price) FROM child") == _sums(shop)
    kinds = target.psql(
        "SELECT conrelid::regclass, contype, convalidated FROM pg_constraint "
        "WHERE contype IN ('p', 'f') AND connamespace = 'public'::regnamespace ORDER BY 1::text, 2"
    )
    assert kinds.splitlines() == ["child|f|t", "child|p|t", "parent|p|t"]


def _sums(shop):
    prices = shop.tables[CHILD].rows["price"].to_pylist()
    return f"{len(prices)}|{sum(prices)}"


async def test_there_and_back_again_is_the_same(shop, target):
    back = memory.database(f"back-{uuid.uuid4().hex}")
    await fastload.copy(shop, target.url)
    await fastload.copy(target.url, back, parallel=2, partition_by="physical")
    for name in (PARENT, CHILD):
        assert rows(back, name) == rows(shop, name)
        assert {k.columns for k in back.tables[name].table.keys} == {
            k.columns for k in shop.tables[name].table.keys
        }


async def test_create_refuses_tables_that_hold_rows(shop, target):
    await fastload.copy(shop, target.url)
    with pytest.raises(TargetNotEmpty, match="holds rows"):
        await fastload.copy(shop, target.url)


@pytest.mark.parametrize("mode", ["truncate", "replace", "upsert"])
async def test_a_second_copy_in_these_modes_leaves_the_same_rows(shop, target, mode):
    await fastload.copy(shop, target.url, foreign_keys=False)
    target.psql("UPDATE parent SET note = 'changed' WHERE id <= 10")
    if mode != "upsert":
        target.psql("INSERT INTO parent VALUES (-1, 'not on the source')")
    await fastload.copy(shop, target.url, mode=mode, foreign_keys=False)
    back = memory.database(f"back-{uuid.uuid4().hex}")
    await fastload.copy(target.url, back)
    assert rows(back, PARENT) == rows(shop, PARENT)


async def test_append_adds(shop, target):
    await fastload.copy(shop, target.url)
    put(shop, PARENT, [[2001, 2002], ["new", None]])
    put(shop, CHILD, [[2001], [1], [Decimal("0.01")]])
    await fastload.copy(shop, target.url, mode="append")
    assert target.psql("SELECT count(*), max(id) FROM parent") == "1002|2002"
    assert target.psql("SELECT price FROM child WHERE parent = 2001") == "0.01"


async def test_modes_that_write_into_tables_want_them_there(shop, target):
    with pytest.raises(SchemaMismatch, match="has no"):
        await fastload.copy(shop, target.url, mode="append")


async def test_names_follow_rename(shop, target):
    await fastload.copy(
        shop,
        target.url,
        rename={"public.parent": "other.mother", "public.parent.note": "remark"},
    )
    assert target.psql("SELECT count(remark) FROM other.mother") == "667"
    assert "mother" in target.psql(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'child_of_parent'"
    )


async def test_a_run_that_failed_at_its_keys_goes_on_from_there(shop, target):
    """The rows are not copied again: their table has changed on the source since."""
    double = shop.tables[PARENT].table
    held = shop.tables[PARENT].rows
    bad = pa.concat_tables([held, held.slice(0, 1)])
    shop.tables[PARENT] = memory.StoredTable(double, bad)
    with pytest.raises(fastload.FastloadError, match="could not create unique index"):
        await fastload.copy(shop, target.url, run="twice")
    assert target.psql("SELECT count(*) FROM parent") == "1001"
    target.psql("DELETE FROM parent WHERE ctid = (SELECT max(ctid) FROM parent WHERE id = 1)")
    shop.tables[PARENT] = memory.StoredTable(double, held.slice(0, 0))
    result = await fastload.copy(shop, target.url, run="twice")
    assert result.rows == 1001 + 1500
    assert target.psql("SELECT count(*) FROM parent") == "1000"
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


async def test_a_continued_run_refuses_other_options(shop, target):
    held = shop.tables[PARENT].rows
    table = shop.tables[PARENT].table
    shop.tables[PARENT] = memory.StoredTable(table, pa.concat_tables([held, held.slice(0, 1)]))
    with pytest.raises(fastload.FastloadError):
        await fastload.copy(shop, target.url, run="other")
    with pytest.raises(ResumeRefused, match="indexes"):
        await fastload.copy(shop, target.url, run="other", indexes=False)


async def test_rows_that_a_failed_run_left_are_named_as_its_own(shop, target):
    held = shop.tables[PARENT].rows
    table = shop.tables[PARENT].table
    shop.tables[PARENT] = memory.StoredTable(table, pa.concat_tables([held, held.slice(0, 1)]))
    with pytest.raises(fastload.FastloadError):
        await fastload.copy(shop, target.url)
    shop.tables[PARENT] = memory.StoredTable(table, held)
    with pytest.raises(TargetNotEmpty, match=r"holds rows of run 'copy-.*indexes was True") as told:
        await fastload.copy(shop, target.url, indexes=False)
    assert "fresh=True and mode='replace'" in told.value.hint
    await fastload.copy(shop, target.url, indexes=False, fresh=True, mode="replace")
    assert target.psql("SELECT count(*) FROM parent") == "1000"


async def test_names_without_a_schema_and_as_they_are_printed(shop, target):
    data = pa.table({"nums": [1, 2]})
    for table in ("wr", '"Odd S"."T ä.1"'):
        target.psql('CREATE SCHEMA IF NOT EXISTS "Odd S"')
        await fastload.write(data, target.url, table)
        async with fastload.read(target.url, table, types={"nums": "text"}) as reading:
            assert (await reading.table()).column("nums").to_pylist() == ["1", "2"]
    back = memory.database(f"back-{uuid.uuid4().hex}")
    result = await fastload.copy(
        target.url,
        back,
        where={"wr": "nums > 1"},
        types={'"Odd S"."T ä.1".nums': "text"},
        rename={"wr": "written"},
    )
    assert {(t.name, t.target, t.rows) for t in result.tables} == {
        ("public.wr", "public.written", 1),
        ('Odd S."T ä.1"', None, 2),
    }
