"""Attempts at rows within a transaction, each under a savepoint: a refusal costs no other row."""

from __future__ import annotations

from fastload.adapter import Attempt, Reading
from fastload.errors import FastloadError
from fastload.model import QualifiedName, TablePlan
from fastload.written import Written
from fastload_mysql.connection import Connection
from fastload_mysql.writing import write_rows

_SAVEPOINT = "fastload_attempt"


def attempts(connection: Connection, table: TablePlan, into: QualifiedName) -> Attempt:
    """Return what writes rows in this transaction, or leaves nothing of them."""

    async def attempt(rows: Reading) -> Written:
        await connection.execute(f"SAVEPOINT {_SAVEPOINT}")
        try:
            return await write_rows(connection, table, rows, into, held=True)
        except FastloadError as error:
            if error.of_data:
                await connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
            raise

    return attempt
