"""LOAD DATA LOCAL INFILE: bytes of ours in place of the file that the server asks for.

A server may ask for any file in answer to any statement. Here nothing is ever read from a disk:
bytes are sent to a request that names the token of this very statement, and any other request ends
the connection.

Sources: MySQL Internals, "Protocol::LOCAL_INFILE_Request"; MariaDB Knowledge Base,
"LOCAL_INFILE packet".
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from dataclasses import dataclass

from fastload.errors import TargetError
from fastload_mysql.connection import Connection
from fastload_mysql.driver_errors import refusal, translated
from fastload_mysql.packets import (
    COM_QUERY,
    ERROR,
    FILE_REQUEST,
    OK,
    Malformed,
    read_done,
    read_error,
)
from fastload_mysql.wire import Wire

_INFO = re.compile(r"Records: (\d+)  Deleted: (\d+)  Skipped: (\d+)  Warnings: (\d+)")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What the server says of a load.

    Attributes:
        records: Rows that it read.
        warnings: The greater of what its text and its packet count; the latter ends at 65535.
    """

    records: int
    deleted: int
    skipped: int
    warnings: int
    affected_rows: int


async def load_local(
    connection: Connection,
    sql: str,
    token: str,
    pieces: AsyncIterable[bytes | memoryview],
    table: str | None = None,
) -> LoadResult:
    """Send pieces as the file that the statement names.

    The server reads to the end of the pieces even where it has refused a row, and then says so.
    Where the pieces raise, or this is cancelled, the connection is out of step and ``Sessions``
    ends it. A server takes a connection that ends for the end of the file: the statement has to
    stand in a transaction.

    Args:
        connection: Of the target.
        sql: One LOAD DATA LOCAL INFILE with the token as the file's name.
        token: Made for this statement, unguessable before it.
        pieces: The file's bytes, cut anywhere.
        table: For errors.

    Raises:
        TargetError: The server refused, asked for another file, or for none.
    """
    with translated(connection.side, table):
        async with connection.exchange() as wire:
            wire.command(COM_QUERY, sql.encode())
            await _expect_request(connection, wire, token, table)
            async for piece in pieces:
                await wire.send(piece)
            await wire.send_end()
            return await _result(connection, wire, table)


async def _expect_request(
    connection: Connection, wire: Wire, token: str, table: str | None
) -> None:
    first = await wire.packet()
    if first[:1] == bytes([ERROR]):
        connection.in_step()
        raise refusal(*read_error(first), connection.side, table)
    if first[:1] == bytes([FILE_REQUEST]) and first[1:] == token.encode():
        return
    connection.abort()
    raise TargetError(
        "the server answered LOAD DATA with something else than a request for its data",
        side=connection.side,
        table=table,
        hint="nothing was sent; do not trust this server until you know why",
    )


async def _result(connection: Connection, wire: Wire, table: str | None) -> LoadResult:
    payload = await wire.packet()
    if payload[:1] == bytes([ERROR]):
        connection.in_step()
        raise refusal(*read_error(payload), connection.side, table)
    if payload[:1] != bytes([OK]):
        raise Malformed("a load ended with an answer that is none")
    done = read_done(payload)
    found = _INFO.search(done.info)
    if found is None:
        raise Malformed(f"a load ended without its counts: {done.info!r}")
    records, deleted, skipped, warnings = map(int, found.groups())
    connection.note_status(done.status)
    connection.in_step()
    most = max(warnings, done.warnings)
    return LoadResult(records, deleted, skipped, most, done.affected_rows)
