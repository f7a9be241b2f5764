"""The comparison tested itself: whatever is planted is named, and nothing else ever is."""

from __future__ import annotations

import dataclasses
import random

import pytest

import fastload
from tests.faults.planting import (
    COLLATED,
    MUTATIONS,
    NO_TRIGGER,
    ROWS,
    TRIGGER,
    WORDS,
    Places,
    statements_to_fill,
)
from tests.faults.record import check, times

PAIRS = [
    ("postgres", "postgres", "auto"),
    ("postgres", "mysql", "auto"),
    ("mysql", "postgres", "auto"),
]
SEED = 20
REACH = "each named by key and columns, and no other row; 0 alarms on clean runs"
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]
several_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)


@pytest.fixture
async def copied(pair):
    """The tables on both sides, equal."""
    source, target = pair.source, pair.target
    source.run("; ".join(statements_to_fill(source.kind, source.numbers(ROWS))))
    await fastload.copy(source.url, target.url)
    target.run(COLLATED[target.kind])
    return pair


def named(result):
    """Return what a comparison names, by table."""
    found = {}
    for table in result.tables:
        found[table.table.name] = [
            (d.kind, d.key.get("id") or d.key["k"], tuple(c.column for c in d.columns))
            for d in table.differences
        ]
    return found


def check_named(result, made):
    """Check that what is named is what was planted; return in how many tables it was."""
    told = named(result)
    wrong = {
        table: (told[table], placed.named)
        for table, placed in made.items()
        if len(told[table]) != len(placed.named) or set(told[table]) != placed.named
    }
    assert not wrong
    assert not any(rows for table, rows in told.items() if table not in made)
    return len(made)


def places_on(pair):
    """Return the rows that mutations take."""
    dice = random.Random(SEED)
    return Places(WORDS[pair.target.kind], dice.sample(range(1, ROWS + 1), ROWS))


def placed(places):
    """Return a placement of every mutation, by table."""
    return {n: plant(places.words, places.take(n)) for n, plant in MUTATIONS.items()}


def planted(pair, places):
    """Plant every mutation once; return the placements by table."""
    made = placed(places)
    pair.target.run("; ".join(p.on_target for p in made.values() if p.on_target))
    pair.source.run("; ".join(p.on_source for p in made.values() if p.on_source))
    return made


async def mended(pair, found, made):
    """Mend what was planted; return what is found then."""
    pair.target.run("; ".join(p.undo for p in made.values() if p.undo))
    left = tuple(t for t in found.tables if not (t.equal or made[t.table.name].undo))
    await dataclasses.replace(found, tables=left).repair()
    return await fastload.verify(pair.source.url, pair.target.url, parallel=2)


@several_pairs
async def test_what_is_planted_is_named_and_nothing_else(copied):
    """Each of twenty mutations in a table of its own, all of them in one comparison."""
    pair, places = copied, places_on(copied)
    rounds = times(2, 100 if pair.source.kind == pair.target.kind else 50)
    what = f"validator: {len(MUTATIONS)} mutations, {pair.source.kind} to {pair.target.kind}"
    with check(what, REACH) as row:
        assert (await fastload.verify(pair.source.url, pair.target.url)).equal
        seen = 0
        for clean in range(1, rounds + 1):
            made = planted(pair, places)
            found = await fastload.verify(pair.source.url, pair.target.url, parallel=2)
            row.got = f"{seen} placements named, {clean} clean runs, then not"
            seen += check_named(found, made)
            again = await mended(pair, found, made)
            assert again.equal, str(again)
        row.got = f"all of {seen} placements, 0 alarms on {rounds + 1} clean runs"


@pytest.mark.parametrize("route", ["wire", pytest.param("arrow", marks=pytest.mark.long)])
@pytest.mark.parametrize("pair", PAIRS[:1], ids="-".join, indirect=True)
async def test_what_is_planted_while_a_copy_is_made_is_named(copied, route):
    """Triggers plant it behind the rows, within their transaction."""
    pair, rounds, places = copied, times(1, 25), places_on(copied)
    options = {"mode": "truncate", "triggers": "fire", "verify": True, "parallel": 2}
    # The key that is sorted otherwise goes through Arrow in any case.
    options["route"] = "auto" if route == "wire" else route
    with check(f"validator: copy(verify=True), {route}", REACH) as row:
        seen = 0
        for clean in range(1, rounds + 1):
            made = {n: p for n, p in placed(places).items() if p.on_target}
            for name, p in made.items():
                pair.target.run(TRIGGER.format(table=name, statement=p.on_target))
            with pytest.raises(fastload.VerificationError) as caught:
                await fastload.copy(pair.source.url, pair.target.url, **options)
            row.got = f"{seen} placements named, {clean} clean runs, then not"
            seen += check_named(caught.value.result, made)
            pair.target.run("; ".join(NO_TRIGGER.format(table=name) for name in made))
            result = await fastload.copy(pair.source.url, pair.target.url, **options)
            ways = {t.table.name: t.how for t in result.verification.tables}
            assert ways["base"] == {"wire": "hashed on the wire"}.get(route, "hashed from Arrow")
        row.got = f"all of {seen} placements, 0 alarms on {rounds} clean runs"
