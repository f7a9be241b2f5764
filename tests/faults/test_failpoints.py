"""SIGKILL at every point at which something has just been said to the target, or answered by it."""

from __future__ import annotations

import random

import pytest

from tests.faults.conftest import with_pairs
from tests.faults.failpoints import POINTS
from tests.faults.loads import Loads, Tally, fill
from tests.faults.record import SHARE, check, times

PAIRS = [("postgres", "postgres", "auto"), ("postgres", "mariadb", "auto")]
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]


async def killed_at(loads, name, occurrence=1):
    return await loads.ended(await loads.start(failpoint=name, occurrence=occurrence))


async def kill_along(pair, tally, dice):
    """Kill a load at each point in turn, as it comes to them, and let it end."""
    loads = Loads(pair, tally, partition_by=dice.choice(["auto", "keys"]))
    for name, point in POINTS.items():
        often = SHARE and ("commit" in name or "receipt" in name)
        if await killed_at(loads, name, dice.choice([1, 2, 4]) if often else 1):
            continue
        # There were not so many left: that was the load's end, and the next comes there.
        await loads.compare()
        if point.continued:
            assert await killed_at(loads, "receipt complete")
        assert await killed_at(loads, name), f"{name} is not reached"
    await loads.finish()
    return len(POINTS)


@with_pairs(PAIRS[0], long=PAIRS)
async def test_killed_at_named_points(pair):
    fill(pair)
    # Twenty of each in the long tier, over both pairs.
    rounds, kind = times(1, 20), pair.target.kind
    name = f"SIGKILL at each of {len(POINTS)} failpoints x {rounds}, {kind}"
    with check(name, "0 lost, 0 doubled") as row:
        tally, at, dice = Tally(), 0, random.Random(kind)
        for _ in range(rounds):
            at += await kill_along(pair, tally, dice)
            row.got = f"{at} at their points; {tally}"
            assert tally.sound
