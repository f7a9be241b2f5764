"""Connections to PostgreSQL: settings, lending, and giving back."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg

from fastload import sessions
from fastload.secret import forget_locals, password_of
from fastload.socket_facts import keep_alive
from fastload.url import Url
from fastload_postgres.connecting import arguments, connecting, uninterrupted
from fastload_postgres.driver_errors import translated

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection: TypeAlias = asyncpg.Connection
Sessions: TypeAlias = sessions.Sessions[Connection]

LOCK_TIMEOUT_S = 30

# What a server sends and nobody takes counts as lost by tcp_user_timeout: measured, a COPY ended
# whose reader had waited 30 s for a slow target. To writers it sends little.
_USER_TIMEOUT_SINCE = 12
_USER_TIMEOUT = {"source": "0", "target": "30s"}

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
    14: {"client_connection_check_interval": "1s", "idle_session_timeout": "0"},
    17: {"transaction_timeout": "0"},
}
_ONLY_SINCE = {"jit": 11}
SOURCE_SETTINGS = {"row_security": "off", "default_transaction_read_only": "on"}
# Lanes that only add rows of their own would be in each other's way as serializable transactions.
TARGET_SETTINGS = {
    "synchronous_commit": "off",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
}


_WHO = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"""


class PostgresDriver:
    """asyncpg's connections, for one side."""

    def __init__(self, side: str) -> None:
        self.side = side
        # Process id of each session, and when it began: another may have the same id later.
        self._known: dict[int, Any] = {}

    async def open(self, endpoint: Url | Any) -> Connection:
        """Connect, or take a connection out of the caller's pool."""
        made: Connection
        if isinstance(endpoint, Url):
            with connecting(endpoint, self.side):
                made = await _connect(endpoint, self.side)
            with suppress(OSError):  # it has ended already: the first statement says why
                keep_alive(self.socket(made), only_asks=self.side == "source")
        else:
            with self.translated():
                made = await endpoint.acquire()
        return made

    async def configure(self, connection: Connection) -> None:
        """Set what every session of this side has."""
        await _configure(connection, self.side)
        self._known[id(connection)] = await connection.fetchrow(_WHO)

    def usable(self, connection: Connection) -> bool:
        """Say whether the connection still stands."""
        return not connection.is_closed()

    def at_rest(self, connection: Connection) -> bool:
        """Say whether it may be lent again."""
        return not (connection.is_closed() or connection.is_in_transaction())

    async def close(self, connection: Connection) -> None:
        """Close; asyncpg cancels what runs."""
        self._known.pop(id(connection), None)
        await connection.close()

    end = close

    async def end_orphan(self, connection: Connection, endpoint: Any) -> None:
        """End the session: it would hold its locks until its server notices."""
        other = await self.open(endpoint)
        try:
            await other.execute(_END, *self._known[id(connection)])
        finally:
            other.terminate()

    def abort(self, connection: Connection) -> None:
        """Drop the connection without a word to the server."""
        connection.terminate()

    def socket(self, connection: Connection) -> Any:
        """Return the connection's socket."""
        transport: Any = getattr(connection, "_transport", None)
        return transport and transport.get_extra_info("socket")

    async def reset(self, connection: Connection) -> None:
        """Give all settings the values of the caller's sessions."""
        await connection.execute("RESET ALL")

    async def give_back(self, connection: Connection, pool: Any) -> None:
        """Hand the connection back to the caller's pool."""
        await pool.release(connection)

    def translated(self) -> AbstractContextManager[None]:
        """Turn asyncpg's errors raised inside into fastload's."""
        return translated(self.side)


async def _connect(url: Url, side: str) -> Connection:
    known = arguments(url, side)
    try:
        made: Connection = await uninterrupted(
            asyncpg.connect(**known, password=await password_of(url, side))
        )
    except BaseException as error:
        forget_locals(error)
        raise
    return made


async def _configure(connection: Connection, side: str) -> None:
    version = connection.get_server_version().major
    settings = {k: v for k, v in _SETTINGS.items() if version >= _ONLY_SINCE.get(k, 0)}
    for since, extra in _SETTINGS_SINCE.items():
        if version >= since:
            settings |= extra
    if version >= _USER_TIMEOUT_SINCE:
        settings["tcp_user_timeout"] = _USER_TIMEOUT[side]
    settings |= SOURCE_SETTINGS if side == "source" else TARGET_SETTINGS
    await connection.execute(";".join(f"SET {k} = '{v}'" for k, v in settings.items()))


def open_sessions(
    endpoint: Url | Any, *, side: str, limit: int
) -> AbstractAsyncContextManager[Sessions]:
    """Yield sessions of a URL or the caller's pool, and close what is idle at the end."""
    return sessions.open_sessions(PostgresDriver(side), endpoint, limit=limit)
