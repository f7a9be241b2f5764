"""Which errors are worth another attempt, and how long to wait before it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from fastload.errors import ConnectError, FastloadError, TooManyConnections

T = TypeVar("T")

ATTEMPTS = 5
_FIRST_WAIT_S = 0.2
_LONGEST_WAIT_S = 5.0


def wait_s(error: FastloadError, attempt: int) -> float | None:
    """Return how long to wait after this attempt (from 1) failed; None gives up.

    Waits double, so that the last attempt comes about three seconds after the first.
    """
    if not error.retryable or attempt >= ATTEMPTS:
        return None
    return min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0 ** (attempt - 1))


class Attempts:
    """The attempts at one thing, which remember how it first failed.

    Args:
        in_lane: Where no connection can be had, raise at once: whoever runs the lanes has fewer.
    """

    def __init__(self, *, in_lane: bool = False) -> None:
        self._in_lane = in_lane
        self._count = 0
        self._first: FastloadError | None = None

    async def pause_after(self, error: FastloadError) -> None:
        """Wait before the next attempt, or raise: what a server says in its fall is kept.

        One whose disk is full goes down, and the last attempt only finds that nobody answers.
        """
        if self._in_lane and isinstance(error, TooManyConnections):
            raise error
        self._count += 1
        self._first = self._first or error
        pause_s = wait_s(error, self._count)
        if pause_s is None:
            if isinstance(error, ConnectError) and not isinstance(self._first, ConnectError):
                error.hint = f"it began with: {self._first.message}" + (
                    f"; {error.hint}" if error.hint else ""
                )
            raise error
        await anyio.sleep(pause_s)


async def repeat(call: Callable[[], Awaitable[T]], *, in_lane: bool = False) -> T:
    """Return what the call returns; again where another attempt can help and does no harm."""
    attempts = Attempts(in_lane=in_lane)
    while True:
        try:
            return await call()
        except FastloadError as error:
            await attempts.pause_after(error)
