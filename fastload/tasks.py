"""Task groups that raise one error instead of a group of them, and what no cancellation ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

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


async def in_full(work: Coroutine[Any, Any, A]) -> A:
    """Return what the work comes to; who is cancelled meanwhile is told when it has ended.

    A shielded scope is not enough where a caller's own task may be: it holds off what anyio's
    scopes cancel, and not ``Task.cancel``. The work has to bound its time itself.
    """
    task, cancelled = asyncio.ensure_future(work), None
    with anyio.CancelScope(shield=True):
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError as error:
                cancelled = error
    if cancelled is None or task.cancelled():
        return task.result()
    task.exception()  # the cancellation says more
    raise cancelled


async def settled(work: Callable[[], Coroutine[Any, Any, A]], *, patience_s: float) -> A:
    """Return what the work comes to, which nobody can take back once it has begun, as a commit.

    Who is cancelled before is told so, and nothing is begun. Who is cancelled meanwhile is told
    when the work has ended; after so long it is cancelled too, and its end is waited for.
    """
    await checkpoint()
    task = asyncio.ensure_future(work())
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        await in_full(_ended(task, patience_s))
        raise
    return task.result()


async def _ended(task: asyncio.Future[Any], patience_s: float) -> None:
    await asyncio.wait([task], timeout=patience_s)
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()  # the cancellation says more


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
