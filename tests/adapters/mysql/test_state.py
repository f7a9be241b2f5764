"""What a target remembers of runs: owners, orphans, DDL that commits by itself, crashes."""

from __future__ import annotations

import asyncio
import contextlib

import anyio
import msgspec
import pytest
from fastload_mysql import ADAPTER, driver, named_lock, receipts, state
from fastload_mysql.once import Once

import fastload
from fastload import Url
from fastload.errors import ResumeRefused, StateError
from fastload.model import Kept, QualifiedName, Receipt, Step
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
    """Leave a run whose rows are refused at first, and return its epoch."""
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(20), CHECK (id > 1))")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(other, database.url, run="r")
    return int(database.execute("SELECT epoch FROM _fastload_runs")[0][0])


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
    epoch = await stopped(other, database)
    step = Step(id="s", title="a step", statements=("DO 1",))
    with session(database) as (execute, number):
        execute(f"DO GET_LOCK('{named_lock.lock_name('step', database.name, 'r', 's')}', 0)")
        async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
            with pytest.raises(StateError, match=f"a step: session {number} is at it"):
                await target.run_step(step, "r", epoch)


@pytest.mark.faults
async def test_two_owners_at_one_step_do_it_once(database, other):
    """The later one waits for the earlier one's DDL, which no transaction holds."""
    epoch = await stopped(other, database)
    step = Step(
        id="s",
        title="a step",
        statements=("DO SLEEP(0.3)", "ALTER TABLE t ADD INDEX by_v (v)"),
        done=("", INDEX.format(f"table_schema = '{database.name}'")),
    )
    async with ADAPTER.target(Url.parse(database.url), connections=2) as target:
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(target.run_step, step, "r", epoch)
        assert (await target.barrier("r")).steps == 1
        await target.state().claim("r")
        with pytest.raises(StateError, match="taken over"):
            await target.run_step(step, "r", epoch)
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


@contextlib.asynccontextmanager
async def opened(database):
    """Yield a target, and a connection of its own with the state's tables there."""
    opening = ADAPTER.target(Url.parse(database.url), connections=3)
    async with opening as target, target._sessions.lend() as connection:
        yield target, connection


@pytest.mark.faults
async def test_a_step_that_is_being_noted_is_waited_for(database, other):
    """As a commit is whose answer was lost: it may still be under way."""
    await stopped(other, database)
    async with opened(database) as (target, connection):
        with session(database) as (execute, _):
            execute("INSERT INTO _fastload_steps VALUES ('m', 'rows', NOW())")
            asking = asyncio.create_task(state.has_step(connection, target._tables, "m", "rows"))
            await database.running("SELECT 1 FROM%\\_fastload\\_steps%SHARE MODE")
            execute("COMMIT")
            assert await asking


@pytest.mark.faults
async def test_a_step_that_outlasts_its_owner_is_not_noted(database, other):
    epoch = await stopped(other, database)
    step = Step(id="s", title="a step", statements=("DO SLEEP(0.5)",))
    async with ADAPTER.target(Url.parse(database.url), connections=2) as target:
        running = asyncio.create_task(target.run_step(step, "r", epoch))
        await database.running("DO SLEEP%")
        await target.state().claim("r")
        with pytest.raises(StateError, match="taken over"):
            await running
    assert database.execute("SELECT count(*) FROM _fastload_steps") == [(0,)]


@pytest.mark.faults
async def test_a_receipt_that_came_after_the_snapshot_is_seen(database, other):
    await stopped(other, database)
    receipt = Receipt(run="r", epoch=1, table=QualifiedName("fastload_state", "t"), partition=0)
    async with opened(database) as (target, connection):
        await connection.execute("START TRANSACTION")
        await connection.fetch("SELECT * FROM _fastload_receipts")
        database.execute(f"{OPEN}; UPDATE _fastload_receipts SET `rows` = 7, completed = NOW()")
        found = await receipts.begin_receipt(connection, target._tables, receipt)
        await connection.execute("ROLLBACK")
    assert found is not None
    assert found.rows == 7


@pytest.mark.faults
async def test_a_table_that_starts_over_keeps_the_rows_of_others(database, other):
    await stopped(other, database)
    database.execute("INSERT INTO t VALUES (9, 'theirs')")
    async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
        (stored,) = await target.state().runs()
        table = msgspec.structs.replace(stored.plan.tables[0], restartable=True)
        with pytest.raises(ResumeRefused, match="holds 1 rows"):
            await target.restart("r", stored.epoch, table)
    assert database.execute("SELECT id FROM t") == [(9,)]


@pytest.mark.faults
async def test_a_commit_that_never_came_is_not_taken_for_done(database, other):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))")
    plan = await fastload.plan(other, database.url, mode="append")
    full = Receipt(run="r", epoch=1, table=plan.tables[0].source.name, partition=0, rows=1)

    async def write(connection, name):
        await connection.execute(f"INSERT INTO {name.name} VALUES (1, 'a')")
        database.execute(f"KILL {await connection.fetchval('SELECT CONNECTION_ID()')}")
        return full

    async with ADAPTER.target(Url.parse(database.url), connections=1) as target:
        with pytest.raises(fastload.ConnectionLost):
            await Once(target._sessions, target._tables, plan, plan.tables[0], write).run()
    assert database.execute("SELECT count(*) FROM t") == [(0,)]
