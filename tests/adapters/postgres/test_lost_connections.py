"""Sessions that end in the middle: the copy goes on or fails clearly, and never hangs."""

from __future__ import annotations

import asyncio
import contextlib
import random

import anyio
import asyncpg
import pytest
from fastload_postgres import ADAPTER

import fastload
from fastload import Url
from fastload.adapter import ReadSpec, Selection
from fastload.errors import ConnectionLost, SnapshotLost
from fastload.model import Partition, QualifiedName

ROWS = 60_000
TABLE = "CREATE TABLE t (id int PRIMARY KEY, filler text)"
MINE = "application_name = 'fastload' AND datname = current_database()"


@pytest.fixture
def big(source):
    source.psql(
        f"{TABLE}; INSERT INTO t SELECT i, repeat('x', 1000) FROM generate_series(1, {ROWS}) AS i;"
        "ANALYZE t"
    )
    return source


async def until(database, query):
    """Wait until this query is true."""
    connection = await asyncpg.connect(database.url)
    try:
        with anyio.fail_after(20):
            while not await connection.fetchval(query):
                await asyncio.sleep(0.002)
    finally:
        await connection.close()


@pytest.mark.faults
@pytest.mark.parametrize("route", ["wire", "arrow"])
async def test_a_writer_that_ends_while_its_buffers_are_full_is_replaced(big, target, route):
    """Its driver waits for room, and would do so for ever."""
    target.psql(
        f"""{TABLE}; CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
        CREATE TRIGGER held BEFORE INSERT ON t EXECUTE FUNCTION held()"""
    )
    holder = await asyncpg.connect(target.url)
    await holder.execute("SELECT pg_advisory_lock(42)")
    copying = asyncio.create_task(
        fastload.copy(
            big.url, target.url, route=route, mode="append", triggers="fire", parallel=1, run="r"
        )
    )
    full = f"SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event = 'ClientWrite' AND {MINE}"
    await until(big, full)
    writer = f"SELECT pid FROM pg_stat_activity WHERE query LIKE 'COPY %' AND {MINE}"
    await holder.execute(f"SELECT pg_terminate_backend(pid) FROM ({writer}) AS writer")
    await holder.execute("SELECT pg_advisory_unlock(42)")
    with anyio.fail_after(30):
        result = await copying
    await holder.close()
    assert result.rows == ROWS
    assert target.checksum("t") == big.checksum("t")


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(3))
async def test_sessions_that_end_at_any_moment_lose_and_double_no_row(big, target, seed):
    """Whatever could not be mended at once is when the copy is started again."""
    moment = random.Random(seed)
    ended = 0
    failures: list[fastload.FastloadError] = []

    async def end_some() -> None:
        nonlocal ended
        while True:
            await asyncio.sleep(moment.uniform(0.05, 0.4))
            database = moment.choice([big, target])
            ending = (
                "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity "
                f"WHERE {MINE} ORDER BY random() LIMIT 1) AS one"
            )
            ended += int(await anyio.to_thread.run_sync(database.psql, ending))

    async with anyio.create_task_group() as group:
        group.start_soon(end_some)
        with anyio.fail_after(60):
            for attempt in range(20):
                try:
                    options = {"parallel": 2, "partition_by": "keys", "run": "ended"}
                    if attempt > 4 or ended > 8:
                        group.cancel_scope.cancel()
                    with anyio.CancelScope(shield=True):
                        result = await fastload.copy(big.url, target.url, **options)
                    break
                except fastload.FastloadError as error:
                    failures.append(error)
        group.cancel_scope.cancel()
    assert all(error.hint or error.retryable for error in failures), failures
    assert result.rows == ROWS
    assert target.checksum("t") == big.checksum("t")


async def test_a_snapshot_whose_holder_has_ended_is_lost(big):
    """A reader that comes later could see other rows than those before it."""
    async with ADAPTER.source(Url.parse(big.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(names=(QualifiedName("public", "t"),)))).tables
        part, want = Partition(table=table.name, index=0), ReadSpec(table=table, columns=("id",))
        with contextlib.suppress(ConnectionLost):
            async with source.snapshot([table], 0) as at:
                big.psql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {MINE}")
                await until(big, f"SELECT count(*) = 0 FROM pg_stat_activity WHERE {MINE}")
                with pytest.raises(SnapshotLost) as caught:
                    await source.open(part, at, want).__aenter__()
                assert "start the run again" in caught.value.hint
