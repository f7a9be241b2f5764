"""SIGKILL at every point at which something has just been said to the target, or answered by it."""

from __future__ import annotations

import random

import pytest

from tests.faults.conftest import with_pairs
from tests.faults.failpoints import POINTS
from tests.faults.loads import Loads, Tally, fill
from tests.faults.record import SHARE, check, times

PAIRS = [("postgres", "postgres", "auto"), ("postgres", "mariadb", "auto")]
# A load that is killed so often at one point is then left to end, and the next begins.
KILLS_PER_LOAD = 5
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]


async def kill_at(pair, name, tally, kills):
    """Kill loads at one point until there were so many kills, and let every load end."""
    point, dice = POINTS[name], random.Random(name)
    reached = missed = 0
    while reached < kills:
        by = dice.choice(["auto", "keys"])
        loads, left = Loads(pair, tally, partition_by=by), KILLS_PER_LOAD
        if point.continued:
            await loads.ended(await loads.start(failpoint="acknowledgement read", occurrence=2))
        while left and reached < kills:
            # Later ones are reached by few loads, or none.
            occurrence = dice.choice([1, 1, 2, 4]) if "commit" in name or "receipt" in name else 1
            if not await loads.ended(await loads.start(failpoint=name, occurrence=occurrence)):
                break
            reached, left = reached + 1, left - 1
        else:
            await loads.finish()
            continue
        await loads.compare()
        missed += left == KILLS_PER_LOAD
        assert missed < 3 + reached, f"{name} is not reached"
    return reached


async def kill_along(pair, tally):
    """Kill a load at each point in turn, as it comes to them, and let it end."""
    loads = Loads(pair, tally, partition_by="keys")
    for name in POINTS:
        assert await loads.ended(await loads.start(failpoint=name)), f"{name} is not reached"
    await loads.finish()
    return len(POINTS)


@with_pairs(PAIRS[0], long=PAIRS)
async def test_killed_at_named_points(pair):
    fill(pair)
    kills, kind = times(1, 20), pair.target.kind
    whole = f"SIGKILL at each of {len(POINTS)} failpoints x {kills}, {kind}"
    with check(whole, "0 lost, 0 doubled") as row:
        tally, at = Tally(), 0
        if not SHARE:
            at = await kill_along(pair, tally)
        for name in POINTS if SHARE else ():
            at += await kill_at(pair, name, tally, kills)
            row.got = f"at {name}: {tally}"
            assert tally.sound
        row.got = f"{at} at their points; {tally}"
        assert tally.sound
        assert at == kills * len(POINTS)
