"""Task groups surface one error, the one that says most."""

from __future__ import annotations

import asyncio
import traceback

import anyio
import pytest

from fastload.errors import ConnectionLost, ConstraintError, TargetError
from fastload.tasks import primary_error, task_group

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
