"""Readings whose rows are hashed on their way from source to target."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias

from fastload.adapter import Item, Reading, WireHasher
from fastload.transform import Wrapped
from fastload.verification.hashing import hashing


class WatchedBatches(Wrapped):
    """A reading whose batches are hashed as they pass.

    Args:
        reading: Of record batches.
        kinds: Columns and their kinds of the row hash.
    """

    def __init__(self, reading: Reading, kinds: Sequence[tuple[str, str]]) -> None:
        from fastload.kernels.row_hash import Buckets

        super().__init__(reading)
        schema = reading.schema
        assert not isinstance(schema, str)
        self._hashing = hashing(schema, kinds)
        self.found = Buckets()

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for batch in self._reading:
            self._hashing.hasher.add(self._hashing.flat(batch), self.found)
            yield batch


class WatchedWire(Wrapped):
    """A reading of a wire's bytes, whose rows are hashed as they pass."""

    def __init__(self, reading: Reading, hasher: WireHasher) -> None:
        super().__init__(reading)
        self.found = hasher

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for data in self._reading:
            self.found.feed(data)
            yield data
        self.found.finish()


Watched: TypeAlias = WatchedBatches | WatchedWire
