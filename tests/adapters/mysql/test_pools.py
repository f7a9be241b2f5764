"""A caller's aiomysql.Pool as an endpoint: its size is kept to, and it comes back as it was."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiomysql
import pyarrow as pa
import pytest
from fastload_mysql import ADAPTER

import fastload
from fastload.errors import ConfigError, ConstraintError
from tests.conftest import MYSQL_PASSWORD

pytestmark = pytest.mark.mysql

STATE = (
    "SELECT @@time_zone, @@sql_mode, @@autocommit, @@max_error_count, @@sql_select_limit, "
    "@@wait_timeout, @@character_set_client, @@collation_connection, DATABASE()"
)


class Counting(aiomysql.Pool):
    """A pool that remembers how many of its connections were out at once."""

    most = 0

    async def _acquire(self):
        taken = await super()._acquire()
        self.most = max(self.most, len(self._used))
        return taken


@asynccontextmanager
async def pool_of(database, size=3, **options):
    own = {"user": "fastload", "password": MYSQL_PASSWORD, "db": database.name}
    where = {"host": "127.0.0.1", "port": database.server.port}
    loop = asyncio.get_running_loop()
    pool = Counting(
        minsize=0, maxsize=size, echo=False, pool_recycle=-1, loop=loop, **own, **where, **options
    )
    try:
        yield pool
    finally:
        pool.terminate()
        await pool.wait_closed()


async def state_of(pool):
    async with pool.acquire() as raw, raw.cursor() as cursor:
        await cursor.execute(STATE)
        return await cursor.fetchone()


def fill(database):
    database.execute(
        "CREATE TABLE a (id int PRIMARY KEY, s text); CREATE TABLE b LIKE a;"
        "INSERT INTO a WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 1000) SELECT i, repeat('x', 100) FROM n; INSERT INTO b SELECT * FROM a"
    )


@pytest.mark.parametrize("files", [True, False])
async def test_copies_between_pools_keep_to_their_sizes(database, files):
    fill(database)
    other = f"{database.name}_to"
    with database.server.database(other):
        there = type(database)(database.server, other)
        options = {"init_command": "SET sql_mode = 'ANSI'", "local_infile": files}
        async with pool_of(database, 2) as source, pool_of(there, 3, **options) as target:
            before = await state_of(source), await state_of(target)
            result = await fastload.copy(source, target, parallel=8)
            assert result.rows == 2000
            assert bool(result.notes) is not files
            assert (await state_of(source), await state_of(target)) == before
            assert 1 <= source.most <= 2
            assert 1 <= target.most <= 3
            assert not source._used
            assert not target._used
        counts = "SELECT COUNT(*), SUM(id), SUM(LENGTH(s)) FROM "
        for name in ("a", "b"):
            assert there.execute(counts + name) == database.execute(counts + name)
        await there.none_left()


async def test_one_pool_for_both_sides(database):
    fill(database)
    async with pool_of(database, 4, local_infile=True) as pool:
        result = await fastload.copy(
            pool, pool, tables=["a"], rename={f"{database.name}.a": f"{database.name}.c"}
        )
        assert result.rows == 1000
        assert pool.most <= 4
    assert database.execute("SELECT COUNT(*) FROM c") == [(1000,)]


async def test_reads_and_writes(database):
    async with pool_of(database, 2, local_infile=True) as pool:
        before = await state_of(pool)
        data = pa.table({"id": [1, 2], "s": ["a", None]})
        await fastload.write(data, pool, (database.name, "t"))
        async with fastload.read(pool, (database.name, "t")) as reading:
            table = await reading.table()
        assert table.sort_by("id").to_pylist() == data.to_pylist()
        assert await state_of(pool) == before
        assert pool.most <= 2
        assert not pool._used


async def test_a_pool_after_an_error_is_as_good_as_new(database):
    database.execute("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    async with pool_of(database, 2, local_infile=True) as pool:
        before = await state_of(pool)
        for _ in range(3):
            with pytest.raises(ConstraintError):
                await fastload.write(
                    pa.table({"id": [1]}), pool, (database.name, "t"), mode="append"
                )
        assert not pool._used
        assert await state_of(pool) == before
        assert pool.size <= 2


async def test_room(database):
    async with pool_of(database, 1) as pool:
        assert ADAPTER.room(pool) == 1
        with pytest.raises(ConfigError, match="too small"):
            await fastload.copy(pool, database.url)
    assert ADAPTER.room(fastload.Url.parse(database.url)) is None
