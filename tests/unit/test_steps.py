"""The graph of steps: order, turns, lanes, failures."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from fastload.errors import ConnectionLost, ConstraintError, StateError
from fastload.lanes import Lanes
from fastload.model import Plan, Step
from fastload.progress import Meter
from fastload.steps import run_steps, ways_to_end


class Recorder:
    """A target that only runs steps: each takes as many turns of the loop as it weighs."""

    def __init__(self, failures: dict[str, list[Exception]] | None = None) -> None:
        self.failures = failures or {}
        self.began: list[str] = []
        self.ended: list[str] = []
        self.most_at_once = 0
        self.widths: dict[str, int] = {}

    async def run_step(self, step: Step, run: str, epoch: int, *, width: int) -> None:
        assert (run, epoch) == ("r", 3)
        assert set(step.needs) <= set(self.ended)
        self.began.append(step.id)
        self.widths[step.id] = width
        self.most_at_once = max(self.most_at_once, len(self.began) - len(self.ended))
        for _ in range(step.weight):
            await checkpoint()
        if self.failures.get(step.id):
            self.began.remove(step.id)
            raise self.failures[step.id].pop(0)
        self.ended.append(step.id)


def step(id: str, *needs: str, weight: int = 0) -> Step:
    return Step(id=id, title=id, statements=(), needs=needs, weight=weight)


async def run(
    target: Any, steps: Collection[Step], *, lanes: int, done: Collection[str] = ()
) -> Meter:
    meter = Meter()
    plan = Plan(
        run="r", source="s", target="t", mode="create", guarantee="L3", tables=(), after=(*steps,)
    )
    await run_steps(target, plan, 3, done=done, lanes=Lanes(lanes, meter), meter=meter)
    return meter


@st.composite
def graphs(draw: st.DrawFn) -> list[Step]:
    """Draw a graph without circles, its steps in any order."""
    count = draw(st.integers(0, 12))
    steps = [
        step(
            f"s{i}",
            *draw(st.lists(st.sampled_from([f"s{j}" for j in range(i)]), max_size=4)) if i else (),
            weight=draw(st.integers(0, 5)),
        )
        for i in range(count)
    ]
    return draw(st.permutations(steps))


@given(steps=graphs(), lanes=st.integers(1, 5))
async def test_every_step_runs_once_after_what_it_needs(steps, lanes):
    target = Recorder()
    meter = await run(target, steps, lanes=lanes)
    assert sorted(target.ended) == sorted(s.id for s in steps)
    assert target.most_at_once <= lanes
    told = meter.snapshot()
    assert (told.phase, told.steps_done, told.steps_total) == ("steps", len(steps), len(steps))


@given(steps=graphs(), lanes=st.integers(1, 3), data=st.data())
async def test_what_is_done_is_not_run_again(steps, lanes, data):
    """A killed run leaves any set that is closed under needs."""
    first = Recorder()
    await run(first, steps, lanes=1)
    done = first.ended[: data.draw(st.integers(0, len(steps)))]
    again = Recorder()
    again.ended = list(done)
    again.began = list(done)
    meter = await run(again, steps, lanes=lanes, done=done)
    assert sorted(again.ended) == sorted(s.id for s in steps)
    assert meter.snapshot().steps_done == len(steps)


@given(steps=graphs())
def test_a_way_to_the_end_is_the_heaviest_chain(steps):
    by_id = {s.id: s for s in steps}

    def heaviest(id: str) -> int:
        after = [heaviest(s.id) for s in steps if id in s.needs]
        return by_id[id].weight + max(after, default=0)

    assert ways_to_end(steps) == {s.id: heaviest(s.id) for s in steps}


async def test_a_step_is_as_wide_as_the_lanes_it_leaves_idle():
    target = Recorder()
    both = [step("a", weight=3), step("b", weight=3), step("last", "a", "b")]
    await run(target, both, lanes=4)
    assert target.widths == {"a": 2, "b": 2, "last": 4}


@given(steps=graphs(), lanes=st.integers(1, 5))
async def test_steps_that_begin_together_are_no_wider_than_the_lanes(steps, lanes):
    alone = [step(s.id, weight=s.weight + 1) for s in steps]
    target = Recorder()
    await run(target, alone, lanes=lanes)
    first = target.began[:lanes]
    assert sum(target.widths[id] for id in first) <= max(lanes, len(first))


async def test_the_heaviest_goes_first():
    target = Recorder()
    await run(target, [step("light", weight=1), step("heavy", weight=5)], lanes=1)
    assert target.ended == ["heavy", "light"]


async def test_the_start_of_a_long_chain_goes_before_a_heavier_step():
    target = Recorder()
    steps = [
        step("heavy", weight=5),
        step("last", "first", weight=5),
        step("first", weight=1),
    ]
    await run(target, steps, lanes=1)
    assert target.ended == ["first", "heavy", "last"]


async def test_lanes_run_side_by_side():
    target = Recorder()
    await run(target, [step(f"s{i}", weight=3) for i in range(9)], lanes=4)
    assert target.most_at_once == 4


async def test_a_step_starts_as_soon_as_its_own_needs_are_met():
    target = Recorder()
    steps = [step("a", weight=1), step("after a", "a", weight=1), step("long", weight=50)]
    await run(target, steps, lanes=2)
    assert target.ended == ["a", "after a", "long"]


async def test_a_failing_step_stops_the_others():
    target = Recorder({"bad": [ConstraintError("duplicate key")]})
    steps = [step("bad", weight=1), step("after", "bad"), step("long", weight=10_000)]
    with pytest.raises(ConstraintError, match="duplicate"):
        await run(target, steps, lanes=2)
    assert target.ended == []


async def test_what_may_be_tried_again_is(monkeypatch):
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(anyio, "sleep", pause)
    target = Recorder({"a": [ConnectionLost("gone"), ConnectionLost("gone")]})
    await run(target, [step("a"), step("b", "a")], lanes=2)
    assert target.ended == ["a", "b"]
    assert pauses == pytest.approx([0.2, 0.4])


@pytest.mark.parametrize("lanes", [1, 2, 8])
@pytest.mark.parametrize(
    "steps",
    [
        [step("a", "b"), step("b", "a")],
        [step("a", "a")],
        [step("free"), step("a", "free", "b"), step("b", "c"), step("c", "a")],
        [step("a", "nowhere")],
    ],
    ids=["circle", "itself", "circle behind a step", "unknown need"],
)
async def test_steps_that_wait_for_each_other_are_an_error(steps, lanes):
    with pytest.raises(StateError, match="wait for each other: a"):
        await run(Recorder(), steps, lanes=lanes)


async def test_a_need_that_an_earlier_run_has_met_is_met():
    target = Recorder()
    target.ended = ["gone"]
    target.began = ["gone"]
    await run(target, [step("a", "gone")], lanes=1, done=["gone"])
    assert target.ended == ["gone", "a"]


async def test_no_steps_are_nothing_to_do():
    await run(Recorder(), [], lanes=4)
