"""A transaction of a lent connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastload.errors import FastloadError
from fastload_mysql.connection import Connection


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """Commit what is done inside.

    Where the inside raises, nothing is said to the server: ``Sessions`` then ends the connection,
    and its server rolls back. After refused rows that is waited for: another attempt follows at
    once, and would meet the receipt of this one.
    """
    await connection.execute("START TRANSACTION")
    try:
        yield
    except FastloadError as error:
        if error.of_data and connection.usable and not connection.busy:
            with suppress(FastloadError):
                await connection.execute("ROLLBACK")
        raise
    await connection.execute("COMMIT")
