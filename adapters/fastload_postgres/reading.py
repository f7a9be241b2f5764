"""One partition on its way out: COPY's bytes, or the record batches decoded from them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

import anyio

from fastload.adapter import ReadSpec
from fastload.channel import Channel, Waits
from fastload.errors import DecodeError, SourceError, Unrepresentable
from fastload.misfits import with_misfits
from fastload.model import Column, Cut, Partition, Seal, Whole
from fastload.naming import option
from fastload.tasks import task_group
from fastload_postgres.connection import Connection
from fastload_postgres.driver_errors import translate
from fastload_postgres.partitions import (
    OWN_NAMES,
    USERS_NAMES,
    in_key_order,
    predicate,
    reads_by_index,
)
from fastload_postgres.quoting import ident, qualified
from fastload_postgres.snapshot import PostgresSnapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload_postgres.copy_decode import CopyDecoder

BINARY_WIRE = "postgresql.copy.binary"
TEXT_WIRE = "postgresql.copy.text"
# PostgreSQL documentation, "COPY", section "Binary Format": signature, flags, extension length.
# The server sends 8 KiB at a time; every write to the other server costs a system call.
_CHUNK_BYTES = 128 << 10
_END_S = 1.0
COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)


class CopyReading:
    """What COPY TO STDOUT delivers for one partition."""

    def __init__(self, want: ReadSpec, cut: Cut, channel: Channel[bytes]) -> None:
        self._want = want
        self._channel = channel
        self._bytes = self._nulled = 0
        self.cut = cut
        self.status: str | None = None

    @property
    def schema(self) -> pa.Schema | str:
        """The wire's name, or the schema of the batches."""
        return self._want.wire or self._want.schema

    def waits(self) -> Waits:
        """Return how long either side has waited for the other."""
        return self._channel.waits()

    async def seal(self) -> Seal:
        """Return the rows that the server says it sent, and the bytes that came."""
        if self.status is None:
            raise SourceError(
                "the reading ended before its last row", side="source", table=self._table
            )
        return Seal(rows=int(self.status.split()[-1]), bytes=self._bytes, nulled=self._nulled)

    @property
    def complete(self) -> bool:
        """Whether the server has sent its last row and is idle again."""
        return self.status is not None

    @property
    def _table(self) -> str:
        return str(self._want.table.name)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self._chunks() if self._want.wire else self._batches()

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunks := await self._channel.get_some(_CHUNK_BYTES):
            chunk = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._bytes += len(chunk)
            yield chunk

    async def _batches(self) -> AsyncIterator[pa.RecordBatch]:
        decoder = _decoder(self._want)
        with located(decoder, self._want):
            async for chunk in self._chunks():
                decoder.feed(chunk)
                while decoder.full:
                    yield _batch(decoder)
                    decoder.feed(b"")
            decoder.finish()
        self._nulled = decoder.nulled
        if decoder.rows_held:
            yield _batch(decoder)


@asynccontextmanager
async def open_reading(
    connection: Connection, part: Partition, at: PostgresSnapshot, want: ReadSpec
) -> AsyncIterator[CopyReading]:
    """Start COPY and pump its bytes into a bounded channel while the context is open."""
    channel: Channel[bytes] = Channel(want.buffer_bytes)
    reading = CopyReading(want, at.cut, channel)

    async def keep(chunk: bytes) -> None:
        await channel.put(chunk, len(chunk))

    async def pump(alone: anyio.CancelScope) -> None:
        with alone:
            try:
                status = await _copy_out(connection, part, want, keep)
                await at.prove_parts(connection, want.table)
                reading.status = status
                channel.close()
            except Exception as error:
                channel.close(translate(error, "source", str(part.table)))

    # Rows that arrive after a COPY was cancelled are a fatal error to asyncpg (0.32), which it
    # logs. So no cancellation reaches it: its connection is closed, and nothing arrives any more.
    alone = anyio.CancelScope(shield=True)
    async with task_group() as group:
        group.start_soon(pump, alone)
        try:
            yield reading
        finally:
            if not reading.complete:
                connection.terminate()
                channel.abandon()
                alone.deadline = anyio.current_time() + _END_S


