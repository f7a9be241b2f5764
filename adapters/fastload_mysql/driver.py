"""Sessions of MySQL and MariaDB: how they are opened, set up, ended, and what they run stopped."""

from __future__ import annotations

import re
from contextlib import AbstractAsyncContextManager, AbstractContextManager, suppress
from typing import Any, TypeAlias

import anyio
from pymysql.charset import charset_by_name

from fastload import sessions
from fastload.secret import forget_locals, password_of
from fastload.url import Url
from fastload_mysql.connecting import arguments, connecting
from fastload_mysql.connection import Connection, Flavour, Row
from fastload_mysql.driver_errors import translated
from fastload_mysql.handshake import ServerConnection
from fastload_mysql.packets import COM_RESET_CONNECTION

Sessions: TypeAlias = sessions.Sessions[Connection]

LOCK_TIMEOUT_S = 30
_KILL_S = 1.0
# A partition may wait for the other side this long; a server that cannot tell whether its client
# is gone keeps the client's locks no longer.
_PATIENCE_S = 3600
_IDLE_S = 2_147_483  # the most that every server takes

# Every session: times are UTC, nothing is cut to fewer rows or bytes than it has, nothing of ours
# is timed out but waiting for locks. Keys in full are sorted by more of them than 1024 bytes; rows
# never depend on it. A server refuses to sort what does not fit its buffer some fifteen times.
_SETTINGS = {
    "time_zone": "'+00:00'",
    "autocommit": "1",
    "wait_timeout": str(_IDLE_S),
    "net_read_timeout": str(_PATIENCE_S),
    "net_write_timeout": str(_PATIENCE_S),
    "innodb_lock_wait_timeout": str(LOCK_TIMEOUT_S),
    "lock_wait_timeout": str(LOCK_TIMEOUT_S),
    "default_storage_engine": "InnoDB",
    "max_sort_length": "8192",
    "sort_buffer_size": str(1 << 20),
    "group_concat_max_len": str((1 << 32) - 1),
    "sql_select_limit": "18446744073709551615",
    "max_join_size": "18446744073709551615",
    "sql_big_selects": "1",
    "sql_safe_updates": "0",
    "sql_auto_is_null": "0",
}
# Nothing changes what a source says: no quoting of another kind, no padding of CHAR; and dates that
# no calendar has can be compared, as those that bound a partition are. A target refuses what does
# not fit, but takes the dates that only this family has, and zero as a key.
SQL_MODE = {
    "source": "ALLOW_INVALID_DATES",
    "target": "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES,NO_ENGINE_SUBSTITUTION",
}
_ACCESS = {"source": "READ ONLY", "target": "READ WRITE"}
_WHO = "SELECT @@version, @@version_comment, CONNECTION_ID(), @@hostname, @@port, @@server_id"


