"""The caller's Arrow stream as a source of one table: read once, in a worker thread."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio.to_thread

from fastload.adapter import PartitionSpec, ReadSpec, Selection, Snapshot, SourceCapabilities
from fastload.channel import Waits
from fastload.errors import ConfigError, SourceError
from fastload.model import (
    Catalog,
    Column,
    Cut,
    Finding,
    Partition,
    QualifiedName,
    Seal,
    Table,
)
from fastload.model import Sequence as SequenceModel
from fastload.typemap import spell

if TYPE_CHECKING:
    import pyarrow as pa

DIALECT = "arrow"
_CUT = Cut(visible="stream")


class StreamSource:
    """One table that a stream brings; the stream is gone once it was read."""

    capabilities = SourceCapabilities(snapshot="shared", tail=False, replayable=False, casts=False)

    def __init__(self, data: Any, name: QualifiedName) -> None:
        self._reader = _open(data)
        self._name = name
        self.identity = self.namespace = "stream"
        self.default_schema = ""  # its table has the name that the target is to have

    @property
    def schema(self) -> pa.Schema:
        """Schema of the stream's batches."""
        return self._reader.schema

    async def catalog(self, select: Selection) -> Catalog:
        """Return the one table that the stream's schema describes."""
        columns = tuple(
            Column(name=f.name, type=str(f.type), arrow=spell(f.type), nullable=f.nullable)
            for f in self.schema
        )
        table = Table(name=self._name, columns=columns)
        return Catalog(dialect=DIALECT, tables=(table,), schemas=(self._name.schema,))

    async def sequences(self, catalog: Catalog) -> Sequence[SequenceModel]:
        """Return none."""
        return ()

    @asynccontextmanager
    async def snapshot(self, tables: Sequence[Table], readers: int) -> AsyncIterator[StreamSource]:
        """Open the stream's only view."""
        yield self

    @property
    def readers(self) -> int:
        """One: a stream is read once."""
        return 1

    @property
    def cut(self) -> Cut:
        """The stream itself."""
        return _CUT

    @property
    def token(self) -> str | None:
        """None: no other process can read it."""
        return None

    async def partitions(self, table: Table, at: Snapshot, want: PartitionSpec) -> list[Partition]:
        """Return the stream as one partition."""
        return [Partition(table=table.name, index=0)]

    @asynccontextmanager
    async def open(
        self, part: Partition, at: Snapshot, want: ReadSpec
    ) -> AsyncIterator[StreamReading]:
        """Open the stream, once."""
        yield StreamReading(self._reader, want)

    async def examine(self) -> Sequence[Finding]:
        """Return nothing."""
        return ()


class StreamReading:
    """The batches of a stream, cut to ``batch_bytes`` without copying."""

    def __init__(self, reader: pa.RecordBatchReader, want: ReadSpec) -> None:
        self._reader = reader
        self._want = want
        self._rows = self._bytes = 0
        self._ended = False
        self.cut = _CUT

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches."""
        return self._reader.schema

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        while (batch := await anyio.to_thread.run_sync(_next, self._reader)) is not None:
            rows = _rows_within(batch, self._want.batch_bytes)
            for first in range(0, batch.num_rows, rows):
                part = batch.slice(first, rows)
                self._rows += part.num_rows
                self._bytes += part.nbytes
                yield part
        self._ended = True

    async def seal(self) -> Seal:
        """Return what the stream has delivered."""
        if not self._ended:
            raise SourceError("the stream ended before its last batch", side="source")
        return Seal(rows=self._rows, bytes=self._bytes)

    def waits(self) -> Waits:
        """Return nothing: nobody counts."""
        return Waits()


def _open(data: Any) -> pa.RecordBatchReader:
    import pyarrow as pa

    if not hasattr(data, "__arrow_c_stream__"):
        raise ConfigError(
            f"a {type(data).__module__}.{type(data).__qualname__} is no Arrow stream",
            hint="pass a pyarrow Table or RecordBatchReader, a polars or pandas frame, or anything "
            "else with __arrow_c_stream__",
        )
    reader = pa.RecordBatchReader.from_stream(data)
    names = reader.schema.names
    if len(set(names)) < len(names):
        twice = sorted({n for n in names if names.count(n) > 1})
        raise ConfigError(f"the stream has several columns named {twice[0]}")
    return reader


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


def _rows_within(batch: pa.RecordBatch, size_bytes: int) -> int:
    """Return how many rows of average size fit, at least one."""
    rows, held_bytes = int(batch.num_rows), int(batch.nbytes)
    return max(1, rows if held_bytes <= size_bytes else rows * size_bytes // held_bytes)
