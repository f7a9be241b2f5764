"""Schema work of a run, on a server whose DDL commits by itself.

A step runs inside a lock by its name, under which the run's epoch is looked at: so an earlier owner
that is still at it is waited for, and one that comes late finds that the run is no longer its own.
What is done already, but for its receipt, is left out.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from fastload.errors import ConstraintError, StateError
from fastload.model import Plan, Step
from fastload.steps import telling
from fastload_mysql import state, target_proof
from fastload_mysql.connection import Connection
from fastload_mysql.databases import make_database
from fastload_mysql.named_lock import Held, holding
from fastload_mysql.state_tables import Tables
from fastload_mysql.transaction import transaction
from fastload_mysql.writing_rights import check_rights


async def prepare(connection: Connection, tables: Tables, plan: Plan) -> int:
    """Run the before-data steps, then store the plan durably; see ``Target.prepare``."""
    await check_rights(connection, tables, plan)
    async with tables.alone(connection):
        await make_state(connection, tables)
        # First: their writers must not fill what is cleared here.
        for void in await state.check_free(connection, tables, plan):
            async with transaction(connection):
                await state.delete(connection, tables, void)
        for step in plan.before:
            await run_statements(connection, step)
        async with transaction(connection):
            epoch = await state.store_plan(connection, tables, plan)
            await target_proof.note(connection, tables, plan.run, plan.tables)
        await tables.make_durable(connection)
    return epoch


async def make_state(connection: Connection, tables: Tables) -> None:
    """Make the state's tables, and their database; alone."""
    if not await tables.there(connection):
        await make_database(connection, tables.schema)
        await tables.make(connection)


async def run_step(
    connection: Connection, tables: Tables, step: Step, run: str, epoch: int
) -> None:
    """Run what is not done of an after-data step, then store its receipt."""
    table = str(step.table) if step.table else None
    async with alone_at(connection, tables, run, step.id, step.title, table):
        async with transaction(connection):
            await state.fence(connection, tables, run, epoch)
            done = await state.has_step(connection, tables, run, step.id)
        if not done:
            await run_statements(connection, step)
            async with transaction(connection):
                await state.fence(connection, tables, run, epoch)
                await state.end_step(connection, tables, run, step.id)


@asynccontextmanager
async def alone_at(
    connection: Connection,
    tables: Tables,
    run: str,
    work: str,
    title: str,
    table: str | None = None,
) -> AsyncIterator[None]:
    """Keep other processes of the run from the same work, whose statements commit by themselves."""
    try:
        async with holding(connection, "step", tables.schema, run, work):
            yield
    except Held as error:
        raise StateError(
            f"{title}: session {error.session} is at it for an earlier process of run {run!r}",
            side="target",
            table=table,
            hint="start the run again when that has ended; or end it on the target: "
            f"KILL {error.session}",
        ) from None


async def run_statements(connection: Connection, step: Step) -> None:
    """Run the statements whose work is not there, then the queries that may contradict it."""
    done = step.done or ("",) * len(step.statements)
    with telling(step):
        for statement, query in zip(step.statements, done, strict=True):
            if not (query and await connection.fetchval(query) == 1):
                await connection.execute(statement)
    await _check(connection, step, step.refuted_by)


async def _check(connection: Connection, step: Step, queries: Iterable[str]) -> None:
    for query in queries:
        if row := await connection.fetchrow(query):
            raise ConstraintError(
                f"{step.title}: a row refers to {', '.join(map(str, row))}, which is not there",
                side="target",
                table=str(step.table),
                hint="mend the source's rows, or copy without foreign keys: foreign_keys=False",
            )
