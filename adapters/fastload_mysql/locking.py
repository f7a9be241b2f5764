"""The lock under which all readers begin, as strong as this user may take it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio
import msgspec

from fastload.errors import FastloadError, SourceError
from fastload.model import Table
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import qualified

# The lock waits for statements that run, and later ones wait for it: so it is asked for briefly,
# and again after a pause in which they pass.
_WAIT_S = 2
_ATTEMPTS = 5
_PAUSE_S = 1.0


class Lock(msgspec.Struct, frozen=True):
    """What is locked.

    Attributes:
        because: Why readers that begin now may see different moments; None where they do not.
    """

    because: str | None = None


@asynccontextmanager
async def locked(connection: Connection, tables: Sequence[Table]) -> AsyncIterator[Lock]:
    """Let nothing be committed to the tables inside, or say why that cannot be had."""
    await connection.execute(f"SET SESSION lock_wait_timeout = {_WAIT_S}")
    refused: list[str] = []
    for statement in _statements(tables):
        if because := await _taken(connection, statement):
            refused.append(because)
            continue
        try:
            yield Lock()
        finally:
            with anyio.CancelScope(shield=True), suppress(FastloadError):
                await connection.execute("UNLOCK TABLES")
        return
    yield Lock(
        because="every reader began at a moment of its own, as no lock could be had "
        f"({'; '.join(refused)})"
    )


def _statements(tables: Sequence[Table]) -> list[str]:
    names = ", ".join(f"{qualified(t.name)} READ" for t in tables)
    return ["FLUSH TABLES WITH READ LOCK", *([f"LOCK TABLES {names}"] if names else [])]


async def _taken(connection: Connection, statement: str) -> str | None:
    """Take a lock; return why it is refused or cannot be had in time."""
    for attempt in range(_ATTEMPTS):
        try:
            await connection.execute(statement)
        except SourceError as error:
            if not error.retryable:
                return error.message
            if attempt + 1 < _ATTEMPTS:
                await anyio.sleep(_PAUSE_S)
        else:
            return None
    word = statement.split(" WITH ")[0].split(" `")[0]
    return f"{word} waited {_ATTEMPTS} times for {_WAIT_S} s behind running statements"
