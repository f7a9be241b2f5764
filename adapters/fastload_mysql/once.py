"""A whole plan of one table at once, on a server whose DDL commits by itself.

A table that is made, or made anew, is loaded under another name and then renamed, which a server
does at once or not at all, the table that was there included. Rows for a table that stays are one
transaction with what clears it. In both a row of the state's tables commits with the rows, so that
a commit without an answer can be looked up.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable

import anyio
import msgspec

from fastload.errors import ConnectionLost, FastloadError
from fastload.model import Plan, QualifiedName, Receipt, TablePlan
from fastload_mysql import state
from fastload_mysql.connection import Connection
from fastload_mysql.ddl import create_table
from fastload_mysql.driver import Sessions
from fastload_mysql.quoting import ident, qualified
from fastload_mysql.state import PREFIX, Tables
from fastload_mysql.transaction import transaction

_LOOK_UP_S = 15.0
_LOOK_AGAIN_S = 0.2

Write = Callable[[Connection, QualifiedName], Awaitable[Receipt]]


async def write_once(
    sessions: Sessions, tables: Tables, plan: Plan, table: TablePlan, write: Write
) -> Receipt:
    """Do the plan; ``write`` writes the rows into a table of this name and returns the receipt."""
    made = any(s.table == table.target.name for s in plan.before)
    name = _unused(table.target.name) if made else table.target.name
    async with sessions.lend() as connection:
        async with tables.alone(connection):
            await tables.make(connection)
        if made:
            await _make(connection, table, name)
    try:
        full = await _committed(sessions, tables, plan, name, made, write)
        if made:
            await _put_in_place(sessions, plan, table, name)
    except BaseException:
        if made:
            with anyio.CancelScope(shield=True):
                await _drop(sessions, name)
        raise
    await _analyse(sessions, plan)
    return full


def _unused(name: QualifiedName) -> QualifiedName:
    return QualifiedName(name.schema, f"{PREFIX}{secrets.token_hex(8)}")


async def _make(connection: Connection, table: TablePlan, name: QualifiedName) -> None:
    await connection.execute(f"CREATE DATABASE IF NOT EXISTS {ident(name.schema)}")
    await connection.execute(create_table(msgspec.structs.replace(table.target, name=name)))


async def _committed(
    sessions: Sessions,
    tables: Tables,
    plan: Plan,
    name: QualifiedName,
    made: bool,
    write: Write,
) -> Receipt:
    """Write the rows in one transaction that leaves a mark, and take the mark away."""
    mark, full, committing = secrets.token_hex(16), None, False
    try:
        async with sessions.lend() as connection, transaction(connection):
            await state.end_step(connection, tables, mark, "rows")
            if plan.mode == "truncate" and not made:
                await connection.execute(f"DELETE FROM {qualified(name)}")
            full = await write(connection, name)
            committing = True
    except ConnectionLost as error:
        if full is None or not committing or not await _marked(sessions, tables, mark, error):
            raise
    await state.MysqlState(sessions, tables).discard(mark)
    assert full is not None
    return full


async def _marked(sessions: Sessions, tables: Tables, mark: str, lost: ConnectionLost) -> bool:
    """Say whether the transaction has committed, once its session is gone."""
    with anyio.move_on_after(_LOOK_UP_S):
        while True:
            try:
                async with sessions.lend() as connection:
                    # Waits for a transaction that still holds the row.
                    await state.claim_step(connection, tables, mark, "looked up")
                    return await state.has_step(connection, tables, mark, "rows")
            except FastloadError:
                await anyio.sleep(_LOOK_AGAIN_S)
    lost.hint = (
        "the connection was lost during the commit, and the server does not say what became of "
        "it: look whether the rows are there before writing again"
    )
    return False


async def _put_in_place(
    sessions: Sessions, plan: Plan, table: TablePlan, name: QualifiedName
) -> None:
    """Give the new table its name, and drop the one that had it."""
