"""A process that stands still, and another that is to go on with its run."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import anyio
import pytest
from fastload_mysql import driver, named_lock
from fastload_postgres import connection

import fastload
from fastload import lease, pipeline
from fastload.copier import Copier
from fastload.errors import ResumeRefused, StateError
from fastload.registry import open_target
from tests.faults.conftest import with_pairs
from tests.faults.loads import send

ROWS = 60_000
LOADER = str(Path(__file__).parent / "loader.py")
TABLE = """
CREATE TABLE t (id bigint PRIMARY KEY, v varchar(40) NOT NULL, w int, filler text);
INSERT INTO t SELECT n, concat('v', n), n, repeat('x', 800) FROM {};
CREATE INDEX by_v ON t (v); CREATE INDEX by_w ON t (w, v); CREATE UNIQUE INDEX once ON t (v, id)"""
SAME = "SELECT id, v, w, length(filler) FROM t"
OPTIONS = {"parallel": 2, "run": "frozen"}
PAIRS = [("postgres", "postgres", "arrow"), ("postgres", "mysql", "auto")]
PAIRS += [("mysql", "mariadb", "auto")]


@pytest.fixture
def impatient(monkeypatch):
    """This process waits a second for locks, and some for signs of life."""
    waits = {"innodb_lock_wait_timeout": "1", "lock_wait_timeout": "1"}
    monkeypatch.setattr(driver, "_SETTINGS", driver._SETTINGS | waits)
    monkeypatch.setattr(named_lock, "LOCK_TIMEOUT_S", 1)
    monkeypatch.setattr(connection, "_SETTINGS", connection._SETTINGS | {"lock_timeout": "1s"})
    monkeypatch.setattr(lease, "GONE_S", 4.0)


async def start(pair, **options):
    options = json.dumps(OPTIONS | {"route": pair.route} | options)
    arguments = [LOADER, pair.source.url, pair.target.url, options]
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


async def stopped_at(pair, what, by=signal.SIGSTOP):
    """Start a loader and stop it while a session of the target does this for it."""
    process = await start(pair)
    async with pair.target.asking() as ask:
        while process.returncode is None:
            if await ask(pair.target.working(what)):
                send(process, by)
                if by == signal.SIGKILL:
                    await process.communicate()
                    return process
                await asyncio.sleep(0.3)  # for what was on its way
                if await ask(pair.target.working(what)):
                    return process
                send(process, signal.SIGCONT)
            await asyncio.sleep(0.002)
    raise AssertionError((await process.communicate())[1].decode())


async def copy(pair, **options):
    options = {"route": pair.route} | OPTIONS | options
    with anyio.fail_after(60):
        return await fastload.copy(pair.source.url, pair.target.url, **options)


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), long=PAIRS)
async def test_a_frozen_owner_is_named_and_once_ended_commits_nothing_more(pair, impatient):
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    family = not pair.target.url.startswith("postgres")
    process = await stopped_at(pair, "LOAD DATA%" if family else "COPY %")
    try:
        with pytest.raises(StateError, match="an earlier process of run 'frozen'") as caught:
            await copy(pair)
        sessions = re.findall(r"(?:KILL |pg_terminate_backend\()(\d+)", caught.value.hint)
        assert sessions
        for session in sessions:
            pair.target.end(int(session))
        result = await copy(pair)
        assert result.rows == ROWS
        await pair.same(SAME)
    finally:
        send(process, signal.SIGCONT)
        _, error = await process.communicate()
    assert process.returncode != 0
    assert b"taken over by another process" in error, error.decode()
    await pair.same(SAME)


INDEXES = {
    True: "SELECT index_name, column_name FROM information_schema.statistics "
    "WHERE table_schema = '{}' AND index_name <> 'PRIMARY'",
    False: "SELECT c.relname, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
    "JOIN pg_attribute a ON a.attrelid = c.oid WHERE i.indrelid = 't'::regclass "
    "AND i.indisvalid AND NOT i.indisprimary",
}


@pytest.mark.faults
@with_pairs(("postgres", "mysql", "auto"), long=PAIRS)
async def test_killed_while_indexes_are_built(pair):
    """The server may finish what nobody waits for; none is missing and none is made twice."""
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    family = not pair.target.url.startswith("postgres")
    for _ in range(2):
        await stopped_at(pair, "ALTER TABLE%" if family else "CREATE %INDEX%", signal.SIGKILL)
    result = await copy(pair)
    assert result.rows == result.rows_earlier == ROWS
    await pair.same(SAME)
    found = await pair.target.rows(INDEXES[family].format(pair.target.database.name))
    wanted = [("by_v", "v"), ("by_w", "v"), ("by_w", "w"), ("once", "id"), ("once", "v")]
    assert sorted(found) == wanted
    async with pair.target.asking() as ask:
        assert await ask(f"SELECT count(*) FROM {pair.target.state('runs')}") is None


WHICH = contextvars.ContextVar("which", default="")


class Held:
    """Copies of this process that stand still before each partition, until they are let go."""

    def __init__(self, monkeypatch):
        self._go_on, self._there = {}, {}
        real = Copier.copy

        async def copy(copier, table, part):
            if which := WHICH.get():
                self._there[which].set()
                await self._go_on[which].wait()
            return await real(copier, table, part)

        monkeypatch.setattr(Copier, "copy", copy)

    async def start(self, which, copying):
        """Start a copy, and return its task when it stands before a partition."""
        self._go_on[which], self._there[which] = asyncio.Event(), asyncio.Event()
        token = WHICH.set(which)
        task = asyncio.create_task(copying)
        WHICH.reset(token)
        there = asyncio.create_task(self._there[which].wait())
        await asyncio.wait([task, there], timeout=60, return_when=asyncio.FIRST_COMPLETED)
        assert there.done(), await task
        return task

    def let_go(self, which):
        self._go_on[which].set()


def hold_the_end(monkeypatch):
    """Have the first copy stand still when all is in the target, before it forgets its run."""
    there, go_on, real = asyncio.Event(), asyncio.Event(), pipeline._settle

    async def settle(target, run, *, receipts, steps):
        await real(target, run, receipts=receipts, steps=steps)
        if WHICH.get() == "first" and steps:
            there.set()
            await go_on.wait()

    monkeypatch.setattr(pipeline, "_settle", settle)
    return SimpleNamespace(there=there, go_on=go_on)


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto"), long=PAIRS)
@pytest.mark.parametrize("moment", ["partitions", "end"])
async def test_what_stood_still_since_an_earlier_run_of_the_name_is_refused(
    pair, monkeypatch, moment
):
    """A copy of every night has one name; a process of yesterday's run wakes up in today's."""
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    pair.target.run("CREATE TABLE t (id bigint PRIMARY KEY, v varchar(40), w int, filler text)")
    held = Held(monkeypatch)

    if moment == "end":
        # All is done, but for what forgets the run.
        forgetting = hold_the_end(monkeypatch)
    first = await held.start("first", copy(pair, mode="truncate"))
    if moment == "end":
        held.let_go("first")
        await forgetting.there.wait()
    async with open_target(fastload.Url.parse(pair.target.url), connections=1) as target:
        await target.state().discard("frozen")
    pair.source.run("DELETE FROM t WHERE id <= 20000")
    second = await held.start("second", copy(pair, mode="truncate"))
    held.let_go("first")
    if moment == "end":
        forgetting.go_on.set()
    with pytest.raises(StateError, match="taken over"):
        await first
    held.let_go("second")
    assert (await second).rows == ROWS - 20_000
    await pair.same(SAME)


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto"), long=PAIRS)
async def test_a_start_that_is_refused_leaves_the_owner_alone(pair, monkeypatch):
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    held = Held(monkeypatch)
    first = await held.start("first", copy(pair))
    for others in ({"exclude": "x"}, {"rename": {"t.w": "y"}}):
        with pytest.raises(ResumeRefused):
            await copy(pair, **others)
    held.let_go("first")
    assert (await first).rows == ROWS
    await pair.same(SAME)


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto"), long=PAIRS)
async def test_a_run_that_a_living_process_works_for_is_refused(pair, monkeypatch):
    """In short, and with who it is; the owner goes on."""
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    held = Held(monkeypatch)
    first = await held.start("first", copy(pair))
    told = []

    for options in ({}, {"fresh": True, "mode": "replace"}):
        await until_shown(pair)
        with pytest.raises(
            StateError, match="another process is at work for run 'frozen'"
        ) as caught:
            await copy(pair, progress=told.append, **options)
        session = re.search(r"session (\d+)", caught.value.message)[1]
        assert "stop that process" in caught.value.hint
        assert any(f"session {session}" in (p.waits_for or "") for p in told)
    # One whose session is taken from it shows another.
    pair.target.end(int(session))
    await until_shown(pair)
    with pytest.raises(StateError, match="another process is at work"):
        await copy(pair)
    held.let_go("first")
    assert (await first).rows == ROWS
    await pair.same(SAME)
    await pair.none_left()


async def until_shown(pair):
    async with open_target(fastload.Url.parse(pair.target.url), connections=1) as target:
        state = target.state()
        with anyio.fail_after(20):
            while not [r for r in await state.runs() if await state.worker(r.plan.run, r.epoch)]:
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def shown_and_held(pair):
    """Yield a process that has shown itself, and whose partitions wait until it is left."""
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    pair.target.run("CREATE TABLE t (id bigint PRIMARY KEY, v varchar(40), w int, filler text)")
    family = not pair.target.url.startswith("postgres")
    async with pair.target.asking() as ask:
        for words in ("LOCK TABLES t READ",) if family else ("BEGIN", "LOCK t IN EXCLUSIVE MODE"):
            await ask(words)
        process = await start(pair, mode="append")
        try:
            await until_shown(pair)
            yield process
        finally:
            send(process, signal.SIGKILL)
            await process.communicate()
            await ask("UNLOCK TABLES" if family else "ROLLBACK")


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto"), long=PAIRS)
async def test_an_owner_that_was_killed_is_not_waited_for(pair, monkeypatch):
    async with shown_and_held(pair):
        pass
    monkeypatch.setattr(lease, "GONE_S", 600.0)
    result = await copy(pair, mode="append")
    assert result.rows == ROWS
    await pair.same(SAME)


@pytest.mark.faults
@with_pairs(("postgres", "postgres", "arrow"), ("mysql", "mariadb", "auto"), long=PAIRS)
async def test_an_owner_that_was_stopped_is_waited_for_and_then_taken_for_gone(pair, impatient):
    """It is no longer at work, but its sessions may have to be ended."""
    told = []
    async with shown_and_held(pair) as process:
        send(process, signal.SIGSTOP)
        with pytest.raises(StateError, match="for an earlier process of run 'frozen'"):
            await copy(pair, mode="append", progress=told.append)
    assert any("waits for a sign of session" in (p.waits_for or "") for p in told)
    result = await copy(pair, mode="append")
    assert result.rows == ROWS
    await pair.same(SAME)
