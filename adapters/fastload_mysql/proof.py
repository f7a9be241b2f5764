"""Whether the tables of a snapshot are those that were planned."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.errors import SnapshotLost
from fastload.model import Table
from fastload_mysql.catalog import read_tables
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import qualified

_OPENED_AT_ONCE = 200


async def open_tables(reader: Connection, tables: Sequence[Table]) -> None:
    """Open every table inside a transaction, which keeps DDL away from them until its end."""
    for start in range(0, len(tables), _OPENED_AT_ONCE):
        part = tables[start : start + _OPENED_AT_ONCE]
        await reader.fetch(
            " UNION ALL ".join(f"(SELECT 1 FROM {qualified(t.name)} LIMIT 0)" for t in part)
        )


async def prove(connection: Connection, tables: Sequence[Table]) -> None:
    """Compare the tables, which no DDL can change any more, with what was planned.

    Raises:
        SnapshotLost: One is gone, or another.
    """
    found = await read_tables(connection, [t.name for t in tables])
    signatures = {t.name: t.extra["signature"] for t in found}
    for table in tables:
        if table.name not in signatures:
            raise _lost(table, "was dropped")
        if signatures[table.name] != table.extra["signature"]:
            raise _lost(table, "was altered")


def _lost(table: Table, what: str) -> SnapshotLost:
    return SnapshotLost(
        f"table {table.name} {what} while the copy was planned",
        side="source",
        table=str(table.name),
        hint="nothing was copied from this snapshot; start the run again",
    )
