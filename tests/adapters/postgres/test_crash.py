"""A target that crashes forgets its last asynchronous commits: none of them is taken for kept."""

from __future__ import annotations

import asyncio
import os
import signal

import asyncpg
import pytest
from fastload_postgres import ADAPTER, state

import fastload
from fastload import Url
from fastload.model import Kept
from fastload.testing.faults import proxy
from fastload.testing.servers import PostgresServer

ROWS = 60_000
TABLE = "CREATE {}TABLE t (id int PRIMARY KEY, filler text)"
# Each partition takes a while, so that a crash finds some that are done and some that are not.
SLOW = """
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END';
CREATE TRIGGER slow BEFORE INSERT ON t EXECUTE FUNCTION wait()"""


@pytest.fixture(scope="module")
def forgetful(postgres18):
    """A server that writes asynchronous commits out late, so that a crash takes them."""
    options = {"wal_writer_delay": "10s", "wal_writer_flush_after": "1GB", "wal_buffers": "256MB"}
    options |= {"restart_after_crash": "on", "checkpoint_timeout": "1d"}
    with PostgresServer.start(version=18, options=options, fsync=True) as server:
        yield server


@pytest.fixture
def victim(forgetful, request):
    name = f"victim_{abs(hash(request.node.name))}"
    forgetful.psql(f"CREATE DATABASE {name}")
    return forgetful, forgetful.url_for(name), name


@pytest.fixture
def big(source):
    source.psql(
        f"{TABLE.format('')}; INSERT INTO t SELECT i, repeat('x', 1000) "
        f"FROM generate_series(1, {ROWS}) AS i; ANALYZE t"
    )
    return source


async def crash(url):
    """Kill one backend, which makes the server start anew, and wait until it is there again."""
    connection = await asyncpg.connect(url)
    os.kill(await connection.fetchval("SELECT pg_backend_pid()"), signal.SIGKILL)
    while True:
        await asyncio.sleep(0.05)
        try:
            other = await asyncpg.connect(url)
        except (asyncpg.PostgresError, OSError):
            continue
        await other.close()
        connection.terminate()
        return


@pytest.mark.faults
@pytest.mark.parametrize("unlogged", [False, True], ids=["logged", "unlogged"])
async def test_partitions_that_a_crash_took_are_copied_again(big, victim, unlogged):
    """Whether the server forgets the commits, or empties its unlogged table."""
    server, url, name = victim
    server.psql(f"{TABLE.format('UNLOGGED ' if unlogged else '')}; {SLOW}", name)
    options = {"mode": "append", "triggers": "fire", "partition_by": "keys", "run": "r"}
    copying = asyncio.create_task(fastload.copy(big.url, url, parallel=2, **options))
    await _until(url, "SELECT count(*) > 1 FROM _fastload.receipts WHERE completed IS NOT NULL")
    if unlogged:
        server.psql("CREATE TABLE commits_before_it_are_durable ()", name)
    await crash(url)
    with pytest.raises((fastload.StateError, fastload.ConnectError)):
        await copying
    result = await fastload.copy(big.url, url, parallel=2, **options)
    assert result.rows == ROWS
    check = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM t"
    assert server.psql(check, name).strip() == big.psql(check)


async def _until(url, query):
    connection = await asyncpg.connect(url)
    try:
        while True:
            try:
                if await connection.fetchval(query):
                    return
            except asyncpg.UndefinedTableError:
                pass
            await asyncio.sleep(0.002)
    finally:
        await connection.close()


@pytest.mark.faults
@pytest.mark.parametrize("unlogged", [False, True], ids=["logged", "unlogged"])
async def test_a_barrier_counts_what_is_left(big, victim, unlogged):
    server, url, name = victim
    server.psql(TABLE.format("UNLOGGED " if unlogged else ""), name)
    async with ADAPTER.target(Url.parse(url), connections=1) as target:
        assert await target.barrier("r") == Kept(receipts=0, steps=0)
    connection = await asyncpg.connect(url)
    async with connection.transaction():
        await state.make(connection)
    await connection.close()
    server.psql(
        "INSERT INTO _fastload.runs VALUES ('r', 1, '');"
        "INSERT INTO _fastload.steps VALUES ('r', 's');"
        "INSERT INTO _fastload.receipts_of_unlogged "
        "VALUES ('r', 's', 't', 0, 1, 1, 1, '', 0, 0, NULL, now());"
        "INSERT INTO _fastload.receipts VALUES ('r', 's', 't', 1, 1, 1, 1, '', 0, 0, NULL, now())",
        name,
    )
    async with ADAPTER.target(Url.parse(url), connections=1) as target:
        assert await target.barrier("r") == Kept(receipts=2, steps=1)
        await crash(url)
    async with ADAPTER.target(Url.parse(url), connections=1) as target:
        assert await target.barrier("r") == Kept(receipts=1, steps=1)


@pytest.mark.faults
@pytest.mark.parametrize("happened", [True, False])
async def test_a_commit_without_an_answer_is_looked_up(target, happened):
    """What was committed is told as written, and what was not as lost."""
    import pyarrow as pa

    target.psql(TABLE.format(""))
    if not happened:
        target.psql("ALTER TABLE t ADD CHECK (id > 0)")
        target.psql(
            """CREATE FUNCTION ends() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END';
            CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
            FOR EACH ROW EXECUTE FUNCTION ends()"""
        )
    rows = pa.table({"id": pa.array([1, 2], pa.int32()), "filler": ["a", None]})
    port = Url.parse(target.url).port
    async with proxy(port) as between:
        between.lose_answer_to = b"COMMIT" if happened else b""
        url = target.url.replace(f":{port}", f":{between.port}")
        if happened:
            result = await fastload.write(rows, url, "public.t", mode="append")
            assert (result.rows, between.lost) == (2, 1)
        else:
            with pytest.raises(fastload.ConnectionLost):
                await fastload.write(rows, url, "public.t", mode="append", triggers="fire")
    assert target.psql("SELECT count(*) FROM t") == ("2" if happened else "0")
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"
