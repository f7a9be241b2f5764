"""Connections of any driver: configured, lent, taken back, and closed within a bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import anyio

from fastload import retry
from fastload.errors import ConnectionLost, TooManyConnections
from fastload.tasks import in_full
from fastload.url import Url
from fastload.watching import Watch

if TYPE_CHECKING:
    from fastload.lease import Lease

ConnectionT = TypeVar("ConnectionT")

_CLOSE_S = 1.5


class Driver(Protocol[ConnectionT]):
    """What an adapter knows of its connections, for one side.

    An endpoint is a ``Url`` or the caller's pool. Every call but ``open`` may be cut off by a
    deadline, and whatever it raises while a connection ends is dropped.
    """

    @property
    def side(self) -> str:
        """``"source"`` or ``"target"``, for errors."""
        ...

    async def open(self, endpoint: Any) -> ConnectionT:
        """Connect, or take one out of the pool; raises fastload's errors only."""
        ...

    async def configure(self, connection: ConnectionT) -> None:
        """Set the session up; called once, before it is lent for the first time."""
        ...

    def usable(self, connection: ConnectionT) -> bool:
        """Say whether the connection still stands."""
        ...

    def at_rest(self, connection: ConnectionT) -> bool:
        """Say whether it is usable, in step with the server and outside any transaction."""
        ...

    async def close(self, connection: ConnectionT) -> None:
        """Close a connection at rest."""
        ...

    async def end(self, connection: ConnectionT) -> None:
        """Close a connection in any state, and stop what it runs on the server."""
        ...

    async def end_orphan(self, connection: ConnectionT, endpoint: Any) -> None:
        """Stop what a connection that fell silent has left on the server; before ``end``."""
        ...

    def abort(self, connection: ConnectionT) -> None:
        """Drop what ``end`` or ``close`` have left, without waiting; harmless after them."""
        ...

    def socket(self, connection: ConnectionT) -> Any:
        """Return the connection's socket; None where there is none."""
        ...

    async def reset(self, connection: ConnectionT) -> None:
        """Undo ``configure`` before the connection goes back to the caller's pool."""
        ...

    async def give_back(self, connection: ConnectionT, pool: Any) -> None:
        """Hand a connection, alive or ended, back to the pool that it came from."""
        ...

    def translated(self) -> AbstractContextManager[None]:
        """Turn the driver's errors raised inside into fastload's."""
        ...


