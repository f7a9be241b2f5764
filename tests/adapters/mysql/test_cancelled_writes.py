"""Writes at once that are cancelled or cannot clear up: what is there, and what is left of ours."""

from __future__ import annotations

import asyncio
import re
from contextlib import asynccontextmanager

import anyio
import pyarrow as pa
import pytest
from fastload_mysql import ADAPTER, once
from fastload_mysql.once import Once

import fastload
from fastload import Url
from fastload.errors import SchemaMismatch, StateError
from fastload.model import Receipt
from fastload.testing.faults import proxy

DATA = pa.table({"id": pa.array([1, 2], pa.int64()), "v": ["a", None]})
BEFORE = "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')"
CHILD = """
CREATE TABLE child (id int PRIMARY KEY, t bigint, FOREIGN KEY (t) REFERENCES t (id))"""
LOCKED = "SELECT count(*) FROM information_schema.processlist WHERE info = 'COMMIT'"
pytestmark = pytest.mark.faults


def write(database, **options):
    return fastload.write(DATA, database.url, f"{database.name}.t", **options)


def left_over(database):
    return [name for (name,) in database.execute("SHOW TABLES LIKE '\\_fastload%'")]


def ids(database):
    return [i for (i,) in database.execute("SELECT id FROM t ORDER BY 1")]


@asynccontextmanager
async def held_at_its_commit(database):
    """Yield a write whose commit a lock of the whole server holds up, and who has it."""
    plan = await fastload.plan(database.url, database.url, tables=["u"], mode="append",
                               rename={f"{database.name}.u": f"{database.name}.t"})  # fmt: skip
    table = plan.tables[0]
    full = Receipt(run="r", epoch=1, table=table.source.name, partition=0, rows=1)
    with database.server.connect(autocommit=True) as holder:
        cursor = holder.cursor()

        async def rows(connection, name):
            await connection.execute(f"INSERT INTO {name.name} VALUES (7, 'mine')")
            cursor.execute("FLUSH TABLES WITH READ LOCK")
            return full

        async with ADAPTER.target(Url.parse(database.url), connections=2) as target:
            done = Once(target._sessions, target._tables, plan, table, rows).run()
            writing = asyncio.create_task(done)
            try:
                with anyio.fail_after(20):
                    while not (cursor.execute(LOCKED) and cursor.fetchone()[0]):
                        assert not writing.done(), "it has ended before"
                        await asyncio.sleep(0.01)
                yield writing, cursor
            finally:
                cursor.execute("UNLOCK TABLES")
                await asyncio.wait([writing])


@pytest.fixture
def ours(database):
    database.execute(f"{BEFORE}; CREATE TABLE u LIKE t")
    return database


async def test_a_write_cancelled_during_its_commit_is_told_when_that_has_ended(ours):
    async with held_at_its_commit(ours) as (writing, cursor):
        writing.cancel()
        await asyncio.wait([writing], timeout=0.3)
        assert not writing.done()
        cursor.execute("UNLOCK TABLES")
        with anyio.fail_after(20), pytest.raises(asyncio.CancelledError):
            await writing
    assert ids(ours) == [0, 7]
    assert left_over(ours) == []


async def test_a_commit_that_does_not_end_is_given_up(ours, monkeypatch):
    """And nobody's commit comes after."""
    monkeypatch.setattr(once, "_PATIENCE_S", 0.2)
    async with held_at_its_commit(ours) as (writing, cursor):
        writing.cancel()
        with anyio.fail_after(10):
            while cursor.execute(LOCKED) and cursor.fetchone()[0]:
                await asyncio.sleep(0.01)
        cursor.execute("UNLOCK TABLES")
        with anyio.fail_after(20), pytest.raises(asyncio.CancelledError):
            await writing
    assert ids(ours) == [0]
    assert left_over(ours) == []


async def test_a_write_cancelled_after_its_rename_leaves_nothing_of_the_old_table(
    ours, monkeypatch
):
    rename = Once._rename

    async def rename_and_be_cancelled(self):
        await rename(self)
        for task in asyncio.all_tasks():
            if task.get_coro().__qualname__ == "write":
                task.cancel()
        await asyncio.sleep(5)

    monkeypatch.setattr(Once, "_rename", rename_and_be_cancelled)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(write(ours, mode="replace"))
    assert ids(ours) == [1, 2]
    assert left_over(ours) == []


async def test_a_table_that_others_refer_to_by_now_is_not_replaced(ours, monkeypatch):
    rows = Once._write_rows

    async def refer_meanwhile(self):
        done = await rows(self)
        ours.execute(CHILD)
        return done

    monkeypatch.setattr(Once, "_write_rows", refer_meanwhile)
    with pytest.raises(SchemaMismatch, match="child refers to"):
        await write(ours, mode="replace")
    assert ids(ours) == [0]
    assert left_over(ours) == []
    ours.execute("INSERT INTO child VALUES (1, 0)")


async def test_a_replaced_table_that_cannot_be_dropped_is_named(ours, monkeypatch):
    """Its foreign keys follow its name."""
    check = Once._check_referring

    async def refer_after_the_look(self, connection):
        await check(self, connection)
        await asyncio.to_thread(ours.execute, CHILD)

    monkeypatch.setattr(Once, "_check_referring", refer_after_the_look)
    with pytest.raises(StateError, match=r"the rows are in .*, and need not be") as caught:
        await write(ours, mode="replace")
    (left,) = left_over(ours)
    assert left in caught.value.message
    assert ids(ours) == [1, 2]
    ours.execute(f"DROP TABLE child; {re.search('DROP TABLE .*', caught.value.hint)[0]}")
    assert left_over(ours) == []


async def test_what_may_be_left_where_nobody_answers_is_named(ours, monkeypatch):
    monkeypatch.setattr(once, "_CLEAR_AFTER_FAILING_S", 0.5)
    async with proxy(ours.server.port) as between:

        async def leave(self):
            between._server_port = 1  # where nobody listens
            await between.end()
            raise OSError("as a full disk of this machine")

        monkeypatch.setattr(Once, "_rename", leave)
        url = ours.url.replace(f":{ours.server.port}/", f":{between.port}/")
        with pytest.raises(OSError, match="full disk") as caught:
            await fastload.write(DATA, f"{url}?ssl_mode=DISABLED", f"{ours.name}.t", mode="replace")
    (told,) = caught.value.__notes__
    statement = re.search("DROP TABLE .*", told)[0]
    assert any(name in statement for name in left_over(ours))
    assert ids(ours) == [0]
