"""Rows by INSERT, for servers that take no LOAD DATA LOCAL.

In a strict session a plain INSERT refuses what does not fit; what it warns of is not kept either.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastload.adapter import Reading
from fastload.errors import EncodeError, TargetError
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection
from fastload_mysql.driver_errors import refusal
from fastload_mysql.encoded import Encoded
from fastload_mysql.quoting import idents, qualified
from fastload_mysql.row_keys import RowKeys, encoding, sending

_STATEMENT_BYTES = 1 << 20
# A packet has one byte for its command, and must stay below the server's limit.
_PACKET_BYTES = 2


async def insert(
    connection: Connection,
    table: TablePlan,
    reading: Reading,
    into: QualifiedName,
    columns: Sequence[tuple[str, str]],
) -> tuple[int, int]:
    """Insert every row; return how many the server took, and how many values became NULL."""
    encoded, keys = Encoded(reading, table, columns, form="values"), RowKeys(table)
    names = idents(table.target_columns)
    start = f"INSERT INTO {qualified(into)} ({names}) VALUES ".encode()
    most = int(await connection.fetchval("SELECT @@max_allowed_packet"))
    room, rows = most - len(start) - _PACKET_BYTES, 0
    async for batch, made in encoded.batches():
        row = 0
        while row < made.num_rows:
            first = row
            data, row = encoded.rows(made, first, min(_STATEMENT_BYTES, room))
            with encoding(table, batch):
                if len(data) > room:
                    raise _too_long(len(data), most, first)
            keys.begin()
            keys.add(batch, first, row)
            with sending(table, keys):
                rows += await _run(connection, start + data, str(table.target.name))
    return rows, encoded.nulled


async def _run(connection: Connection, sql: bytes, table: str) -> int:
    rows, warnings = await connection.change(sql)
    if not warnings:
        return rows
    found = await connection.fetch("SHOW WARNINGS")
    if found:
        _, number, message = found[0]
        raise refusal(int(number), str(message), "target", table)
    raise TargetError(
        f"the target gave {warnings} warnings that it does not show", side="target", table=table
    )


def _too_long(size: int, most: int, row: int) -> EncodeError:
    return EncodeError(
        f"the row takes {size} bytes as SQL, and the server takes statements below "
        f"max_allowed_packet = {most} bytes",
        row=row,
        hint="SET GLOBAL local_infile = ON on the target, or raise its max_allowed_packet",
    )
