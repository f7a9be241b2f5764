"""A transaction of a lent connection."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial

from fastload.errors import FastloadError
from fastload.tasks import settled
from fastload_mysql.connection import Connection


@asynccontextmanager
async def transaction(
    connection: Connection, *, patience_s: float | None = None
) -> AsyncIterator[None]:
    """Commit what is done inside.

    Where the inside raises, nothing is said to the server: ``Sessions`` then ends the connection,
    and its server rolls back. After refused rows that is waited for: another attempt follows at
    once, and would meet the receipt of this one.

    Args:
        connection: In no transaction.
        patience_s: How long a commit is waited for by who is cancelled during it; None ends it,
            for what has a receipt.
    """
    await connection.execute("START TRANSACTION")
    try:
        yield
    except FastloadError as error:
        if error.of_data and connection.usable and not connection.busy:
            with suppress(FastloadError):
                await connection.execute("ROLLBACK")
        raise
    if patience_s is None:
        await connection.execute("COMMIT")
    else:
        await settled(partial(connection.execute, "COMMIT"), patience_s=patience_s)
