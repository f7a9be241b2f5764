"""Readings that do not go as planned: nothing that was cut off is ever taken for complete."""

from __future__ import annotations

import contextlib
import resource

import anyio
import anyio.lowlevel
import msgspec
import pytest
from fastload_mysql import ADAPTER

import fastload
from fastload import Url
from fastload.adapter import ReadSpec, Selection
from fastload.errors import FastloadError, Unrepresentable
from fastload.model import Partition

ROWS = 200_000


@contextlib.asynccontextmanager
async def reading_of(database, name, **options):
    """Open a reading of a whole table."""
    async with ADAPTER.source(Url.parse(database.url), connections=1) as source:
        types = options.pop("types", {})
        select = Selection(tables=(name,), types=types)
        (table,) = (await source.catalog(select)).tables
        want = ReadSpec(table=table, columns=tuple(c.name for c in table.columns), **options)
        part = Partition(table=table.name, index=0)
        async with source.snapshot([table], 1) as at, source.open(part, at, want) as reading:
            yield reading


@pytest.fixture
def wide(database):
    """More rows than fit into all buffers on the way."""
    database.execute(
        f"""CREATE TABLE n (i BIGINT PRIMARY KEY);
        INSERT INTO n WITH RECURSIVE g AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM g
            WHERE i < 500) SELECT i FROM g;
        CREATE TABLE t (id INT PRIMARY KEY, v CHAR(200));
        INSERT INTO t SELECT a.i * 500 + b.i, REPEAT('x', 200) FROM n AS a, n AS b
            WHERE a.i <= {ROWS // 500}"""
    )
    return database


@pytest.mark.parametrize("how", ["QUERY ", ""], ids=["statement", "session"])
async def test_a_statement_that_is_killed_is_never_complete(wide, how):
    async with reading_of(wide, "t", buffer_bytes=1 << 20, batch_bytes=1 << 18) as reading:
        number = await wide.running("SELECT%FROM%t%")
        batches = aiter(reading)
        rows = (await anext(batches)).num_rows
        wide.execute(f"KILL {how}{number}")
        with pytest.raises(FastloadError) as caught:
            rows += sum([batch.num_rows async for batch in batches])
        assert rows < ROWS
        assert caught.value.retryable
        with pytest.raises(fastload.SourceError, match="before its last row"):
            await reading.seal()
    await wide.none_left()


async def test_leaving_early_leaves_no_session(wide):
    async with reading_of(wide, "t", buffer_bytes=1 << 20) as reading:
        async for _ in reading:
            break
    await wide.none_left()


async def test_a_cancelled_reading_leaves_no_session(wide):
    with anyio.move_on_after(30) as scope:
        async with reading_of(wide, "t", buffer_bytes=1 << 20) as reading:
            async for _ in reading:
                scope.cancel()
                await anyio.lowlevel.checkpoint()
    assert scope.cancelled_caught
    await wide.none_left()


async def test_the_server_is_not_read_faster_than_its_consumer(wide):
    async with reading_of(wide, "t", buffer_bytes=1 << 20, batch_bytes=1 << 18) as reading:
        rows = 0
        async for batch in reading:
            rows += batch.num_rows
            await anyio.lowlevel.checkpoint()
        assert (await reading.seal()).rows == rows == ROWS


async def test_rows_of_several_packets_take_little_more_memory_than_they_are(database):
    size, count = 40 << 20, 4
    database.execute(f"SET GLOBAL max_allowed_packet = {1 << 30}")
    database.execute("CREATE TABLE t (id INT PRIMARY KEY, v LONGBLOB)")
    for i in range(count):
        database.execute(f"INSERT INTO t VALUES ({i}, REPEAT(CHAR({65 + i}), {size}))")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    async with reading_of(database, "t") as reading:
        lengths = [len(v) async for batch in reading for v in batch.column("v").to_pylist()]
    assert lengths == [size] * count
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before < 7 * size


