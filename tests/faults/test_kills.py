"""SIGKILL at random moments: nothing lost, nothing doubled; and the proof that it would be seen."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.loads import Failed, Loads, Tally, fill
from tests.faults.record import check, times

PAIRS = [
    ("postgres", "postgres", "wire"),
    ("postgres", "postgres", "arrow"),
    ("mysql", "postgres", "auto"),
    ("postgres", "mariadb", "auto"),
]
several_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]
REACH = "0 lost, 0 doubled"


async def kill_at_random(pair, tally, kills, seed, **options):
    """Kill loads until there were so many kills, and let every load end."""
    dice = random.Random(seed)
    whole_s = None
    while tally.kills < kills or whole_s is None:
        # By pages, as it is for tables without a key, such a table starts over.
        by = dice.choice(["auto", "keys"])
        loads = Loads(pair, tally, partition_by=by, **options)
        if whole_s is None:
            began = time.monotonic()
            await loads.finish(wrong_order=False)
            whole_s = time.monotonic() - began
        while tally.kills < kills and await loads.killed_after(whole_s * dice.uniform(0.2, 1.1)):
            pass
        await loads.finish()
        if not tally.sound:
            return


@several_pairs
async def test_killed_at_random_moments(pair):
    fill(pair)
    names = f"{pair.source.kind} to {pair.target.kind}, {pair.route}"
    kills = times(5, 75)
    with check(f"SIGKILL at a random moment, {names}", REACH) as row:
        tally = Tally()
        await kill_at_random(pair, tally, kills, names)
        row.got = str(tally)
        assert tally.sound
        assert tally.kills >= kills


@pytest.mark.parametrize("pair", PAIRS[1::2], ids="-".join, indirect=True)
async def test_the_wrong_order_is_found(pair):
    """Receipts that are committed after their rows: what a kill in between does has to be seen."""
    fill(pair)
    name = f"the same with receipts after the commit, {pair.target.kind}"
    with check(name, "must fail within 50 kills") as row:
        tally = Tally()
        try:
            await kill_at_random(pair, tally, 50, name, process={"wrong_order": True})
        except Failed as error:
            tally.told.append(str(error).splitlines()[-1])
        row.got = f"failed after {tally}"
        assert not tally.sound