class Sessions(Generic[ConnectionT]):
    """Lends configured connections and takes them back.

    Guarantees: a connection whose use raised, or was cancelled, is closed and never lent again;
    closing takes at most ``_CLOSE_S``. Relies on: one event loop.

    Attributes:
        lease: What shows that this process lives, where something does. It has one of these
            connections, until somebody else gets none.
    """

    def __init__(self, driver: Driver[ConnectionT], endpoint: Url | Any, *, limit: int) -> None:
        self._driver = driver
        self._endpoint = endpoint
        self._limiter = anyio.Semaphore(limit)
        self._idle: list[ConnectionT] = []
        self._open = 0
        self._used: dict[int, ConnectionT] = {}
        self.lease: Lease[ConnectionT] | None = None
        # The caller's pool may have no connection to spare.
        watched = isinstance(endpoint, Url)
        self._watch = Watch(driver, endpoint, self._used.values) if watched else None

    @property
    def side(self) -> str:
        """``"source"`` or ``"target"``, for errors."""
        return self._driver.side

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[ConnectionT]:
        """Lend a connection; driver errors inside become fastload's."""
        connection = await self.acquire()
        try:
            with self.noticing(connection), self._driver.translated():
                yield connection
        except BaseException:
            await self.discard(connection)
            raise
        await self.release(connection)

    @contextmanager
    def noticing(self, connection: ConnectionT) -> Iterator[None]:
        """Say of a connection that was lost inside whether its server had fallen silent."""
        try:
            yield
        except ConnectionLost as error:
            if self._watch is None or id(connection) not in self._watch.silent:
                raise
            raise ConnectionLost(
                f"{self.side}: the server has fallen silent",
                side=self.side,
                table=error.table,
                hint="look at the server and the network; then start the run again: it continues",
            ) from error

    @property
    def can_show(self) -> bool:
        """Whether one may be kept to show a sign of life.

        The last of a caller's pool may be needed to stop what another one runs.
        """
        return isinstance(self._endpoint, Url)

    def set_aside(self, connection: ConnectionT) -> None:
        """Say that a lent connection is only kept, and nobody waits for its server."""
        self._used.pop(id(connection), None)

    def take_up(self, connection: ConnectionT) -> None:
        """Say that a connection that was set aside is used again."""
        self._used[id(connection)] = connection

    async def acquire(self) -> ConnectionT:
        """Return a connection that the caller must release or discard."""
        await self._limiter.acquire()
        try:
            connection = await self._take()
        except BaseException:
            self._limiter.release()
            raise
        self.take_up(connection)
        if self._watch is not None:
            self._watch.begin()
        return connection

    async def release(self, connection: ConnectionT) -> None:
        """Take back a connection that is outside any transaction."""
        if self._driver.at_rest(connection):
            self.set_aside(connection)
            self._idle.append(connection)
            self._limiter.release()
        else:
            await self.discard(connection)

    async def discard(self, connection: ConnectionT) -> None:
        """Close a connection that must not be lent again, and what it runs on the server."""
        try:
            await in_full(self._end(connection))
        finally:
            self._limiter.release()

    async def _take(self) -> ConnectionT:
        while self._idle:
            connection = self._idle.pop()
            if self._driver.usable(connection):
                return connection
            await in_full(self._end(connection))
        connection = await self._opened()
        self._open += 1
        try:
            with self._driver.translated():
                await self._driver.configure(connection)
        except BaseException:
            await in_full(self._end(connection))
            raise
        return connection

    async def _opened(self) -> ConnectionT:
        """Open a connection; the first is waited for, while more can be done without."""
        attempts = retry.Attempts(in_lane=self._open > 0)
        while True:
            try:
                return await self._driver.open(self._endpoint)
            except TooManyConnections as error:
                if self.lease is not None and await self.lease.give_up():
                    attempts = retry.Attempts()  # until the server has noticed
                await attempts.pause_after(error)

    async def _end(self, connection: ConnectionT) -> None:
        self._open -= 1
        self.set_aside(connection)
        try:
            if self._watch is not None and id(connection) in self._watch.silent:
                self._watch.silent.remove(id(connection))
                with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):
                    await self._driver.end_orphan(connection, self._endpoint)
            with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):
                await self._driver.end(connection)
        finally:  # a loop that is closed cancels even what is done in full
            await self._drop(connection)

    async def _drop(self, connection: ConnectionT) -> None:
        with suppress(Exception):
            self._driver.abort(connection)
        if not isinstance(self._endpoint, Url):
            with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):
                await self._driver.give_back(connection, self._endpoint)

    async def close(self) -> None:
        """Close or return every idle connection, side by side: an exit takes some milliseconds.

        Others may still be lent and taken back, or new ones opened.
        """
        async with anyio.create_task_group() as group:
            while self._idle:
                group.start_soon(self._close_one, self._idle.pop())

    async def end(self) -> None:
        """Close what is idle, and look after the others no more."""
        await self.end_lease()
        if self._watch is not None:
            await self._watch.end()
        await self.close()

    async def end_lease(self) -> None:
        """Show no longer that this process lives."""
        lease, self.lease = self.lease, None
        if lease is not None:
            await lease.end()

    async def _close_one(self, connection: ConnectionT) -> None:
        self._open -= 1
        closed = False
        try:
            with anyio.move_on_after(_CLOSE_S, shield=True), suppress(Exception):
                if isinstance(self._endpoint, Url):
                    await self._driver.close(connection)
                else:
                    await self._driver.reset(connection)
                    await self._driver.give_back(connection, self._endpoint)
                closed = True
        finally:
            if not closed:
                await self._drop(connection)


@asynccontextmanager
async def open_sessions(
    driver: Driver[ConnectionT], endpoint: Url | Any, *, limit: int
) -> AsyncIterator[Sessions[ConnectionT]]:
    """Yield sessions of a URL or the caller's pool, and close what is idle at the end."""
    sessions = Sessions(driver, endpoint, limit=limit)
    try:
        yield sessions
    finally:
        await in_full(sessions.end())
