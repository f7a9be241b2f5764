"""Connections to PostgreSQL: settings, lending, and the only place that knows driver errors."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import asyncpg

from fastload import errors
from fastload.url import Url

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[Any]
else:
    Connection: TypeAlias = asyncpg.Connection

CONNECT_TIMEOUT_S = 30.0
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
        if isinstance(self._endpoint, Url):
            connection = await connect(self._endpoint, self._side)
        else:
            with translated(self._side):
                connection = await self._endpoint.acquire()
        try:
            with translated(self._side):
                await _configure(connection, self._side)
        except BaseException:
            await self._end(connection)
            raise
        return connection

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


async def connect(url: Url, side: str) -> Connection:
    """Connect, or raise the ConnectError that says what to do."""
    options = dict(url.options)
    host: str | None = options.pop("host", None) or url.host
    arguments: dict[str, Any] = {
        "host": host or "127.0.0.1",
        "port": url.port,
        "user": url.user,
        "password": url.password.reveal() if url.password else None,
        "database": url.database,
        "timeout": float(options.pop("connect_timeout", CONNECT_TIMEOUT_S)),
        "server_settings": {"application_name": options.pop("application_name", "fastload")},
    }
    with _connecting(url, side):
        made: Connection = await asyncpg.connect(**arguments, ssl=_tls(options, url, side))
        return made


def _tls(options: dict[str, str], url: Url, side: str) -> Any:
    mode = options.pop("sslmode", "prefer")
    files = {k: options.pop(k, None) for k in ("sslrootcert", "sslcert", "sslkey")}
    if options:
        raise errors.ConfigError(
            f"unknown option in the URL: {', '.join(sorted(options))}",
            side=side,
            hint="known: host, sslmode, sslrootcert, sslcert, sslkey, connect_timeout, "
            "application_name",
        )
    if not any(files.values()):
        return mode
    context = ssl.create_default_context(cafile=files["sslrootcert"])
    context.check_hostname = mode == "verify-full"
    if files["sslcert"]:
        context.load_cert_chain(files["sslcert"], files["sslkey"])
    return context


async def _configure(connection: Connection, side: str) -> None:
    version = connection.get_server_version().major
    settings = {k: v for k, v in _SETTINGS.items() if version >= _ONLY_SINCE.get(k, 0)}
    for since, extra in _SETTINGS_SINCE.items():
        if version >= since:
            settings |= extra
    settings |= SOURCE_SETTINGS if side == "source" else TARGET_SETTINGS
    await connection.execute(";".join(f"SET {k} = '{v}'" for k, v in settings.items()))


@contextmanager
def _connecting(url: Url, side: str) -> Iterator[None]:
    place = f"{url.host or url.options.get('host', '127.0.0.1')}:{url.port or 5432}"
    try:
        yield
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as e:
        raise errors.AuthenticationError(
            f"the server at {place} refused user {url.user!r}",
            side=side,
            hint="check user and password; the server's pg_hba.conf decides who may come in",
        ) from e
    except asyncpg.InvalidCatalogNameError as e:
        raise errors.DatabaseNotFound(
            f"the server at {place} has no database {url.database!r}",
            side=side,
            hint="check the name after the last slash of the URL, or create the database",
        ) from e
    except socket.gaierror as e:
        raise errors.ConnectError(
            f"the host {url.host!r} is not known",
            side=side,
            hint="check the host name in the URL and this machine's DNS",
        ) from e
    except ssl.SSLError as e:
        raise errors.TlsError(
            f"the encrypted connection to {place} was refused: {e.reason}",
            side=side,
            hint="check sslmode and sslrootcert in the URL",
        ) from e
    except TimeoutError as e:
        raise errors.ConnectError(
            f"the server at {place} did not answer",
            side=side,
            hint="check host and port, and that no firewall drops packets on the way",
        ) from e
    except OSError as e:
        raise errors.ConnectError(
            f"no server answers at {place}",
            side=side,
            hint="check host and port, and that the server is running and listens there",
        ) from e
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as e:
        raise translate(e, side) from e


@contextmanager
def translated(side: str, table: str | None = None) -> Iterator[None]:
    """Turn driver errors raised inside into fastload's, naming side and table."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise translate(error, side, table) from error


_BY_CLASS: dict[str, tuple[type[errors.FastloadError], str | None]] = {
    "08": (errors.ConnectionLost, None),
    "23": (errors.ConstraintError, None),
    "57P": (errors.ConnectionLost, "the server ended the connection; start the run again"),
    "53100": (errors.TargetFull, "free space on the target, then start the run again"),
    "42501": (errors.FastloadError, "grant the right named above; fastload doctor lists them"),
    "28": (errors.AuthenticationError, None),
    "53300": (errors.ConnectError, "lower `parallel`, or raise max_connections on the server"),
    "53200": (
        errors.FastloadError,
        "raise max_locks_per_transaction on the server, or copy fewer tables at a time",
    ),
    "55P03": (errors.FastloadError, "another session holds a lock; see pg_stat_activity"),
}
_RETRYABLE = ("40001", "40P01", "55P03", "53300", "08", "57P")


def translate(error: BaseException, side: str, table: str | None = None) -> errors.FastloadError:
    """Return fastload's error for a driver's; the driver's text has no credentials in it."""
    if isinstance(error, errors.FastloadError):
        return error
    state = getattr(error, "sqlstate", None) or ""
    kind: type[errors.FastloadError]
    kind, hint = errors.SourceError if side == "source" else errors.TargetError, None
    if not state:
        kind, hint = errors.ConnectionLost, "start the run again: it continues"
    for prefix, (mapped, advice) in _BY_CLASS.items():
        if state.startswith(prefix):
            kind = mapped if mapped is not errors.FastloadError else kind
            hint = advice
    made = kind(_message(error, side), side=side, table=table or _table_of(error), hint=hint)
    made.column = getattr(error, "column_name", None)
    made.retryable = kind.retryable or state.startswith(_RETRYABLE)
    return made


def _message(error: BaseException, side: str) -> str:
    text = getattr(error, "message", None) or str(error) or type(error).__name__
    detail = getattr(error, "detail", None)
    context = getattr(error, "context", None)
    parts = [f"{side}: {text}"]
    parts += [str(part) for part in (detail, context) if part]
    advice = getattr(error, "hint", None)
    return "\n  ".join(parts + ([f"server's hint: {advice}"] if advice else []))


def _table_of(error: BaseException) -> str | None:
    schema, table = getattr(error, "schema_name", None), getattr(error, "table_name", None)
    return f"{schema}.{table}" if schema and table else None


@asynccontextmanager
async def open_sessions(endpoint: Url | Any, *, side: str, limit: int) -> AsyncIterator[Sessions]:
    """Yield sessions of a URL or the caller's pool, and close what is idle at the end."""
    sessions = Sessions(endpoint, side=side, limit=limit)
    try:
        yield sessions
    finally:
        await sessions.close()
