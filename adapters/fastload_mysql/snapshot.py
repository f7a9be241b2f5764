"""One moment of the source that several connections see.

InnoDB has no snapshot that a second session could join. So all readers begin theirs while nothing
can be committed: a global read lock is asked for with a short timeout, since it waits for running
statements and lets no later one pass, and is held for as long as the readers take to begin, some
milliseconds. Where the user may not take it, the tables themselves are locked for that time; where
that is refused too, each reader has a cut of its own and the result says so.

Before the lock is released, every reader opens every table: the metadata locks that this leaves
stop DDL until the readers end, which no snapshot of rows would notice.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import anyio

from fastload.errors import FastloadError, SnapshotLost
from fastload.model import Cut, Position, Table
from fastload.tasks import task_group
from fastload_mysql.catalog import read_tables
from fastload_mysql.connection import Connection
from fastload_mysql.driver import Sessions
from fastload_mysql.locking import Lock, locked
from fastload_mysql.position import read_position
from fastload_mysql.quoting import qualified

_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
_OPENED_AT_ONCE = 200
_ROLLBACK_S = 2.0


class Reader:
    """A connection inside a transaction that sees one cut."""

    def __init__(self, connection: Connection, cut: Cut) -> None:
        self.connection = connection
        self.cut = cut


class MysqlSnapshot:
    """The readers of one moment; those that are lost are replaced by readers of a later one."""

    token = None

    def __init__(self, sessions: Sessions, tables: Sequence[Table]) -> None:
        self._sessions = sessions
        self._tables = tables
        self._idle: list[Reader] = []
        self.cut = Cut(visible="")

    async def take(self) -> Reader:
        """Return a reader; a new one, with a cut of its own, where all are in use or lost."""
        if self._idle:
            return self._idle.pop()
        reader = await self._begin_one(None)
        because = "a reader was lost, and another could not see the same moment"
        cut = Cut(visible=reader.cut.visible, inconsistent_because=because)
        return Reader(reader.connection, cut)

    async def give_back(self, reader: Reader, *, reusable: bool) -> None:
        """Keep the reader for the next partition, or end it with whatever it runs."""
        if reusable:
            self._idle.append(reader)
        else:
            await self._sessions.discard(reader.connection)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[Connection]:
        """Lend a connection inside the snapshot for queries."""
        reader = await self.take()
        reusable = False
        try:
            yield reader.connection
            reusable = True
        finally:
            await self.give_back(reader, reusable=reusable)

    async def begin(self, readers: int, lock: Lock) -> None:
        """Begin all readers, side by side, while the lock is held."""
        visible = uuid.uuid4().hex if lock.because is None else None
        async with task_group() as group:
            for _ in range(readers):
                group.start_soon(self._begin_into, visible, lock.because)

    async def _begin_into(self, visible: str | None, because: str | None) -> None:
        reader = await self._begin_one(visible)
        cut = Cut(
            visible=reader.cut.visible,
            position=reader.cut.position,
            inconsistent_because=because,
        )
        self._idle.append(Reader(reader.connection, cut))

    async def _begin_one(self, visible: str | None) -> Reader:
        connection = await self._sessions.acquire()
        try:
            await connection.execute(_BEGIN)
            await _open(connection, self._tables)
        except BaseException:
            await self._sessions.discard(connection)
            raise
        return Reader(connection, Cut(visible=visible or uuid.uuid4().hex))

    def settle(self, position: Position | None) -> None:
        """Give all readers of one moment the position of the log there."""
        self._idle = [
            Reader(r.connection, Cut(r.cut.visible, position, r.cut.inconsistent_because))
            for r in self._idle
        ]
        self.cut = self._idle[0].cut

    async def leave(self) -> None:
        """End every idle reader's transaction and give its connection back."""
        while self._idle:
            connection = self._idle.pop().connection
            if await _rolled_back(connection):
                await self._sessions.release(connection)
            else:
                await self._sessions.discard(connection)


async def _open(connection: Connection, tables: Sequence[Table]) -> None:
    """Open every table inside the transaction, which keeps DDL away from them."""
    for start in range(0, len(tables), _OPENED_AT_ONCE):
        part = tables[start : start + _OPENED_AT_ONCE]
        await connection.fetch(
            " UNION ALL ".join(f"(SELECT 1 FROM {qualified(t.name)} LIMIT 0)" for t in part)
        )


async def _rolled_back(connection: Connection) -> bool:
    """End a transaction that has only read; a server that does not answer is not waited for."""
    with suppress(FastloadError), anyio.move_on_after(_ROLLBACK_S):
        await connection.execute("ROLLBACK")
        return True
    return False


@asynccontextmanager
async def open_snapshot(
    sessions: Sessions, tables: Sequence[Table], readers: int
) -> AsyncIterator[MysqlSnapshot]:
    """Begin the readers at one moment, prove that the tables are as planned, and end them."""
    snapshot = MysqlSnapshot(sessions, tables)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_leave, snapshot)
        async with sessions.lend() as control:
            async with locked(control, tables) as lock:
                await snapshot.begin(readers, lock)
                position = None if lock.because else await read_position(control)
            snapshot.settle(position)
            await _prove(control, tables)
        yield snapshot


async def _leave(snapshot: MysqlSnapshot) -> None:
    with anyio.CancelScope(shield=True):
        await snapshot.leave()


async def _prove(connection: Connection, tables: Sequence[Table]) -> None:
    """Compare the tables, which no DDL can change any more, with what was planned."""
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
