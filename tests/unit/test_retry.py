"""Which errors get another attempt, and when."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload import errors, retry


def waits(error: errors.FastloadError) -> list[float]:
    found, attempt = [], 1
    while (pause_s := retry.wait_s(error, attempt)) is not None:
        found.append(pause_s)
        attempt += 1
    return found


@pytest.mark.parametrize("kind", [errors.ConnectError, errors.ConnectionLost])
def test_waits_double_and_end(kind):
    assert waits(kind("gone")) == pytest.approx([0.2, 0.4, 0.8, 1.6])


@pytest.mark.parametrize(
    "kind",
    [
        errors.AuthenticationError,
        errors.DatabaseNotFound,
        errors.TlsError,
        errors.TargetFull,
        errors.ConstraintError,
        errors.ConfigError,
        errors.StateError,
        errors.FastloadError,
    ],
)
def test_what_time_does_not_mend_is_not_tried_again(kind):
    assert waits(kind("no")) == []


def test_an_error_can_say_so_itself():
    error = errors.TargetError("deadlock detected")
    error.retryable = True
    assert len(waits(error)) == retry.ATTEMPTS - 1


async def test_the_last_failure_tells_of_the_first():
    """A server whose disk is full goes down, and then nobody answers."""
    attempts = retry.Attempts()
    await attempts.pause_after(errors.ConnectionLost("could not write: no space left"))
    last = errors.AuthenticationError("no server answers", hint="check the port")
    with pytest.raises(errors.AuthenticationError) as caught:
        await attempts.pause_after(last)
    assert caught.value.hint == "it began with: could not write: no space left; check the port"


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (errors.ConnectError("refused"), errors.AuthenticationError("no", hint="check it")),
        (errors.ConnectionLost("gone"), errors.ConstraintError("no", hint="check it")),
    ],
)
async def test_a_hint_tells_of_no_beginning_that_says_no_more(first, last):
    attempts = retry.Attempts()
    await attempts.pause_after(first)
    with pytest.raises(type(last)) as caught:
        await attempts.pause_after(last)
    assert caught.value.hint == "check it"


@pytest.mark.parametrize(
    ("kind", "in_lane", "times"),
    [
        (errors.TooManyConnections, True, 1),
        (errors.TooManyConnections, False, retry.ATTEMPTS),
        (errors.ConnectionLost, True, retry.ATTEMPTS),
        (errors.ConstraintError, False, 1),
    ],
)
async def test_a_call_is_repeated_and_in_a_lane_leaves_full_servers_to_others(
    monkeypatch, kind, in_lane, times
):
    monkeypatch.setattr(retry, "_FIRST_WAIT_S", 0.001)
    calls = []

    async def call():
        calls.append(1)
        raise kind("no")

    with pytest.raises(kind):
        await retry.repeat(call, in_lane=in_lane)
    assert len(calls) == times


@given(attempt=st.integers(1, 10_000))
def test_no_wait_is_long(attempt):
    pause_s = retry.wait_s(errors.ConnectionLost("gone"), attempt)
    assert pause_s is None or 0 < pause_s <= 5
    assert (pause_s is None) == (attempt >= retry.ATTEMPTS)
