"""Runs, receipts and steps in the target: schema ``_fastload``, made when first needed.

A writer inserts its receipt under ``FOR SHARE`` of the run's row, and a claim updates that row:
so a claim waits for transactions of the earlier owner, and none can begin after it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg
import msgspec

from fastload import resume
from fastload.errors import StateError
from fastload.model import Cut, Kept, Plan, QualifiedName, Receipt, StoredRun, TablePlan, Worker
from fastload.stored_plan import check_none_unknown, first_epoch, is_known, pack, unpack
from fastload_postgres import living, proof
from fastload_postgres.connection import Connection, Sessions
from fastload_postgres.orphans import naming_orphans

if TYPE_CHECKING:
    from asyncpg import Record

SCHEMA = "_fastload"
# A claim that two processes make at once, or a schema made twice, would collide on catalogue
# rows; this transaction-level advisory lock serialises both ("fastload" in ASCII).
_LOCK = f"SELECT pg_advisory_xact_lock({int.from_bytes(b'fastload', 'big')})"
_MAKE = f"""
CREATE SCHEMA IF NOT EXISTS {SCHEMA};
CREATE TABLE IF NOT EXISTS {SCHEMA}.runs (
    run text PRIMARY KEY, epoch bigint NOT NULL, plan bytea NOT NULL,
    prepared timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS {SCHEMA}.receipts (
    run text, table_schema text, table_name text, partition integer,
    epoch bigint NOT NULL, rows bigint, bytes bigint, cut text, nulled bigint,
    rejected bigint, rejects text, completed timestamptz,
    PRIMARY KEY (run, table_schema, table_name, partition));
CREATE UNLOGGED TABLE IF NOT EXISTS {SCHEMA}.receipts_of_unlogged (
    LIKE {SCHEMA}.receipts INCLUDING ALL) INHERITS ({SCHEMA}.receipts);
CREATE TABLE IF NOT EXISTS {SCHEMA}.steps (
    run text, step text, completed timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run, step));
CREATE TABLE IF NOT EXISTS {SCHEMA}.barrier (
    id integer PRIMARY KEY, passed timestamptz NOT NULL);
{proof.MAKE}"""
_EXISTS = f"SELECT to_regclass('{SCHEMA}.runs') IS NOT NULL"
_FENCE = f"(SELECT 1 FROM {SCHEMA}.runs WHERE run = $1 AND epoch = $2 FOR SHARE)"
_BEGIN_RECEIPT = f"""
WITH fence AS {_FENCE}
INSERT INTO {SCHEMA}.{{receipts}} (run, epoch, table_schema, table_name, partition)
SELECT $1::text, $2::bigint, $3::text, $4::text, $5::integer FROM fence
ON CONFLICT DO NOTHING
RETURNING 1"""
_BEGIN_RECEIPTS = {
    False: _BEGIN_RECEIPT.format(receipts="receipts"),
    True: _BEGIN_RECEIPT.format(receipts="receipts_of_unlogged"),
}
_END_RECEIPT = f"""
UPDATE {SCHEMA}.receipts
SET rows = $5, bytes = $6, cut = $7, nulled = $8, rejected = $9, rejects = $10,
    completed = clock_timestamp()
WHERE run = $1 AND table_schema = $2 AND table_name = $3 AND partition = $4"""
_RECEIPT = "table_schema, table_name, partition, epoch, rows, bytes, cut, nulled, rejected, rejects"
_ONE_RECEIPT = f"""
SELECT {_RECEIPT} FROM {SCHEMA}.receipts
WHERE run = $1 AND table_schema = $2 AND table_name = $3 AND partition = $4"""
_RECEIPTS = f"""
SELECT {_RECEIPT} FROM {SCHEMA}.receipts
WHERE run = $1 AND completed IS NOT NULL"""
_KEPT = f"""
SELECT (SELECT count(*) FROM {SCHEMA}.receipts WHERE run = $1 AND completed IS NOT NULL),
       (SELECT count(*) FROM {SCHEMA}.steps WHERE run = $1)"""
_FORGET = f"""
WITH gone AS (DELETE FROM {SCHEMA}.receipts
              WHERE run = $1 AND table_schema = $2 AND table_name = $3 RETURNING rows)
SELECT coalesce(sum(rows), 0)::int8 FROM gone"""
_BEGIN_STEP = f"""
WITH fence AS {_FENCE}
INSERT INTO {SCHEMA}.steps (run, step) SELECT $1::text, $3::text FROM fence
ON CONFLICT DO NOTHING
RETURNING 1"""


async def make(connection: Connection) -> None:
    """Make the state tables; inside the caller's transaction, once at a time per database."""
    await connection.execute(_LOCK)
    if not await connection.fetchval(_EXISTS):
        await connection.execute(_MAKE)


