"""Stopping in the middle: nothing half committed, and no session works on."""

from __future__ import annotations

import asyncio
import gc

import pytest

import fastload
from fastload.testing.faults import proxy
from tests.faults.conftest import PAIRS, with_pairs
from tests.faults.loads import through

ROWS = 100_000
MOMENTS = {
    "reading": ("source", "COPY %", "SELECT %"),
    "writing": ("target", "COPY %", "LOAD DATA %"),
    "indexes": ("target", "CREATE INDEX %", "ALTER TABLE %"),
}
TABLE = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(40), filler text);
INSERT INTO t SELECT n, concat('v', n), repeat('x', 1000) FROM {};
CREATE INDEX by_v ON t (v)"""


@pytest.mark.faults
@with_pairs(("mysql", "mariadb", "auto"), long=PAIRS)
@pytest.mark.parametrize("moment", MOMENTS)
async def test_a_cancelled_copy_leaves_no_session_and_can_be_continued(pair, moment):
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    end, *whats = MOMENTS[moment]
    side = pair.source if end == "source" else pair.target
    what = whats[0] if side.url.startswith("postgres") else whats[1]
    options = {"route": pair.route, "parallel": 2, "run": "cancelled"}
    copying = asyncio.create_task(fastload.copy(pair.source.url, pair.target.url, **options))
    async with side.asking() as ask:
        while not await ask(side.working(what)):
            assert not copying.done(), "it has ended before"
            await asyncio.sleep(0.001)
    copying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await copying
    await pair.none_left()
    async with pair.target.asking() as ask:
        rows = "rows" if pair.target.url.startswith("postgres") else "`rows`"
        query = f"SELECT coalesce(sum({rows}), 0) FROM {pair.target.state('receipts')}"
        assert (await ask("SELECT count(*) FROM t") or 0) == (await ask(query) or 0)
    result = await fastload.copy(pair.source.url, pair.target.url, **options)
    assert result.rows == ROWS
    await pair.same("SELECT id, v, length(filler) FROM t")


@pytest.mark.faults
@pytest.mark.parametrize(
    "pair",
    [("postgres", "postgres", "auto"), ("mysql", "mariadb", "auto")],
    ids="-".join,
    indirect=True,
)
async def test_a_caller_cancelled_while_its_readers_end_leaves_no_session(pair, recwarn):
    """Its own task is: what an adapter does at the end is not in a task group's hands."""
    pair.source.run(TABLE.format(pair.source.numbers(3)))
    async with proxy(pair.source.port) as between:
        between.lose_answer_to, between.lose_most = b"ROLLBACK", 0

        async def reading() -> None:
            async with fastload.read(through(pair.source, between.port), "t", parallel=3) as rows:
                assert sum([batch.num_rows async for batch in rows]) == 3
                between.asked, between.silent = 0, True

        caller = asyncio.create_task(reading())
        while not between.asked:
            assert not caller.done(), "it has ended before"
            await asyncio.sleep(0.001)
        caller.cancel()
        await asyncio.sleep(0)
        between.silent = False
        await asyncio.wait([caller])
        assert caller.cancelled()
        await pair.none_left()
    del caller
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []
