"""Task groups that raise one error instead of a group of them, and contexts opened in them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup

from fastload.errors import FastloadError

A = TypeVar("A")
B = TypeVar("B")


def primary_error(error: BaseException) -> BaseException:
    """Return the error of a group that says most: the first of our own, else the first."""
    if not isinstance(error, BaseExceptionGroup):
        return error
    leaves = [primary_error(e) for e in error.exceptions]
    return next((e for e in leaves if isinstance(e, FastloadError)), leaves[0])


@asynccontextmanager
async def task_group() -> AsyncIterator[TaskGroup]:
    """Open an anyio task group that surfaces one primary error.

    The first failure cancels the rest; what the rest then raise is dropped in its favour.
    """
    try:
        async with anyio.create_task_group() as group:
            yield group
    except BaseExceptionGroup as group_error:
        error = primary_error(group_error)
        raise error from error.__cause__


@asynccontextmanager
async def side_by_side(
    first: AbstractAsyncContextManager[A], second: AbstractAsyncContextManager[B]
) -> AsyncIterator[tuple[A, B]]:
    """Open two contexts at the same time; where one fails, the other is closed.

    Each lives in a task of its own, from opening to closing, as task groups inside it need.
    """
    done, found = anyio.Event(), {}

    async def hold(context: AbstractAsyncContextManager[Any], opened: anyio.Event) -> None:
        async with AsyncExitStack() as stack:
            found[context] = await stack.enter_async_context(context)
            with anyio.CancelScope(shield=True):
                opened.set()
                await done.wait()
                await stack.aclose()

    async with task_group() as group:
        try:
            waiting = []
            for context in (first, second):
                waiting.append(anyio.Event())
                group.start_soon(hold, context, waiting[-1])
            for opened in waiting:
                await opened.wait()
            yield found[first], found[second]
        finally:
            done.set()
