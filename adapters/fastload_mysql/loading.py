"""Rows by LOAD DATA LOCAL from memory.

LOCAL makes warnings of what would be errors: it cuts numbers, puts 0 for NULL and leaves out rows
whose key is there, in every sql_mode. So nothing that it warns of is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from fastload.adapter import Reading
from fastload.errors import ConstraintError, TargetError
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection
from fastload_mysql.driver_errors import refusal
from fastload_mysql.encoded import Encoded
from fastload_mysql.load_local import LoadResult, load_local
from fastload_mysql.load_statement import load_statement
from fastload_mysql.quoting import literal, qualified
from fastload_mysql.row_keys import MOST_KEPT_BYTES, RowKeys, sending
from fastload_mysql.skipped import find_skipped

if TYPE_CHECKING:
    from typing import TypeAlias

    import pyarrow as pa

    Piece: TypeAlias = tuple[pa.RecordBatch, int, int, bytes]

_ENCODED_BYTES = 1 << 20
_WARNINGS = 64


class Files:
    """A reading as the files of LOAD DATA statements, one after the other.

    Attributes:
        keys: Of the rows of the file that was read last.
        ended: Whether that was the last one, and was read to its end.
    """

    def __init__(
        self,
        reading: Reading,
        table: TablePlan,
        columns: Sequence[tuple[str, str]],
        *,
        in_pieces: bool,
    ) -> None:
        self._encoded = Encoded(reading, table, columns)
        self._pieces: AsyncIterator[Piece] = self._encode()
        self._in_pieces = in_pieces
        self.keys = RowKeys(table)
        self.ended = False

    @property
    def nulled(self) -> int:
        """Values written as NULL because the type cannot hold them."""
        return self._encoded.nulled

    async def hold(self) -> None:
        """Encode all rows now: what cannot be encoded is raised before anything is sent."""
        pieces = [piece async for piece in self._pieces]

        async def held() -> AsyncIterator[Piece]:
            for piece in pieces:
                yield piece

        self._pieces = held()

    async def next(self) -> AsyncIterator[bytes]:
        """Yield pieces until the keys that have to be kept of their rows are many."""
        self.keys.begin()
        async for batch, row, end, data in self._pieces:
            self.keys.add(batch, row, end)
            yield data
            if self._in_pieces or self.keys.bytes > MOST_KEPT_BYTES:
                return
        self.ended = True

    async def _encode(self) -> AsyncIterator[Piece]:
        """Yield about a megabyte of rows at a time: batch, first row, end, bytes."""
        async for batch, made in self._encoded.batches():
            row = 0
            while row < made.num_rows:
                data, end = self._encoded.rows(made, row, _ENCODED_BYTES)
                yield batch, row, end, data
                row = end


async def load(
    connection: Connection,
    table: TablePlan,
    files: Files,
    into: QualifiedName,
    columns: Sequence[tuple[str, str]],
) -> int:
    """Load every row and return how many the server took.

    Raises:
        LocalRefused: The server takes no LOAD DATA LOCAL; nothing was read.
    """
    sets = {c: table.target.column(c).extra.get("charset", "") for c in table.target_columns}
    token = f"fastload-{secrets.token_hex(16)}"
    sql = load_statement(
        literal(token), qualified(into), columns, {c: s for c, s in sets.items() if s}
    )
    name, rows = str(table.target.name), 0
    await _show_warnings(connection)
    while not files.ended:
        with sending(table, files.keys):
            done = await load_local(connection, sql, token, files.next(), name)
            try:
                await _check(connection, done, name)
            except ConstraintError as error:
                if "Duplicate" not in error.message and " at row " not in error.message:
                    error.key = await find_skipped(connection, into, columns, files.keys)
                raise
        rows += done.records
    return rows


async def _show_warnings(connection: Connection) -> None:
    """Have the server keep warnings where it keeps none, if this user may."""
    if await connection.fetchval("SELECT @@max_error_count") == 0:
        with suppress(TargetError):
            await connection.execute(f"SET max_error_count = {_WARNINGS}")


async def _check(connection: Connection, done: LoadResult, table: str) -> None:
    """Refuse a load of which the server says that a row is not as it was sent."""
    if not (done.warnings or done.skipped or done.deleted):
        return
    found = await connection.fetch("SHOW WARNINGS")
    if found:
        _, number, message = found[0]
        raise refusal(int(number), str(message), "target", table)
    raise TargetError(
        f"the target skipped {done.skipped} rows, deleted {done.deleted} and gave "
        f"{done.warnings} warnings that it does not show",
        side="target",
        table=table,
        hint="the partition was rolled back; SET GLOBAL max_error_count = 64 shows what it was",
    )
