"""Task groups surface one error, the one that says most."""

from __future__ import annotations

import asyncio
import traceback
from functools import partial

import anyio
import pytest
from anyio.lowlevel import checkpoint

from fastload.errors import ConfigError, ConnectionLost, ConstraintError, TargetError
from fastload.tasks import in_full, primary_error, settled, side_by_side, task_group

OWN = ConstraintError("the key is there already")
LOST = ConnectionLost("gone")


@pytest.mark.parametrize(
    ("error", "primary"),
    [
        (OWN, OWN),
        (ExceptionGroup("", [ValueError(), OWN, LOST]), OWN),
        (ExceptionGroup("", [ExceptionGroup("", [KeyError()]), ExceptionGroup("", [LOST])]), LOST),
        (BaseExceptionGroup("", [KeyboardInterrupt(), LOST]), LOST),
    ],
)
def test_the_first_of_our_own_errors_says_most(error, primary):
    assert primary_error(error) is primary


def test_without_one_of_our_own_the_first_says_most():
    first = ValueError("first")
    assert primary_error(ExceptionGroup("", [first, KeyError()])) is first


async def fail(error: BaseException) -> None:
    raise error


async def test_one_failure_comes_out_as_itself():
    with pytest.raises(ConstraintError) as caught:
        async with task_group() as group:
            group.start_soon(fail, OWN)
    assert caught.value is OWN


async def test_an_error_of_the_body_comes_out_as_itself():
    async def work() -> None:
        async with task_group() as group:
            group.start_soon(anyio.sleep_forever)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()


async def test_failing_cancels_the_rest_and_drops_what_they_raise():
    seen = []

    async def dies_when_cancelled() -> None:
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError:
            seen.append("cancelled")
            raise OSError("while closing") from None

    async def work() -> None:
        async with task_group() as group:
            group.start_soon(dies_when_cancelled)
            await anyio.lowlevel.checkpoint()
            group.start_soon(fail, TargetError("full"))

    with pytest.raises(TargetError, match="full"):
        await work()
    assert seen == ["cancelled"]


async def test_nested_groups_give_one_error():
    async def work() -> None:
        async with task_group() as outer:
            outer.start_soon(anyio.sleep_forever)
            async with task_group() as inner:
                inner.start_soon(fail, LOST)

    with pytest.raises(ConnectionLost):
        await work()


async def test_the_cause_stays_and_the_group_is_not_shown():
    async def translate() -> None:
        try:
            raise OSError("socket closed")
        except OSError as error:
            raise ConnectionLost("the connection ended") from error

    with pytest.raises(ConnectionLost) as caught:
        async with task_group() as group:
            group.start_soon(translate)
    told = "".join(traceback.format_exception(caught.value))
    assert "socket closed" in told
    assert "ExceptionGroup" not in told


async def test_an_error_without_a_cause_shows_no_group_either():
    async def work() -> None:
        async with task_group() as group:
            group.start_soon(fail, TargetError("full"))

    with pytest.raises(TargetError) as caught:
        await work()
    assert "ExceptionGroup" not in "".join(traceback.format_exception(caught.value))


async def test_cancelling_from_outside_stays_a_cancellation():
    async def work() -> None:
        async with task_group() as group:
            group.start_soon(anyio.sleep_forever)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Held:
    """A context that notes when it is opened and closed, each in one task."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.state = "new"

    async def __aenter__(self) -> Held:
        await checkpoint()
        if self.error:
            raise self.error
        self.state = "open"
        self.task = asyncio.current_task()
        return self

    async def __aexit__(self, *_: object) -> None:
        assert asyncio.current_task() is self.task
        await checkpoint()
        self.state = "closed"


async def test_contexts_are_open_together_and_closed_after():
    first, second = Held(), Held()
    async with side_by_side(first, second) as found:
        assert found == (first, second)
        assert (first.state, second.state) == ("open", "open")
    assert (first.state, second.state) == ("closed", "closed")


@pytest.mark.parametrize("failing", [0, 1])
async def test_where_one_context_fails_the_other_is_closed(failing):
    contexts = [Held(), Held()]
    contexts[failing].error = ConfigError("no")
    with pytest.raises(ConfigError):
        async with side_by_side(*contexts):
            pytest.fail("only one is open")
    assert contexts[1 - failing].state in ("new", "closed")


async def test_contexts_are_closed_when_the_body_fails_or_is_cancelled():
    first, second = Held(), Held()
    with pytest.raises(ConfigError):
        async with side_by_side(first, second):
            raise ConfigError("no")
    assert (first.state, second.state) == ("closed", "closed")
    third, fourth = Held(), Held()
    with anyio.move_on_after(0.01):
        async with side_by_side(third, fourth):
            await anyio.sleep_forever()
    assert (third.state, fourth.state) == ("closed", "closed")


async def test_what_is_done_in_full_ends_before_its_cancelled_caller():
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), []

    async def work():
        begun.set()
        await may_end.wait()
        ended.append(True)

    caller = asyncio.create_task(in_full(work()))
    await begun.wait()
    for _ in range(3):
        caller.cancel()
        await checkpoint()
    assert not caller.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == [True]


async def test_what_is_done_in_full_returns_and_raises():
    async def given(value):
        return value

    assert await in_full(given(7)) == 7
    with pytest.raises(ConnectionLost):
        await in_full(fail(LOST))


async def committing(began, may_end, ended):
    began.set()
    try:
        await may_end.wait()
        ended.append("done")
    except asyncio.CancelledError:
        await checkpoint()
        ended.append("cancelled")
        raise


async def by_its_task(work):
    await work


async def by_a_scope(work):
    async with anyio.create_task_group() as group:
        group.start_soon(by_its_task, work)


@pytest.mark.parametrize("around", [by_its_task, by_a_scope])
@pytest.mark.parametrize("answers", [True, False])
async def test_what_cannot_be_taken_back_is_waited_for_and_no_longer_than_that(around, answers):
    began, may_end, ended = asyncio.Event(), asyncio.Event(), []
    patience_s = 10 if answers else 0.01
    work = settled(partial(committing, began, may_end, ended), patience_s=patience_s)
    caller = asyncio.create_task(around(work))
    await began.wait()
    for _ in range(3):
        caller.cancel()
        await checkpoint()
    assert not caller.done()
    if answers:
        may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == ["done" if answers else "cancelled"]


async def test_what_cannot_be_taken_back_is_not_begun_by_who_is_cancelled():
    ended = []
    work = partial(committing, asyncio.Event(), asyncio.Event(), ended)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await settled(work, patience_s=10)
    assert scope.cancelled_caught
    caller = asyncio.create_task(settled(work, patience_s=10))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == []


async def test_what_cannot_be_taken_back_returns_and_raises():
    async def given():
        return 7

    assert await settled(given, patience_s=1) == 7
    with pytest.raises(ConnectionLost):
        await settled(partial(fail, LOST), patience_s=1)
