"""SIGKILL at every point at which something has just been said to the target, or answered by it."""

from __future__ import annotations

import random

import pytest

from tests.faults.failpoints import POINTS
from tests.faults.loads import Loads, Tally, fill
from tests.faults.record import SHARE, check, times

PAIRS = [("postgres", "postgres", "auto"), ("postgres", "mariadb", "auto")]
# A load that is killed so often at one point is then left to end, and the next begins.
KILLS_PER_LOAD = 5
SHORT = ("COPY end", "receipt complete", "commit sent", "index sent", "epoch raised")
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


@pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
async def test_killed_at_named_points(pair):
    fill(pair)
    kills, kind = times(1, 20), pair.target.kind
    names = list(POINTS) if SHARE else SHORT
    whole = f"SIGKILL at each of {len(names)} failpoints x {kills}, {kind}"
    with check(whole, "0 lost, 0 doubled") as row:
        tally, at = Tally(), 0
        for name in names:
            at += await kill_at(pair, name, tally, kills)
            row.got = f"at {name}: {tally}"
            assert tally.sound
        row.got = f"{at} at their points; {tally}"
        assert at == kills * len(names)