async def store_plan(connection: Connection, plan: Plan) -> int:
    """Insert the run with its plan and return its epoch; ``make`` has the lock.

    Raises:
        StateError: The run is there already, or another is filling one of its tables.
    """
    for other in await check_free(connection, plan):
        await _delete(connection, other)
    stored = await connection.fetchval(
        f"INSERT INTO {SCHEMA}.runs (run, epoch, plan) VALUES ($1, $2, $3) "
        "ON CONFLICT DO NOTHING RETURNING epoch",
        plan.run,
        first_epoch(),
        pack(plan),
    )
    if stored is None:
        raise StateError(
            f"run {plan.run!r} was started by another process meanwhile",
            side="target",
            hint="start it again to continue it, or give this one another name: run='...'",
        )
    return int(stored)


async def check_free(connection: Connection, plan: Plan) -> list[str]:
    """Return the runs that the plan makes void; StateError where one stands in its way."""
    if not await connection.fetchval(_EXISTS):
        return []
    rows = await connection.fetch(f"SELECT plan FROM {SCHEMA}.runs")
    stored = [unpack(row["plan"]) for row in rows]
    check_none_unknown(stored)
    return resume.others(plan, stored)


async def replace_table_plan(connection: Connection, run: str, table: TablePlan) -> None:
    """Store a new plan of one table within the run's."""
    packed = await connection.fetchval(f"SELECT plan FROM {SCHEMA}.runs WHERE run = $1", run)
    plan = unpack(packed)
    tables = tuple(table if t.source.name == table.source.name else t for t in plan.tables)
    await connection.execute(
        f"UPDATE {SCHEMA}.runs SET plan = $2 WHERE run = $1",
        run,
        pack(msgspec.structs.replace(plan, tables=tables)),
    )


async def begin_receipt(
    connection: Connection, receipt: Receipt, *, unlogged: bool = False
) -> Receipt | None:
    """Insert an open receipt; return None to go on, or the one that is complete already.

    Waits for another writer of the same partition to end.
    """
    name = receipt.table
    with _still_known(receipt.run):
        began = await connection.fetchval(
            _BEGIN_RECEIPTS[unlogged],
            receipt.run,
            receipt.epoch,
            name.schema,
            name.name,
            receipt.partition,
        )
    if began:
        return None
    row = await connection.fetchrow(
        _ONE_RECEIPT, receipt.run, name.schema, name.name, receipt.partition
    )
    if row is None:
        raise _fenced(receipt.run)
    return _receipt(receipt.run, row)


async def end_receipt(connection: Connection, receipt: Receipt) -> None:
    """Complete the receipt that this transaction began."""
    name = receipt.table
    await connection.execute(
        _END_RECEIPT,
        receipt.run,
        name.schema,
        name.name,
        receipt.partition,
        receipt.rows,
        receipt.bytes,
        msgspec.json.encode(receipt.cut).decode() if receipt.cut else None,
        receipt.nulled,
        receipt.rejected,
        receipt.rejects,
    )


async def forget_receipts(connection: Connection, run: str, table: QualifiedName) -> int:
    """Delete the receipts of one table, and return how many rows they stood for."""
    return int(await connection.fetchval(_FORGET, run, table.schema, table.name))


async def fence(connection: Connection, run: str, epoch: int) -> None:
    """Hold the run against claims until the transaction ends; StateError if it was claimed."""
    with _still_known(run):
        held = await connection.fetchval(f"SELECT 1 FROM {_FENCE} f", run, epoch)
    if not held:
        raise _fenced(run)


async def begin_step(connection: Connection, run: str, epoch: int, step: str) -> bool:
    """Insert the step's row; False where it is done already."""
    with _still_known(run):
        began = await connection.fetchval(_BEGIN_STEP, run, epoch, step)
    if began:
        return True
    await fence(connection, run, epoch)
    return False


