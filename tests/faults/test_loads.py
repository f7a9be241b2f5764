"""Loads in processes of their own: none outlives who waits for it."""

from __future__ import annotations

import asyncio
import signal
import sys

import anyio
import pytest

from tests.faults import loads
from tests.faults.loads import Loads, Tally

pytestmark = pytest.mark.faults


@pytest.fixture
def hanging(monkeypatch):
    """Loads of no tables, each of which hangs; and their processes."""
    begun = []

    async def start(self, **process):
        begun.append(
            await asyncio.create_subprocess_exec(
                sys.executable, "-c", "import time; time.sleep(60)",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )
        )  # fmt: skip
        return begun[-1]

    monkeypatch.setattr(Loads, "start", start)
    made = Loads.__new__(Loads)
    made.tally = Tally()
    return made, begun


async def test_a_load_that_hangs_is_killed_after_a_while(hanging, monkeypatch):
    made, begun = hanging
    monkeypatch.setattr(loads, "PATIENCE_S", 0.1)
    with anyio.fail_after(20), pytest.raises(TimeoutError):
        await made.finish()
    assert begun[0].returncode == -signal.SIGKILL


async def test_a_load_that_is_to_be_killed_later_is_when_nobody_waits_any_more(hanging):
    made, begun = hanging
    waiting = asyncio.create_task(made.killed_after(50))
    while not begun:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with anyio.fail_after(20), pytest.raises(asyncio.CancelledError):
        await waiting
    assert begun[0].returncode == -signal.SIGKILL
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_load_is_killed_after_so_long(hanging):
    made, _ = hanging
    with anyio.fail_after(20):
        assert await made.killed_after(0.1)
    assert made.tally.kills == 1
