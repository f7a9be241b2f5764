"""The graph of steps after the rows, run side by side in the order that it allows.

A step's turn is decided by the weight of the longest way from it to the end of the graph: lanes
then finish together, where the heaviest step first would leave one of them the last chain alone.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

import anyio

from fastload import retry
from fastload.adapter import Target
from fastload.errors import StateError
from fastload.lanes import Lanes
from fastload.model import Plan, Step
from fastload.progress import Meter


async def run_steps(
    target: Target, plan: Plan, epoch: int, *, done: Collection[str], lanes: Lanes, meter: Meter
) -> None:
    """Run every step that is not done, first those with the longest way to the end."""
    graph = _Graph(plan.after, done, lanes.count)
    meter.begin_steps(len(plan.after))
    for _ in done:
        meter.end_step()

    async def work(turn: tuple[Step, int]) -> None:
        step, width = turn
        run = partial(target.run_step, step, plan.run, epoch, width=width)
        await retry.repeat(run, in_lane=True)
        graph.finish(step)
        meter.end_step()

    await lanes.run(len(plan.after), graph.take, graph.give_back, work)


class _Graph:
    """Hands out steps whose needs are met; lanes wait for each other here."""

    def __init__(self, steps: Collection[Step], done: Collection[str], lanes: int) -> None:
        self._lanes = lanes
        ways = ways_to_end(steps)
        self._waiting = sorted((s for s in steps if s.id not in done), key=lambda s: -ways[s.id])
        self._done = set(done)
        self._running = 0
        self._changed = anyio.Event()

    async def take(self) -> tuple[Step, int] | None:
        """Return the next step and its width, which is more than 1 where lanes stand idle."""
        while self._waiting:
            if ready := [s for s in self._waiting if self._done.issuperset(s.needs)]:
                self._waiting.remove(ready[0])
                self._running += 1
                able = self._running + len(ready) - 1
                return ready[0], max(1, self._lanes // able)
            if not self._running:
                names = ", ".join(s.id for s in self._waiting[:3])
                raise StateError(f"steps of the plan wait for each other: {names}")
            await self._changed.wait()
        return None

    def finish(self, step: Step) -> None:
        self._done.add(step.id)
        self._end_turn()

    def give_back(self, turn: tuple[Step, int]) -> None:
        self._waiting.insert(0, turn[0])
        self._end_turn()

    def _end_turn(self) -> None:
        self._running -= 1
        self._changed.set()
        self._changed = anyio.Event()


def ways_to_end(steps: Collection[Step]) -> dict[str, int]:
    """Return for each step the weight of the heaviest chain that begins with it."""
    by_id = {s.id: s for s in steps}
    ways = {s.id: s.weight for s in steps}
    followers = dict.fromkeys(by_id, 0)
    for step in steps:
        for need in by_id.keys() & step.needs:
            followers[need] += 1
    last = [s for s in steps if not followers[s.id]]
    while last:
        step = last.pop()
        for need in by_id.keys() & step.needs:
            ways[need] = max(ways[need], by_id[need].weight + ways[step.id])
            followers[need] -= 1
            if not followers[need]:
                last.append(by_id[need])
    return ways
