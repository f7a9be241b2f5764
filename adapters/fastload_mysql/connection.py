"""Connections to MySQL and MariaDB: settings, statements, and their ends."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, TypeAlias, cast

from pymysql import err
from pymysql.constants import CLIENT

from fastload.errors import FastloadError, SourceError, TargetError
from fastload.socket_facts import keep_alive
from fastload_mysql.compression import begin_command
from fastload_mysql.driver_errors import translated
from fastload_mysql.flavours import Server
from fastload_mysql.packets import COM_QUIT, IN_TRANSACTION, framed
from fastload_mysql.wire import Wire

Row: TypeAlias = tuple[Any, ...]
Flavour = Literal["mysql", "mariadb"]

# A quote that is doubled begins another text or name at once.
_QUOTED_OR_PLACE = re.compile(r"`[^`]*+`|'(?:[^'\\]++|\\.)*+'|%s", re.DOTALL)


class Connection:
    """One session of a server, around the driver's connection.

    Args:
        raw: An ``aiomysql.Connection`` that is logged in.
        side: ``"source"`` or ``"target"``.
        endpoint: Where it comes from: another one from there can stop what it runs.
    """

    def __init__(self, raw: Any, side: str, endpoint: Any) -> None:
        self.raw = raw
        self.side = side
        self.endpoint = endpoint
        self.flavour: Flavour = "mysql"
        self.version: tuple[int, ...] = ()
        # Its number on its server, and what tells this server from others behind one address.
        self.thread_id: int | None = None
        self.server: Row = ()
        self._busy = False
        self._writer: asyncio.StreamWriter = raw._writer
        self._reader: Any = raw._reader
        self._allows_files = raw._local_infile
        raw._local_infile = False
        # Whether LOAD DATA LOCAL is worth a try: the login allowed it, and it was not refused.
        self.sends_files = bool(raw.client_flag & CLIENT.LOCAL_FILES)
        with suppress(OSError):  # it has ended already: the first statement says why
            keep_alive(self.socket, only_asks=side == "source")

    @property
    def socket(self) -> Any:
        """The connection's socket, or None."""
        return self._writer.get_extra_info("socket")

    @property
    def product(self) -> Server:
        """What answers, by what it can do; known once the session is configured."""
        major, minor, patch = (*self.version, 0, 0, 0)[:3]
        return Server(flavour=self.flavour, version=(major, minor, patch))

    @property
    def usable(self) -> bool:
        """Whether the connection still stands."""
        gone = self.raw.closed or self._writer.transport.is_closing() or self._reader.at_eof()
        return not gone

    @property
    def busy(self) -> bool:
        """Whether a statement may be running, or its answer is not read to the end."""
        return self._busy

    @property
    def at_rest(self) -> bool:
        """Whether it is usable, in step with the server and outside any transaction."""
        return self.usable and not self._busy and not self.in_transaction

    @property
    def in_transaction(self) -> bool:
        """Whether the server said so in its last answer."""
        return bool(self.raw.server_status & IN_TRANSACTION)

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Run one statement; return the rows it changed.

        Args:
            sql: With ``%s`` for each argument, outside of quotes.
            args: Values that are written as literals.
        """
        result = await self._query(sql, args)
        return int(result.affected_rows)

    async def change(self, sql: bytes) -> tuple[int, int]:
        """Run one statement as it is; return the rows it changed, and how many warnings it gave."""
        result = await self._query(sql, ())
        return int(result.affected_rows), int(result.warning_count)

    async def fetch(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """Return all rows."""
        return list((await self._query(sql, args)).rows or ())

    async def fetch_named(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return all rows by the names of their columns."""
        result = await self._query(sql, args)
        names = [column[0] for column in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.rows or ()]

    async def fetchrow(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        """Return the first row, if there is one."""
        rows = await self.fetch(sql, args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, args: Sequence[Any] = ()) -> Any:
        """Return the first column of the first row, or None."""
        row = await self.fetchrow(sql, args)
        return row[0] if row else None

    def literal(self, value: object) -> str:
        """Return a value as SQL, as this session's server reads it."""
        return str(self.raw.literal(value))

    def _filled(self, sql: str, args: Sequence[Any]) -> str:
        """Return a statement with its arguments; what names and texts in it hold is theirs."""
        left = iter(args)

        def put(found: re.Match[str]) -> str:
            return self.literal(next(left)) if found[0] == "%s" else found[0]

        filled = _QUOTED_OR_PLACE.sub(put, sql)
        assert next(left, None) is None, "a statement takes all of its arguments"
        return filled

    async def _query(self, sql: str | bytes, args: Sequence[Any]) -> Any:
        with translated(self.side):
            if not self.usable:
                raise ConnectionResetError("the connection is closed")
            text = self._filled(sql, args) if args and isinstance(sql, str) else sql
            self._busy = True
            try:
                await self.raw.query(text)
            except err.Error:
                # An error that the server told leaves both in step; a lost statement may run on.
                self._busy = bool(self.raw.closed)
                raise
            except RuntimeError as error:
                if "LOAD_LOCAL" not in str(error):
                    raise
                self.abort()
                raise self._asked_for_a_file() from error
            self._busy = False
        return self.raw._result

    def _asked_for_a_file(self) -> FastloadError:
        kind = SourceError if self.side == "source" else TargetError
        return kind(
            f"{self.side}: the server asked for a file of this machine",
            side=self.side,
            hint="nothing was sent; do not trust this server until you know why",
        )

    @asynccontextmanager
    async def exchange(self) -> AsyncIterator[Wire]:
        """Lend the bytes of the connection; ``in_step`` has to be called before the end."""
        if not self.usable or self._busy:
            raise ConnectionResetError("the connection is closed or out of step")
        self._busy = True
        wire = Wire(self._writer)
        try:
            yield wire
        finally:
            wire.leave()

    def in_step(self) -> None:
        """Say that all of the last answer was read."""
        self._busy = False

    def note_status(self, status: int) -> None:
        """Keep what the server said last of its session."""
        self.raw.server_status = status

    async def close(self) -> None:
        """Say goodbye, and wait until the connection is closed."""
        if self.usable:
            with suppress(OSError):
                begin_command(self._writer.transport)
                self._writer.write(framed(COM_QUIT))
                await self._writer.drain()
        self.raw.close()
        self._writer.close()
        await self.wait_closed()

    def stop_reading(self) -> None:
        """Read nothing more, and so no end either.

        What says that it ends makes uvloop (0.22) complain where bytes of ours wait under TLS.
        """
        transport = cast("asyncio.Transport", self._writer.transport)
        if not transport.is_closing():
            transport.pause_reading()

    def abort(self) -> None:
        """Close at once, without a word to the server."""
        self.raw.close()
        self._writer.transport.abort()

    def give_up(self) -> None:
        """Leave the driver's connection as it was before, for its owner."""
        self.raw._local_infile = self._allows_files

    async def wait_closed(self) -> None:
        """Wait until the loop has closed the socket."""
        with suppress(OSError):
            await self._writer.wait_closed()
