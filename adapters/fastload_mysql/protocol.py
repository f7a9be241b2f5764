"""Rows of one statement as the server sends them, for the kernel that decodes them.

Sources: MySQL Internals, "COM_STMT_PREPARE", "COM_STMT_EXECUTE", "COM_STMT_CLOSE" and "Binary
Protocol Resultset"; MariaDB Knowledge Base, "Server Response Packets (Binary Protocol)".
"""

from __future__ import annotations

import struct
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastload.errors import SourceError
from fastload_mysql.driver_errors import refusal, translated
from fastload_mysql.packets import (
    COM_STMT_CLOSE,
    COM_STMT_EXECUTE,
    COM_STMT_PREPARE,
    ERROR,
    OK,
    Column,
    Malformed,
    is_eof,
    read_column,
    read_error,
    read_number,
    read_prepared,
)
from fastload_mysql.wire import Wire

if TYPE_CHECKING:
    from fastload.kernels.decoder import Batch
    from fastload_mysql.connection import Connection
    from fastload_mysql.rows_decode import RowsDecoder

_NO_CURSOR = 0


class Result:
    """The rows of a statement that is under way, after its columns.

    Attributes:
        columns: What the server says of them.
        sequence: Number of the first row's packet.
    """

    def __init__(
        self, connection: Connection, wire: Wire, columns: list[Column], table: str | None
    ) -> None:
        self._connection = connection
        self._wire = wire
        self._table = table
        self.columns = columns
        self.sequence = wire.sequence
        self.finished = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the packets' bytes in pieces of any size; the caller ends it with the decoder."""
        while True:
            yield await self._wire.piece()

    async def batches(self, decoder: RowsDecoder) -> AsyncGenerator[Batch, None]:
        """Decode all rows, and finish.

        Raises:
            FastloadError: The server ended the rows with an error, or the connection was lost.
            DecodeError, Unrepresentable: As the decoder says.
        """
        with translated(self._connection.side, self._table):
            while not decoder.ended:
                decoder.feed(await self._wire.piece())
                while decoder.full:
                    yield decoder.take()
                    decoder.feed(b"")
        self.finish(decoder)
        if decoder.rows_held:
            yield decoder.take()

    async def drain(self, decoder: RowsDecoder) -> None:
        """Read to the end of rows that nobody wants; the connection is in step again.

        Raises:
            Unrepresentable: As the decoder says, or has said.
            DecodeError: What comes are no rows.
            OSError: The connection was lost.
        """
        while not decoder.ended:
            decoder.feed(b"")
            if decoder.full:
                decoder.take()
            elif not decoder.ended:
                decoder.feed(await self._wire.piece())
        self.finished = self._wire.empty

    def finish(self, decoder: RowsDecoder) -> None:
        """Check that the decoder saw the end; the connection is in step again.

        Raises:
            DecodeError: It did not.
            FastloadError: The server ended the rows with an error.
        """
        if not decoder.ended:
            decoder.finish()
        if not self._wire.empty:
            raise Malformed("bytes follow the packet that ends the rows")
        self.finished = True
        if decoder.error is not None:
            number, _, message = decoder.error
            raise refusal(number, message, self._connection.side, self._table)
        self._connection.note_status(decoder.status)


@asynccontextmanager
async def statement(
    connection: Connection, sql: str, table: str | None = None
) -> AsyncIterator[Result]:
    """Run a statement that returns rows, and lend its result.

    Where the context is left before ``finish``, the connection is out of step, and ``Sessions``
    ends it with what it still runs.

    Args:
        connection: At rest, or in a transaction.
        sql: One statement without parameters.
        table: For errors.
    """
    with translated(connection.side, table):
        async with connection.exchange() as wire:
            prepared = await _prepare(connection, wire, sql, table)
            columns = await _execute(connection, wire, prepared, table)
            result = Result(connection, wire, columns, table)
            try:
                yield result
            finally:
                if result.finished:
                    wire.command(COM_STMT_CLOSE, struct.pack("<I", prepared))
                    connection.in_step()


async def _prepare(connection: Connection, wire: Wire, sql: str, table: str | None) -> int:
    wire.command(COM_STMT_PREPARE, sql.encode())
    first = await _answer(connection, wire, table)
    if first[0] != OK:
        raise Malformed("a statement was prepared with an answer that is none")
    prepared = read_prepared(first)
    for count in (prepared.parameters, prepared.columns):
        if count:
            await _columns(wire, count)
    if prepared.parameters or not prepared.columns:
        connection.in_step()
        raise SourceError("only statements without parameters that return rows are read this way")
    return prepared.number


async def _execute(
    connection: Connection, wire: Wire, number: int, table: str | None
) -> list[Column]:
    wire.command(COM_STMT_EXECUTE, struct.pack("<IBI", number, _NO_CURSOR, 1))
    first = await _answer(connection, wire, table)
    count, end = read_number(first, 0)
    if count == 0 or end != len(first):
        raise Malformed("a statement was executed with an answer that is none")
    return await _columns(wire, count)


async def _answer(connection: Connection, wire: Wire, table: str | None) -> bytes:
    """Return the first packet of an answer, and raise what the server refuses."""
    first = await wire.packet()
    if not first:
        raise Malformed("a packet is empty")
    if first[0] == ERROR:
        connection.in_step()
        raise refusal(*read_error(first), connection.side, table)
    return first


async def _columns(wire: Wire, count: int) -> list[Column]:
    columns = [read_column(await wire.packet()) for _ in range(count)]
    if not is_eof(await wire.packet()):
        raise Malformed("a list of columns has no end")
    return columns
