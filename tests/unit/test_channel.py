"""The bounded queue: order, bound, and nothing lost by cancellation."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.channel import Channel
from fastload.errors import SourceError


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 50), max_size=60),
    limit=st.integers(1, 100),
    take=st.integers(0, 120),
)
async def test_items_leave_in_order_and_within_the_bound(sizes, limit, take):
    channel: Channel[int] = Channel(limit)
    taken: list[int] = []

    async def put() -> None:
        for number, size in enumerate(sizes):
            await channel.put(number, size)
            held = channel.statistics().held_bytes
            assert held <= max(limit, size)
        channel.close()

    async with anyio.create_task_group() as group:
        group.start_soon(put)
        while items := await channel.get_some(take):
            taken += items
            assert len(items) == 1 or sum(sizes[i] for i in items) <= take
    assert taken == list(range(len(sizes)))
    told = channel.statistics()
    assert (told.held_bytes, told.passed_bytes) == (0, sum(sizes))


@settings(deadline=None)
@given(steps=st.lists(st.sampled_from("pPgG"), max_size=40))
async def test_cancelled_puts_and_gets_lose_and_double_nothing(steps):
    channel: Channel[int] = Channel(3)
    sent: list[int] = []
    got: list[int] = []
    for number, step in enumerate(steps):
        with anyio.move_on_after(0 if step.isupper() else 0.0001):
            if step in "pP":
                await channel.put(number, 1)
                sent.append(number)
            elif (item := await channel.get()) is not None:
                got.append(item)
    channel.close()
    while (item := await channel.get()) is not None:
        got.append(item)
    assert got == sent


async def test_an_item_larger_than_the_bound_passes_alone():
    channel: Channel[str] = Channel(10)
    await channel.put("large", 1000)
    with anyio.move_on_after(0.01) as waited:
        await channel.put("small", 1)
    assert waited.cancelled_caught
    assert await channel.get() == "large"
    await channel.put("small", 1)
    assert channel.statistics().peak_bytes == 1000


async def test_an_error_comes_after_what_was_held():
    channel: Channel[str] = Channel(10)
    await channel.put("last", 1)
    channel.close(SourceError("gone"))
    assert await channel.get() == "last"
    for _ in range(2):
        with pytest.raises(SourceError, match="gone"):
            await channel.get()
