"""One moment of the source that several connections see.

InnoDB has no snapshot that a second session could join. So all readers begin theirs while nothing
can be committed, under a lock that is held for as long as they take to begin, some milliseconds.
Where no lock can be had, each has a cut of its own, and the result says so. MariaDB tells where in
the log each reader's snapshot stands, but that proves nothing: two readers at one place differ by
what is not logged, and a place told while others ask for theirs may be another's.

Before the lock is released, every reader opens every table: the metadata locks that this leaves
stop DDL until the readers end, which no snapshot of rows would notice.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import anyio

from fastload.errors import FastloadError, TooManyConnections
from fastload.model import Cut, Position, Table
from fastload.tasks import in_full, task_group
from fastload_mysql.connection import Connection
from fastload_mysql.driver import Sessions
from fastload_mysql.locking import locked
from fastload_mysql.position import (
    Place,
    position_at,
    position_under_lock,
    snapshot_place,
)
from fastload_mysql.proof import open_tables, prove

_BEGIN = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"
_ROLLBACK_S = 2.0
_UNKNOWN = Cut(visible="")


class Reader:
    """A connection inside a transaction that sees one cut."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.cut = _UNKNOWN
        self.place: Place | None = None

    async def begin(self) -> None:
        """Begin a transaction that sees this moment."""
        await self.connection.execute(_BEGIN)

    async def find_place(self) -> None:
        """Ask where in the log this reader's snapshot stands."""
        self.place = await snapshot_place(self.connection)

    async def settle_alone(self, because: str | None) -> None:
        """Have a cut of its own."""
        position = await position_at(self.connection, self.place)
        self.cut = Cut(uuid.uuid4().hex, position, because)


class MysqlSnapshot:
    """The readers of one moment; those that are lost are replaced by readers of a later one."""

    token = None

    def __init__(self, sessions: Sessions, tables: Sequence[Table]) -> None:
        self._sessions = sessions
        self._tables = tables
        self._idle: list[Reader] = []
        self.cut = _UNKNOWN
        self.readers = 0

    async def take(self) -> Reader:
        """Return a reader; a new one, with a cut of its own, where all are in use or lost."""
        if not self._idle:
            return await self._replacement()
        self._sessions.take_up(self._idle[-1].connection)
        return self._idle.pop()

    async def give_back(self, reader: Reader, *, reusable: bool) -> None:
        """Keep the reader for the next partition, or end it with whatever it runs."""
        if reusable:
            self._sessions.set_aside(reader.connection)
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

    async def connect(self, readers: int) -> None:
        """Have as many connections, made side by side: no lock waits for a login.

        Or as many as the server lets in.
        """
        refused: list[TooManyConnections] = []

        async def one() -> None:
            try:
                self._idle.append(Reader(await self._sessions.acquire()))
            except TooManyConnections as error:
                refused.append(error)

        async with task_group() as group:
            for _ in range(readers):
                group.start_soon(one)
        self.readers = len(self._idle)
        if refused and not self.readers:
            raise refused[0]

    async def begin_under_lock(self) -> None:
        """Begin all readers while nothing can be committed, and have them open the tables."""
        await self._each(Reader.begin)
        await self._each(self._open)
        position = await position_under_lock(self._idle[0].connection)
        self._settle_together(position)

    async def begin_without_lock(self, refused: str) -> None:
        """Begin all readers, each at a moment of its own; one alone sees one."""
        await self._each(Reader.begin)
        for reader in self._idle:  # not side by side: see ``snapshot_place``
            await reader.find_place()
        await self._each(self._open)
        first = self._idle[0]
        if len(self._idle) == 1:
            self._settle_together(await position_at(first.connection, first.place))
            return
        because = f"every reader began at a moment of its own, as {refused}"
        await self._each(lambda reader: reader.settle_alone(because))
        self.cut = first.cut

    def _settle_together(self, position: Position | None) -> None:
        self.cut = Cut(uuid.uuid4().hex, position)
        for reader in self._idle:
            reader.cut = self.cut

    async def _each(self, action: Callable[[Reader], Coroutine[Any, Any, None]]) -> None:
        async with task_group() as group:
            for reader in self._idle:
                group.start_soon(action, reader)

    async def _open(self, reader: Reader) -> None:
        await open_tables(reader.connection, self._tables)

    async def _replacement(self) -> Reader:
        reader = Reader(await self._sessions.acquire())
        try:
            await reader.begin()
            await reader.find_place()
            await self._open(reader)
            async with self._sessions.lend() as control:
                await prove(control, self._tables)
            await reader.settle_alone("a reader was lost, and another sees a later moment")
        except BaseException:
            await self._sessions.discard(reader.connection)
            raise
        return reader

    def set_aside(self) -> None:
        """Say that nobody waits for the readers, until they are taken."""
        for reader in self._idle:
            self._sessions.set_aside(reader.connection)

    async def leave(self) -> None:
        """End every idle reader's transaction and give its connection back."""
        async with task_group() as group:
            while self._idle:
                group.start_soon(self._end, self._idle.pop().connection)

    async def _end(self, connection: Connection) -> None:
        if await _rolled_back(connection):
            await self._sessions.release(connection)
        else:
            await self._sessions.discard(connection)


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
            await snapshot.connect(readers)
            async with locked(control, tables) as refused:
                if refused is None:
                    await snapshot.begin_under_lock()
            if refused is not None:
                await snapshot.begin_without_lock(refused)
            await prove(control, tables)
        snapshot.set_aside()
        yield snapshot


async def _leave(snapshot: MysqlSnapshot) -> None:
    await in_full(snapshot.leave())