async def test_dates_that_no_calendar_has_name_their_row_and_have_an_exact_form(database):
    database.execute(
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; "
        "CREATE TABLE t (a INT, b VARCHAR(9), d DATE, dt DATETIME(3), PRIMARY KEY (a, b)); "
        "INSERT INTO t VALUES (1, 'x', '2024-02-03', '2024-02-03 04:05:06.789'), "
        "(2, 'y', '0000-00-00', '2024-00-10 00:00:00'), (3, 'z', NULL, NULL)"
    )
    async with reading_of(database, "t") as reading:
        with pytest.raises(Unrepresentable) as caught:
            _ = [batch async for batch in reading]
    assert caught.value.key == "a=2, b=y"
    assert caught.value.column == "d"
    assert caught.value.table == f"{database.name}.t"
    async with reading_of(database, "t", exact=("d", "dt")) as reading:
        (batch,) = [batch async for batch in reading]
        assert batch.column("d").storage.to_pylist() == ["2024-02-03", "0000-00-00", None]
        assert batch.column("dt").storage.to_pylist() == [
            "2024-02-03 04:05:06.789",
            "2024-00-10 00:00:00.000",
            None,
        ]
    async with reading_of(database, "t", on_unrepresentable={"": "null"}) as reading:
        (batch,) = [batch async for batch in reading]
        assert [d is None for d in batch.column("d").to_pylist()] == [False, True, True]
        assert [d is None for d in batch.column("dt").to_pylist()] == [False, True, True]


async def test_filters_and_casts_are_the_servers(database):
    database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, flag TINYINT(1)); "
        "INSERT INTO t VALUES (1, 0), (2, 1), (3, NULL), (4, 1)"
    )
    types = {(database.name, "t", "flag"): "boolean"}
    async with reading_of(database, "t", types=types, where="id < 4 OR id > 9") as reading:
        rows = [row async for batch in reading for row in batch.to_pylist()]
    assert rows == [{"id": 1, "flag": False}, {"id": 2, "flag": True}, {"id": 3, "flag": None}]


ZERO_DATE = "SET SESSION sql_mode = ''; UPDATE t SET d = '0000-00-00' WHERE id {}"
MARK = "UPDATE t SET v = '{}' WHERE id = 1000"


@pytest.fixture
def dated(wide):
    """Rows with a date, far more than fit into all buffers on the way."""
    wide.execute("ALTER TABLE t ADD d DATE; " + MARK.format("before"))
    return wide


async def test_a_reading_that_fails_does_not_cost_the_moment(dated):
    """Of a value, of a target that refuses rows, or of a statement that is killed."""
    async with ADAPTER.source(Url.parse(dated.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(tables=("t",)))).tables
        want = ReadSpec(table=table, columns=("id", "v", "d"), buffer_bytes=1 << 20)
        part = Partition(table=table.name, index=0)

        @contextlib.asynccontextmanager
        async def failing(error, where=None):
            """Read again, in the exact form, what was there before a reading failed."""
            dated.execute(MARK.format("before"))
            async with source.snapshot([table], 1) as at:
                first = msgspec.structs.replace(want, where=where)
                with anyio.fail_after(20), pytest.raises(error):
                    async with source.open(part, at, first) as reading:
                        yield aiter(reading)
                dated.execute(MARK.format("after"))
                exact = msgspec.structs.replace(want, exact=("d",), where="id < 2000")
                async with source.open(part, at, exact) as reading:
                    rows = [row async for batch in reading for row in batch.to_pylist()]
                    assert reading.cut == at.cut
            assert "before" in [r["v"] for r in rows if r["id"] == 1000]

        for taken in (0, 1, 5):
            async with failing(ZeroDivisionError) as batches:
                for _ in range(taken):
                    await anext(batches)
                raise ZeroDivisionError
        async with failing(fastload.SourceError) as batches:
            dated.execute(f"KILL QUERY {await dated.running('SELECT%FROM%t%')}")
            _ = [batch async for batch in batches]
        for which in ("= 200400", "% 7000 = 0", "= 501", "< 2000"):
            dated.execute(ZERO_DATE.format(which))
            async with failing(Unrepresentable) as batches:
                _ = [batch async for batch in batches]
        # Nobody waits for the rows that are still to come.
        async with failing(Unrepresentable, "id < 1000 OR SLEEP(1) = 0") as batches:
            _ = [batch async for batch in batches]
    await dated.none_left()


async def test_one_zero_date_leaves_a_copy_and_its_verification_consistent(database):
    database.execute(
        "CREATE TABLE t (id INT PRIMARY KEY, d DATE); INSERT INTO t VALUES (1, '2024-01-02'); "
        + ZERO_DATE.replace("UPDATE", "INSERT INTO t VALUES (2, NULL); UPDATE").format("= 2")
    )
    with database.server.database("zero_dates"):
        there = database.server.url_for("zero_dates")
        result = await fastload.copy(database.url, there, verify=True)
        assert result.consistent, result.inconsistent_because
        check = await fastload.verify(database.url, there)
        assert check.equal
        assert not check.inconsistent_because
