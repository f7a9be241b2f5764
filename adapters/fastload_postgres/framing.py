"""The frame of a partition: one transaction with its receipt, whatever writes the rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastload.model import Receipt, TablePlan
from fastload_postgres import orphans, proof, state
from fastload_postgres.connection import Connection, Sessions
from fastload_postgres.driver_errors import translated


async def with_receipt(
    sessions: Sessions,
    table: TablePlan,
    receipt: Receipt,
    write: Callable[[Connection], Awaitable[Receipt]],
) -> Receipt:
    """Write rows in one transaction with their receipt, into the table that was prepared.

    Where the receipt is complete already, it is returned and nothing is written.

    Args:
        sessions: Of the target.
        table: What is written to.
        receipt: Of the partition.
        write: Writes the rows in the transaction, and returns the full receipt.
    """
    work = f"partition {receipt.partition} of {receipt.table}"
    async with (
        orphans.naming_orphans(sessions, receipt.run, work),
        sessions.lend() as connection,
        connection.transaction(),
    ):
        await orphans.mark(connection, receipt.run, work)
        # What a crash takes from an unlogged table, it takes from its receipts too.
        unlogged = table.target.extra.get("persistence") == "u"
        stored = await state.begin_receipt(connection, receipt, unlogged=unlogged)
        if stored is not None:
            return stored
        with translated("target", str(table.target.name)):
            await proof.prove(connection, receipt.run, table)
        full = await write(connection)
        await state.end_receipt(connection, full)
    return full
