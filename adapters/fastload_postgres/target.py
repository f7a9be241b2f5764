"""PostgreSQL as a target: schema work, and partitions written with their receipts."""

from __future__ import annotations

from collections.abc import Sequence

from fastload import resume
from fastload.adapter import Reading, Referring, SchemaSpec, TargetCapabilities, Work
from fastload.model import (
    Catalog,
    Column,
    Finding,
    Fit,
    Inspection,
    Kept,
    Occupied,
    Plan,
    QualifiedName,
    Receipt,
    Step,
    Steps,
    TablePlan,
)
from fastload.model import Sequence as SequenceModel
from fastload.steps import telling
from fastload.written import completed
from fastload_postgres import ddl, fitting, once, orphans, proof, state
from fastload_postgres.connection import Connection, Sessions
from fastload_postgres.doctor import examine_target
from fastload_postgres.framing import with_receipt
from fastload_postgres.inspection import read_inspection
from fastload_postgres.mending import mend, referring
from fastload_postgres.occupied import occupied
from fastload_postgres.quoting import DEFAULT_SCHEMA, qualified
from fastload_postgres.reading import BINARY_WIRE, TEXT_WIRE
from fastload_postgres.repair_statements import repair_file, repair_statements
from fastload_postgres.sequences import advance
from fastload_postgres.sifting import attempts
from fastload_postgres.translation import translate
from fastload_postgres.writing import Layouts, write_rows

# Schema statements per transaction. Each holds about four locks until its transaction ends, and
# the lock table has 64 slots per allowed connection by default.
_STATEMENTS_PER_TRANSACTION = 200
# Steps queue behind each other's table locks for as long as an index takes. An index is sorted in
# memory where it can be: lanes together take as much as the shared buffers, which are customarily
# a quarter of the machine's memory. Workers beside busy lanes only cost: a sort that is shared goes
# through files, and TPC-H with two lanes on two processors took 20.7 s instead of 18.4 s.
_STEP_SETTINGS = """
SET LOCAL lock_timeout = 0;
SELECT set_config('max_parallel_maintenance_workers', least(
    current_setting('max_parallel_maintenance_workers')::int, {workers})::text, true);
SELECT set_config('maintenance_work_mem', greatest(
    pg_size_bytes(current_setting('maintenance_work_mem')),
    least(1 << 30, pg_size_bytes(current_setting('shared_buffers')) / {lanes})
) / 1024 || 'kB', true)"""


