"""Writes that are cancelled around their one commit: as it was, or told when it has ended."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import asyncpg
import pyarrow as pa
import pytest
from fastload_postgres import once

import fastload

DATA = pa.table({"id": pa.array([1, 2], pa.int64()), "v": ["a", None]})
# At the commit, and for as long as somebody else has the lock.
THERE = """
CREATE TABLE t (id bigint PRIMARY KEY, v text);
CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER held AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION held()"""
AT_ITS_COMMIT = """
SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'COMMIT%' AND wait_event = 'advisory'
AND datname = current_database()"""
SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'fastload' AND datname = current_database()"""
pytestmark = pytest.mark.faults


@asynccontextmanager
async def writing_until_its_commit(target, **options):
    """Yield a write that commits, and who holds it up."""
    target.psql(THERE)
    holder = await asyncpg.connect(target.url)
    try:
        await holder.execute("SELECT pg_advisory_lock(42)")
        write = fastload.write(DATA, target.url, "t", mode="append", triggers="fire", **options)
        writing = asyncio.create_task(write)
        with anyio.fail_after(20):
            while not await holder.fetchval(AT_ITS_COMMIT):
                assert not writing.done(), "it has ended before"
                await asyncio.sleep(0.01)
        yield writing, holder
    finally:
        await holder.close()


async def test_a_write_cancelled_during_its_commit_is_told_when_that_has_ended(target):
    async with writing_until_its_commit(target) as (writing, holder):
        writing.cancel()
        await asyncio.wait([writing], timeout=0.3)
        assert not writing.done()
        await holder.execute("SELECT pg_advisory_unlock(42)")
        with anyio.fail_after(10), pytest.raises(asyncio.CancelledError):
            await writing
        assert await holder.fetchval("SELECT count(*) FROM t") == 2
        assert await holder.fetchval(SESSIONS) == 0


async def test_a_commit_that_does_not_end_is_given_up(target, monkeypatch):
    """And by then the server has given it up too."""
    monkeypatch.setattr(once, "_PATIENCE_S", 0.2)
    async with writing_until_its_commit(target) as (writing, holder):
        writing.cancel()
        with anyio.fail_after(10), pytest.raises(asyncio.CancelledError):
            await writing
        assert await holder.fetchval(AT_ITS_COMMIT) is False
        await holder.execute("SELECT pg_advisory_unlock(42)")
        assert await holder.fetchval("SELECT count(*) FROM t") == 0
        assert await holder.fetchval(SESSIONS) == 0


async def test_a_lost_commit_is_looked_up_in_full_whoever_is_cancelled(target, monkeypatch):
    """The session that commits is ended meanwhile: it is told when nothing may come any more."""
    committed, found = once._committed, []

    async def noted(*given):
        found.append(await committed(*given))
        return found[-1]

    monkeypatch.setattr(once, "_committed", noted)
    async with writing_until_its_commit(target) as (writing, holder):
        writing.cancel()
        await asyncio.sleep(0)
        await holder.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'COMMIT%' "
            "AND datname = current_database()"
        )
        with anyio.fail_after(10), pytest.raises(asyncio.CancelledError):
            await writing
        assert found == [False]
        assert await holder.fetchval("SELECT count(*) FROM t") == 0


async def test_a_write_cancelled_before_its_commit_leaves_the_table_as_it_was(target):
    target.psql("CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')")
    holder = await asyncpg.connect(target.url)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def batches():
        yield from DATA.to_batches()
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0.2), loop).result()

    reader = pa.RecordBatchReader.from_batches(DATA.schema, batches())
    writing = asyncio.create_task(fastload.write(reader, target.url, "t", mode="truncate"))
    await begun.wait()
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await holder.fetch("SELECT id FROM t") == [(0,)]
    await holder.close()
