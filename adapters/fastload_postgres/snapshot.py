"""A snapshot that many readers share, and the guard that keeps it true.

An exported snapshot alone does not protect a table: TRUNCATE and rewriting ALTERs are not
MVCC-safe, so a later reader of the same snapshot would find no rows, without any error. So the
holder locks every table ACCESS SHARE right after the export and compares, per table, the storage
that its snapshot sees with the storage that is current, and the columns with those of the
catalogue.

Readers take the same locks when they join, not when they read: a lock asked for later would
queue behind an ALTER that waits for the holder, which waits for the reader.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

import anyio
import asyncpg

from fastload.errors import FastloadError, SnapshotLost, TooManyConnections
from fastload.model import Cut, Position, Table
from fastload.tasks import in_full, task_group
from fastload_postgres.catalog import current_signatures, storage
from fastload_postgres.connection import Connection, Sessions
from fastload_postgres.driver_errors import translated
from fastload_postgres.quoting import literal, qualified

_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
_ROLLBACK_S = 2.0
_PARTITION_TREE_SINCE = 12


class PostgresSnapshot:
    """One exported snapshot and the connections that have joined it."""

    def __init__(
        self,
        sessions: Sessions,
        tables: Sequence[Table],
        parts: Mapping[int, Sequence[int]],
        token: str,
        cut: Cut,
    ) -> None:
        self._sessions = sessions
        self._tables = tables
        self._parts = parts
        self._idle: list[Connection] = []
        self.token = token
        self.cut = cut
        self.readers = 0

    async def take(self) -> Connection:
        """Return a connection inside the snapshot, joining one more where all are in use."""
        if not self._idle:
            return await self._join()
        self._sessions.take_up(self._idle[-1])
        return self._idle.pop()

    async def give_back(self, connection: Connection, *, reusable: bool) -> None:
        """Keep the connection for the next reader, or close it with whatever it runs."""
        if reusable and not connection.is_closed():
            self._sessions.set_aside(connection)
            self._idle.append(connection)
        else:
            await self._sessions.discard(connection)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """Lend a connection inside the snapshot for queries."""
        connection = await self.take()
        reusable = False
        try:
            with translated("source"):
                yield connection
            reusable = True
        finally:
            await self.give_back(connection, reusable=reusable)

    async def _join(self) -> Connection:
        connection = await self._sessions.acquire()
        try:
            with translated("source"):
                with _holder_ended():
                    await connection.execute(
                        f"{_BEGIN}; SET TRANSACTION SNAPSHOT {literal(self.token)}"
                    )
                await _lock(connection, self._tables)
        except BaseException:
            await self._sessions.discard(connection)
            raise
        return connection

    async def join(self, readers: int) -> None:
        """Join this many readers at once, or as many as the server lets in."""
        refused: list[TooManyConnections] = []

        async def one() -> None:
            try:
                joined = await self._join()
                self._sessions.set_aside(joined)
                self._idle.append(joined)
            except TooManyConnections as error:
                refused.append(error)

        async with task_group() as group:
            for _ in range(readers):
                group.start_soon(one)
        self.readers = len(self._idle)
        if refused and not self.readers:
            raise refused[0]

    async def prove_parts(self, connection: Connection, table: Table) -> None:
        """Raise SnapshotLost where a partitioned table has other parts than at the beginning.

        ATTACH PARTITION waits for no reader, and the rows that it brings are of no snapshot:
        whoever reads later sees them, and whoever has read before does not.
        """
        oid = int(table.extra["oid"])
        if oid in self._parts and await _parts(connection, [table]) != {oid: self._parts[oid]}:
            raise _lost(table, "got or lost a partition while it was read")

    async def leave(self) -> None:
        """End every idle reader's transaction and give its connection back."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(FastloadError):
                await _roll_back(connection)
            if connection.is_in_transaction():
                await self._sessions.discard(connection)
            else:
                await self._sessions.release(connection)