class PostgresTarget:
    """Writes one database."""

    capabilities = TargetCapabilities(
        guarantee="L3",
        ddl=True,
        merge=True,
        wires=frozenset({BINARY_WIRE, TEXT_WIRE}),
        mend=True,
        writes_repairs=True,
        rejects=True,
    )
    default_schema = DEFAULT_SCHEMA

    def __init__(self, sessions: Sessions, identity: str, lanes: int) -> None:
        self._sessions = sessions
        self._layouts = Layouts()
        self._lanes = lanes
        self.identity = self.namespace = identity

    def translate(self, catalog: Catalog) -> Catalog:
        """Return the catalogue in PostgreSQL's own words."""
        return translate(catalog)

    async def inspect(self, catalog: Catalog) -> Inspection:
        """Return the tables that are there already, and types that are not."""
        async with self._sessions.lend() as connection:
            return await read_inspection(connection, catalog)

    def fit(self, source: Column, target: Column, dialect: str) -> Fit:
        """Say how one column's values fit another; see the seam."""
        return fitting.fit(source, target, dialect)

    def render(self, catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
        """Return the statements around the rows; see the seam."""
        return ddl.render(catalog, existing, want)

    async def prepare(self, plan: Plan) -> int:
        """Run the before-data steps, then store the plan durably, in the last transaction."""
        statements = [s for step in plan.before for s in step.statements]
        async with self._sessions.lend() as connection:
            if len(statements) > _STATEMENTS_PER_TRANSACTION:
                await state.check_free(connection, plan)
            while len(statements) > _STATEMENTS_PER_TRANSACTION:
                first, statements = (
                    statements[:_STATEMENTS_PER_TRANSACTION],
                    statements[_STATEMENTS_PER_TRANSACTION:],
                )
                await _run(connection, first)
            async with connection.transaction():
                await connection.execute("SET LOCAL synchronous_commit = on")
                await state.make(connection)
                epoch = await state.store_plan(connection, plan)
                if statements:
                    await connection.execute(";\n".join(statements))
                await proof.note(connection, plan.run, plan.tables)
        return epoch

    async def run_step(self, step: Step, run: str, epoch: int, *, width: int = 1) -> None:
        """Run one after-data step with its receipt."""
        async with (
            orphans.naming_orphans(self._sessions, run, step.title),
            self._sessions.lend() as connection,
        ):
            if step.alone:
                with telling(step):
                    await connection.execute(*step.statements)
            async with connection.transaction():
                await orphans.mark(connection, run, step.title)
                if await state.begin_step(connection, run, epoch, step.id) and not step.alone:
                    settings = _STEP_SETTINGS.format(lanes=self._lanes, workers=width - 1)
                    await connection.execute(settings)
                    with telling(step):
                        await connection.execute(";\n".join(step.statements))

    async def advance(
        self, sequences: Sequence[SequenceModel], run: str, epoch: int, *, keep_higher: bool
    ) -> None:
        """Set sequences; see the seam."""
        async with self._sessions.lend() as connection, connection.transaction():
            await state.fence(connection, run, epoch)
            await connection.execute("SET LOCAL synchronous_commit = on")
            await advance(connection, sequences, keep_higher=keep_higher)

    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        """Write one partition and its receipt in one transaction; see the seam."""

        async def rows(connection: Connection) -> Receipt:
            return await self._written(connection, table, reading, receipt)

        return await with_receipt(self._sessions, table, receipt, rows)

    async def write_once(
        self, plan: Plan, table: TablePlan, reading: Reading, receipt: Receipt
    ) -> Receipt:
        """Do a whole plan in one transaction; see the seam."""
        async with once.one_transaction(self._sessions) as connection:
            await once.run_before(connection, plan)
            full = await self._written(connection, table, reading, receipt)
            await once.run_after(connection, plan)
        return full

    async def sift(self, table: TablePlan, receipt: Receipt, work: Work) -> Receipt:
        """Do the work in one transaction with its receipt; see the seam."""

        async def rows(connection: Connection) -> Receipt:
            return await work(await attempts(connection, table, self._layouts))

        return await with_receipt(self._sessions, table, receipt, rows)

    async def sift_once(
        self, plan: Plan, table: TablePlan, receipt: Receipt, work: Work
    ) -> Receipt:
        """Do the work in one transaction with its plan; see the seam."""
        async with once.one_transaction(self._sessions) as connection:
            await once.run_before(connection, plan)
            full = await work(await attempts(connection, table, self._layouts))
            await once.run_after(connection, plan)
        return full

    async def _written(
        self, connection: Connection, table: TablePlan, reading: Reading, receipt: Receipt
    ) -> Receipt:
        """Write the rows and return the receipt of what both sides agree on."""
        written = await write_rows(connection, table, reading, self._layouts)
        return await completed(receipt, table, reading, written)

    async def mend(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Delete and merge rows in one transaction; see the seam."""
        async with self._sessions.lend() as connection, connection.transaction():
            await connection.execute("SET LOCAL synchronous_commit = on")
            return await mend(connection, table, rows, extra, keys, self._layouts)

    async def repair_statements(
        self, change: str, table: TablePlan, rows: Reading, columns: Sequence[str]
    ) -> Sequence[str | None]:
        """Let the server write the rows down as statements; see the seam."""
        async with self._sessions.lend() as connection:
            return await repair_statements(connection, change, table, rows, columns, self._layouts)

    async def referring(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Return what statements would change besides; see the seam."""
        async with self._sessions.lend() as connection:
            return await referring(connection, table, rows, extra, keys, self._layouts)

    def repair_file(self, statements: Sequence[str], notes: Sequence[str]) -> str:
        """Return what psql runs; see the seam."""
        return repair_file(statements, notes)

    async def restart(self, run: str, epoch: int, table: TablePlan) -> None:
        """Forget the table's receipts and rows, and store its new partitions."""
        async with self._sessions.lend() as connection, connection.transaction():
            await state.fence(connection, run, epoch)
            ours = await state.forget_receipts(connection, run, table.source.name)
            if table.restartable:
                await _empty(connection, table, ours)
            await proof.forget(connection, run, table.source.name)
            await proof.note(connection, run, [table])
            await state.replace_table_plan(connection, run, table)

    async def barrier(self, run: str) -> Kept:
        """Commit a row synchronously, and count what is left of the run."""
        async with self._sessions.lend() as connection:
            return await state.pass_barrier(connection, run)

    async def occupied(self, tables: Sequence[QualifiedName]) -> Sequence[Occupied]:
        """Return what tables take; see the seam."""
        async with self._sessions.lend() as connection:
            return await occupied(connection, tables)

    async def rest(self) -> None:
        """Close idle connections."""
        await self._sessions.close()

    def state(self) -> state.PostgresState:
        """Return the runs stored in this database."""
        return state.PostgresState(self._sessions)

    async def examine(self) -> Sequence[Finding]:
        """Return version, rights and settings that matter to a writer."""
        async with self._sessions.lend() as connection:
            return await examine_target(connection)


async def _empty(connection: Connection, table: TablePlan, ours: int) -> None:
    """Empty the table, unless it holds other rows than this run's."""
    name = qualified(table.target.name)
    await connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    resume.check_rows(table, ours, await connection.fetchval(f"SELECT count(*) FROM {name}"))
    await connection.execute(f"TRUNCATE {name}")


async def _run(connection: Connection, statements: Sequence[str]) -> None:
    async with connection.transaction():
        await connection.execute(";\n".join(statements))
