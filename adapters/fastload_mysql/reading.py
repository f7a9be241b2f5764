"""One partition on its way out: a prepared statement's rows, decoded into record batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from fastload.adapter import ReadSpec
from fastload.channel import Channel, Waits
from fastload.errors import DecodeError, SourceError, Unrepresentable
from fastload.misfits import with_misfits
from fastload.model import Column, Cut, Extent, KeyRange, NullKeys, Partition, Seal, Table
from fastload.naming import option
from fastload.tasks import task_group
from fastload_mysql.access import index_hint
from fastload_mysql.connection import Connection
from fastload_mysql.packets import framed
from fastload_mysql.predicate import predicate
from fastload_mysql.protocol import statement
from fastload_mysql.quoting import ident, qualified

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload_mysql.rows_decode import RowsDecoder


class RowsReading:
    """What a SELECT delivers for one partition."""

    def __init__(self, want: ReadSpec, cut: Cut) -> None:
        self._want = want
        self._channel: Channel[pa.RecordBatch] = Channel(want.buffer_bytes)
        self._seal: Seal | None = None
        self._taken = False
        self.cut = cut

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches."""
        return self._want.schema

    def waits(self) -> Waits:
        """Return how long either side has waited for the other."""
        return self._channel.waits()

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        while (batch := await self._channel.get()) is not None:
            yield batch
        self._taken = True

    async def seal(self) -> Seal:
        """Return what came before the packet that ends the rows."""
        if self._seal is None or not self._taken:
            raise SourceError(
                "the reading ended before its last row",
                side="source",
                table=str(self._want.table.name),
            )
        return self._seal

    @property
    def complete(self) -> bool:
        """Whether the server has sent its last row and is idle again."""
        return self._seal is not None

    async def pump(self, connection: Connection, sql: str) -> None:
        """Decode rows into the channel, which bounds how far this runs ahead."""
        import pyarrow as pa

        want, decoder, bytes_ = self._want, _decoder(self._want), 0
        try:
            with located(decoder, want):
                async with statement(connection, sql, str(want.table.name)) as result:
                    async for block in result.batches(decoder):
                        batch = with_misfits(pa.record_batch(block), decoder.take_notes())
                        bytes_ += batch.nbytes
                        await self._channel.put(batch, batch.nbytes)
            self._seal = Seal(rows=decoder.rows, bytes=bytes_, nulled=decoder.nulled)
            self._channel.close()
        except Exception as error:
            self._channel.close(error)


@asynccontextmanager
async def open_reading(
    connection: Connection, part: Partition, cut: Cut, want: ReadSpec
) -> AsyncIterator[RowsReading]:
    """Run the SELECT while the context is open; leaving it early leaves the connection unusable."""
    reading = RowsReading(want, cut)
    async with task_group() as group:
        group.start_soon(reading.pump, connection, query(part, want))
        try:
            yield reading
        finally:
            if not reading.complete:
                group.cancel_scope.cancel()


def query(part: Partition, want: ReadSpec) -> str:
    """Return the SELECT over one partition."""
    columns = ", ".join(_expression(want, want.table.column(c)) for c in want.columns)
    bounds = predicate(want.table, part.extent)
    conditions = [bounds, f"({want.where})" if want.where else ""]
    where = " AND ".join(c for c in conditions if c)
    hint = f" {_hint(want.table, part.extent)}" if bounds else ""
    return f"SELECT {columns} FROM {qualified(want.table.name)}{hint}" + (
        f" WHERE {where}" if where else ""
    )


def _hint(table: Table, extent: Extent) -> str:
    if isinstance(extent, KeyRange | NullKeys):
        return index_hint(table, extent.columns)
    return ""


def _expression(want: ReadSpec, column: Column) -> str:
    word = "cast_exact" if column.name in want.exact else "cast"
    return column.extra.get(word, "{}").format(ident(column.name))


def _decoder(want: ReadSpec) -> RowsDecoder:
    from fastload_mysql.rows_decode import RowsDecoder

    return RowsDecoder(
        [(c, _codec(want, want.table.column(c))) for c in want.columns],
        batch_bytes=want.batch_bytes,
        nulls_instead=[c for c in want.columns if want.policy(c) == "null"],
        noted=[c for c in want.columns if want.policy(c) == "note"],
    )


def _codec(want: ReadSpec, column: Column) -> str:
    return column.extra["decode_exact" if column.name in want.exact else "decode"]


@contextmanager
def located(decoder: RowsDecoder, want: ReadSpec) -> Iterator[None]:
    """Add table and key to what the decoder raises about a row."""
    try:
        yield
    except (DecodeError, Unrepresentable) as error:
        error.side, error.table = "source", str(want.table.name)
        if isinstance(error, Unrepresentable):
            error.key = _key_of(decoder.failed_row, want)
            name = want.table.name.member(error.column or "")
            error.hint = (
                "on_unrepresentable='null' makes it NULL; "
                f"{option('types', name, 'char')} reads the server's text"
            )
        raise


def _key_of(row: bytes, want: ReadSpec) -> str | None:
    """Decode the key of one row, with every other column left as it came."""
    import pyarrow as pa

    from fastload_mysql.rows_decode import RowsDecoder

    key = want.table.primary_key
    if key is None or not set(key.columns) <= set(want.columns):
        return None
    codecs = [(c, _codec(want, want.table.column(c))) for c in want.columns]
    others = [c for c in want.columns if c not in key.columns]
    decoder = RowsDecoder(codecs, nulls_instead=others)
    decoder.feed(framed(row))
    batch = pa.record_batch(decoder.take())
    return ", ".join(f"{c}={batch.column(c)[0].as_py()}" for c in key.columns)
