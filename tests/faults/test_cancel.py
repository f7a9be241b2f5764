"""Stopping in the middle: nothing half committed, and no session works on."""

from __future__ import annotations

import asyncio

import pytest

import fastload
from tests.faults.conftest import PAIRS, with_pairs

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
