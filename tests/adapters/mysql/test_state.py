"""What a target remembers of runs: owners, orphans, DDL that commits by itself, crashes."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import pytest
from fastload_mysql import ADAPTER, driver, named_lock

import fastload
from fastload import Url
from fastload.errors import StateError
from fastload.model import Kept, Step
from fastload.testing.mysql_servers import MysqlServer

TABLES = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(20), INDEX by_v (v));
INSERT INTO t VALUES (1, 'a'), (2, 'b'); ANALYZE TABLE t"""
INDEX = "SELECT count(*) FROM information_schema.statistics WHERE index_name = 'by_v' AND {}"


@pytest.fixture
def other(server):
    with server.database("fastload_state"):
        server.execute(TABLES, "fastload_state")
        yield server.url_for("fastload_state")


@pytest.fixture
def impatient(monkeypatch):
    """Sessions that wait a second for locks."""
    waits = {"innodb_lock_wait_timeout": "1", "lock_wait_timeout": "1"}
    monkeypatch.setattr(driver, "_SETTINGS", driver._SETTINGS | waits)
    monkeypatch.setattr(named_lock, "LOCK_TIMEOUT_S", 1)


@contextlib.contextmanager
def session(database):
    """Yield what runs statements in one transaction of another session, and its number."""
    with database.server.connect(database=database.name, autocommit=False) as connection:
        cursor = connection.cursor()
        yield cursor.execute, connection.thread_id()
        connection.rollback()


async def stopped(other, database):
    """Leave a run whose table is not copied: its rows are refused at first."""
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(20), CHECK (id > 1))")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(other, database.url, run="r")


OPEN = """
INSERT INTO _fastload_receipts (run, table_schema, table_name, `partition`, epoch, session)
VALUES ('r', 'fastload_state', 't', 0, 1, CONNECTION_ID())"""


@pytest.mark.faults
@pytest.mark.parametrize("fenced", [True, False])
async def test_an_orphan_that_does_not_end_is_named(database, other, impatient, fenced):
    """Whether it is in the way of the claim, or of its partition's next writer."""
    await stopped(other, database)
    with session(database) as (execute, number):
        if fenced:
            execute("SELECT * FROM _fastload_runs LOCK IN SHARE MODE")
        execute(OPEN)
        with pytest.raises(StateError, match=f"session {number} is writing partition 0") as caught:
            await fastload.copy(other, database.url, run="r")
    assert f"KILL {number}" in caught.value.hint


@pytest.mark.faults
async def test_a_session_that_is_at_a_step_is_named(database, other, impatient):
    await stopped(other, database)
    step = Step(id="s", title="a step", statements=("DO 1",))
    with session(database) as (execute, number):
        execute(f"DO GET_LOCK('{named_lock._name(('step', database.name, 'r', 's'))}', 0)")
        async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
            with pytest.raises(StateError, match=f"a step: session {number} is at it"):
                await target.run_step(step, "r", 1)


@pytest.mark.faults
async def test_two_owners_at_one_step_do_it_once(database, other):
    """The later one waits for the earlier one's DDL, which no transaction holds."""
    await stopped(other, database)
    step = Step(
        id="s",
        title="a step",
        statements=("DO SLEEP(0.3)", "ALTER TABLE t ADD INDEX by_v (v)"),
        done=("", INDEX.format(f"table_schema = '{database.name}'")),
    )
    async with ADAPTER.target(Url.parse(database.url), connections=2) as target:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(target.run_step, step, "r", 1)
        assert (await target.barrier("r")).steps == 1
        await target.state().claim("r")
        with pytest.raises(StateError, match="taken over"):
            await target.run_step(step, "r", 1)
    assert database.execute(INDEX.format("table_schema = DATABASE()")) == [(1,)]


async def until(database, query):
    with anyio.fail_after(20):
        while not database.execute(query)[0][0]:
            await asyncio.sleep(0.01)


@pytest.mark.faults
@pytest.mark.parametrize("moment", ["prepared", "step"])
async def test_ddl_that_was_done_and_not_noted_is_not_done_again(database, other, moment):
    """The run is stopped after its DDL, while it waits to store what says so."""
    async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
        assert await target.state().claim("r") is None
        async with target._sessions.lend() as connection:
            await target._tables.make(connection)
    table = "steps" if moment == "step" else "runs"
    done = (
        INDEX
        if moment == "step"
        else INDEX.replace("statistics", "tables").replace(
            "index_name = 'by_v'", "table_name = 't'"
        )
    )
    with session(database) as (execute, _):
        execute(f"SELECT * FROM _fastload_{table} WHERE run = 'r' FOR UPDATE")
        copying = asyncio.create_task(fastload.copy(other, database.url, run="r"))
        await until(database, done.format(f"table_schema = '{database.name}'"))
        await until(
            database,
            "SELECT count(*) FROM information_schema.processlist "
            f"WHERE info LIKE 'INSERT INTO `{database.name}`.`_fastload_{table}`%'",
        )
        copying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await copying
    result = await fastload.copy(other, database.url, run="r")
    assert result.rows == 2
    assert database.execute("SELECT * FROM t") == [(1, "a"), (2, "b")]
    assert database.execute(INDEX.format("table_schema = DATABASE()")) == [(1,)]


LATE = {
    "innodb_flush_log_at_trx_commit": "0",
    "innodb_flush_log_at_timeout": "2700",
    "sync_binlog": "0",
    "skip_log_bin": "ON",
}


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("flavour", ["mariadb", "mysql"])
async def test_a_barrier_keeps_what_a_crash_would_take(flavour):
    """A server that writes its log late forgets commits, and the barrier's count tells."""
    options = dict(LATE)
    with MysqlServer.start(flavour, options=options, fsync=True) as server:
        server.create_database("d")
        url = Url.parse(server.url_for("d"))
        async with ADAPTER.target(url, connections=1) as target:
            async with target._sessions.lend() as connection:
                await target._tables.make(connection)
            server.execute("INSERT INTO _fastload_steps VALUES ('r', 'one', NOW())", "d")
            assert await target.barrier("r") == Kept(receipts=0, steps=1)
            server.execute("INSERT INTO _fastload_steps VALUES ('r', 'two', NOW())", "d")
            server.kill()
        server.restart()
        async with ADAPTER.target(url, connections=1) as target:
            assert await target.barrier("r") == Kept(receipts=0, steps=1)
