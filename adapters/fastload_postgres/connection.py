"""Connections to PostgreSQL: settings, lending, and giving back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import asyncpg

from fastload.url import Url
from fastload_postgres.connecting import arguments, connecting
from fastload_postgres.driver_errors import translated

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection: TypeAlias = asyncpg.Connection

LOCK_TIMEOUT_S = 30

# Every session: names resolve nowhere but in pg_catalog, so that each name the server prints or
# reads is qualified; text forms are the exact ones; nothing of ours is timed out by the server;
# a peer that vanished is noticed in about half a minute.
_SETTINGS = {
    "search_path": "pg_catalog",
    "timezone": "UTC",
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmloption": "content",
    "statement_timeout": "0",
    "lock_timeout": f"{LOCK_TIMEOUT_S}s",
    "idle_in_transaction_session_timeout": "0",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "jit": "off",
}
_SETTINGS_SINCE = {
    12: {"tcp_user_timeout": "30s"},
    14: {"client_connection_check_interval": "1s", "idle_session_timeout": "0"},
    17: {"transaction_timeout": "0"},
}
_ONLY_SINCE = {"jit": 11}
SOURCE_SETTINGS = {"row_security": "off", "default_transaction_read_only": "on"}
TARGET_SETTINGS = {"synchronous_commit": "off", "default_transaction_read_only": "off"}


class Sessions:
    """Lends configured connections and takes them back.

    Guarantees: a connection whose use raised, or was cancelled, is closed and never lent again;
    closing takes at most ``_CLOSE_S``. Relies on: one event loop.
    """

    _CLOSE_S = 1.5

    def __init__(self, endpoint: Url | Any, *, side: str, limit: int) -> None:
        self._endpoint = endpoint
        self._side = side
        self._limiter = anyio.Semaphore(limit)
        self._idle: list[Connection] = []

    @property
    def side(self) -> str:
        """``"source"`` or ``"target"``, for errors."""
        return self._side

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Connection]:
        """Lend a connection; driver errors inside become fastload's."""
        connection = await self.acquire()
        try:
            with translated(self._side):
                yield connection
        except BaseException:
            await self.discard(connection)
            raise
        await self.release(connection)

    async def acquire(self) -> Connection:
        """Return a connection that the caller must release or discard."""
        await self._limiter.acquire()
        try:
            return await self._take()
        except BaseException:
            self._limiter.release()
            raise

    async def release(self, connection: Connection) -> None:
        """Take back a connection that is outside any transaction."""
        if connection.is_closed() or connection.is_in_transaction():
            await self.discard(connection)
        else:
            self._idle.append(connection)
            self._limiter.release()

    async def discard(self, connection: Connection) -> None:
        """Close a connection that must not be lent again, and what it runs on the server."""
        try:
            await self._end(connection)
        finally:
            self._limiter.release()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not connection.is_closed():
                return connection
        connection = await self._open()
        try:
            with translated(self._side):
                await _configure(connection, self._side)
        except BaseException:
            await self._end(connection)
            raise
        return connection

    async def _open(self) -> Connection:
        made: Connection
        if isinstance(self._endpoint, Url):
            with connecting(self._endpoint, self._side):
                made = await asyncpg.connect(**arguments(self._endpoint, self._side))
        else:
            with translated(self._side):
                made = await self._endpoint.acquire()
        return made

    async def _end(self, connection: Connection) -> None:
        with anyio.move_on_after(self._CLOSE_S, shield=True), suppress(Exception):
            await connection.close()
        with suppress(Exception):
            connection.terminate()
        if not isinstance(self._endpoint, Url):
            with anyio.move_on_after(self._CLOSE_S, shield=True), suppress(Exception):
                await self._endpoint.release(connection)

    async def close(self) -> None:
        """Close or return every idle connection, side by side: an exit takes some milliseconds."""
        async with anyio.create_task_group() as group:
            while self._idle:
                group.start_soon(self._close_one, self._idle.pop())

    async def _close_one(self, connection: Connection) -> None:
        with anyio.move_on_after(self._CLOSE_S, shield=True), suppress(Exception):
            if isinstance(self._endpoint, Url):
                await connection.close(timeout=self._CLOSE_S)
            else:
                await connection.execute("RESET ALL")
                await self._endpoint.release(connection)


async def _configure(connection: Connection, side: str) -> None:
    version = connection.get_server_version().major
    settings = {k: v for k, v in _SETTINGS.items() if version >= _ONLY_SINCE.get(k, 0)}
    for since, extra in _SETTINGS_SINCE.items():
        if version >= since:
            settings |= extra
    settings |= SOURCE_SETTINGS if side == "source" else TARGET_SETTINGS
    await connection.execute(";".join(f"SET {k} = '{v}'" for k, v in settings.items()))


@asynccontextmanager
async def open_sessions(endpoint: Url | Any, *, side: str, limit: int) -> AsyncIterator[Sessions]:
    """Yield sessions of a URL or the caller's pool, and close what is idle at the end."""
    sessions = Sessions(endpoint, side=side, limit=limit)
    try:
        yield sessions
    finally:
        await sessions.close()
