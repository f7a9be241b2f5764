"""A whole plan of one table at once, on a server whose DDL commits by itself.

A table that is made, or made anew, is loaded under another name and then renamed, which a server
does at once or not at all, the table that was there included. Rows for a table that stays are one
transaction with what clears it. In both, a mark in the state's tables commits with the rows, so
that a commit without an answer can be looked up.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import anyio
import msgspec

from fastload import retry
from fastload.errors import ConnectionLost, FastloadError
from fastload.model import Plan, QualifiedName, Receipt, TablePlan
from fastload_mysql import state, stepping
from fastload_mysql.connection import Connection
from fastload_mysql.databases import make_database
from fastload_mysql.ddl import create_table
from fastload_mysql.driver import Sessions
from fastload_mysql.quoting import qualified
from fastload_mysql.relations import is_there
from fastload_mysql.state import MysqlState
from fastload_mysql.state_tables import PREFIX, Tables
from fastload_mysql.transaction import transaction
from fastload_mysql.writing_rights import check_rights

_LOOK_UP_S = 15.0
_LOOK_AGAIN_S = 0.2
_BEGUN, _ROWS = "begun", "rows"

Write = Callable[[Connection, QualifiedName], Awaitable[Receipt]]


class Once:
    """One plan of one table; ``write`` writes the rows into a table of the name it is given."""

    def __init__(
        self, sessions: Sessions, tables: Tables, plan: Plan, table: TablePlan, write: Write
    ) -> None:
        self._sessions = sessions
        self._tables = tables
        self._state = MysqlState(sessions, tables)
        self._plan = plan
        self._table = table.target
        self._write = write
        self._made = any(step.table == table.target.name for step in plan.before)
        self._name = _unused(table.target.name) if self._made else table.target.name
        self._spare = _unused(table.target.name)
        self._mark = secrets.token_hex(16)

    async def run(self) -> Receipt:
        """Do the plan, or nothing of it."""
        async with self._sessions.lend() as connection:
            await check_rights(connection, self._tables, self._plan, renames=self._made)
        try:
            await self._make()
            full = await self._write_rows()
            if self._made:
                await retry.repeat(self._rename)
        except BaseException:
            with anyio.move_on_after(_LOOK_UP_S, shield=True), suppress(FastloadError):
                await self._clean_up()
            raise
        await self._finish()
        return full

    async def _make(self) -> None:
        """Make what the rows need, and a mark for whose sake the state stays."""
        async with self._sessions.lend() as connection:
            async with self._tables.alone(connection):
                await stepping.make_state(connection, self._tables)
                await state.end_step(connection, self._tables, self._mark, _BEGUN)
            if self._made:
                await make_database(connection, self._name.schema)
                await connection.execute(
                    create_table(msgspec.structs.replace(self._table, name=self._name))
                )

    async def _write_rows(self) -> Receipt:
        """Write the rows in one transaction that leaves a mark."""
        full = None
        try:
            async with self._sessions.lend() as connection, transaction(connection):
                await state.end_step(connection, self._tables, self._mark, _ROWS)
                if self._plan.mode == "truncate" and not self._made:
                    await connection.execute(f"DELETE FROM {qualified(self._name)}")
                full = await self._write(connection, self._name)
        except ConnectionLost as error:
            # With the receipt, all was done but the commit.
            if full is None or not await self._committed(error):
                raise
        return full

    async def _committed(self, lost: ConnectionLost) -> bool:
        """Say whether the transaction has committed, once it is no longer in progress."""
        with anyio.move_on_after(_LOOK_UP_S):
            while True:
                with suppress(FastloadError):
                    async with self._sessions.lend() as connection:
                        return await state.has_step(connection, self._tables, self._mark, _ROWS)
                await anyio.sleep(_LOOK_AGAIN_S)
        lost.hint = (
            "the connection was lost during the commit, and the server does not say what became "
            "of it: look whether the rows are there before writing again"
        )
        return False

    async def _rename(self) -> None:
        """Give the new table its name; again, where the answer was lost, do nothing."""
        async with self._sessions.lend() as connection:
            if not await is_there(connection, self._name):
                return
            renames = f"{qualified(self._name)} TO {qualified(self._table.name)}"
            if self._plan.mode == "replace" and await is_there(connection, self._table.name):
                renames = f"{qualified(self._table.name)} TO {qualified(self._spare)}, {renames}"
            await connection.execute(f"RENAME TABLE {renames}")

    async def _finish(self) -> None:
        """Clear up, and make durable what is there."""
        with suppress(FastloadError):
            async with self._sessions.lend() as connection:
                if self._made:
                    await connection.execute(f"DROP TABLE IF EXISTS {qualified(self._spare)}")
                # Statistics, which the server gathers by itself some time later.
                for step in self._plan.after:
                    await stepping.run_statements(connection, step)
        await retry.repeat(partial(self._state.discard, self._mark))

    async def _clean_up(self) -> None:
        """Leave nothing behind, as far as the server can be reached."""
        if self._made:
            async with self._sessions.lend() as connection:
                await connection.execute(f"DROP TABLE IF EXISTS {qualified(self._name)}")
        await self._state.discard(self._mark)


def _unused(name: QualifiedName) -> QualifiedName:
    return QualifiedName(name.schema, f"{PREFIX}{secrets.token_hex(8)}")
