"""Channel: order, the bound in bytes, and that cancelling loses and doubles nothing."""

from __future__ import annotations

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from fastload.channel import Channel

SIZES = st.lists(st.just(0) | st.integers(1, 30), max_size=30)


@given(sizes=SIZES, limit=st.integers(1, 40), most=st.none() | st.integers(0, 60))
async def test_items_leave_in_order_within_the_bound(sizes, limit, most):
    channel: Channel[int] = Channel(limit)
    taken: list[int] = []
    largest = max(sizes, default=0)

    async def produce() -> None:
        for item, size in enumerate(sizes):
            await channel.put(item, size)
            held = channel.statistics().held_bytes
            assert held <= limit or held <= largest
        channel.close()

    async with anyio.create_task_group() as group:
        group.start_soon(produce)
        while some := await take(channel, most):
            taken += some

    assert taken == list(range(len(sizes)))
    told = channel.statistics()
    assert (told.held_bytes, told.passed_bytes) == (0, sum(sizes))
    assert told.peak_bytes <= max(limit, largest)


async def take(channel: Channel[int], most: int | None) -> list[int]:
    if most is not None:
        return await channel.get_some(most)
    item = await channel.get()
    return [] if item is None else [item]


@given(
    sizes=SIZES,
    limit=st.integers(1, 40),
    patience=st.lists(st.integers(0, 3), min_size=1, max_size=20),
)
async def test_cancelled_puts_and_gets_lose_and_double_nothing(sizes, limit, patience):
    """Either side is cancelled again and again, and goes on where its last call succeeded."""
    channel: Channel[int] = Channel(limit)
    turns = iter(patience * (len(sizes) + 2) * 4)
    put, taken = 0, []

    async def cancelled_after(steps: int, scope: anyio.CancelScope) -> None:
        for _ in range(steps):
            await checkpoint()
        scope.cancel()

    async def attempt(call, *args):
        """Return a list of the result, or an empty one where the call was cancelled first."""
        result = []
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                group.start_soon(cancelled_after, next(turns, 1000), scope)
                result.append(await call(*args))
            group.cancel_scope.cancel()
        return result

    async def produce() -> None:
        nonlocal put
        while put < len(sizes):
            if await attempt(channel.put, put, sizes[put]):
                put += 1
        channel.close()

    async with anyio.create_task_group() as group:
        group.start_soon(produce)
        while (got := await attempt(channel.get)) != [None]:
            taken += got

    assert taken == list(range(len(sizes)))
    assert channel.statistics().held_bytes == 0


async def test_put_waits_for_room():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 6)
    done: list[str] = []

    async def second() -> None:
        await channel.put("b", 6)
        done.append("b")

    async with anyio.create_task_group() as group:
        group.start_soon(second)
        await anyio.wait_all_tasks_blocked()
        assert done == []
        assert await channel.get() == "a"
        await anyio.wait_all_tasks_blocked()
        assert done == ["b"]


async def test_an_item_larger_than_the_bound_passes_alone():
    channel: Channel[str] = Channel(10)
    await channel.put("small", 1)

    async with anyio.create_task_group() as group:
        group.start_soon(channel.put, "huge", 1000)
        await anyio.wait_all_tasks_blocked()
        assert channel.statistics().held_bytes == 1
        assert await channel.get() == "small"
        await anyio.wait_all_tasks_blocked()
        assert channel.statistics().held_bytes == 1000
        group.start_soon(channel.put, "next", 1)
        await anyio.wait_all_tasks_blocked()
        assert channel.statistics().held_bytes == 1000
        assert [await channel.get(), await channel.get()] == ["huge", "next"]


async def test_items_without_bytes_come_one_by_one():
    """Batches of a table without columns have rows and no bytes."""
    channel: Channel[str] = Channel(10)
    for item in "abc":
        await channel.put(item, 0)
    channel.close()
    assert [await channel.get() for _ in range(4)] == ["a", "b", "c", None]


async def test_some_is_at_least_one_and_no_more_than_asked_for():
    channel: Channel[str] = Channel(100)
    for item, size in (("a", 9), ("b", 2), ("c", 2), ("d", 2)):
        await channel.put(item, size)
    assert await channel.get_some(4) == ["a"]
    assert await channel.get_some(4) == ["b", "c"]
    assert await channel.get_some(4) == ["d"]


async def test_an_error_comes_after_the_items_and_stays():
    channel: Channel[str] = Channel(10)
    await channel.put("a", 1)
    channel.close(ValueError("first"))
    channel.close(ValueError("second"))
    assert await channel.get() == "a"
    for _ in range(2):
        with pytest.raises(ValueError, match="first"):
            await channel.get()


async def test_closing_wakes_who_waits():
    channel: Channel[str] = Channel(10)
    got: list[object] = []

    async def consume() -> None:
        got.append(await channel.get())

    async with anyio.create_task_group() as group:
        group.start_soon(consume)
        await anyio.wait_all_tasks_blocked()
        channel.close()
    assert got == [None]


async def test_who_waited_is_told():
    channel: Channel[str] = Channel(1)

    async with anyio.create_task_group() as group:
        group.start_soon(channel.get)
        await anyio.wait_all_tasks_blocked()
        await channel.put("a", 1)
    assert channel.waits().writer_s > 0
    assert channel.waits().reader_s == 0

    await channel.put("b", 1)
    async with anyio.create_task_group() as group:
        group.start_soon(channel.put, "c", 1)
        await anyio.wait_all_tasks_blocked()
        await channel.get()
    assert channel.waits().reader_s > 0


async def test_a_producer_that_waits_for_room_goes_on_when_nothing_more_is_taken():
    channel: Channel[int] = Channel(10)
    await channel.put(1, 10)
    async with anyio.create_task_group() as group:
        group.start_soon(channel.put, 2, 10)
        await anyio.wait_all_tasks_blocked()
        channel.abandon()
        with anyio.move_on_after(5) as waiting:
            await channel.put(3, 10)
        group.cancel_scope.deadline = anyio.current_time() + 5
    assert not waiting.cancelled_caught
    assert not group.cancel_scope.cancelled_caught
