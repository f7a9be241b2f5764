"""Task groups that raise one error instead of a group of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup

from fastload.errors import FastloadError


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
