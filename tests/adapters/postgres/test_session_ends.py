"""How sessions end where their driver fails at it, or is cut off."""

from __future__ import annotations

import asyncio

import anyio
import asyncpg
import pytest
from fastload_postgres.connection import PostgresDriver, open_sessions

from fastload import Url
from fastload.sessions import Sessions

pytestmark = pytest.mark.faults
OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'fastload' AND datname = current_database()"""


async def none_left(database):
    asking = await asyncpg.connect(database.url)
    try:
        with anyio.fail_after(5):
            while await asking.fetchval(OPEN):
                await asyncio.sleep(0.01)
    finally:
        await asking.close()


async def failing(self, connection):
    raise OSError("the descriptor is bad")


async def endless(self, connection):
    await asyncio.sleep(60)


async def test_an_idle_session_that_cannot_be_closed_is_dropped(target, monkeypatch):
    monkeypatch.setattr(PostgresDriver, "close", failing)
    opening = open_sessions(Url.parse(target.url), side="target", limit=1)
    async with opening as sessions, sessions.lend() as connection:
        assert await connection.fetchval(OPEN) == 1
    assert connection.is_closed()
    await none_left(target)


async def test_a_session_that_cannot_be_reset_goes_back_to_its_pool(target, monkeypatch):
    monkeypatch.setattr(PostgresDriver, "reset", failing)
    pool = asyncpg.create_pool(target.url, min_size=0, max_size=1)
    async with pool:
        for _ in range(2):
            opening = open_sessions(pool, side="target", limit=1)
            async with opening as sessions, sessions.lend() as connection:
                await connection.execute("SELECT 1")
            if pool.get_size() > 0:
                pool.terminate()
                pytest.fail("the pool still waits for it")


@pytest.mark.parametrize("how", ["discard", "close"])
async def test_a_loop_that_is_closed_drops_what_is_being_ended(target, monkeypatch, how):
    monkeypatch.setattr(PostgresDriver, "end", endless)
    monkeypatch.setattr(PostgresDriver, "close", endless)
    driver, found, tasks = PostgresDriver("target"), [], []

    async def leaving():
        sessions = Sessions(driver, Url.parse(target.url), limit=1)
        connection = await sessions.acquire()
        found.append(connection)
        if how == "discard":
            tasks.append(asyncio.create_task(sessions.discard(connection)))
        else:
            await sessions.release(connection)
            tasks.append(asyncio.create_task(sessions.end()))
        await asyncio.sleep(0.05)

    await asyncio.to_thread(asyncio.run, leaving())
    assert found[0].is_closed()
    await none_left(target)
