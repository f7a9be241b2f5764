"""A transaction of a lent connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastload_mysql.connection import Connection


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """Commit what is done inside.

    Where the inside raises, nothing is said to the server: ``Sessions`` then ends the connection,
    and its server rolls back.
    """
    await connection.execute("START TRANSACTION")
    yield
    await connection.execute("COMMIT")