class PostgresState:
    """The state store of one target."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def claim(self, run: str) -> StoredRun | None:
        """Raise the run's epoch and return what is stored of it."""
        async with naming_orphans(self._sessions, run), self._sessions.lend() as connection:
            if not await connection.fetchval(_EXISTS):
                return None
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = on")
                row = await connection.fetchrow(
                    f"UPDATE {SCHEMA}.runs SET epoch = epoch + 1 WHERE run = $1 "
                    "RETURNING run, epoch, plan",
                    run,
                )
                return await _stored(connection, row) if row else None

    async def show(self, run: str, epoch: int) -> None:
        """Let others see that this process works for the run."""
        living.show(self._sessions, run, epoch)

    async def worker(self, run: str, epoch: int) -> Worker | None:
        """Return who shows that it works for the run."""
        return await living.find(self._sessions, run, epoch)

    async def runs(self) -> Sequence[StoredRun]:
        """Return every stored run, oldest first."""
        async with self._sessions.lend() as connection:
            if not await connection.fetchval(_EXISTS):
                return []
            rows = await connection.fetch(
                f"SELECT run, epoch, plan FROM {SCHEMA}.runs ORDER BY prepared"
            )
            return [await _stored(connection, row) for row in rows]

    async def discard(self, run: str, epoch: int | None = None) -> None:
        """Forget the run; the last one takes the schema with it."""
        await self._discard(run, epoch)
        if epoch is not None:
            await self._sessions.end_lease()

    async def _discard(self, run: str, epoch: int | None) -> None:
        async with naming_orphans(self._sessions, run), self._sessions.lend() as connection:
            if not await connection.fetchval(_EXISTS):
                return
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = on")
                await connection.execute(_LOCK)
                if not await connection.fetchval(_EXISTS):
                    return  # whoever had the lock has forgotten the last run
                if epoch is not None:
                    await _check_own(connection, run, epoch)
                await _delete(connection, run)
                if not await connection.fetchval(f"SELECT EXISTS (SELECT FROM {SCHEMA}.runs)"):
                    await connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


async def _check_own(connection: Connection, run: str, epoch: int) -> None:
    """Refuse to forget a run that another process has claimed, or begun anew.

    Raises:
        StateError: It has.
    """
    query = f"SELECT epoch FROM {SCHEMA}.runs WHERE run = $1 FOR UPDATE"
    if await connection.fetchval(query, run) not in (epoch, None):
        raise _fenced(run)


async def _delete(connection: Connection, run: str) -> None:
    """Delete all that is stored of a run, first what its writers hold fast until they are done."""
    for table in ("runs", "receipts", "steps", "tables"):
        # Another version may have no such table.
        if await connection.fetchval(f"SELECT to_regclass('{SCHEMA}.{table}') IS NOT NULL"):
            await connection.execute(f"DELETE FROM {SCHEMA}.{table} WHERE run = $1", run)


async def pass_barrier(connection: Connection, run: str) -> Kept:
    """Commit a row synchronously, which flushes every asynchronous commit before it.

    A transaction that writes nothing flushes nothing, whatever synchronous_commit says. What it
    counts of the run was committed before, and is durable with it.
    """
    if not await connection.fetchval(_EXISTS):  # another process has finished the last run
        return Kept(receipts=0, steps=0)
    with _still_known(run):
        return await _barrier(connection, run)


async def _barrier(connection: Connection, run: str) -> Kept:
    async with connection.transaction():
        await connection.execute("SET LOCAL synchronous_commit = on")
        await connection.execute(
            f"INSERT INTO {SCHEMA}.barrier VALUES (1, clock_timestamp()) "
            "ON CONFLICT (id) DO UPDATE SET passed = excluded.passed"
        )
        counts = await connection.fetchrow(_KEPT, run)
        assert counts is not None
        await proof.prove_all(connection, run, columns=not counts[1])
    return Kept(receipts=counts[0], steps=counts[1])


@contextmanager
def _still_known(run: str) -> Iterator[None]:
    """Say what it means where the state is gone: another process has finished the last run."""
    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise _fenced(run) from error


def _fenced(run: str) -> StateError:
    return StateError(
        f"run {run!r} was taken over by another process; this one stops",
        side="target",
        hint="nothing is lost: let the other process go on",
    )


async def _stored(connection: Connection, row: Record) -> StoredRun:
    run, plan = row["run"], unpack(row["plan"])
    if not is_known(plan):
        return StoredRun(plan=plan, epoch=row["epoch"], receipts=(), steps=())
    receipts = await connection.fetch(_RECEIPTS, run)
    steps = await connection.fetch(f"SELECT step FROM {SCHEMA}.steps WHERE run = $1", run)
    return StoredRun(
        plan=plan,
        epoch=row["epoch"],
        receipts=tuple(_receipt(run, r) for r in receipts),
        steps=tuple(r["step"] for r in steps),
    )


def _receipt(run: str, row: Record) -> Receipt:
    return Receipt(
        run=run,
        epoch=row["epoch"],
        table=QualifiedName(row["table_schema"], row["table_name"]),
        partition=row["partition"],
        rows=row["rows"],
        bytes=row["bytes"],
        cut=msgspec.json.decode(row["cut"], type=Cut) if row["cut"] else None,
        nulled=row["nulled"] or 0,
        rejected=row["rejected"] or 0,
        rejects=row["rejects"],
    )
