"""Databases compared while a writer changes one and, some time later, the other."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import anyio
import asyncpg
import pytest

import fastload
from tests.conftest import Database, MysqlDatabase

Run: TypeAlias = Callable[[str], Awaitable[Any]]
ROWS = 3000
BEHIND_S = 0.15
LAG_S = 0.9
TABLE = "CREATE TABLE t (id {key} PRIMARY KEY, n int, s varchar(40))"


@asynccontextmanager
async def session(database: Database | MysqlDatabase) -> AsyncIterator[Run]:
    """Return what runs statements, each in a transaction of its own."""
    if isinstance(database, Database):
        connection = await asyncpg.connect(database.url)
        try:
            yield connection.execute
        finally:
            connection.terminate()
    else:
        with database.server.connect(database=database.name) as other, other.cursor() as cursor:
            yield partial(anyio.to_thread.run_sync, cursor.execute)


class Writer:
    """Changes rows of the source, and the same rows of the target later, in the same order."""

    def __init__(self, here: Run, there: Run, statement: Callable[[], str]) -> None:
        self._here = here
        self._there = there
        self._statement = statement
        self._waiting: deque[tuple[float, str]] = deque()
        self.done = 0

    async def write(self) -> None:
        while True:
            sql = self._statement()
            await self._here(sql)
            self._waiting.append((anyio.current_time() + BEHIND_S, sql))
            self.done += 1
            await anyio.sleep(0.005)

    async def follow(self) -> None:
        while True:
            while self._waiting and self._waiting[0][0] <= anyio.current_time():
                await self._there(self._waiting[0][1])
                self._waiting.popleft()
            await anyio.sleep(0.005)


def changes(chooser: random.Random) -> Callable[[], str]:
    """Return what makes statements about rows below ``ROWS``: changed, gone, and back again."""
    gone: deque[int] = deque()

    def statement() -> str:
        row = chooser.randrange(1, ROWS)
        match chooser.randrange(4):
            case 0 if row not in gone:
                gone.append(row)
                return f"DELETE FROM t WHERE id = '{row}'"
            case 1 if gone:
                return f"INSERT INTO t VALUES ('{gone.popleft()}', {row}, 'back')"
            case _:
                return f"UPDATE t SET n = n + 1, s = 'changed {row}' WHERE id = '{row}'"

    return statement


@asynccontextmanager
async def written_to(here: Any, there: Any, statement: Callable[[], str]) -> AsyncIterator[Writer]:
    async with session(here) as one, session(there) as other:
        writer = Writer(one, other, statement)
        async with anyio.create_task_group() as group:
            group.start_soon(writer.write)
            group.start_soon(writer.follow)
            await anyio.sleep(2 * BEHIND_S)
            yield writer
            group.cancel_scope.cancel()


def fill(database: Database | MysqlDatabase, key: str) -> None:
    rows = ", ".join(f"('{i}', {i}, 'row {i}')" for i in range(1, ROWS + 100))
    sql = f"{TABLE.format(key=key)}; INSERT INTO t VALUES {rows}"
    database.psql(sql) if isinstance(database, Database) else database.execute(sql)


async def settles(here: Any, there: Any, key: str = "int") -> None:
    """No row on its way is told as a difference; a real one is told, and mended, while it goes."""
    fill(here, key)
    await fastload.copy(here.url, there.url)
    verify = partial(fastload.verify, here.url, there.url, live=True, lag_s=LAG_S)
    async with written_to(here, there, changes(random.Random(4711))) as writer:
        async with session(there) as run:
            for sql in (
                f"UPDATE t SET s = 'stale' WHERE id = '{ROWS + 7}'",
                f"DELETE FROM t WHERE id = '{ROWS + 8}'",
                "INSERT INTO t VALUES ('-5', 5, 'extra')",
            ):
                await run(sql)
        found = await verify()
        told = {d.key["id"]: d.kind for d in found.differences}
        assert told == {str(ROWS + 7): "different", str(ROWS + 8): "missing", "-5": "extra"}
        assert not found.equal
        # That ends with a clean pass, beside the same writer.
        mended = await found.repair()
        assert mended.equal, str(mended)
        (table,) = mended.tables
        assert table.caught_up > 0
        assert f"{table.caught_up} row" in str(mended)
        assert writer.done > 100


@pytest.mark.postgres
@pytest.mark.parametrize("key", ["int", pytest.param("varchar(20)", marks=pytest.mark.long)])
async def test_postgres_to_postgres(source, target, key):
    await settles(source, target, key)


@pytest.mark.long
@pytest.mark.mysql
async def test_postgres_to_mysql(source, mariadb):
    with mariadb.database("live"):
        await settles(source, MysqlDatabase(mariadb, "live"))


@pytest.mark.long
@pytest.mark.mysql
async def test_mysql_to_postgres(mariadb, target):
    with mariadb.database("live"):
        await settles(MysqlDatabase(mariadb, "live"), target)


@pytest.mark.long
async def test_a_row_that_never_rests_is_neither_equal_nor_a_difference(source, target):
    fill(source, "smallint")
    source.psql("INSERT INTO t VALUES (32767, 0, 'at the edge')")
    await fastload.copy(source.url, target.url)
    target.psql("UPDATE t SET n = -1 WHERE id = 32767")
    statement = "UPDATE t SET n = n + 1 WHERE id = 1"
    async with written_to(source, target, lambda: statement):
        found = await fastload.verify(source.url, target.url, live=True, lag_s=LAG_S)
    assert [d.key["id"] for d in found.differences] == ["32767"]
    assert found.tables[0].unsettled == 1
    assert "1 row kept changing" in str(found)


async def test_a_target_that_does_not_follow_differs(source, target):
    """What stops following is told, however often the source is read."""
    fill(source, "int")
    await fastload.copy(source.url, target.url)
    source.psql("UPDATE t SET n = 0 WHERE id % 100 = 0")
    found = await fastload.verify(source.url, target.url, live=True, lag_s=0.1, limit=5)
    assert len(found.differences) == 5
    assert found.tables[0].more
    with pytest.raises(fastload.ConfigError, match="lag_s"):
        await fastload.verify(source.url, target.url, live=True, lag_s=0)
