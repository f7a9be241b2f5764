"""A target that is slow for long, and loads that are cancelled by the thousand: nothing grows."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from pathlib import Path

import pytest

import fastload
from fastload.testing.faults import Shape, proxy
from tests.faults.loader import peak_bytes
from tests.faults.loads import PATIENCE_S, Loads, Tally, send, through
from tests.faults.record import check, times

PAIRS = [("postgres", "postgres", "auto"), ("postgres", "mariadb", "auto")]
BUDGET_BYTES = 192 << 20
LONGEST_ROW_BYTES = 64 << 20
# What a load of next to nothing takes: the interpreter, its libraries and connections.
_LITTLE = "CREATE TABLE little (id int PRIMARY KEY); INSERT INTO little VALUES (1)"
_MOST_GROWTH_BYTES = 10 << 20
# How many different times it takes until a load is cancelled.
MOMENTS = 40
BIG = """
CREATE TABLE wide (id int PRIMARY KEY, data bytea);
ALTER TABLE wide ALTER data SET STORAGE EXTERNAL;
INSERT INTO wide SELECT n, convert_to(repeat('0123456789abcdef', {repeats}), 'UTF8')
FROM generate_series(1, {rows}) AS n;
CREATE TABLE many (id int PRIMARY KEY, filler text);
INSERT INTO many SELECT n, repeat('x', 1000) FROM generate_series(1, {many}) AS n"""
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]
several_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)


async def peak_of_one_row(pair):
    """Return the most memory of a load in the same process of its own, at its last word."""
    loads = Loads(pair, Tally(), process={"partition_bytes": None, "peak": True})
    out, error = await (await loads.start()).communicate()
    return int(out.split(b"peak ")[1]) if b"peak " in out else pytest.fail(error.decode())


@pytest.mark.long
@several_pairs
async def test_a_slow_target_bounds_the_memory(pair):
    """A megabyte a second for each connection, for a minute, from a source that has more."""
    seconds = max(10.0, times(60, 60))
    pair.source.run(_LITTLE)
    alone = await peak_of_one_row(pair)
    most = int(BUDGET_BYTES * 1.2) + LONGEST_ROW_BYTES + alone
    pair.source.run(BIG.format(repeats=LONGEST_ROW_BYTES // 16, rows=12, many=500_000))
    pair.source.analyse()
    reach = "RSS <= budget + 20 % + one row, beside what a load of one row takes"
    with check(
        f"1 MB/s per connection for {seconds:.0f} s, rows of 64 MiB, {pair.target.kind}", reach
    ) as row:
        async with proxy(pair.target.port) as between:
            between.shape = Shape(bytes_per_s=1_000_000)
            whole = {"partition_bytes": None}
            loads = Loads(pair, Tally(), process=whole, memory="192MiB")
            loads.urls = (pair.source.url, through(pair.target, between.port))
            found = await peak_while(loads, between, seconds)
        sent = between.sent_bytes >> 20
        row.got = (
            f"{found >> 20} MiB of {most >> 20}, of which {alone >> 20} are the load's of one row; "
            f"{sent} MiB were sent"
        )
        assert found <= most


async def peak_while(loads, between, seconds):
    """Return the most memory of a load whose rows flow for so long, and end it."""
    process = await loads.start()
    ending = asyncio.create_task(process.communicate())
    try:
        async with asyncio.timeout(PATIENCE_S):
            while between.sent_bytes < 1_000_000:
                assert not ending.done(), (await ending)[1].decode()
                await asyncio.sleep(0.1)
        before = between.sent_bytes
        await asyncio.wait([ending], timeout=seconds)
        assert process.returncode is None, (await ending)[1].decode()
        flowed = between.sent_bytes - before
        assert flowed > 300_000 * seconds, f"{flowed} bytes went through"
        return peak_bytes(process.pid)
    finally:
        send(process, signal.SIGKILL)
        await ending


def _held() -> tuple[int, int, int]:
    gc.collect()
    rss = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir())), rss


async def _settled() -> tuple[int, int, int]:
    """Return what is held once the loop has done what was to be done."""
    await asyncio.sleep(0.1)
    return _held()


@pytest.mark.long
@several_pairs
async def test_cancelled_loads_leave_nothing_behind(pair, caplog, recwarn):
    """In one loop, each cancelled a little later than the one before; and nobody complains."""
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1)")
    count, complaints = times(25, 1000), []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))

    async def cancelled(number: int) -> None:
        urls = (pair.source.url, pair.target.url)
        task = asyncio.create_task(
            fastload.copy(*urls, mode="replace", run="cancelled", fresh=True)
        )
        await asyncio.wait([task], timeout=0.004 * (number % MOMENTS))
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()

    name = f"{count} cancelled loads in one loop, {pair.target.kind}"
    reach = "no growth of tasks, file descriptors, RSS (10 MB); no stray word"
    gc.collect()  # what tests before this one have left is theirs
    recwarn.clear()
    with check(name, reach) as row:
        # What is imported late, and what grows once.
        urls = (pair.source.url, pair.target.url)
        await fastload.copy(*urls, mode="replace", run="cancelled", fresh=True)
        for number in range(MOMENTS):
            await cancelled(number)
        tasks, files, rss = await _settled()
        for number in range(count):
            await cancelled(number)
        await pair.none_left()
        now_tasks, now_files, now_rss = await _settled()
        grown = (now_rss - rss) / 1e6
        words = [*complaints, *caplog.records, *(w.message for w in recwarn)]
        row.got = (
            f"tasks {tasks} -> {now_tasks}, files {files} -> {now_files}, RSS {grown:+.1f} MB, "
            f"{len(words)} stray words"
        )
        assert (now_tasks, now_files) == (tasks, files)
        assert not words, [str(w) for w in words]
        assert now_rss - rss < _MOST_GROWTH_BYTES
