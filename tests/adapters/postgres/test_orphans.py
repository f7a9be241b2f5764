"""A writer whose process has gone, and who still writes."""

from __future__ import annotations

import re

import asyncpg
import pytest
from fastload_postgres import ADAPTER, state
from fastload_postgres.orphans import mark, naming_orphans

import fastload
from fastload import Url
from fastload.errors import FastloadError, StateError
from fastload.model import Receipt


async def test_an_orphan_that_still_writes_is_waited_for(source, target):
    """Its receipt is the one that counts, whoever comes second."""
    source.psql("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
    orphan = await asyncpg.connect(target.url)
    async with ADAPTER.target(Url.parse(target.url), connections=1) as opened:
        plan = await fastload.plan(source.url, target.url, run="orphan")
        epoch = await opened.prepare(plan)
        table = plan.tables[0]
        receipt = Receipt(run="orphan", epoch=epoch, table=table.source.name, partition=0)
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


@pytest.fixture
async def workers(target):
    """Sessions at work for two runs, one of which holds what others wait for; and their numbers."""
    target.psql("CREATE TABLE t (n int)")
    target.psql(f"CREATE DATABASE {target.name}_beside")
    beside = target.url.replace(target.name, f"{target.name}_beside")
    places = [("mine", "rows", target.url), ("mine", "index", target.url)]
    places += [("other", "rows", target.url), ("mine", "rows", beside)]
    found = []
    for run, work, url in places:
        session = await asyncpg.connect(url)
        found.append(session)
        await session.execute("BEGIN")
        await mark(session, run, work)
    await found[0].execute("LOCK TABLE t")
    yield [session.get_server_pid() for session in found]
    for session in found:
        await session.close()
    target.psql(f"DROP DATABASE {target.name}_beside WITH (FORCE)")


@pytest.mark.parametrize(
    ("run", "work", "named"),
    [
        ("mine", "rows", [0]),
        ("mine", "index", [1]),
        ("mine", None, [0, 1]),
        ("other", "rows", [2]),
        ("other", "index", []),
        ("third", None, []),
    ],
)
async def test_who_works_for_a_run_here_is_named(target, workers, run, work, named):
    """And nobody else, as a session that is at other work, or in another database."""
    async with ADAPTER.target(Url.parse(target.url), connections=1) as opened:
        sessions = opened._sessions

        async def run_here(sql: str) -> None:
            async with naming_orphans(sessions, run, work), sessions.lend() as connection:
                await connection.execute(sql)

        with pytest.raises(FastloadError) as caught:
            await run_here("SET LOCAL lock_timeout = '10ms'; LOCK TABLE public.t")
        with pytest.raises(FastloadError, match="no_such_table") as unrelated:
            await run_here("SELECT FROM no_such_table")
    assert not isinstance(unrelated.value, StateError)
    pids = [int(pid) for pid in re.findall(r"backend\((\d+)\)", caught.value.hint or "")]
    assert pids == sorted(workers[place] for place in named)
    assert isinstance(caught.value, StateError) == bool(named)
    if named:
        told = f"session {pids[0]} (from 127.0.0.1, idle in transaction) is at {work or 'work'}"
        assert caught.value.message.startswith(told)


def _fields(receipt: Receipt) -> dict[str, object]:
    return {name: getattr(receipt, name) for name in receipt.__struct_fields__}