async def _roll_back(connection: Connection) -> None:
    """End a transaction that has only read; a server that does not answer is not waited for."""
    with translated("source"), anyio.move_on_after(_ROLLBACK_S):
        await connection.execute("ROLLBACK")


async def _parts(connection: Connection, tables: Sequence[Table]) -> dict[int, list[int]]:
    """Return the members of each partitioned table, as the catalogue has them at this moment.

    The function looks beyond the transaction's snapshot, where a query of pg_inherits would not.
    """
    oids = [int(t.extra["oid"]) for t in tables if t.extra.get("relkind") == "p"]
    if not oids or connection.get_server_version().major < _PARTITION_TREE_SINCE:
        return {}
    rows = await connection.fetch(
        "SELECT o AS oid, array_agg(t.relid::oid ORDER BY t.relid) AS members "
        "FROM unnest($1::oid[]) AS o, pg_partition_tree(o::regclass) AS t GROUP BY 1",
        oids,
    )
    return {row["oid"]: row["members"] for row in rows}


@contextmanager
def _holder_ended() -> Iterator[None]:
    """Say so where a snapshot that was exported is not known any more."""
    try:
        yield
    except (
        asyncpg.InvalidParameterValueError,
        asyncpg.UndefinedObjectError,
        asyncpg.ObjectNotInPrerequisiteStateError,
    ) as error:
        raise SnapshotLost(
            "source: the session that held the snapshot has ended",
            side="source",
            hint="start the run again: it continues",
        ) from error


@asynccontextmanager
async def open_snapshot(
    sessions: Sessions, tables: Sequence[Table], readers: int
) -> AsyncIterator[PostgresSnapshot]:
    """Export a snapshot, prove that it covers the tables, and let the readers join it."""
    async with AsyncExitStack() as stack:
        holder = await stack.enter_async_context(sessions.lend())
        await holder.execute(_BEGIN)
        token, cut = await _export(holder)
        await _lock(holder, tables)
        await _prove(sessions, holder, tables)
        parts = await _parts(holder, tables)
        snapshot = PostgresSnapshot(sessions, tables, parts, token, cut)
        try:
            await snapshot.join(readers)
            sessions.set_aside(holder)
            yield snapshot
        finally:
            await in_full(snapshot.leave())
        with suppress(FastloadError):
            await _roll_back(holder)


async def _export(holder: Connection) -> tuple[str, Cut]:
    version = holder.get_server_version().major
    visible = "pg_current_snapshot()" if version >= 13 else "txid_current_snapshot()"
    row = await holder.fetchrow(
        f"SELECT pg_export_snapshot() AS token, {visible}::text AS visible, "
        "CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() "
        "ELSE pg_current_wal_lsn() END::text AS position"
    )
    assert row is not None
    return row["token"], Cut(visible=row["visible"], position=Position(row["position"]))


async def _lock(connection: Connection, tables: Sequence[Table]) -> None:
    if tables:
        names = ", ".join(qualified(t.name) for t in tables)
        await connection.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE")


async def _prove(sessions: Sessions, holder: Connection, tables: Sequence[Table]) -> None:
    by_oid = {int(t.extra["oid"]): t for t in tables}
    stored = await storage(holder, list(by_oid))
    # The columns as they are now, under the locks, and not as the snapshot sees them.
    async with sessions.lend() as fresh:
        signatures = await current_signatures(fresh, list(by_oid))
    for oid, table in by_oid.items():
        seen, now = stored[oid]
        if oid not in signatures:
            raise _lost(table, "was dropped while the copy was planned")
        if seen != now:
            raise _lost(table, "was truncated or rewritten while the snapshot was taken")
        if signatures[oid] != table.extra["signature"]:
            raise _lost(table, "was altered while the copy was planned")


def _lost(table: Table, what: str) -> SnapshotLost:
    return SnapshotLost(
        f"table {table.name} {what}",
        side="source",
        table=str(table.name),
        hint="nothing was copied from this snapshot; start the run again",
    )
