"""Attempts at rows within a transaction, each under a savepoint: a refusal costs no other row."""

from __future__ import annotations

from fastload.adapter import Attempt, Reading
from fastload.model import TablePlan
from fastload.written import Written
from fastload_postgres.connection import Connection
from fastload_postgres.writing import Layouts, write_rows


async def attempts(connection: Connection, table: TablePlan, layouts: Layouts) -> Attempt:
    """Return what writes rows in this transaction, or leaves nothing of them."""
    # A deferred constraint would be refused at the commit, of nobody knows which row.
    await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")

    async def attempt(rows: Reading) -> Written:
        async with connection.transaction():
            return await write_rows(connection, table, rows, layouts)

    return attempt
