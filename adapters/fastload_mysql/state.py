"""Runs and their steps in the target, and who may go on with them.

A writer fences its transaction by a shared lock of the run's row, and a claim updates that row: so
a claim waits for transactions of the earlier owner, and none can begin after it. DDL ends every
transaction; it is fenced inside a lock by name, for which the next owner of the step waits.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fastload import resume
from fastload.errors import StateError, TargetError
from fastload.model import Kept, Plan, StoredRun, TablePlan, Worker
from fastload.stored_plan import check_none_unknown, first_epoch, is_known, pack, unpack
from fastload_mysql import living
from fastload_mysql.connection import Connection
from fastload_mysql.driver import Sessions
from fastload_mysql.receipts import as_text, complete_receipts, naming_orphans
from fastload_mysql.state_tables import Tables, stored_key
from fastload_mysql.target_proof import prove_all
from fastload_mysql.transaction import transaction


async def check_free(connection: Connection, tables: Tables, plan: Plan) -> list[str]:
    """Return the runs that the plan makes void.

    Raises:
        StateError: The run is there already, or another is filling one of its tables.
    """
    stored = [unpack(row[0]) for row in await connection.fetch(f"SELECT plan FROM {tables.runs}")]
    if any(other.run == plan.run for other in stored):
        raise StateError(
            f"run {plan.run!r} was started by another process meanwhile",
            side="target",
            hint="start it again to continue it, or give this one another name: run='...'",
        )
    check_none_unknown(stored)
    return resume.others(plan, stored)


async def store_plan(connection: Connection, tables: Tables, plan: Plan) -> int:
    """Insert the run with its plan, and return its epoch."""
    epoch = first_epoch()
    await connection.execute(
        f"INSERT INTO {tables.runs} VALUES (%s, %s, {_bytes(pack(plan))}, UTC_TIMESTAMP(6))",
        (stored_key(plan.run), epoch),
    )
    return epoch


async def replace_table_plan(
    connection: Connection, tables: Tables, run: str, table: TablePlan
) -> None:
    """Store a new plan of one table within the run's."""
    packed = await connection.fetchval(
        f"SELECT plan FROM {tables.runs} WHERE run = %s", (stored_key(run),)
    )
    plan = unpack(packed)
    planned = tuple(table if t.source.name == table.source.name else t for t in plan.tables)
    packed = pack(msgspec.structs.replace(plan, tables=planned))
    await connection.execute(
        f"UPDATE {tables.runs} SET plan = {_bytes(packed)} WHERE run = %s", (stored_key(run),)
    )


async def fence(
    connection: Connection, tables: Tables, run: str, epoch: int, *, to_change: bool = False
) -> None:
    """Hold the run against claims until the transaction ends; StateError if it was claimed.

    One that will change the run's row says so, or it would wait for a claim that waits for it.
    """
    lock = "FOR UPDATE" if to_change else "LOCK IN SHARE MODE"
    query = f"SELECT 1 FROM {tables.runs} WHERE run = %s AND epoch = %s {lock}"
    try:
        held = await connection.fetchval(query, (stored_key(run), epoch))
    except TargetError:
        # Gone: another process has finished the last run.
        if await tables.there(connection):
            raise
        held = None
    if not held:
        raise _fenced(run)


def _fenced(run: str) -> StateError:
    return StateError(
        f"run {run!r} was taken over by another process; this one stops",
        side="target",
        hint="nothing is lost: let the other process go on",
    )


async def _check_own(connection: Connection, tables: Tables, run: str, epoch: int) -> None:
    """Refuse to forget a run that another process has claimed, or begun anew."""
    query = f"SELECT epoch FROM {tables.runs} WHERE run = %s FOR UPDATE"
    async with naming_orphans(connection, tables, run):
        found = await connection.fetchval(query, (stored_key(run),))
    if found not in (epoch, None):
        raise _fenced(run)


async def has_step(connection: Connection, tables: Tables, run: str, step: str) -> bool:
    """Say whether a step has its receipt, once no transaction may still give it one."""
    query = f"SELECT 1 FROM {tables.steps} WHERE run = %s AND step = %s LOCK IN SHARE MODE"
    return bool(await connection.fetchval(query, (stored_key(run), stored_key(step))))


