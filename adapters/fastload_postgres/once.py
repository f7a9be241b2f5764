"""A whole plan of one table in one transaction, and what became of a commit without an answer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from fastload.errors import ConnectionLost, FastloadError
from fastload.model import Plan
from fastload_postgres.connection import Connection, Sessions

# The server notices within seconds that its client has gone, and ends what it still does.
_LOOK_UP_S = 15.0
_LOOK_AGAIN_S = 0.2


@asynccontextmanager
async def one_transaction(sessions: Sessions) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction that is durable when the context is left.

    Where the connection is lost during the commit, the server is asked what became of it: only
    one that did not happen is raised. PostgreSQL documentation, "Transaction ID and Snapshot
    Information Functions": ``txid_status``.
    """
    number, committing = 0, False
    try:
        async with sessions.lend() as connection, connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = on")
            number = await connection.fetchval("SELECT txid_current()")
            yield connection
            committing = True
    except ConnectionLost as error:
        if not (committing and await _committed(sessions, number, error)):
            raise


async def _committed(sessions: Sessions, number: int, lost: ConnectionLost) -> bool:
    """Say whether the transaction has committed, once it is no longer in progress."""
    status = None
    with anyio.move_on_after(_LOOK_UP_S):
        while status in (None, "in progress"):
            try:
                async with sessions.lend() as connection:
                    status = await connection.fetchval("SELECT txid_status($1)", number)
            except FastloadError:
                status = None
            if status in (None, "in progress"):
                await anyio.sleep(_LOOK_AGAIN_S)
    if status in (None, "in progress"):
        lost.hint = (
            "the connection was lost during the commit, and the server does not say what became "
            f"of it: look whether the rows are there (transaction {number}) before writing again"
        )
    return status == "committed"


async def run_before(connection: Connection, plan: Plan) -> None:
    """Run the before-data steps in this transaction."""
    if statements := [s for step in plan.before for s in step.statements]:
        await connection.execute(";\n".join(statements))


async def run_after(connection: Connection, plan: Plan) -> None:
    """Run the after-data steps in this transaction, but those that no transaction may hold."""
    for step in plan.after:
        if not step.alone:
            await connection.execute(";\n".join(step.statements))
