"""One partition on its way out: a prepared statement's rows, decoded into record batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import anyio

from fastload.adapter import ReadSpec
from fastload.channel import Channel, Waits
from fastload.errors import NULL_INSTEAD, DecodeError, SourceError, Unrepresentable
from fastload.misfits import with_misfits
from fastload.model import Column, Cut, Extent, KeyRange, NullKeys, Partition, Seal, Table
from fastload.naming import option
from fastload.tasks import task_group
from fastload_mysql.access import index_hint
from fastload_mysql.connection import Connection
from fastload_mysql.halting import HALT_S, goes_on, halt
from fastload_mysql.packets import framed
from fastload_mysql.predicate import predicate
from fastload_mysql.protocol import Result, statement
from fastload_mysql.quoting import ident, qualified

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload_mysql.rows_decode import RowsDecoder


# A statement that has not begun to answer by then is ended with its session.
_FIRST_ROW_S = 1.0


class RowsReading:
    """What a SELECT delivers for one partition.

    Attributes:
        goes_on: Whether its session is idle again, in the same transaction.
    """

    def __init__(self, want: ReadSpec, cut: Cut) -> None:
        self._want = want
        self._channel: Channel[pa.RecordBatch] = Channel(want.buffer_bytes)
        self._seal: Seal | None = None
        self._taken = False
        self._rows = anyio.CancelScope()
        self._begun, self._over = anyio.Event(), anyio.Event()
        self.cut = cut
        self.goes_on = False

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
        """Whether the server has sent its last row."""
        return self._seal is not None

    async def pump(self, connection: Connection, sql: str) -> None:
        """Decode rows into the channel, which bounds how far this runs ahead."""
        want, decoder = self._want, _decoder(self._want)
        try:
            with located(decoder, want):
                async with statement(connection, sql, str(want.table.name)) as result:
                    await self._decode(connection, result, decoder)
            self._channel.close()
        except Exception as error:
            self._channel.close(error)
            self.goes_on = await goes_on(connection)
        finally:
            self._begun.set()
            self._over.set()

    async def _decode(self, connection: Connection, result: Result, decoder: RowsDecoder) -> None:
        import pyarrow as pa

        bytes_ = 0
        self._begun.set()
        try:
            with self._rows:
                async with aclosing(result.batches(decoder)) as batches:
                    async for block in batches:
                        batch = with_misfits(pa.record_batch(block), decoder.take_notes())
                        bytes_ += batch.nbytes
                        await self._channel.put(batch, batch.nbytes)
            if self._rows.cancelled_caught:
                raise SourceError("the reading was stopped", side="source")
        except Exception:
            if not result.finished:
                await halt(connection, result, decoder, _codecs(self._want))
            raise
        self._seal = Seal(rows=decoder.rows, bytes=bytes_, nulled=decoder.nulled)
        self.goes_on = True

    async def stop(self) -> None:
        """End the statement before its last row, and keep its session if that can be done."""
        self._rows.cancel()
        with anyio.move_on_after(_FIRST_ROW_S):
            await self._begun.wait()
        if self._begun.is_set():
            with anyio.move_on_after(2 * HALT_S):
                await self._over.wait()


@asynccontextmanager
async def open_reading(
    connection: Connection, part: Partition, cut: Cut, want: ReadSpec
) -> AsyncIterator[RowsReading]:
    """Run the SELECT while the context is open.

    Where it is left by an error, such as that of a value, the session is kept for another reading
    of the same moment; left early in another way, the connection is unusable.
    """
    reading = RowsReading(want, cut)
    async with task_group() as group:
        group.start_soon(reading.pump, connection, query(part, want))
        try:
            yield reading
        except Exception:
            await reading.stop()
            raise
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
        _codecs(want),
        batch_bytes=want.batch_bytes,
        nulls_instead=[c for c in want.columns if want.policy(c) == "null"],
        noted=[c for c in want.columns if want.policy(c) == "note"],
    )


def _codecs(want: ReadSpec) -> list[tuple[str, str]]:
    return [(c, _codec(want, want.table.column(c))) for c in want.columns]


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
            error.hint = f"{NULL_INSTEAD}; {_as_it_is(want.table, str(error.column))}"
        raise


def _as_it_is(table: Table, column: str) -> str:
    """Say how a column is read whatever it holds."""
    found = table.column(column)
    is_bytes = found.exact is not None and found.exact.endswith("binary]")
    word, what = ("binary", "its bytes") if is_bytes else ("char", "the server's text")
    return f"{option('types', table.name.member(column), word)} reads {what}"


def _key_of(row: bytes, want: ReadSpec) -> str | None:
    """Decode the key of one row, with every other column left as it came."""
    import pyarrow as pa

    from fastload_mysql.rows_decode import RowsDecoder

    key = want.table.primary_key
    if key is None or not set(key.columns) <= set(want.columns):
        return None
    others = [c for c in want.columns if c not in key.columns]
    decoder = RowsDecoder(_codecs(want), nulls_instead=others, noted=key.columns)
    decoder.feed(framed(row))
    batch = pa.record_batch(decoder.take())
    noted = {want.columns[column]: value for _, column, value in decoder.take_notes()}
    values = {c: noted.get(c) or batch.column(c)[0].as_py() for c in key.columns}
    return ", ".join(f"{c}={value}" for c, value in values.items())
