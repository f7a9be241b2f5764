"""Rows on their way in: loaded or inserted, straight or through a table that is merged.

LOAD DATA LOCAL is the way; a server that refuses it (``local_infile = OFF``) gets INSERTs of many
rows.
"""

from __future__ import annotations

from fastload.adapter import Reading
from fastload.model import QualifiedName, TablePlan
from fastload.written import Written
from fastload_mysql.connection import Connection
from fastload_mysql.driver_errors import LocalRefused
from fastload_mysql.fitting import word
from fastload_mysql.inserting import insert
from fastload_mysql.loading import Files, load
from fastload_mysql.merging import merge, stage
from fastload_mysql.quoting import qualified
from fastload_mysql.row_keys import sending

WITHOUT_FILES = (
    "rows go in by INSERT, since the target takes no LOAD DATA LOCAL: that costs 1.3 to 2.3 times "
    "as much; SET GLOBAL local_infile = ON, and a pool of yours needs local_infile=True"
)
STAGING = "fastload_staging"


async def write_rows(
    connection: Connection,
    table: TablePlan,
    reading: Reading,
    into: QualifiedName | None = None,
    *,
    in_pieces: bool = False,
    held: bool = False,
) -> Written:
    """Write every row of the reading.

    Args:
        connection: In a transaction.
        table: The plan.
        reading: Of record batches under the target's names.
        into: The table, where it is not the plan's.
        in_pieces: One statement for each megabyte, which holds the lock on the table's counter
            while the server takes it, and not while the source is waited for.
        held: Encode all rows before the first is sent, so that one that cannot be encoded leaves
            the connection in step; of a reading that can be read again.
    """
    name = into or table.target.name
    if not table.merge_by:
        return await _send(connection, table, reading, name, in_pieces=in_pieces, held=held)
    staging = QualifiedName(name.schema, STAGING)
    await connection.execute(stage(table, name, staging))
    written = await _send(connection, table, reading, staging)
    await merge_staged(connection, table, name, staging)
    return written


async def stage_rows(connection: Connection, table: TablePlan, rows: Reading) -> QualifiedName:
    """Bring rows into a temporary table of the target's column types, and return its name."""
    name = table.target.name
    staging = QualifiedName(name.schema, STAGING)
    # One may be left of rows that were refused: a rollback keeps it.
    await connection.execute(f"DROP TEMPORARY TABLE IF EXISTS {qualified(staging)}")
    await connection.execute(stage(table, name, staging))
    await _send(connection, table, rows, staging)
    return staging


async def merge_staged(
    connection: Connection, table: TablePlan, into: QualifiedName, staging: QualifiedName
) -> None:
    """Bring the staged rows into a table, and drop what held them."""
    with sending(table):
        for statement in merge(table, into, staging):
            await connection.execute(statement)
    await unstage(connection, staging)


async def unstage(connection: Connection, staging: QualifiedName) -> None:
    """Drop what held rows."""
    await connection.execute(f"DROP TEMPORARY TABLE {qualified(staging)}")


async def _send(
    connection: Connection,
    table: TablePlan,
    reading: Reading,
    into: QualifiedName,
    *,
    in_pieces: bool = False,
    held: bool = False,
) -> Written:
    columns = codecs_of(table)
    if connection.sends_files:
        files = Files(reading, table, columns, in_pieces=in_pieces)
        if held:
            await files.hold()
        try:
            return Written(await load(connection, table, files, into, columns), files.nulled)
        except LocalRefused:
            connection.sends_files = False
    return Written(*await insert(connection, table, reading, into, columns))


def codecs_of(table: TablePlan) -> list[tuple[str, str]]:
    """Return name and codec of each column to be written, in order."""
    return [(c, _codec(table, c)) for c in table.target_columns]


def _codec(table: TablePlan, column: str) -> str:
    source = table.source.column(table.columns[table.target_columns.index(column)])
    target = table.target.column(column)
    exact = target.extra.get("encode_exact") if source.name in table.exact else None
    return exact or word(source, target)
