"""A whole plan of one table at once, on a server whose DDL commits by itself.

A table that is made, or made anew, is loaded under another name and then renamed, which a server
does at once or not at all, the table that was there included. Rows for a table that stays are one
transaction with what clears it. In both, a mark in the state's tables commits with the rows, so
that a commit without an answer can be looked up.

Who is cancelled before the commit, or before the rename, leaves nothing. Who is cancelled during it
is told when the server has done with it, and what is left of ours is gone.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

import anyio
import msgspec

from fastload import retry
from fastload.errors import ConnectionLost, FastloadError, StateError, TargetError
from fastload.model import Plan, QualifiedName, Receipt, TablePlan
from fastload.tasks import in_full
from fastload_mysql import state, stepping
from fastload_mysql.connection import Connection
from fastload_mysql.databases import make_database
from fastload_mysql.ddl import create_table, refuse_referring
from fastload_mysql.driver import Sessions
from fastload_mysql.inspection import read_referring
from fastload_mysql.quoting import qualified
from fastload_mysql.relations import is_there
from fastload_mysql.state import MysqlState
from fastload_mysql.state_tables import PREFIX, Tables
from fastload_mysql.transaction import transaction
from fastload_mysql.writing_rights import check_rights

_LOOK_UP_S = 15.0
_LOOK_AGAIN_S = 0.2
# Of who is cancelled, with a commit that waits: for a replica, or for who has locked the server.
_PATIENCE_S = 5.0
# Until what is ours is cleared up: after rows that are there, and after others.
_CLEAR_S, _CLEAR_AFTER_FAILING_S = 60.0, 15.0
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
        # Tables that may be there under a name of ours.
        self._ours: list[QualifiedName] = []

    async def run(self) -> Receipt:
        """Do the plan, or nothing of it."""
        async with self._sessions.lend() as connection:
            await check_rights(connection, self._tables, self._plan, renames=self._made)
        try:
            full = await self._done()
        except BaseException as error:
            await in_full(self._clear_up(_CLEAR_AFTER_FAILING_S))
            self._tell_what_is_left(error)
            raise
        if why := await in_full(self._clear_up(_CLEAR_S)):
            raise self._not_cleared(why) from why
        return full

    async def _done(self) -> Receipt:
        await self._make()
        full = await self._write_rows()
        if self._made:
            await retry.repeat(self._rename)
            self._ours.remove(self._name)
        # Statistics, which the server gathers by itself some time later.
        with suppress(FastloadError):
            async with self._sessions.lend() as connection:
                for step in self._plan.after:
                    await stepping.run_statements(connection, step)
        return full

    async def _make(self) -> None:
        """Make what the rows need, and a mark for whose sake the state stays."""
        async with self._sessions.lend() as connection:
            async with self._tables.alone(connection):
                await stepping.make_state(connection, self._tables)
                await state.end_step(connection, self._tables, self._mark, _BEGUN)
            if self._made:
                await make_database(connection, self._name.schema)
                self._ours.append(self._name)
                await connection.execute(
                    create_table(msgspec.structs.replace(self._table, name=self._name))
                )

    async def _write_rows(self) -> Receipt:
        """Write the rows in one transaction that leaves a mark."""
        full = None
        try:
            async with (
                self._sessions.lend() as connection,
                transaction(connection, patience_s=_PATIENCE_S),
            ):
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
                await self._check_referring(connection)
                self._ours += [] if self._spare in self._ours else [self._spare]
                renames = f"{qualified(self._table.name)} TO {qualified(self._spare)}, {renames}"
            try:
                await connection.execute(f"RENAME TABLE {renames}")
            except TargetError:
                # One whose answer was lost may have waited for a lock, and been first.
                if await is_there(connection, self._name):
                    raise

    async def _check_referring(self, connection: Connection) -> None:
        """Refuse to take a table away from others: their foreign keys would follow its new name."""
        found = await read_referring(connection, [self._table.name])
        others = set(found[self._table.name]) - {str(self._table.name)}
        refuse_referring(self._table.name, others)

    async def _clear_up(self, within_s: float) -> FastloadError | None:
        """Drop what is ours and forget the mark, and with it who may still be at its commit.

        Returns:
            Why that was not possible, as far as the server could be reached.
        """
        first: FastloadError | None = None
        with anyio.move_on_after(within_s) as bound:
            for name in tuple(self._ours):
                try:
                    await retry.repeat(partial(self._drop, name))
                except FastloadError as error:
                    first = first or error
            try:
                await retry.repeat(partial(self._state.discard, self._mark))
            except FastloadError as error:
                first = first or error
        if bound.cancelled_caught and first is None:
            return StateError(f"the server took more than {within_s:.0f} s", side="target")
        return first

    async def _drop(self, name: QualifiedName) -> None:
        async with self._sessions.lend() as connection:
            await connection.execute(f"DROP TABLE IF EXISTS {qualified(name)}")
        self._ours.remove(name)

    def _dropping(self) -> str:
        return "; ".join(f"DROP TABLE {qualified(name)}" for name in self._ours)

    def _tell_what_is_left(self, error: BaseException) -> None:
        if not self._ours:
            return
        told = f"a table of this write may be left: {self._dropping()}"
        if isinstance(error, FastloadError):
            error.hint = f"{error.hint}; {told}" if error.hint else told
        else:
            error.add_note(told)

    def _not_cleared(self, error: FastloadError) -> StateError:
        before = ""
        if self._ours:
            before = f"what was there before is now {self._ours[0]}, and cannot be dropped: "
        return StateError(
            f"the rows are in {self._table.name}, and need not be written again, but not all is "
            f"cleared up: {before}{error.message}",
            side="target",
            table=str(self._table.name),
            hint=f"where no foreign key refers to it: {self._dropping()}"
            if before
            else "what is left goes with the next run that ends in this database",
        )


def _unused(name: QualifiedName) -> QualifiedName:
    return QualifiedName(name.schema, f"{PREFIX}{secrets.token_hex(8)}")
