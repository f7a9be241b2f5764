"""A database of MySQL's family as a source: readers that began at one moment, SELECTs out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec

from fastload.adapter import Count, PartitionSpec, ReadSpec, Selection, SourceCapabilities
from fastload.model import Catalog, Cut, Finding, Partition, Table
from fastload.model import Sequence as SequenceModel
from fastload_mysql.catalog import read_catalog
from fastload_mysql.counters import read_sequences
from fastload_mysql.doctor import examine_source
from fastload_mysql.driver import Sessions
from fastload_mysql.engines import has_transactions
from fastload_mysql.identity import Database
from fastload_mysql.partitions import plan_partitions
from fastload_mysql.quoting import qualified
from fastload_mysql.reading import RowsReading, open_reading
from fastload_mysql.rights import known_rights, unseen
from fastload_mysql.snapshot import MysqlSnapshot, open_snapshot


class MysqlSource:
    """Reads one database, or all that the user may see where the URL names none."""

    capabilities = SourceCapabilities(snapshot="shared", tail=False, replayable=True, counts=True)

    def __init__(self, sessions: Sessions, database: Database) -> None:
        self._sessions = sessions
        self._database = database.name
        self.identity = database.identity
        self.namespace = database.server_identity
        self.default_schema = database.name or ""

    async def catalog(self, select: Selection) -> Catalog:
        """Return the selected tables; see the seam."""
        async with self._sessions.lend() as connection:
            found = await read_catalog(connection, select, default_schema=self._database)
            rights = None if _is_exact(select) else await known_rights(connection)
        notes = unseen(rights, self._database, found) if rights else ()
        return msgspec.structs.replace(found, notes=notes)

    async def sequences(self, catalog: Catalog) -> Sequence[SequenceModel]:
        """Return where the columns that number themselves stand; see the seam."""
        async with self._sessions.lend() as connection:
            return await read_sequences(connection, catalog)

    def snapshot(
        self, tables: Sequence[Table], readers: int
    ) -> AbstractAsyncContextManager[MysqlSnapshot]:
        """Begin the readers at one moment."""
        return open_snapshot(self._sessions, tables, readers)

    async def partitions(
        self, table: Table, at: MysqlSnapshot, want: PartitionSpec
    ) -> list[Partition]:
        """Return partitions from what the server estimates; see the seam."""
        async with at.reader() as connection:
            return await plan_partitions(connection, table, want)

    @asynccontextmanager
    async def open(
        self, part: Partition, at: MysqlSnapshot, want: ReadSpec
    ) -> AsyncIterator[RowsReading]:
        """Open a SELECT over one partition."""
        reader = await at.take()
        reading = None
        try:
            cut = _cut_of(want.table, reader.cut)
            async with open_reading(reader.connection, part, cut, want) as reading:
                yield reading
        finally:
            await at.give_back(reader, reusable=reading is not None and reading.goes_on)

    async def count(self, table: Table, at: MysqlSnapshot, where: str | None) -> Count:
        """Count a table's rows, by the index that the server likes best; see the seam."""
        reader, done = await at.take(), False
        try:
            condition = f" WHERE {where}" if where else ""
            count = f"SELECT COUNT(*) FROM {qualified(table.name)}{condition}"
            rows = await reader.connection.fetchval(count)
            done = True
        finally:
            await at.give_back(reader, reusable=done)
        return Count(int(rows), _cut_of(table, reader.cut))

    async def examine(self) -> Sequence[Finding]:
        """Return version, rights and settings that matter to a reader."""
        async with self._sessions.lend() as connection:
            return await examine_source(connection)


def _is_exact(select: Selection) -> bool:
    """Say whether all tables are asked for by their names, so that none is missing."""
    return bool(select.names or select.tables) and not any(
        c in pattern for pattern in select.tables or () for c in "*?"
    )


def _cut_of(table: Table, cut: Cut) -> Cut:
    """Return what a reader sees of a table: of one without transactions, whatever is there."""
    if has_transactions(table):
        return cut
    because = f"{table.name} is {table.extra['engine']}, which has no snapshots"
    return msgspec.structs.replace(cut, inconsistent_because=because)
