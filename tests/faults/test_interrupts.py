"""Ctrl-C at random moments of the command: exit 130, nothing half committed, nobody works on."""

from __future__ import annotations

import asyncio
import random
import signal
import sys
import time

import anyio
import pytest

from tests.faults.loads import (
    KEYS,
    PARTITION_BYTES,
    PATIENCE_S,
    ROOT,
    Loads,
    Tally,
    fill,
    said,
    send,
)
from tests.faults.record import check, times

PAIRS = [("postgres", "postgres", "auto"), ("mysql", "mariadb", "auto")]
# The command as it is, with small partitions.
COMMAND = f"""
import sys
from tests.faults.loader import prepare
prepare(partition_bytes={PARTITION_BYTES})
from fastload.cli import main
print("begun", flush=True)
sys.exit(main(sys.argv[1:]))"""
STRAY = (b"Traceback", b"never retrieved", b"never awaited", b"Exception", b"Warning")
SECOND_EVERY = 5
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]


class Command(Loads):
    """Loads by the ``fastload`` command."""

    async def begin(self):
        """Start the command, and return its process once it is in the command's own hands."""
        flags = ("--run", "killed", "--mode", "replace", "--parallel", "3", "--quiet")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", COMMAND, "copy", *self.urls, *flags, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert (await process.stdout.readline()).strip() == b"begun"
        return process

    async def interrupted(self, process, delay_s, *, twice):
        """Interrupt after so long; say whether it was not done by then."""

        def interrupt():
            send(process, signal.SIGINT)
            if twice:
                loop.call_later(0.01, send, process, signal.SIGINT)

        loop = asyncio.get_running_loop()
        interrupting = loop.call_later(delay_s, interrupt)
        try:
            out, error = await said(process, delay_s + PATIENCE_S)
        finally:
            interrupting.cancel()
        assert not [w for w in STRAY if w in error], error.decode()
        # Once it has told its result, only the interpreter is left to be interrupted.
        told = process.returncode == -signal.SIGINT and b"rows" in out
        assert told or process.returncode in (0, 130), (process.returncode, out, error)
        return process.returncode == 130


async def nothing_half_committed(pair):
    """Rows are there exactly where receipts say so."""
    rows = "rows" if pair.target.kind == "PostgreSQL" else "`rows`"
    receipts = pair.target.state("receipts")
    async with pair.target.asking() as ask:
        for table in KEYS:
            said = f"SELECT sum({rows}) FROM {receipts} WHERE table_name = '{table}'"
            query = f"SELECT count(*) FROM {table}"
            if await ask(f"SELECT count(*) FROM {pair.target.state('runs')}"):
                assert (await ask(query) or 0) == (await ask(said) or 0), table


@pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
async def test_interrupted_at_random_moments(pair):
    fill(pair)
    count, dice = times(3, 100), random.Random(pair.target.kind)
    name = f"Ctrl-C at {count} random moments, {pair.target.kind}"
    reach = "exit 130, nothing half committed, 0 sessions after 2 s, no stray word"
    with check(name, reach) as row:
        tally, done, slowest_s = Tally(), 0, 0.0
        loads = Command(pair, tally)
        began = time.monotonic()
        assert not await loads.interrupted(await loads.begin(), PATIENCE_S, twice=False)
        whole_s = time.monotonic() - began
        for _ in range(20 * count):
            if done == count:
                break
            delay_s, twice = dice.uniform(0, whole_s), dice.randrange(SECOND_EVERY) == 0
            if not await loads.interrupted(await loads.begin(), delay_s, twice=twice):
                await loads.compare()
                continue
            done += 1
            ended = anyio.current_time()
            await pair.none_left()
            slowest_s = max(slowest_s, anyio.current_time() - ended)
            await nothing_half_committed(pair)
        assert done == count
        assert not await loads.interrupted(await loads.begin(), PATIENCE_S, twice=False)
        await loads.compare()
        row.got = (
            f"{done} times 130; sessions were gone {slowest_s:.1f} s after the end at the latest; "
            f"{tally.loads} loads ended: {tally.lost} lost, {tally.doubled} doubled"
        )
        assert tally.sound
