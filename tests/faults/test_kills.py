"""SIGKILL at random moments: nothing lost, nothing doubled; and the proof that it would be seen."""

from __future__ import annotations

import random
import time

import pytest

from tests.faults.loads import Failed, Loads, Tally, fill, fill_without_key
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
        by = "keys" if "tables" in options else dice.choice(["auto", "keys"])
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


FAMILIES = pytest.mark.parametrize("pair", PAIRS[1::2], ids="-".join, indirect=True)
WRONG = {"wrong_order": True}
# One table, cut by keys, as pages start over; its rows go where nothing refuses a double.
ALONE = {"tables": ["keyed"], "mode": "truncate"}


@pytest.mark.long
@FAMILIES
async def test_the_wrong_order_is_found_by_chance(pair):
    """Receipts that are committed after their rows: what a kill in between does has to be seen."""
    fill_without_key(pair)
    name = f"random SIGKILL with receipts committed after their rows, {pair.target.kind}"
    with check(name, "must fail within 50 kills") as row:
        tally = Tally()
        try:
            await kill_at_random(pair, tally, 50, name, process=WRONG, **ALONE)
        except Failed as error:
            tally.told.append(str(error).splitlines()[-1])
        row.got = f"{'counts differ' if tally.counted else 'counts are equal'} after {tally}"
        assert not tally.sound


@FAMILIES
async def test_the_wrong_order_doubles_rows(pair):
    """A kill between both commits: nothing fails, and a partition is there twice."""
    fill_without_key(pair)
    name = f"SIGKILL between rows and receipt, by keys, {pair.target.kind}"
    with check(name, "0 doubled; in the wrong order, a partition and no error") as row:
        right = await killed_before_a_receipt(pair, {})
        wrong = await killed_before_a_receipt(pair, WRONG)
        row.got = f"right order: {right}; wrong order: {wrong}"
        assert right.sound
        assert wrong.doubled > 0
        assert wrong.changed == 1
        assert not wrong.told


async def killed_before_a_receipt(pair, process):
    tally = Tally()
    loads = Loads(pair, tally, process=process, partition_by="keys", **ALONE)
    # Late enough for receipts to be there: rows without any are refused by the resumed run.
    assert await loads.ended(await loads.start(failpoint="receipt not begun", occurrence=8))
    await loads.finish()
    return tally