async def end_step(connection: Connection, tables: Tables, run: str, step: str) -> None:
    """Insert the step's receipt."""
    await connection.execute(
        f"INSERT INTO {tables.steps} VALUES (%s, %s, UTC_TIMESTAMP(6))",
        (stored_key(run), stored_key(step)),
    )


async def delete(connection: Connection, tables: Tables, run: str) -> None:
    """Delete all that is stored of a run, first what its writers hold fast until they are done."""
    async with naming_orphans(connection, tables, run):
        for table in await tables.of_runs(connection):
            await connection.execute(f"DELETE FROM {table} WHERE run = %s", (stored_key(run),))


async def pass_barrier(connection: Connection, tables: Tables, run: str) -> Kept:
    """Count what is left of the run, and make durable what was counted."""
    if not await tables.there(connection):
        return Kept(receipts=0, steps=0)
    receipts = await connection.fetchval(
        f"SELECT COUNT(*) FROM {tables.receipts} WHERE run = %s AND completed IS NOT NULL",
        (stored_key(run),),
    )
    steps = await connection.fetchval(
        f"SELECT COUNT(*) FROM {tables.steps} WHERE run = %s", (stored_key(run),)
    )
    await prove_all(connection, tables, run, columns=not steps)
    # A crash in between ends the connection.
    await tables.make_durable(connection)
    return Kept(receipts=receipts, steps=steps)


class MysqlState:
    """The state store of one target."""

    def __init__(self, sessions: Sessions, tables: Tables) -> None:
        self._sessions = sessions
        self._tables = tables

    async def claim(self, run: str) -> StoredRun | None:
        """Raise the run's epoch and return what is stored of it."""
        tables = self._tables
        async with self._sessions.lend() as connection:
            if not await tables.there(connection):
                return None
            async with transaction(connection):
                async with naming_orphans(connection, tables, run):
                    found = await connection.execute(
                        f"UPDATE {tables.runs} SET epoch = epoch + 1 WHERE run = %s",
                        (stored_key(run),),
                    )
                stored = await self._stored(connection, "WHERE run = %s", (stored_key(run),))
            if found:
                await tables.make_durable(connection)
            return stored[0] if found else None

    async def show(self, run: str, epoch: int) -> None:
        """Let others see that this process works for the run."""
        living.show(self._sessions, self._tables, run, epoch)

    async def worker(self, run: str, epoch: int) -> Worker | None:
        """Return who shows that it works for the run."""
        return await living.find(self._sessions, self._tables, run, epoch)

    async def runs(self) -> Sequence[StoredRun]:
        """Return every stored run, oldest first."""
        async with self._sessions.lend() as connection:
            if not await self._tables.there(connection):
                return []
            return await self._stored(connection, "ORDER BY prepared", ())

    async def discard(self, run: str, epoch: int | None = None) -> None:
        """Forget the run; the last one takes the tables with it."""
        await self._discard(run, epoch)
        if epoch is not None:
            await self._sessions.end_lease()

    async def _discard(self, run: str, epoch: int | None) -> None:
        async with self._sessions.lend() as connection:
            if not await self._tables.begun(connection):
                return
            async with self._tables.alone(connection):
                if await self._tables.there(connection):
                    async with transaction(connection):
                        if epoch is not None:
                            await _check_own(connection, self._tables, run, epoch)
                        await delete(connection, self._tables, run)
                    await self._tables.make_durable(connection)
                await self._tables.drop_if_unused(connection)

    async def _stored(
        self, connection: Connection, which: str, args: Sequence[str]
    ) -> list[StoredRun]:
        tables = self._tables
        found = []
        for _, epoch, packed in await connection.fetch(
            f"SELECT run, epoch, plan FROM {tables.runs} {which}", args
        ):
            plan = unpack(packed)
            if not is_known(plan):
                found.append(StoredRun(plan=plan, epoch=epoch, receipts=(), steps=()))
                continue
            done = await connection.fetch(
                f"SELECT step FROM {tables.steps} WHERE run = %s", (stored_key(plan.run),)
            )
            keys = {as_text(step) for (step,) in done}
            found.append(
                StoredRun(
                    plan=plan,
                    epoch=epoch,
                    receipts=await complete_receipts(connection, tables, plan.run),
                    steps=tuple(s.id for s in plan.after if stored_key(s.id) in keys),
                )
            )
        return found


def _bytes(data: bytes) -> str:
    return f"X'{data.hex()}'"
