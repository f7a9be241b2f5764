"""Runs that were killed go on where they stopped: nothing lost, nothing doubled."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fastload
from fastload.errors import ResumeRefused, StateError
from tests.faults.conftest import PAIRS, with_pairs
from tests.faults.loads import send

ROWS = 60_000
LOADER = str(Path(__file__).parent / "loader.py")
TABLES = """
CREATE TABLE keyed (id bigint PRIMARY KEY, v text, filler text);
INSERT INTO keyed SELECT n, concat('v', n), repeat('x', 800) FROM {numbers};
CREATE TABLE keyless (n int, filler text);
INSERT INTO keyless SELECT n, repeat('y', 800) FROM {numbers};
CREATE TABLE referring (id int PRIMARY KEY, keyed bigint REFERENCES keyed (id));
INSERT INTO referring SELECT n, n FROM {few}"""
ROWS_OF = (
    "SELECT id, v, length(filler) FROM keyed",
    "SELECT n, length(filler) FROM keyless",
    "SELECT id, keyed FROM referring",
)
OWN, CROSS, FAMILY = PAIRS[1], PAIRS[2], PAIRS[4]
# Small enough for several partitions of each table.
OPTIONS = {"parallel": 3, "run": "killed"}


@pytest.fixture
def big(pair):
    source = pair.source
    source.run(TABLES.format(numbers=source.numbers(ROWS), few=source.numbers(1000)))
    source.analyse("keyed", "keyless", "referring")
    return pair


async def start(pair, **options):
    options = OPTIONS | {"route": pair.route} | options
    arguments = [LOADER, pair.source.url, pair.target.url, json.dumps(options)]
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


async def kill_after(pair, receipts, *, table="receipts", **options):
    """Start a copy and kill it once so many receipts are complete, or it has ended."""
    process = await start(pair, **options)
    complete = "completed" if table == "receipts" else "plan"
    query = f"SELECT count(*) FROM {pair.target.state(table)} WHERE {complete} IS NOT NULL"
    async with pair.target.asking() as ask:
        while process.returncode is None:
            done = await ask(query)
            if done is not None and done >= receipts:
                send(process, signal.SIGKILL)
                break
            await asyncio.sleep(0.002)
    _, error = await process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), error.decode()
    return process.returncode == -signal.SIGKILL


async def finish(pair, **options):
    process = await start(pair, **options)
    out, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    return int(out.split()[-1])


async def state_is_gone(pair):
    async with pair.target.asking() as ask:
        assert await ask(f"SELECT count(*) FROM {pair.target.state('runs')}") is None


@with_pairs(CROSS, long=[OWN, FAMILY])
@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("mode", ["create", "append", "truncate", "replace", "upsert"])
async def test_killed_at_any_moment_and_started_again(big, mode):
    target = big.target
    if mode in ("append", "truncate", "upsert"):
        target.run("CREATE TABLE keyed (id bigint PRIMARY KEY, v text, filler text)")
        target.run("CREATE TABLE keyless (n int NOT NULL, filler text)")
        target.run("CREATE TABLE referring (id int PRIMARY KEY, keyed bigint)")
    if mode == "upsert":
        big.source.run("ALTER TABLE keyless ADD PRIMARY KEY (n)")
        target.run("ALTER TABLE keyless ADD PRIMARY KEY (n)")
        target.run(f"INSERT INTO keyed (id, v) SELECT n, 'old' FROM {target.numbers(500)}")
    if mode == "append":
        target.run("INSERT INTO keyless VALUES (-1, '')")
    seeded = random.Random(f"{mode} {big.route}")
    moments = [0, 1, *(seeded.randint(1, 9) for _ in range(3))]
    kills = 0
    # One that has ended before it was killed has ended the run.
    while kills < len(moments) and await kill_after(big, moments[kills], mode=mode):
        kills += 1
    assert kills >= 2
    if kills == len(moments):
        assert await finish(big, mode=mode) == 2 * ROWS + 1000
    if mode == "append":
        assert await target.rows("SELECT n FROM keyless WHERE n = -1") == [(-1,)]
        target.run("DELETE FROM keyless WHERE n = -1")
    await big.same(*ROWS_OF)
    await state_is_gone(big)


@with_pairs(OWN, FAMILY, long=PAIRS)
@pytest.mark.faults
async def test_a_receipt_before_its_rows_would_be_found(big):
    """What a loader does that notes a partition as done before its rows are committed."""
    big.source.run("DROP TABLE referring")
    assert await kill_after(big, 1, table="runs")
    family = not big.target.url.startswith("postgres")
    named = '"{}"' if not family else "`{}`"
    part, rows = named.format("partition"), named.format("rows")
    receipts, source = big.target.state("receipts"), big.source.database.name
    schema = "public" if big.source.url.startswith("postgres") else source
    # Where the first partition is done already, the second is the one.
    big.target.run(
        f"INSERT INTO {receipts} (run, table_schema, table_name, {part}, epoch, {rows}, bytes, "
        f"completed{', session' if family else ''}) "
        f"SELECT 'killed', '{schema}', 'keyed', coalesce(max({part}) + 1, 0), 1, 0, 0, "
        f"CURRENT_TIMESTAMP{', 0' if family else ''} FROM {receipts} WHERE table_name = 'keyed'"
    )
    await finish(big)
    with pytest.raises(AssertionError):
        await big.same(ROWS_OF[0])


@with_pairs(OWN, FAMILY, long=PAIRS)
@pytest.mark.faults
async def test_a_process_that_lost_its_run_stops(big):
    """Another claims the run while this one copies, and finishes it."""
    target = big.target

    async def claim() -> None:
        done = f"SELECT count(*) FROM {target.state('receipts')} WHERE completed IS NOT NULL"
        async with target.asking() as ask:
            while not await ask(done):
                await asyncio.sleep(0.002)
        await asyncio.to_thread(target.run, f"UPDATE {target.state('runs')} SET epoch = epoch + 1")

    claiming = asyncio.create_task(claim())
    with pytest.raises(StateError, match="taken over"):
        await fastload.copy(big.source.url, target.url, route=big.route, **OPTIONS)
    await claiming
    result = await fastload.copy(big.source.url, target.url, route=big.route, **OPTIONS)
    assert result.rows == 2 * ROWS + 1000
    await big.same(*ROWS_OF)


@with_pairs(OWN, CROSS, long=PAIRS)
@pytest.mark.faults
async def test_two_processes_that_begin_the_same_run(big):
    """One of them does it; the other does nothing or is told."""
    both = [await start(big) for _ in range(2)]
    told = [await process.communicate() for process in both]
    done = [p.returncode == 0 for p in both]
    assert any(done) or await finish(big) == 2 * ROWS + 1000
    for process, (_, error) in zip(both, told, strict=True):
        if process.returncode:
            assert b"Error" in error.splitlines()[-1] or b"hint" in error, error.decode()
    await big.same(*ROWS_OF)
    await state_is_gone(big)


async def stop_in_the_middle(pair, **options):
    """Start a run that fails at its last table, and leave it there."""
    pair.target.run(
        "CREATE TABLE referring (id int PRIMARY KEY, keyed bigint, CONSTRAINT few CHECK (id < 900))"
    )
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(
            pair.source.url, pair.target.url, **({"route": pair.route} | OPTIONS | options)
        )
    pair.target.run("ALTER TABLE referring DROP CONSTRAINT few")


REFUSED = {
    "an option": ({"where": "id > 5"}, None, "where"),
    "a source column": ({}, "ALTER TABLE keyed ADD w int", "keyed"),
    "a source type": ({}, "ALTER TABLE {table} {alter} numeric(20)", "keyed"),
    "a source table": ({}, "CREATE TABLE another (n int)", "another"),
}


@with_pairs(OWN, long=[CROSS, FAMILY])
@pytest.mark.faults
@pytest.mark.parametrize("reason", REFUSED)
async def test_what_has_changed_refuses_to_go_on(big, reason):
    options, change, told = REFUSED[reason]
    await stop_in_the_middle(big)
    family = not big.source.url.startswith("postgres")
    if options:
        schema = big.source.database.name if family else "public"
        options = {"where": {f"{schema}.keyed": options["where"]}}
    if change:
        alter = "MODIFY keyed" if family else "ALTER keyed TYPE"
        if reason == "a source type":
            big.source.run(
                "DROP TABLE referring; CREATE TABLE referring (id int PRIMARY KEY, keyed bigint)"
            )
        big.source.run(change.format(table="referring", alter=alter))
    with pytest.raises(ResumeRefused, match=told) as caught:
        await fastload.copy(big.source.url, big.target.url, route=big.route, **(OPTIONS | options))
    assert "fresh" in caught.value.hint


@with_pairs(CROSS, long=[OWN, FAMILY])
@pytest.mark.faults
async def test_a_fresh_start_forgets_the_run(big):
    await stop_in_the_middle(big)
    big.source.run("ALTER TABLE keyed ADD w int")
    result = await fastload.copy(
        big.source.url, big.target.url, route=big.route, mode="replace", fresh=True, **OPTIONS
    )
    assert result.rows == 2 * ROWS + 1000
    await big.same(*ROWS_OF)


@with_pairs(FAMILY, long=[OWN, CROSS])
@pytest.mark.faults
async def test_a_continued_run_tells_that_it_saw_two_moments(big):
    await stop_in_the_middle(big)
    big.source.run(
        "CREATE TABLE elsewhere (n int); INSERT INTO elsewhere VALUES (1); DROP TABLE elsewhere"
    )
    result = await fastload.copy(big.source.url, big.target.url, route=big.route, **OPTIONS)
    assert not result.consistent
    assert "2 moments" in result.inconsistent_because
    await big.same(*ROWS_OF)
