"""Runs that were killed go on where they stopped: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from fastload_postgres import ADAPTER, state

import fastload
from fastload import Url
from fastload.errors import ResumeRefused, StateError
from fastload.model import Receipt

ROWS = 60_000
LOADER = str(Path(__file__).parent / "loader.py")
TABLES = f"""
CREATE TABLE keyed (id bigint PRIMARY KEY, v text, filler text);
INSERT INTO keyed SELECT i, 'v' || i, repeat('x', 800) FROM generate_series(1, {ROWS}) AS i;
CREATE TABLE keyless AS SELECT i AS n, repeat('y', 800) AS filler
  FROM generate_series(1, {ROWS}) AS i;
CREATE TABLE referring (id int PRIMARY KEY, keyed bigint REFERENCES keyed);
INSERT INTO referring SELECT i, i FROM generate_series(1, 1000) AS i;
ANALYZE"""
NAMES = ("keyed", "keyless", "referring")
# Small enough for several partitions of each table.
OPTIONS = {"parallel": 3, "run": "killed"}


@pytest.fixture
def big(source):
    source.psql(TABLES)
    return source


async def start(source, target, **options):
    arguments = [LOADER, source.url, target.url, json.dumps(OPTIONS | options)]
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def kill_after(source, target, receipts, **options):
    """Start a copy and kill it once so many receipts are complete, or it has ended."""
    process = await start(source, target, **options)
    async with connect(target) as watching:
        while process.returncode is None and await completed(watching) < receipts:
            await asyncio.sleep(0.002)
    if process.returncode is None:
        process.kill()
    await process.communicate()
    return process.returncode == -signal.SIGKILL


@contextlib.asynccontextmanager
async def connect(target):
    connection = await asyncpg.connect(target.url)
    try:
        yield connection
    finally:
        await connection.close()


async def completed(watching):
    """Return how many receipts are complete; -1 before there is a run."""
    try:
        return await watching.fetchval(
            "SELECT count(*) FROM _fastload.receipts WHERE completed IS NOT NULL"
        )
    except asyncpg.UndefinedTableError:
        return -1


async def finish(source, target, **options):
    process = await start(source, target, **options)
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return int(out.split()[-1])


def same(source, target):
    for name in NAMES:
        assert target.checksum(name) == source.checksum(name), name


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("route", ["wire", "arrow"])
@pytest.mark.parametrize("mode", ["create", "append", "truncate", "replace", "upsert"])
async def test_killed_at_any_moment_and_started_again(big, target, mode, route):
    if mode in ("append", "truncate", "upsert"):
        target.psql("CREATE TABLE keyed (id bigint PRIMARY KEY, v text, filler text)")
        target.psql("CREATE TABLE keyless (n int, filler text)")
        target.psql("CREATE TABLE referring (id int PRIMARY KEY, keyed bigint)")
    if mode == "upsert":
        big.psql("ALTER TABLE keyless ADD PRIMARY KEY (n)")
        target.psql("ALTER TABLE keyless ADD PRIMARY KEY (n)")
        target.psql("INSERT INTO keyed SELECT i, 'old' FROM generate_series(1, 500) AS i")
    if mode == "append":
        target.psql("INSERT INTO keyless VALUES (-1)")
    seeded = random.Random(f"{mode} {route}")
    moments = [0, 1, *(seeded.randint(1, 9) for _ in range(3))]
    killed = [await kill_after(big, target, n, mode=mode, route=route) for n in moments]
    rows = await finish(big, target, mode=mode, route=route)
    assert sum(killed) >= 2
    assert rows == 2 * ROWS + 1000
    if mode == "append":
        assert target.psql("DELETE FROM keyless WHERE n = -1 RETURNING n") == "-1"
    same(big, target)
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


@pytest.mark.faults
async def test_a_receipt_before_its_rows_would_be_found(big, target):
    """What a loader does that notes a partition as done before its rows are committed."""
    big.psql("ALTER TABLE referring DROP CONSTRAINT referring_keyed_fkey")
    assert await kill_after(big, target, 0)
    target.psql(
        """INSERT INTO _fastload.receipts (run, table_schema, table_name, partition, epoch, rows,
        bytes, completed) SELECT run, 'public', 'keyed', 0, 1, 0, 0, now() FROM _fastload.runs
        ON CONFLICT DO NOTHING"""
    )
    await finish(big, target)
    with pytest.raises(AssertionError, match="keyed"):
        same(big, target)


async def test_a_process_that_lost_its_run_stops(big, target):
    """Another claims the run while this one copies, and finishes it."""

    async def claim() -> None:
        async with connect(target) as watching:
            while await completed(watching) < 1:
                await asyncio.sleep(0.002)
            assert await watching.fetchval("UPDATE _fastload.runs SET epoch = 2 RETURNING 2") == 2

    claiming = asyncio.create_task(claim())
    with pytest.raises(StateError, match="taken over"):
        await fastload.copy(big.url, target.url, **OPTIONS)
    await claiming
    result = await fastload.copy(big.url, target.url, **OPTIONS)
    assert result.rows == 2 * ROWS + 1000
    same(big, target)


async def stop_in_the_middle(source, target, **options):
    """Start a run that fails at its last table, and leave it there."""
    target.psql("CREATE TABLE referring (id int PRIMARY KEY CHECK (id < 900), keyed bigint)")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(source.url, target.url, **(OPTIONS | options))
    target.psql("ALTER TABLE referring DROP CONSTRAINT referring_id_check")


REFUSED = {
    "an option": ({"where": {"public.keyed": "id > 5"}}, None, "where"),
    "a source column": ({}, "ALTER TABLE keyed ADD w int", "keyed"),
    "a source type": ({}, "ALTER TABLE keyed ALTER id TYPE numeric", "keyed"),
    "a source table": ({}, "CREATE TABLE another (n int)", "another"),
}


@pytest.mark.parametrize(("options", "change", "told"), REFUSED.values(), ids=REFUSED.keys())
async def test_what_has_changed_refuses_to_go_on(big, target, options, change, told):
    await stop_in_the_middle(big, target)
    if change:
        big.psql(change)
    with pytest.raises(ResumeRefused, match=told) as caught:
        await fastload.copy(big.url, target.url, **(OPTIONS | options))
    assert "fresh" in caught.value.hint


async def test_a_fresh_start_forgets_the_run(big, target):
    await stop_in_the_middle(big, target)
    big.psql("ALTER TABLE keyed ADD w int")
    result = await fastload.copy(big.url, target.url, mode="replace", fresh=True, **OPTIONS)
    assert result.rows == 2 * ROWS + 1000
    same(big, target)


async def test_a_continued_run_tells_that_it_saw_two_moments(big, target):
    await stop_in_the_middle(big, target)
    big.psql("CREATE TABLE elsewhere (); DROP TABLE elsewhere")
    result = await fastload.copy(big.url, target.url, **OPTIONS)
    assert not result.consistent
    assert "2 moments" in result.inconsistent_because
    same(big, target)


async def test_an_orphan_that_still_writes_is_waited_for(source, target):
    """Its receipt is the one that counts, whoever comes second."""
    source.psql("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
    orphan = await asyncpg.connect(target.url)
    async with ADAPTER.target(Url.parse(target.url), connections=1) as opened:
        plan = await fastload.plan(source.url, target.url, run="orphan")
        await opened.prepare(plan)
        table = plan.tables[0]
        receipt = Receipt(run="orphan", epoch=1, table=table.source.name, partition=0)
        transaction = orphan.transaction()
        await transaction.start()
        assert await state.begin_receipt(orphan, receipt) is None
        await orphan.execute("INSERT INTO t SELECT generate_series(1, 10)")
        await state.end_receipt(orphan, Receipt(**{**_fields(receipt), "rows": 10, "bytes": 1}))
        await transaction.commit()
    await orphan.close()
    result = await fastload.copy(source.url, target.url, run="orphan")
    assert result.rows == 10
    assert target.checksum("t") == source.checksum("t")


def _fields(receipt: Receipt) -> dict[str, object]:
    return {name: getattr(receipt, name) for name in receipt.__struct_fields__}
