"""Networks and servers that fail: the copy goes on, or fails within a bound and is continued."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pymysql
import pytest

import fastload
from fastload import partition
from fastload.testing.faults import Fault, Proxy, Shape, proxy
from tests.faults.conftest import with_pairs
from tests.faults.loads import PARTITION_BYTES, PATIENCE_S, Loads, Tally, fill, through
from tests.faults.record import SHARE, check, times

PAIRS = [("postgres", "postgres", "auto"), ("mysql", "mariadb", "auto")]
# A partner that answers nothing is noticed in half a minute; no more than twice that is taken.
NOTICED_S = 30.0
MOST_STARTS = 10
# Into the rows of a lane: past what is said before them.
_IN_ROWS = 300_000
DAMAGES = {
    "cut": Fault("cut", after_bytes=_IN_ROWS),
    "reset": Fault("reset", after_bytes=_IN_ROWS),
    "half-close": Fault("half_close", after_bytes=_IN_ROWS),
    "stall of 3 s": Fault("stall", after_bytes=_IN_ROWS, for_s=3.0),
    "half-open socket": Fault("vanish", after_bytes=_IN_ROWS),
}
SHAPES = {
    "byte at a time": Shape(piece_bytes=1, pieces_until_bytes=60_000),
    "latency of 10 ms": Shape(latency_s=0.01),
}
SHORT = ("cut", "reset", "half-close", "byte at a time")
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]
several_pairs = with_pairs(PAIRS[1], long=PAIRS)


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setattr(partition, "SMALLEST_BYTES", PARTITION_BYTES)
    monkeypatch.setattr(partition, "LARGEST_BYTES", PARTITION_BYTES)


async def copied(pair, urls, tally, disturbing=None):
    """Copy, again where that fails, and compare; return the longest attempt, and how many."""
    longest_s, starts = 0.0, 0
    loads, until = Loads(pair, tally), time.monotonic() + PATIENCE_S
    while True:
        began, starts = time.monotonic(), starts + 1
        try:
            async with asyncio.timeout(2 * NOTICED_S):
                await fastload.copy(*urls, **loads.options)
            break
        except fastload.FastloadError as error:
            # A server takes as long to come back as the machine has to do else.
            back = not isinstance(error, fastload.ConnectError) or time.monotonic() > until
            if not error.hint or (back and starts >= MOST_STARTS):
                raise
            await asyncio.sleep(0.5)
        finally:
            longest_s = max(longest_s, time.monotonic() - began)
    if disturbing is not None:
        await disturbing
    await loads.compare()
    return longest_s, starts


async def through_proxy(pair, end, arrange, tally):
    """Copy while the proxy on one end does what is arranged."""
    side = pair.source if end == "source" else pair.target
    async with proxy(side.port) as between:
        url = through(side, between.port)
        urls = (url, pair.target.url) if end == "source" else (pair.source.url, url)
        arrange(between, end)
        longest_s, starts = await copied(pair, urls, tally)
        assert not between.faults, "the fault did not strike"
        return longest_s, starts


def _damaged(fault: Fault):
    def arrange(between: Proxy, end: str) -> None:
        to = "client" if end == "source" else "server"
        between.faults = [Fault(fault.kind, to, fault.after_bytes, fault.for_s)]

    return arrange


def _shaped(shape: Shape):
    def arrange(between: Proxy, end: str) -> None:
        between.shape = shape

    return arrange


def _without_answer(between: Proxy, end: str) -> None:
    between.lose_answer_to, between.pass_first, between.lose_most = b"COMMIT", 3, 2


ARRANGEMENTS = {
    **{name: _damaged(fault) for name, fault in DAMAGES.items()},
    **{name: _shaped(shape) for name, shape in SHAPES.items()},
}


@several_pairs
@pytest.mark.parametrize("what", ARRANGEMENTS if SHARE else SHORT)
@pytest.mark.parametrize("end", ["source", "target"])
async def test_a_bad_network(pair, end, what):
    fill(pair)
    side = pair.source if end == "source" else pair.target
    reach = f"equal sums, no attempt longer than {2 * NOTICED_S:.0f} s"
    with check(f"{what}, {side.kind} as {end}", reach) as row:
        tally = Tally()
        longest_s, starts = await through_proxy(pair, end, ARRANGEMENTS[what], tally)
        row.got = f"{starts} starts, {longest_s:.1f} s at most; {tally}"
        assert tally.sound


@several_pairs
async def test_lost_answers_to_commits(pair):
    fill(pair)
    with check(f"dropped replies to COMMIT, {pair.target.kind}", "equal sums") as row:
        tally = Tally()
        _, starts = await through_proxy(pair, "target", _without_answer, tally)
        row.got = f"2 lost, {starts} starts: {tally.lost} lost, {tally.doubled} doubled"
        assert tally.sound


async def _end_sessions(side):
    """End two sessions, each while it works."""
    query, until = side.working("%"), time.monotonic() + 2
    for _ in range(2):
        async with side.asking() as ask:
            while not (found := await ask(query)) and time.monotonic() < until:
                await asyncio.sleep(0.005)
        if found:
            with contextlib.suppress(pymysql.OperationalError):  # it has gone meanwhile
                side.end(int(found))
        await asyncio.sleep(0.15)


async def _restart(side):
    await asyncio.sleep(0.3)
    await asyncio.to_thread(side.database.server.restart)


DISTURBANCES = {"sessions are ended": _end_sessions, "server restarts": _restart}


@several_pairs
@pytest.mark.parametrize("what", DISTURBANCES)
@pytest.mark.parametrize("end", ["source", "target"])
async def test_a_server_that_fails(pair, end, what):
    fill(pair)
    side = pair.source if end == "source" else pair.target
    count = times(1, 10)
    with check(f"{what}, {side.kind} as {end}", "equal sums") as row:
        tally, loads, done, starts = Tally(), 0, 0, 0
        urls = (pair.source.url, pair.target.url)
        while done < count:
            disturbing = asyncio.create_task(DISTURBANCES[what](side))
            _, more = await copied(pair, urls, tally, disturbing)
            loads, starts, done = loads + 1, starts + more, done + 1
        row.got = f"{starts} starts of {loads} loads: {tally.lost} lost, {tally.doubled} doubled"
        assert tally.sound
