"""PostgreSQL as a source: one exported snapshot, readers that share it, COPY out of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from fastload.adapter import (
    Fingerprint,
    PartitionSpec,
    ReadSpec,
    Selection,
    SourceCapabilities,
)
from fastload.model import Catalog, Finding, Partition, Table
from fastload.model import Sequence as SequenceModel
from fastload_postgres.catalog import current_sequences, read_catalog
from fastload_postgres.connection import Connection, Sessions
from fastload_postgres.doctor import examine_source
from fastload_postgres.fingerprint import fingerprint
from fastload_postgres.partitions import plan_partitions
from fastload_postgres.quoting import DEFAULT_SCHEMA
from fastload_postgres.reading import BINARY_WIRE, CopyReading, open_reading
from fastload_postgres.snapshot import PostgresSnapshot, open_snapshot

if TYPE_CHECKING:
    from fastload_postgres.copy_hash import CopyHasher


class PostgresSource:
    """Reads one database."""

    default_schema = DEFAULT_SCHEMA

    def __init__(self, sessions: Sessions, identity: str, hash_name: str | None = None) -> None:
        self._sessions = sessions
        self.identity = self.namespace = identity
        self.capabilities = SourceCapabilities(
            snapshot="shared", tail=False, replayable=True, fingerprint=hash_name
        )

    async def catalog(self, select: Selection) -> Catalog:
        """Return the selected tables; see the seam."""
        async with self._sessions.lend() as connection:
            return await read_catalog(connection, select)

    async def sequences(self, catalog: Catalog) -> Sequence[SequenceModel]:
        """Return the sequences' current values; see the seam."""
        async with self._sessions.lend() as connection:
            return await current_sequences(connection, catalog.sequences)

    def snapshot(
        self, tables: Sequence[Table], readers: int
    ) -> AbstractAsyncContextManager[PostgresSnapshot]:
        """Export a snapshot, guard its tables, and join the readers to it."""
        return open_snapshot(self._sessions, tables, readers)

    async def partitions(
        self, table: Table, at: PostgresSnapshot, want: PartitionSpec
    ) -> list[Partition]:
        """Return partitions from what the server knows; see the seam."""
        async with at.reader() as connection:
            return await plan_partitions(connection, table, want)

    @asynccontextmanager
    async def open(
        self, part: Partition, at: PostgresSnapshot, want: ReadSpec
    ) -> AsyncIterator[CopyReading]:
        """Open COPY TO STDOUT over one partition."""
        connection = await at.take()
        reading = None
        try:
            async with open_reading(connection, part, at, want) as reading:
                yield reading
        finally:
            await at.give_back(connection, reusable=reading is not None and reading.complete)

    async def fingerprint(
        self, part: Partition, at: PostgresSnapshot, want: ReadSpec
    ) -> Fingerprint:
        """Let the server hash the rows of a partition; see the seam."""
        async with at.reader() as connection:
            found = await fingerprint(connection, part, want)
            await at.prove_parts(connection, want.table)
            return found

    def wire_hasher(self, wire: str) -> CopyHasher | None:
        """Return what hashes rows of binary COPY as they pass; see the seam."""
        from fastload_postgres.copy_hash import CopyHasher

        return CopyHasher() if wire == BINARY_WIRE else None

    async def examine(self) -> Sequence[Finding]:
        """Return version, rights and settings that matter to a reader."""
        async with self._sessions.lend() as connection:
            return await examine_source(connection)


async def identify(connection: Connection) -> str:
    """Return system identifier and database, or the address where the former is not shown."""
    row = await connection.fetchrow(
        "SELECT has_function_privilege('pg_control_system()', 'execute'), current_database()"
    )
    assert row is not None
    allowed, database = row
    place = "SELECT inet_server_addr()::text || ':' || inet_server_port()"
    cluster = "SELECT system_identifier::text FROM pg_control_system()"
    server = await connection.fetchval(cluster if allowed else place)
    return f"postgresql:{server or 'local'}/{database}"