class MysqlDriver:
    """The connections of one side."""

    def __init__(self, side: str) -> None:
        self.side = side

    async def open(self, endpoint: Url | Any) -> Connection:
        """Connect, or take a connection out of the caller's ``aiomysql.Pool``."""
        if isinstance(endpoint, Url):
            with connecting(endpoint, self.side):
                raw: Any = await _connect(endpoint, self.side)
        else:
            with self.translated():
                raw = await endpoint.acquire()
        return Connection(raw, self.side, endpoint)

    async def configure(self, connection: Connection) -> None:
        """Find out who answers, and set what every session of this side has."""
        row = await connection.fetchrow(_WHO)
        assert row is not None
        connection.flavour = _flavour(row)
        connection.version = tuple(map(int, re.findall(r"\d+", str(row[0]))[:3]))
        connection.thread_id, connection.server = int(row[2]), row[3:]
        settings = _SETTINGS | dict.fromkeys(connection.product.time_limits, "0")
        settings["sql_mode"] = f"'{SQL_MODE[self.side]}'"
        pairs = ", ".join(f"{name} = {value}" for name, value in settings.items())
        await connection.execute(f"SET NAMES utf8mb4, {pairs}")
        await connection.execute(
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, " + _ACCESS[self.side]
        )

    def usable(self, connection: Connection) -> bool:
        """Say whether the connection still stands."""
        return connection.usable

    def at_rest(self, connection: Connection) -> bool:
        """Say whether it may be lent again."""
        return connection.at_rest

    async def close(self, connection: Connection) -> None:
        """Say goodbye, and wait until the connection is closed."""
        await connection.close()

    async def end(self, connection: Connection) -> None:
        """Close a connection, and stop its statement: a server goes on whose client went away."""
        if not connection.busy and connection.usable:
            await connection.close()
            return
        try:
            connection.stop_reading()
            if connection.busy and connection.thread_id is not None:
                with anyio.move_on_after(_KILL_S), suppress(Exception):
                    await self._kill(connection, "KILL")
        finally:
            connection.abort()
        await connection.wait_closed()

    async def stop_statement(self, connection: Connection) -> None:
        """Stop what a connection runs; its transaction goes on."""
        if connection.thread_id is not None:
            await self._kill(connection, "KILL QUERY")

    async def end_orphan(self, connection: Connection, endpoint: Any) -> None:
        """Do nothing: ``end`` kills whatever runs."""

    async def _kill(self, connection: Connection, word: str) -> None:
        """Kill the session from another one, unless that is on another server."""
        other = await self.open(connection.endpoint)
        try:
            row = await other.fetchrow(_WHO)
            if row is not None and row[3:] == connection.server:
                await other.execute(f"{word} {connection.thread_id}")
        finally:
            if isinstance(connection.endpoint, Url):
                await other.close()
            else:
                await self.give_back(other, connection.endpoint)

    def abort(self, connection: Connection) -> None:
        """Drop the connection without a word to the server."""
        connection.abort()

    def socket(self, connection: Connection) -> Any:
        """Return the connection's socket."""
        return connection.socket

    async def reset(self, connection: Connection) -> None:
        """Give all settings the values of the caller's sessions."""
        raw = connection.raw
        if not connection.product.has_reset:
            await connection.close()  # the pool makes another
            return
        async with connection.exchange() as wire:
            wire.command(COM_RESET_CONNECTION)
            await wire.packet()
            connection.in_step()
        # The login's collation: what SET NAMES alone chooses is the server's affair.
        charset: Any = charset_by_name(raw.charset)
        await raw.query(f"SET NAMES {raw.charset} COLLATE {charset.collation}")
        if raw.sql_mode is not None:
            await raw.query(f"SET sql_mode={raw.sql_mode}")
        if raw.init_command is not None:
            await raw.query(raw.init_command)
        if raw.autocommit_mode is not None:
            await raw.query(f"SET autocommit = {int(raw.autocommit_mode)}")

    async def give_back(self, connection: Connection, pool: Any) -> None:
        """Hand the connection back to the caller's pool."""
        connection.give_up()
        await pool.release(connection.raw)

    def translated(self) -> AbstractContextManager[None]:
        """Turn the driver's errors raised inside into fastload's."""
        return translated(self.side)


async def _connect(url: Url, side: str) -> ServerConnection:
    known = arguments(url, side)
    made = ServerConnection(**known, password=await password_of(url, side) or "")
    try:
        await made.login()
    except BaseException as error:
        forget_locals(error)
        raise
    return made


def _flavour(row: Row) -> Flavour:
    return "mariadb" if "mariadb" in f"{row[0]} {row[1]}".lower() else "mysql"


def open_sessions(
    endpoint: Url | Any, *, side: str, limit: int
) -> AbstractAsyncContextManager[Sessions]:
    """Yield sessions of a URL or the caller's pool, and close what is idle at the end."""
    return sessions.open_sessions(MysqlDriver(side), endpoint, limit=limit)
