"""One error out of many, and which of them are worth another attempt."""

from __future__ import annotations

import pickle

import anyio
import pytest

from fastload import errors, retry
from fastload.tasks import primary_error, task_group


def every_error(kind=errors.FastloadError):
    yield kind
    for child in kind.__subclasses__():
        yield from every_error(child)


async def test_the_first_of_our_own_errors_is_the_one():
    async def fail(error):
        raise error

    async def both():
        async with task_group() as group:
            group.start_soon(fail, OSError("theirs"))
            group.start_soon(fail, errors.SourceError("ours"))

    with pytest.raises(errors.SourceError, match="ours"):
        await both()


async def test_a_failure_cancels_the_others():
    ended = []

    async def wait():
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    async def fail():
        async with task_group() as group:
            group.start_soon(wait)
            await anyio.lowlevel.checkpoint()
            raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await fail()
    assert ended == [True]


def test_groups_within_groups_have_one_primary_error():
    inner = ExceptionGroup("inner", [OSError("x"), errors.TargetError("ours")])
    assert primary_error(ExceptionGroup("outer", [ValueError("y"), inner])).args == ("ours",)


@pytest.mark.parametrize("kind", sorted(every_error(), key=lambda k: k.__name__))
def test_errors_keep_what_they_know_through_a_pickle(kind):
    error = kind("what", side="source", table="public.t", key="id=1", hint="do this")
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert str(error).splitlines() == [
        "what",
        "  where: source, table public.t, key id=1",
        "  hint: do this",
    ]


def test_every_error_has_a_word_of_its_own():
    kinds = list(every_error())
    assert len({k.code for k in kinds}) == len(kinds)


def test_only_what_time_may_mend_is_tried_again():
    never = [errors.AuthenticationError, errors.DatabaseNotFound, errors.TlsError]
    never += [errors.TargetFull, errors.ConstraintError, errors.ConfigError, errors.PlanError]
    for kind in never:
        assert retry.wait_s(kind("x"), 1) is None
    waits = [retry.wait_s(errors.ConnectionLost("x"), n) for n in range(1, retry.ATTEMPTS)]
    assert waits == sorted(waits)
    assert retry.wait_s(errors.ConnectionLost("x"), retry.ATTEMPTS) is None
