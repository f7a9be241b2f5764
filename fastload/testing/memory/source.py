"""A memory database as a source."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from fastload import partition
from fastload.adapter import PartitionSpec, ReadSpec, Selection, SourceCapabilities
from fastload.channel import Waits
from fastload.errors import ConfigError, SnapshotLost, SourceError
from fastload.model import (
    Catalog,
    Cut,
    Extent,
    Finding,
    KeyRange,
    NullKeys,
    Partition,
    PhysicalRange,
    QualifiedName,
    Seal,
    Table,
)
from fastload.model import Sequence as SequenceModel
from fastload.selection import choose
from fastload.testing.memory.database import MemoryDatabase, StoredTable, keys_of

if TYPE_CHECKING:
    import pyarrow as pa

DIALECT = "memory"
DEFAULT_SCHEMA = "public"
BLOCK_ROWS = 64


class MemorySnapshot:
    """The tables as they were when it was opened: Arrow tables never change."""

    token = None

    def __init__(self, tables: dict[QualifiedName, StoredTable], readers: int) -> None:
        self.tables = tables
        self.readers = readers
        self.cut = Cut(visible=f"memory:{id(self):x}")


class _Relation(msgspec.Struct, frozen=True):
    name: QualifiedName
    plain: bool = True


class MemorySource:
    """Reads one database."""

    capabilities = SourceCapabilities(snapshot="shared", tail=False, replayable=True, casts=False)
    default_schema = DEFAULT_SCHEMA

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.identity = self.namespace = f"memory:{database.name}"

    async def catalog(self, select: Selection) -> Catalog:
        """Return the selected tables."""
        if select.types:
            raise ConfigError("a memory database casts nothing", hint="leave `types` out")
        there = [_Relation(name) for name in sorted(self._database.tables)]
        names = [r.name for r in choose(there, select)]
        tables = tuple(_measured(self._database.tables[n]) for n in names)
        return Catalog(
            dialect=DIALECT,
            tables=tables,
            schemas=tuple(dict.fromkeys(n.schema for n in names)),
            sequences=tuple(
                msgspec.structs.replace(s, last_value=None)
                for s in self._database.sequences.values()
                if s.owner is None or s.owner[0] in names
            ),
        )

    async def sequences(self, catalog: Catalog) -> Sequence[SequenceModel]:
        """Return the catalogue's sequences as they stand."""
        return [self._database.sequences[s.name] for s in catalog.sequences]

    @asynccontextmanager
    async def snapshot(
        self, tables: Sequence[Table], readers: int
    ) -> AsyncIterator[MemorySnapshot]:
        """Hold the tables' rows of this moment."""
        held: dict[QualifiedName, StoredTable] = {}
        for table in tables:
            now = self._database.tables.get(table.name)
            if now is None or now.table.columns != table.columns:
                raise SnapshotLost(
                    f"table {table.name} was altered or dropped while the copy was planned",
                    side="source",
                    table=str(table.name),
                    hint="nothing was copied from this snapshot; start the run again",
                )
            held[table.name] = now
        yield MemorySnapshot(held, readers)

    async def partitions(
        self, table: Table, at: MemorySnapshot, want: PartitionSpec
    ) -> list[Partition]:
        """Return ranges of blocks, or of keys."""
        rows = at.tables[table.name].rows
        blocks = -(-rows.num_rows // BLOCK_ROWS)
        columns: tuple[str, ...] = (want.by,) if want.by in rows.column_names else ()
        key = table.primary_key
        if not columns and want.by == "keys" and key:
            columns = key.columns
        if not columns:
            if want.by == "keys":
                return partition.whole(table.name, table.rows, table.bytes)
            return partition.page_ranges(
                table.name, blocks, want.want, rows=table.rows, size_bytes=table.bytes
            )
        ordered = sorted(v for v in keys_of(rows, columns) if None not in v)
        texts = [tuple(_text(v) for v in values) for values in ordered]
        return partition.key_ranges(
            table.name,
            columns,
            partition.quantiles(texts, want.want),
            rows=table.rows,
            size_bytes=table.bytes,
            nulls=any(table.column(c).nullable for c in columns),
        )

    @asynccontextmanager
    async def open(
        self, part: Partition, at: MemorySnapshot, want: ReadSpec
    ) -> AsyncIterator[MemoryReading]:
        """Open a reading of the partition's rows."""
        if want.where:
            raise ConfigError("a memory database has no filters", hint="leave `where` out")
        rows = rows_within(at.tables[part.table].rows, part.extent)
        rows = rows.select(list(want.columns)).cast(want.schema)
        yield MemoryReading(rows, at.cut, want.batch_bytes)

    async def examine(self) -> Sequence[Finding]:
        """Return how many tables there are."""
        count = len(self._database.tables)
        return [Finding(level="ok", subject="tables", text=str(count))]


class MemoryReading:
    """The batches of an Arrow table."""

    def __init__(self, rows: pa.Table, cut: Cut, batch_bytes: int) -> None:
        self._rows = rows
        self._batch_bytes = batch_bytes
        self._sealed: Seal | None = None
        self.cut = cut

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches."""
        return self._rows.schema

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        row_bytes = max(1, self._rows.nbytes // max(1, self._rows.num_rows))
        for batch in self._rows.to_batches(max_chunksize=max(1, self._batch_bytes // row_bytes)):
            yield batch
        self._sealed = Seal(rows=self._rows.num_rows, bytes=self._rows.nbytes)

    async def seal(self) -> Seal:
        """Return what was delivered."""
        if self._sealed is None:
            raise SourceError("the reading ended before its last row", side="source")
        return self._sealed

    def waits(self) -> Waits:
        """Return nothing: nobody waits."""
        return Waits()


def rows_within(rows: pa.Table, extent: Extent) -> pa.Table:
    """Return the rows of an extent."""
    match extent:
        case PhysicalRange(first=first, end=end):
            start = first * BLOCK_ROWS
            return rows.slice(start, None if end is None else end * BLOCK_ROWS - start)
        case NullKeys(columns=columns):
            return _where(rows, [None in values for values in keys_of(rows, columns)])
        case KeyRange(columns=columns, lower=lower, upper=upper):
            low, high = _values(rows, columns, lower), _values(rows, columns, upper)
            return _where(
                rows,
                [
                    None not in v and (low is None or v >= low) and (high is None or v < high)
                    for v in keys_of(rows, columns)
                ],
            )
        case _:
            return rows


def _where(rows: pa.Table, wanted: list[bool]) -> pa.Table:
    import pyarrow as pa

    return rows.filter(pa.array(wanted, pa.bool_()))


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _values(
    rows: pa.Table, columns: Iterable[str], texts: tuple[str, ...] | None
) -> tuple[Any, ...] | None:
    if texts is None:
        return None
    types = [rows.schema.field(c).type for c in columns]
    return tuple(_value(type_, text) for type_, text in zip(types, texts, strict=True))


def _value(type_: pa.DataType, text: str) -> Any:
    """Return the value that ``_text`` wrote."""
    import pyarrow as pa

    if isinstance(type_, pa.UuidType):
        return uuid.UUID(text)
    if pa.types.is_binary(type_):
        return bytes.fromhex(text)
    return pa.array([text]).cast(type_)[0].as_py()


def _measured(stored: StoredTable) -> Table:
    rows = stored.rows
    return msgspec.structs.replace(stored.table, rows=rows.num_rows, bytes=rows.nbytes)
