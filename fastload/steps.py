"""The graph of steps after the rows, run side by side in the order that it allows.

A step's turn is decided by the weight of the longest way from it to the end of the graph: lanes
then finish together, where the heaviest step first would leave one of them the last chain alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

import anyio

from fastload import retry
from fastload.adapter import Target
from fastload.errors import FastloadError, StateError
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


@contextmanager
def telling(step: Step) -> Iterator[None]:
    """Have errors inside tell the step's table, or what it does to several."""
    try:
        yield
    except FastloadError as error:
        if error.table is None and step.table is not None:
            error.table = str(step.table)
        elif error.table is None:
            error.message = f"{step.title}: {error.message}"
        raise


class _Graph:
    """Hands out steps whose needs are met; lanes wait for each other here."""

    def __init__(self, steps: Collection[Step], done: Collection[str], lanes: int) -> None:
        self._lanes = lanes
        self._ways = ways_to_end(steps)
        left = [s for s in steps if s.id not in done]
        self._unmet = {s.id: len(set(s.needs).difference(done)) for s in left}
        self._followers: dict[str, list[Step]] = {}
        for step in left:
            for need in set(step.needs).difference(done):
                self._followers.setdefault(need, []).append(step)
        self._ready: list[tuple[int, int, Step]] = []
        self._places = {s.id: place for place, s in enumerate(left)}
        for step in left:
            self._offer(step)
        self._running = 0
        self._changed = anyio.Event()

    def _offer(self, step: Step) -> None:
        """Have a step taken, those with the longest way first, unless it waits for another."""
        if not self._unmet[step.id]:
            entry = (-self._ways[step.id], self._places[step.id], step)
            heapq.heappush(self._ready, entry)

    async def take(self) -> tuple[Step, int] | None:
        """Return the next step and its width, which is more than 1 where lanes stand idle."""
        while self._unmet:
            if self._ready:
                able = self._running + len(self._ready)
                step = heapq.heappop(self._ready)[-1]
                del self._unmet[step.id]
                self._running += 1
                return step, max(1, self._lanes // able)
            if not self._running:
                names = ", ".join([*self._unmet][:3])
                raise StateError(f"steps of the plan wait for each other: {names}")
            await self._changed.wait()
        return None

    def finish(self, step: Step) -> None:
        for follower in self._followers.get(step.id, ()):
            self._unmet[follower.id] -= 1
            self._offer(follower)
        self._end_turn()

    def give_back(self, turn: tuple[Step, int]) -> None:
        self._unmet[turn[0].id] = 0
        self._offer(turn[0])
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
