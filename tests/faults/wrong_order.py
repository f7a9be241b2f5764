"""Targets that commit a receipt after its rows, as a loader may that keeps its own list.

The harness that finds nothing in the real targets has to find what these do.
"""

from __future__ import annotations

import anyio
import fastload_mysql.target
import fastload_postgres.target
from fastload_mysql import receipts, transaction
from fastload_postgres import state

from fastload.adapter import Reading
from fastload.model import Receipt, TablePlan

# As long as another disk may take for that list; a kill hits it by chance within 50.
_LATE_S = 0.05


class LatePostgres(fastload_postgres.target.PostgresTarget):
    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        async with self._sessions.lend() as connection, connection.transaction():
            full = await self._written(connection, table, reading, receipt)
        await anyio.sleep(_LATE_S)
        async with self._sessions.lend() as connection, connection.transaction():
            await state.begin_receipt(connection, receipt)
            await state.end_receipt(connection, full)
        return full


class LateMysql(fastload_mysql.target.MysqlTarget):
    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        async with self._sessions.lend() as connection, transaction.transaction(connection):
            full = await self._written(table, reading, receipt, connection, table.target.name)
        await anyio.sleep(_LATE_S)
        async with self._sessions.lend() as connection, transaction.transaction(connection):
            await receipts.begin_receipt(connection, self._tables, receipt)
            await receipts.end_receipt(connection, self._tables, full)
        return full


def install() -> None:
    fastload_postgres.target.PostgresTarget = LatePostgres
    fastload_mysql.target.MysqlTarget = LateMysql
