"""One side of a comparison: rows read in partitions, hashed, and picked out again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import msgspec

from fastload import partition, retry
from fastload.adapter import (
    Counting,
    Fingerprint,
    Fingerprinting,
    PartitionSpec,
    ReadSpec,
    Snapshot,
    Source,
    WireHasher,
)
from fastload.errors import FastloadError, SourceError, Unrepresentable
from fastload.model import Column, Cut, Partition, QualifiedName, Table
from fastload.tasks import task_group
from fastload.verification.hashing import hashing_of
from fastload.verification.pairs import TablePair
from fastload.verification.wanted import Wanted

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.kernels.row_hash import Buckets

T = TypeVar("T")
_PART_BYTES = 32 << 20
_SHARED_BYTES = 8 << 20  # from here on, each lane gets a part
_BATCH_BYTES = 4 << 20
_BUFFER_BYTES = 8 << 20


class Side:
    """An open source with its snapshot, read by so many lanes at once.

    Attributes:
        word: ``"source"`` or ``"target"``, for errors.
    """

    def __init__(self, source: Source, at: Snapshot, word: str, *, lanes: int, memory: int) -> None:
        self.source = source
        self.at = at
        self.word = word
        self.cuts: set[Cut] = set()
        self._cuts_of: defaultdict[QualifiedName, set[Cut]] = defaultdict(set)
        lanes = min(lanes, at.readers)
        self._lanes = anyio.Semaphore(lanes)
        self._count = lanes
        self._batch_bytes = min(_BATCH_BYTES, memory // lanes // 16)
        self._buffer_bytes = min(_BUFFER_BYTES, memory // lanes // 8)

    def lane(self) -> AbstractAsyncContextManager[object]:
        """Wait for a connection's turn."""
        return self._lanes

    def table(self, pair: TablePair) -> Table:
        """Return this side's table."""
        return pair.source if self.word == "source" else pair.target

    def columns(self, pair: TablePair) -> list[Column]:
        """Return this side's columns that are compared, in their order."""
        return [p.source if self.word == "source" else p.target for p in pair.pairs]

    def spec(self, pair: TablePair, wire: str | None = None) -> ReadSpec:
        """Return how this side's rows are read: as batches, or as this wire's bytes."""
        columns = self.columns(pair)
        own = self.word == "source"
        return ReadSpec(
            table=self.table(pair),
            columns=tuple(c.name for c in columns),
            wire=wire,
            exact=tuple(c.name for c, p in zip(columns, pair.pairs, strict=True) if p.exact),
            where=pair.where if own else None,
            on_unrepresentable=pair.policies if own else {},
            batch_bytes=self._batch_bytes,
            buffer_bytes=self._buffer_bytes,
        )

    async def partitions(self, pair: TablePair) -> list[Partition]:
        """Return the partitions that this side's table is read in."""
        spec, table = self.spec(pair), self.table(pair)
        want = max(1, min(partition.MOST, -(-table.bytes // _PART_BYTES)))
        if table.bytes >= _SHARED_BYTES:
            # As many for each lane.
            want = -(-want // self._count) * self._count
        async with self.lane():
            parts = await self.source.partitions(
                table, self.at, PartitionSpec(want=want, where=spec.where)
            )
        if len(parts) == 1:
            return [msgspec.structs.replace(parts[0], rows=table.rows, bytes=table.bytes)]
        return list(parts)

    async def buckets(self, pair: TablePair, parts: Sequence[Partition], bits: int) -> Buckets:
        """Hash the rows of partitions, side by side."""
        from fastload.kernels.row_hash import Buckets

        total = Buckets(bits)

        async def one(part: Partition) -> None:
            total.merge(await self._again(lambda: self._hash(pair, part, bits)))

        await self._each(parts, one)
        return total

    async def fingerprint(self, pair: TablePair, parts: Sequence[Partition]) -> Fingerprint:
        """Let the server hash the rows of partitions, side by side."""
        found: list[Fingerprint] = []
        server = cast("Fingerprinting", self.source)

        async def one(part: Partition) -> None:
            want = self.spec(pair)
            found.append(await self._again(lambda: server.fingerprint(part, self.at, want)))

        await self._each(parts, one)
        return Fingerprint(sum(f.rows for f in found), sum(f.sum for f in found) % 2**64)

    async def passing(self, pair: TablePair, parts: Sequence[Partition], wire: str) -> Fingerprint:
        """Hash the rows of partitions as the wire brings them, side by side."""
        found: list[WireHasher] = []

        async def one(part: Partition) -> None:
            found.append(await self._again(lambda: self._pass(pair, part, wire)))

        await self._each(parts, one)
        return Fingerprint(sum(f.rows for f in found), sum(f.sum for f in found) % 2**64)

    async def _pass(self, pair: TablePair, part: Partition, wire: str) -> WireHasher:
        hasher = cast("Fingerprinting", self.source).wire_hasher(wire)
        assert hasher is not None
        async with self.source.open(part, self.at, self.spec(pair, wire)) as reading:
            self._note(self.table(pair), reading.cut)
            async for data in reading:
                hasher.feed(data)
            hasher.finish()
            sent = (await reading.seal()).rows
        if sent != hasher.rows:
            raise SourceError(f"the {self.word} sent {sent} rows and {hasher.rows} arrived")
        return hasher

    async def check_count(
        self, pair: TablePair, rows: int, parts: Sequence[Partition], cuts: set[Cut] | None = None
    ) -> None:
        """Compare what partitions held with what the server counts in the table at that moment.

        Nothing is compared where it has not one moment, or does not count.

        Args:
            pair: The table.
            rows: Of all partitions.
            parts: These.
            cuts: That they were read at; None for what this side has read of the table.

        Raises:
            SourceError: They are not as many.
        """
        table = self.table(pair)
        seen = self._cuts_of[table.name] if cuts is None else cuts
        if len(parts) < 2 or len(seen) != 1 or not self.source.capabilities.counts:
            return
        counting = cast("Counting", self.source)
        async with self.lane():
            count = await self._again(lambda: counting.count(table, self.at, self.spec(pair).where))
        if {count.cut} == seen and not count.cut.inconsistent_because and count.rows != rows:
            raise SourceError(
                f"the {len(parts)} parts of {table.name} had {rows} rows, and it has {count.rows}: "
                "they overlap, or leave rows out",
                side=self.word,
                table=str(table.name),
                hint="take nothing of this table for copied; partition_by={table: column} cuts it "
                "by another column. Please report its CREATE TABLE",
            )

    def _note(self, table: Table, cut: Cut) -> None:
        self.cuts.add(cut)
        self._cuts_of[table.name].add(cut)

    async def pick(
        self, pair: TablePair, parts: Sequence[Partition], wanted: Wanted
    ) -> list[pa.RecordBatch]:
        """Return the rows of partitions whose keys' buckets are wanted."""
        found: list[pa.RecordBatch] = []

        async def one(part: Partition) -> None:
            found.extend(await self._again(lambda: self._pick(pair, part, wanted)))

        await self._each(parts, one)
        return found

    async def _each(
        self, parts: Sequence[Partition], work: Callable[[Partition], Awaitable[None]]
    ) -> None:
        async def one(part: Partition) -> None:
            async with self.lane():
                await work(part)

        async with task_group() as group:
            for part in parts:
                group.start_soon(one, part)

    async def _again(self, work: Callable[[], Awaitable[T]]) -> T:
        attempts = retry.Attempts()
        while True:
            try:
                return await work()
            except Unrepresentable as error:
                error.side = self.word
                raise
            except FastloadError as error:
                error.side = self.word if error.side == "source" else error.side
                await attempts.pause_after(error)

    async def _hash(self, pair: TablePair, part: Partition, bits: int) -> Buckets:
        from fastload.kernels.row_hash import Buckets

        found, hashing = Buckets(bits), hashing_of(self, pair)
        async with aclosing(self._batches(pair, part)) as batches:
            async for batch in batches:
                hashing.hasher.add(hashing.flat(batch), found)
        return found

    async def _pick(self, pair: TablePair, part: Partition, wanted: Wanted) -> list[pa.RecordBatch]:
        hashing, found = hashing_of(self, pair), []
        async with aclosing(self._batches(pair, part)) as batches:
            async for batch in batches:
                picked = wanted.of(hashing, batch)
                if picked.num_rows:
                    found.append(picked)
                    wanted.hold(picked.nbytes)
        return found

    async def _batches(
        self, pair: TablePair, part: Partition
    ) -> AsyncGenerator[pa.RecordBatch, None]:
        rows = 0
        async with self.source.open(part, self.at, self.spec(pair)) as reading:
            self._note(self.table(pair), reading.cut)
            async for batch in reading:
                rows += batch.num_rows
                yield batch
            sent = (await reading.seal()).rows
        if sent != rows:
            raise SourceError(f"the {self.word} sent {sent} rows and {rows} arrived")
