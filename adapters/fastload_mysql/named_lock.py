"""Locks of the server's by name: they outlast transactions, which every DDL statement ends.

Guarantees: one session at a time is inside, and one whose client has gone stays inside for as long
as the server runs its last statement. Relies on: GET_LOCK, of one server.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastload_mysql.connection import Connection
from fastload_mysql.driver import LOCK_TIMEOUT_S


class Held(Exception):
    """Another session has held the lock for as long as this one would wait.

    Attributes:
        session: Its number, as SHOW PROCESSLIST and KILL know it.
    """

    def __init__(self, session: int | None) -> None:
        super().__init__(session)
        self.session = session


@asynccontextmanager
async def holding(connection: Connection, *what: str) -> AsyncIterator[None]:
    """Hold the lock of this name inside; where that raises, the session's end lets it go.

    Raises:
        Held: After the lock timeout.
    """
    name = lock_name(*what)
    got = await connection.fetchval("SELECT GET_LOCK(%s, %s)", (name, LOCK_TIMEOUT_S))
    if got != 1:
        raise Held(await connection.fetchval("SELECT IS_USED_LOCK(%s)", (name,)))
    yield
    await connection.fetchval("SELECT RELEASE_LOCK(%s)", (name,))


def lock_name(*what: str) -> str:
    """Return a name of at most 64 characters, which servers tell apart by letters alone."""
    told = "\0".join(what).encode()
    return f"fastload:{hashlib.blake2b(told, digest_size=16).hexdigest()}"
