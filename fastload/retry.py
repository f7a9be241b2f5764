"""Which errors are worth another attempt, and how long to wait before it."""

from __future__ import annotations

from fastload.errors import FastloadError

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
