"""A whole plan of one table in one transaction, and what became of a commit without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio

from fastload.errors import ConnectionLost, FastloadError
from fastload.model import Plan
from fastload.tasks import in_full, settled
from fastload_postgres.connection import Connection, Sessions

# The server notices within seconds that its client has gone, and ends what it still does.
_LOOK_UP_S = 15.0
_LOOK_AGAIN_S = 0.2
# Of who is cancelled, with a commit that waits: for a standby, or in deferred triggers for locks.
_PATIENCE_S = 5.0


@asynccontextmanager
async def one_transaction(sessions: Sessions) -> AsyncIterator[Connection]:
    """Yield a connection in a transaction that is durable when the context is left.

    Where the connection is lost during the commit, the server is asked what became of it: only
    one that did not happen is raised. PostgreSQL documentation, "Transaction ID and Snapshot
    Information Functions": ``txid_status``.

    Who is cancelled before the commit leaves nothing. Who is cancelled during it is told when the
    server has done with it, and may find it done.
    """
    number, committing = 0, False
    try:
        async with sessions.lend() as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await connection.execute("SET LOCAL synchronous_commit = on")
                number = await connection.fetchval("SELECT txid_current()")
                yield connection
            except BaseException:
                await transaction.rollback()
                raise
            committing = True
            await settled(transaction.commit, patience_s=_PATIENCE_S)
    except (ConnectionLost, asyncio.CancelledError) as error:
        committed = committing and await in_full(_committed(sessions, number, error))
        if not committed or isinstance(error, asyncio.CancelledError):
            raise


async def _committed(sessions: Sessions, number: int, error: BaseException) -> bool:
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
        told = (
            "the connection was lost during the commit, and the server does not say what became "
            f"of it: look whether the rows are there (transaction {number}) before writing again"
        )
        if isinstance(error, FastloadError):
            error.hint = told
        else:
            error.add_note(told)
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
