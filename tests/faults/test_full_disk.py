"""A target without room: told at once, with what takes it, and continued once there is some."""

from __future__ import annotations

import os

import anyio
import pytest

import fastload
from fastload import partition, pipeline
from fastload.copier import Copier
from tests.faults.small_disk import small_disk

ROWS, PARTS = 24_000, 8
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v varchar(40), filler text)"
# About 24 MB, which nothing on its way makes smaller.
FILL = "INSERT INTO t SELECT n, concat('v', n), repeat('x', 1000) FROM {}"
SMALL, LARGE = "16m", "256m"
# Five digests, which nothing makes smaller: 8 MB of them in an index.
DIGESTS = {
    "PostgreSQL": "(SELECT string_agg(encode(sha256(concat(id, n)::bytea), 'hex'), '') "
    "FROM generate_series(1, 5) AS n)",
    "MySQL": f"concat({', '.join(f'sha2(concat(id, {n}), 256)' for n in range(5))})",
}
_INDEXES = (
    "SELECT count(*) FROM information_schema.statistics "
    "WHERE table_schema = database() AND index_name = 'by_w'"
)
INDEXES = {
    "PostgreSQL": "SELECT count(*) FROM pg_indexes WHERE indexname = 'by_w'",
    "MariaDB": _INDEXES,
    "MySQL": _INDEXES,
}
EMPTYING = {"PostgreSQL": "TRUNCATE ", "MariaDB": "TRUNCATE TABLE ", "MySQL": "DROP TABLE "}
SAME = "SELECT id, v, length(filler) FROM t"
PAIRS = [("postgres", "postgres", "wire"), ("mysql", "mariadb", "auto")]
PAIRS += [pytest.param(("postgres", "mysql", "auto"), marks=pytest.mark.long)]
few_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk"),
]


@pytest.fixture
def filled(pair, monkeypatch):
    monkeypatch.setattr(partition, "wanted", lambda *sizes: PARTS)
    pair.source.run(f"{TABLE}; {FILL.format(pair.source.numbers(ROWS))}")
    pair.source.analyse("t")
    return pair


@pytest.fixture
def begun(monkeypatch):
    """Which partitions are begun, in order."""
    seen = []
    once = Copier._once

    async def noting(self, table, part, *rest):
        seen.append(part.index)
        return await once(self, table, part, *rest)

    monkeypatch.setattr(Copier, "_once", noting)
    return seen


async def copied(pair, **options):
    options = {"partition_by": "keys", "parallel": 2, "run": "full", **options}
    with anyio.fail_after(50):
        return await fastload.copy(pair.source.url, pair.target.url, route=pair.route, **options)


def name_of(side):
    schema = "public" if side.url.startswith("postgres") else side.database.name
    return f"{schema}.t"


@few_pairs
async def test_it_stops_at_once_and_goes_on_where_there_is_room(filled, begun):
    target = filled.target
    with small_disk(target, SMALL) as disk:
        with pytest.raises(fastload.TargetFull) as caught:
            await copied(filled)
        assert disk.free_bytes() < 2 << 20
        assert len(begun) == len(set(begun)), "a partition was tried again"
        told = str(caught.value)
        assert f"{name_of(target)} 1" in told, told
        assert any(EMPTYING[target.kind] in line for line in caught.value.details)
        assert "start the run again" in caught.value.hint
        # Whole partitions are there, and no part of one.
        ((rows,),) = await target.rows("SELECT count(*) FROM t")
        column = "rows" if target.kind == "PostgreSQL" else "`rows`"
        receipts = f"SELECT sum({column}) FROM {target.state('receipts')}"
        assert 0 < rows < ROWS
        assert await target.rows(receipts) == [(rows,)]
        disk.resize(LARGE)
        result = await copied(filled)
        assert result.rows_earlier == rows
        assert result.rows == ROWS
        await filled.same(SAME)


@few_pairs
async def test_an_index_that_finds_no_room_is_made_once_there_is_some(filled, monkeypatch):
    digests = DIGESTS[filled.source.kind]
    filled.source.run(f"ALTER TABLE t ADD w varchar(400); UPDATE t SET w = {digests}")
    filled.source.run("CREATE INDEX by_w ON t (w)")
    run_steps = pipeline.run_steps
    with small_disk(filled.target, LARGE) as disk:

        async def narrowed(*args, **options):
            disk.leave(2 << 20)
            await run_steps(*args, **options)

        monkeypatch.setattr(pipeline, "run_steps", narrowed)
        with pytest.raises(fastload.TargetFull) as caught:
            await copied(filled)
        assert f"{name_of(filled.target)} " in str(caught.value)
        assert await filled.target.rows("SELECT count(*) FROM t") == [(ROWS,)]
        monkeypatch.setattr(pipeline, "run_steps", run_steps)
        disk.resize(LARGE)
        result = await copied(filled)
        assert result.rows_earlier == result.rows == ROWS
        assert await filled.target.rows(INDEXES[filled.target.kind]) == [(1,)]
        await filled.same(f"{SAME} WHERE w IS NOT NULL")


@few_pairs
async def test_nothing_is_offered_to_be_emptied_that_was_there(filled, begun):
    target = filled.target
    with small_disk(target, SMALL) as disk:
        target.run(f"{TABLE}; INSERT INTO t VALUES (0, 'theirs', '')")
        with pytest.raises(fastload.TargetFull) as caught:
            await copied(filled, mode="append")
        assert len(begun) == len(set(begun))
        assert f"{name_of(target)} 1" in str(caught.value)
        assert EMPTYING[target.kind] not in str(caught.value)
        disk.resize(LARGE)
        result = await copied(filled, mode="append")
        assert 0 < result.rows_earlier < result.rows == ROWS
        assert await target.rows("SELECT count(*) FROM t") == [(ROWS + 1,)]


@few_pairs
async def test_what_is_emptied_as_it_was_told_gives_its_room_back(filled):
    target = filled.target
    with small_disk(target, SMALL) as disk:
        with pytest.raises(fastload.TargetFull) as caught:
            await copied(filled)
        offered = ": ".join(caught.value.details).split(": ")
        (statement,) = [w for w in offered if w.startswith(EMPTYING[target.kind])]
        target.run(statement.partition(" frees ")[0])
        assert disk.free_bytes() > 8 << 20
