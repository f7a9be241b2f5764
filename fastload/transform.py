"""Readings wrapped into readings: counted, and under the names of the target's columns."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from fastload.adapter import Item, Reading
from fastload.channel import Waits
from fastload.model import Cut, Seal
from fastload.progress import Meter

if TYPE_CHECKING:
    import pyarrow as pa


class Wrapped:
    """A reading that is another one, but for what a subclass does with its items."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    @property
    def schema(self) -> pa.Schema | str:
        """The wrapped reading's."""
        return self._reading.schema

    @property
    def cut(self) -> Cut:
        """The wrapped reading's."""
        return self._reading.cut

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for item in self._reading:
            yield item

    async def seal(self) -> Seal:
        """Return the wrapped reading's."""
        return await self._reading.seal()

    def waits(self) -> Waits:
        """Return the wrapped reading's."""
        return self._reading.waits()


class Counted(Wrapped):
    """A reading that tells a meter what has passed, and takes it back when told to."""

    def __init__(self, reading: Reading, meter: Meter) -> None:
        super().__init__(reading)
        self._meter = meter
        self._rows = self._bytes = 0
        self._told = Waits()

    async def __aiter__(self) -> AsyncIterator[Item]:
        is_wire = isinstance(self._reading.schema, str)
        async for item in self._reading:
            rows, bytes_ = (0, len(item)) if is_wire else (item.num_rows, item.nbytes)
            self._count(rows, bytes_)
            yield item

    async def seal(self) -> Seal:
        """Return the wrapped reading's seal, and count the rows that only it knows."""
        seal = await self._reading.seal()
        self._count(seal.rows - self._rows, 0)
        return seal

    def take_back(self) -> None:
        """Uncount everything: the partition was rolled back, or was there already."""
        self._count(-self._rows, -self._bytes)

    def _count(self, rows: int, bytes_: int) -> None:
        self._rows += rows
        self._bytes += bytes_
        self._meter.add(rows=rows, bytes=bytes_)
        now, told = self._reading.waits(), self._told
        self._meter.add_waits(Waits(now.reader_s - told.reader_s, now.writer_s - told.writer_s))
        self._told = now


class Renamed(Wrapped):
    """A reading of record batches under other column names."""

    def __init__(self, reading: Reading, names: Sequence[str]) -> None:
        super().__init__(reading)
        self._names = list(names)

    @property
    def schema(self) -> pa.Schema:
        """The wrapped reading's schema under the new names."""
        import pyarrow as pa

        schema = self._reading.schema
        assert not isinstance(schema, str)
        return pa.schema(
            [field.with_name(name) for field, name in zip(schema, self._names, strict=True)]
        )

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for batch in self._reading:
            # What is told with a batch (fastload.misfits) is lost by renaming.
            told = batch.schema.metadata
            yield batch.rename_columns(self._names).replace_schema_metadata(told)
