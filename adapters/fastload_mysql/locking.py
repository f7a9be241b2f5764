"""The lock under which all readers begin, as strong as this user may take it.

Measured on both servers: MySQL's global lock waits for every statement that runs, a SELECT too,
and whoever comes later waits behind it; where it gives up, new statements on the tables it has
flushed go on waiting until that SELECT ends. So a long statement is never waited for. MariaDB's
backup stage blocks commits alone and waits for no statement of a transactional table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
import msgspec

from fastload.errors import FastloadError, SourceError
from fastload.model import Table
from fastload_mysql.connection import Connection
from fastload_mysql.driver import LOCK_TIMEOUT_S
from fastload_mysql.quoting import qualified

# Writers may wait as long as the lock is waited for: so it is asked for briefly, the shortest
# that every server knows, and again after a pause in which they pass.
_WAIT_S = 1
_ATTEMPTS = 4
_PAUSE_S = 1.0
_RELEASE_S = 2.0
# Statements that have run this long may go on; shorter ones are waited for.
_LONG_S = 1
_STAGES_SINCE = (10, 4, 1)
_WAITS = "SET SESSION lock_wait_timeout = {0}, innodb_lock_wait_timeout = {0}"


class Lock(msgspec.Struct, frozen=True):
    """One way to let nothing be committed.

    Attributes:
        name: What it is called.
        take, release: Statements; ``release`` is harmless where only a part was taken.
        waits_for_reads: Whether a SELECT that runs is waited for, and others behind it.
    """

    name: str
    take: tuple[str, ...]
    release: tuple[str, ...]
    waits_for_reads: bool = False


class _Refusal(msgspec.Struct, frozen=True):
    because: str
    final: bool


@asynccontextmanager
async def locked(connection: Connection, tables: Sequence[Table]) -> AsyncIterator[str | None]:
    """Let nothing be committed to the tables inside; lends why that cannot be had, or None.

    Guarantees: the lock is gone when the context is left in whatever way, if need be with the
    connection; asking for it takes some seconds at most.
    """
    lock, because = await _strongest(connection, tables)
    if lock is None:
        yield because
        return
    try:
        yield None
    finally:
        await _released(connection, lock)


async def _strongest(
    connection: Connection, tables: Sequence[Table]
) -> tuple[Lock | None, str | None]:
    """Take the first lock that can be had, or return why none can."""
    refused: list[str] = []
    await connection.execute(_WAITS.format(_WAIT_S))
    for lock in locks(connection, tables):
        because = await _taken(connection, lock)
        if because is None:
            return lock, None
        refused.append(because)
    await connection.execute(_WAITS.format(LOCK_TIMEOUT_S))
    return None, f"no lock could be had ({'; '.join(refused)})"


def locks(connection: Connection, tables: Sequence[Table]) -> list[Lock]:
    """Return the locks to ask this server for, the one that disturbs others least first."""
    if connection.flavour == "mariadb" and connection.version >= _STAGES_SINCE:
        stages = ("BACKUP STAGE START", "BACKUP STAGE BLOCK_COMMIT")
        everything = Lock("BACKUP STAGE", stages, ("BACKUP STAGE END",))
    else:
        name = "FLUSH TABLES WITH READ LOCK"
        everything = Lock(name, (name,), ("UNLOCK TABLES",), waits_for_reads=True)
    names = ", ".join(f"{qualified(t.name)} READ" for t in tables)
    # Servers whose LOCK TABLES does not wait for uncommitted changes lock InnoDB's tables as well
    # where nothing is committed by itself.
    each = Lock(
        "LOCK TABLES",
        ("SET SESSION autocommit = 0", f"LOCK TABLES {names}"),
        ("UNLOCK TABLES", "SET SESSION autocommit = 1"),
    )
    return [everything, each] if names else [everything]


async def _taken(connection: Connection, lock: Lock) -> str | None:
    """Take a lock; return why it is refused or cannot be had in time."""
    because = None
    for attempt in range(_ATTEMPTS):
        if attempt:
            await anyio.sleep(_PAUSE_S)
        refusal = await _once(connection, lock)
        if refusal is None:
            return None
        because = refusal.because
        if refusal.final:
            break
    return because


async def _once(connection: Connection, lock: Lock) -> _Refusal | None:
    if lock.waits_for_reads and (running := await _long_statement(connection)):
        return _Refusal(f"{lock.name} would wait behind {running}, and all others with it", False)
    try:
        for statement in lock.take:
            await connection.execute(statement)
    except SourceError as error:
        # Anything else, a cancellation too, ends the session and with it whatever it holds.
        await _undo(connection, lock)
        if error.retryable:
            waited = f"{lock.name} waited {_ATTEMPTS} times for {_WAIT_S} s behind other sessions"
            return _Refusal(waited, False)
        return _Refusal(f"{lock.name}: {error.message}", True)
    return None


async def _long_statement(connection: Connection) -> str | None:
    """Return in words what has run for long, as far as this user may see it."""
    for row in await connection.fetch_named("SHOW PROCESSLIST"):
        runs = row["Command"] in ("Query", "Execute") and row["User"] != "system user"
        if runs and row["Id"] != connection.thread_id and (row["Time"] or 0) >= _LONG_S:
            return f"session {row['Id']}, whose statement has run for {row['Time']} s"
    return None


async def _undo(connection: Connection, lock: Lock) -> None:
    """Give up what was taken of a lock; what was not is refused, and that is well."""
    for statement in lock.release:
        with suppress(SourceError):
            await _executed(connection, statement)


async def _released(connection: Connection, lock: Lock) -> None:
    """End a lock that is held; where the server will not, end the session that holds it."""
    try:
        for statement in (*lock.release, _WAITS.format(LOCK_TIMEOUT_S)):
            await _executed(connection, statement)
    except FastloadError:
        connection.abort()


async def _executed(connection: Connection, statement: str) -> None:
    """Run a statement whatever is cancelled, but not for long: a server may have fallen silent."""
    with anyio.CancelScope(shield=True), anyio.move_on_after(_RELEASE_S) as bound:
        await connection.execute(statement)
    if bound.cancelled_caught:
        connection.abort()
