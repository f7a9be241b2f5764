"""A queue between one producer and one consumer, bounded in bytes.

Guarantees: items leave in the order they came; ``put`` returns only when the item is held;
a cancelled ``put`` or ``get`` neither loses nor doubles an item; one item larger than the bound
passes alone. Relies on: a single event loop, one task on either side.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

import anyio

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Waits:
    """Seconds that either side of a channel has waited for the other.

    Attributes:
        reader_s: The producer waited for room: the writer is the bottleneck.
        writer_s: The consumer waited for data: the reader is the bottleneck.
    """

    reader_s: float = 0.0
    writer_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ChannelStatistics:
    """What a channel holds and has held, in bytes, and who waited."""

    held_bytes: int
    peak_bytes: int
    passed_bytes: int
    waits: Waits


class Channel(Generic[T]):
    """Hand items from a producer to a consumer, holding at most ``limit_bytes`` of them."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._items: deque[tuple[T, int]] = deque()
        self._held_bytes = self._peak_bytes = self._passed_bytes = 0
        self._reader_s = self._writer_s = 0.0
        # Set while somebody waits: an event for each of a gigabyte's 130,000 items costs more
        # than the items.
        self._changed: anyio.Event | None = None
        self._closed = self._abandoned = False
        self._error: BaseException | None = None

    def _notify(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = anyio.Event()
        await self._changed.wait()

    async def put(self, item: T, size_bytes: int) -> None:
        """Wait for room, then hold the item; drop it where nobody will take it."""
        if self._held_bytes and self._held_bytes + size_bytes > self._limit_bytes:
            began = time.perf_counter()
            while self._held_bytes and self._held_bytes + size_bytes > self._limit_bytes:
                await self._change()
            self._reader_s += time.perf_counter() - began
        if self._abandoned:
            return
        self._items.append((item, size_bytes))
        self._held_bytes += size_bytes
        self._peak_bytes = max(self._peak_bytes, self._held_bytes)
        self._notify()

    def abandon(self) -> None:
        """Say that nothing more is taken: what is held is dropped, and ``put`` returns at once."""
        self._abandoned = True
        self._items.clear()
        self._held_bytes = 0
        self._notify()

    def close(self, error: BaseException | None = None) -> None:
        """Say that nothing more comes; with an error, the consumer gets it after the rest."""
        self._closed = True
        self._error = self._error or error
        self._notify()

    async def get(self) -> T | None:
        """Return the next item, or None after the last.

        Raises:
            BaseException: What the channel was closed with, once all items are taken.
        """
        await self._filled()
        item = self._popped() if self._items else None
        self._notify()
        return item

    async def get_some(self, most_bytes: int) -> list[T]:
        """Wait for an item, and return what is held, up to so many bytes; empty after the last.

        The first item is returned whatever its size.

        Raises:
            BaseException: What the channel was closed with, once all items are taken.
        """
        await self._filled()
        items: list[T] = []
        left_bytes = most_bytes
        while self._items and (not items or self._items[0][1] <= left_bytes):
            left_bytes -= self._items[0][1]
            items.append(self._popped())
        self._notify()
        return items

    async def _filled(self) -> None:
        """Wait until an item is held or none will come; raise what the channel ended with."""
        if not self._items and not self._closed:
            began = time.perf_counter()
            while not self._items and not self._closed:
                await self._change()
            self._writer_s += time.perf_counter() - began
        if not self._items and self._error is not None:
            raise self._error

    def _popped(self) -> T:
        item, size_bytes = self._items.popleft()
        self._held_bytes -= size_bytes
        self._passed_bytes += size_bytes
        return item

    def waits(self) -> Waits:
        """Return who has waited how long, in seconds."""
        return Waits(self._reader_s, self._writer_s)

    def statistics(self) -> ChannelStatistics:
        """Return what is held now and what has passed, in bytes."""
        return ChannelStatistics(
            self._held_bytes, self._peak_bytes, self._passed_bytes, self.waits()
        )
