"""The frame of a partition: one transaction with its receipt, whatever writes the rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastload.model import Receipt, TablePlan
from fastload_mysql import state
from fastload_mysql.connection import Connection
from fastload_mysql.driver import Sessions
from fastload_mysql.receipts import begin_receipt, end_receipt
from fastload_mysql.state_tables import Tables
from fastload_mysql.target_proof import prove
from fastload_mysql.transaction import transaction


async def with_receipt(
    sessions: Sessions,
    tables: Tables,
    table: TablePlan,
    receipt: Receipt,
    write: Callable[[Connection], Awaitable[Receipt]],
) -> Receipt:
    """Write rows in one transaction with their receipt, into the table that was prepared.

    Where the receipt is complete already, it is returned and nothing is written.

    Args:
        sessions: Of the target.
        tables: The state's.
        table: What is written to.
        receipt: Of the partition.
        write: Writes the rows in the transaction, and returns the full receipt.
    """
    async with sessions.lend() as connection, transaction(connection):
        await state.fence(connection, tables, receipt.run, receipt.epoch)
        stored = await begin_receipt(connection, tables, receipt)
        if stored is not None:
            return stored
        await prove(connection, tables, receipt.run, table)
        full = await write(connection)
        await end_receipt(connection, tables, full)
    return full