async def _copy_out(connection: Connection, part: Partition, want: ReadSpec, keep: Any) -> str:
    form: Literal["text", "binary"] = "text" if want.wire == TEXT_WIRE else "binary"
    if isinstance(part.extent, Whole) and not _needs_query(want):
        return await connection.copy_from_table(
            want.table.name.name,
            schema_name=want.table.name.schema,
            columns=want.columns,
            output=keep,
            format=form,
        )
    scan = "off" if reads_by_index(want.table, part.extent) else "DEFAULT"
    names = f"; {USERS_NAMES}" if want.where else ""
    await connection.execute(f"SET LOCAL enable_seqscan = {scan}{names}")
    status = await connection.copy_from_query(query(part, want), output=keep, format=form)
    if want.where:
        await connection.execute(OWN_NAMES)
    return status


def _needs_query(want: ReadSpec) -> bool:
    casts = not want.wire and any(_cast(want, want.table.column(c)) for c in want.columns)
    columns = [want.table.column(c) for c in want.columns]
    selected = any(c.extra.get("retyped") or c.generated is not None for c in columns)
    return bool(
        _order(want) or want.where or casts or selected or want.table.extra.get("relkind") != "r"
    )


def query(part: Partition, want: ReadSpec) -> str:
    """Return the SELECT over one partition."""
    columns = ", ".join(_expression(want, want.table.column(c)) for c in want.columns)
    conditions = [predicate(want.table, part.extent), f"({want.where})" if want.where else ""]
    where = " AND ".join(c for c in conditions if c)
    only = "ONLY " if want.table.extra.get("relkind") == "r" else ""
    return (
        f"SELECT {columns} FROM {only}{qualified(want.table.name)}"
        + (f" WHERE {where}" if where else "")
        + _order(want)
    )


def _order(want: ReadSpec) -> str:
    """Return the clause that sorts, unless the rows lie in that order already."""
    if not want.order_by or in_key_order(want.table):
        return ""
    return f" ORDER BY {', '.join(map(ident, want.order_by))}"


def _expression(want: ReadSpec, column: Column) -> str:
    return ident(column.name) + _cast(want, column)


def _cast(want: ReadSpec, column: Column) -> str:
    if column.extra.get("retyped"):
        return column.extra["cast"]
    plain = bool(want.wire) or column.name in want.exact
    return "" if plain else column.extra.get("cast", "")


def _decoder(want: ReadSpec) -> CopyDecoder:
    from fastload_postgres.copy_decode import CopyDecoder

    return CopyDecoder(
        [(c, _codec(want, want.table.column(c))) for c in want.columns],
        batch_bytes=want.batch_bytes,
        nulls_instead=[c for c in want.columns if want.policy(c) == "null"],
        noted=[c for c in want.columns if want.policy(c) == "note"],
    )


def _batch(decoder: CopyDecoder) -> pa.RecordBatch:
    import pyarrow as pa

    batch = pa.record_batch(decoder.take())
    return with_misfits(batch, decoder.take_notes())


def _codec(want: ReadSpec, column: Column) -> str:
    return column.extra["decode_exact" if column.name in want.exact else "decode"]


@contextmanager
def located(decoder: CopyDecoder, want: ReadSpec) -> Iterator[None]:
    """Add table and key to what the decoder raises about a row."""
    try:
        yield
    except (DecodeError, Unrepresentable) as error:
        error.side, error.table = "source", str(want.table.name)
        if isinstance(error, Unrepresentable):
            error.key = _key_of(decoder.failed_row, want)
            as_text = option("types", want.table.name.member(error.column or ""), "text")
            error.hint = f"on_unrepresentable='null' makes it NULL; {as_text} reads text"
        raise


def _key_of(row: bytes, want: ReadSpec) -> str | None:
    """Decode the key of one row, with every other column left as bytes."""
    import pyarrow as pa

    from fastload_postgres.copy_decode import CopyDecoder

    key = want.table.primary_key
    if key is None or not set(key.columns) <= set(want.columns):
        return None
    codecs = [
        (c, _codec(want, want.table.column(c)) if c in key.columns else "raw:bytea")
        for c in want.columns
    ]
    decoder = CopyDecoder(codecs)
    decoder.feed(COPY_HEADER + row)
    batch = pa.record_batch(decoder.take())
    return ", ".join(f"{c}={batch.column(c)[0].as_py()}" for c in key.columns)
