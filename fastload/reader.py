"""``fastload.read``: partitions of one table, read side by side, as one stream of batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastload.adapter import ReadSpec, Snapshot, Source
from fastload.channel import Channel, Waits
from fastload.errors import SourceError
from fastload.model import Cut, Partition, Seal
from fastload.tasks import task_group

if TYPE_CHECKING:
    import pyarrow as pa


class TableReading:
    """An open read of a whole table.

    Batches of one partition come in its order; partitions come mixed, as they are ready. All
    rows are of one snapshot. Iterate inside the ``async with`` that opened it, once; leaving it
    early stops the servers' work.
    """

    def __init__(self, schema: pa.Schema, cut: Cut, channel: Channel[pa.RecordBatch]) -> None:
        self._channel = channel
        self._seals: list[Seal] = []
        self._rows = 0
        self._begun = False
        self.schema = schema
        self.cut = cut

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        if self._begun:
            raise SourceError(
                "this reading has been read already",
                side="source",
                hint="keep what it gave; or open it again with fastload.read",
            )
        self._begun = True
        while (batch := await self._channel.get()) is not None:
            self._rows += batch.num_rows
            yield batch
        sent = (await self.seal()).rows
        if sent != self._rows:
            raise SourceError(f"the source sent {sent} rows and {self._rows} arrived")

    async def table(self) -> pa.Table:
        """Return all rows as one ``pyarrow.Table``."""
        import pyarrow as pa

        return pa.Table.from_batches([batch async for batch in self], self.schema)

    async def seal(self) -> Seal:
        """Return rows and bytes by the source's own count, of the partitions read so far."""
        return Seal(
            rows=sum(s.rows for s in self._seals),
            bytes=sum(s.bytes for s in self._seals),
            nulled=sum(s.nulled for s in self._seals),
        )

    def waits(self) -> Waits:
        """Return how long the readers waited for room, and the caller for data."""
        return self._channel.waits()

    def _sealed(self, seal: Seal) -> None:
        self._seals.append(seal)


@asynccontextmanager
async def open_table(
    source: Source,
    at: Snapshot,
    parts: Sequence[Partition],
    want: ReadSpec,
    lanes: int,
    buffer_bytes: int,
) -> AsyncIterator[TableReading]:
    """Read partitions into one channel while the context is open."""
    channel: Channel[pa.RecordBatch] = Channel(buffer_bytes)
    waiting = list(reversed(parts))
    table = TableReading(want.schema, at.cut, channel)

    async def lane() -> None:
        while waiting:
            async with source.open(waiting.pop(), at, want) as reading:
                async for batch in reading:
                    await channel.put(batch, batch.nbytes)
                table._sealed(await reading.seal())

    async def pump() -> None:
        try:
            async with task_group() as readers:
                for _ in range(min(lanes, at.readers, len(parts))):
                    readers.start_soon(lane)
            channel.close()
        except Exception as error:
            channel.close(error)

    async with task_group() as group:
        group.start_soon(pump)
        try:
            yield table
        finally:
            group.cancel_scope.cancel()
