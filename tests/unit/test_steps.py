"""The graph of steps: needs first, heaviest way first, and one error that stops the rest."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.errors import ConnectionLost, ConstraintError, StateError
from fastload.model import Plan, Step
from fastload.progress import Meter
from fastload.steps import run_steps, ways_to_end


class Recording:
    """A target that notes when steps begin and end, and fails at some."""

    def __init__(self, failing=()):
        self.failing = dict(failing)
        self.events: list[tuple[str, str]] = []

    async def run_step(self, step, run, epoch):
        self.events.append(("begin", step.id))
        await anyio.lowlevel.checkpoint()
        if self.failing.get(step.id):
            raise self.failing[step.id].pop()
        self.events.append(("end", step.id))


def step(name, *needs, weight=0):
    return Step(id=name, title=name, statements=(name,), needs=needs, weight=weight)


def plan(steps):
    return Plan(
        run="r", source="s", target="t", mode="create", guarantee="L3", tables=(), after=steps
    )


async def run(target, steps, *, done=(), lanes=3):
    await run_steps(target, plan(tuple(steps)), 1, done=set(done), lanes=lanes, meter=Meter())


@st.composite
def graphs(draw):
    count = draw(st.integers(0, 12))
    steps = []
    for i in range(count):
        needs = draw(st.lists(st.sampled_from(range(i)), unique=True, max_size=3)) if i else []
        steps.append(step(str(i), *map(str, needs), weight=draw(st.integers(0, 9))))
    return draw(st.permutations(steps))


@settings(deadline=None)
@given(steps=graphs(), lanes=st.integers(1, 5), data=st.data())
async def test_every_step_runs_once_after_what_it_needs(steps, lanes, data):
    names = [s.id for s in steps]
    # What is done is closed: a step is only done where what it needs is.
    done: set[str] = set()
    for s in sorted(steps, key=lambda s: int(s.id)):
        if set(s.needs) <= done and data.draw(st.booleans()):
            done.add(s.id)
    target = Recording()
    await run(target, steps, done=done, lanes=lanes)
    began = [name for event, name in target.events if event == "begin"]
    assert sorted(began) == sorted(set(names) - done)
    for s in steps:
        for need in set(s.needs) - done if s.id not in done else ():
            assert target.events.index(("end", need)) < target.events.index(("begin", s.id))


async def test_the_longest_way_goes_first():
    steps = [
        step("lone", weight=5),
        step("first", weight=1),
        step("second", "first", weight=9),
    ]
    assert ways_to_end(steps) == {"lone": 5, "first": 10, "second": 9}
    target = Recording()
    await run(target, steps, lanes=1)
    assert [n for e, n in target.events if e == "begin"] == ["first", "second", "lone"]


async def test_a_failing_step_stops_the_rest_and_is_the_error():
    target = Recording({"a": [ConstraintError("duplicate")]})
    with pytest.raises(ConstraintError, match="duplicate"):
        await run(target, [step("a", weight=1), step("b", "a")], lanes=2)
    assert ("begin", "b") not in target.events


async def test_a_lost_connection_is_tried_again():
    target = Recording({"a": [ConnectionLost("gone")]})
    await run(target, [step("a")])
    assert target.events == [("begin", "a"), ("begin", "a"), ("end", "a")]


async def test_steps_that_wait_for_each_other_are_an_error():
    with pytest.raises(StateError, match="wait for each other"):
        await run(Recording(), [step("a", "b"), step("b", "a"), step("c")])
