"""A database of MySQL's family as a target: schema work, and partitions with their receipts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

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
from fastload.written import completed
from fastload_mysql import ddl, fitting, state, stepping
from fastload_mysql.connection import Connection
from fastload_mysql.counting import advance
from fastload_mysql.doctor import examine_target
from fastload_mysql.driver import Sessions
from fastload_mysql.framing import with_receipt
from fastload_mysql.identity import Database
from fastload_mysql.inspection import read_inspection
from fastload_mysql.mending import mend, referring
from fastload_mysql.occupied import occupied
from fastload_mysql.once import Once
from fastload_mysql.quoting import qualified
from fastload_mysql.receipts import forget_receipts
from fastload_mysql.repair_statements import repair_file, repair_statements
from fastload_mysql.sifting import attempts
from fastload_mysql.state_tables import Tables
from fastload_mysql.transaction import transaction
from fastload_mysql.translation import translate
from fastload_mysql.writing import WITHOUT_FILES, write_rows


class MysqlTarget:
    """Writes one database."""

    def __init__(self, sessions: Sessions, database: Database) -> None:
        self.capabilities = TargetCapabilities(
            guarantee="L3",
            ddl=True,
            merge=True,
            clusters=True,
            mend=True,
            writes_repairs=True,
            rejects=True,
            notes=() if database.takes_files else (WITHOUT_FILES,),
        )
        self._sessions = sessions
        self._server = database.server
        self._counts_alone = database.counts_alone
        self._tables = Tables(database.name or "_fastload")
        self.identity = database.identity
        self.namespace = database.server_identity
        self.default_schema = database.name or ""

    def translate(self, catalog: Catalog) -> Catalog:
        """Return the catalogue in this server's words."""
        return translate(
            catalog,
            flavour=self._server.flavour,
            version=".".join(map(str, self._server.version)),
            lower_case_table_names=self._server.lower_case_table_names,
        )

    async def inspect(self, catalog: Catalog) -> Inspection:
        """Return the tables that are there already."""
        async with self._sessions.lend() as connection:
            return await read_inspection(connection, catalog)

    def fit(self, source: Column, target: Column, dialect: str) -> Fit:
        """Say how one column's values fit another; see the seam."""
        return fitting.fit(source, target, dialect, self._server)

    def render(self, catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
        """Return the statements around the rows; see the seam."""
        return ddl.render(catalog, existing, want)

    async def prepare(self, plan: Plan) -> int:
        """Run the before-data steps, which commit by themselves, then store the plan."""
        async with self._sessions.lend() as connection:
            return await stepping.prepare(connection, self._tables, plan)

    async def run_step(self, step: Step, run: str, epoch: int, *, width: int = 1) -> None:
        """Run what is not done of an after-data step, then store its receipt."""
        async with self._sessions.lend() as connection:
            await stepping.run_step(connection, self._tables, step, run, epoch)

    async def advance(
        self, sequences: Sequence[SequenceModel], run: str, epoch: int, *, keep_higher: bool
    ) -> None:
        """Set the counters of columns, and sequences; see the seam."""
        async with (
            self._sessions.lend() as connection,
            stepping.alone_at(connection, self._tables, run, "sequences", "sequences"),
        ):
            async with transaction(connection):
                await state.fence(connection, self._tables, run, epoch)
            await advance(connection, sequences, self._server, keep_higher=keep_higher)

    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        """Write one partition and its receipt in one transaction; see the seam."""

        async def rows(connection: Connection) -> Receipt:
            return await self._written(table, reading, receipt, connection, table.target.name)

        return await with_receipt(self._sessions, self._tables, table, receipt, rows)

    async def write_once(
        self, plan: Plan, table: TablePlan, reading: Reading, receipt: Receipt
    ) -> Receipt:
        """Do a whole plan at once; see the seam."""
        write = partial(self._written, table, reading, receipt)
        return await Once(self._sessions, self._tables, plan, table, write).run()

    async def sift(self, table: TablePlan, receipt: Receipt, work: Work) -> Receipt:
        """Do the work in one transaction with its receipt; see the seam."""

        async def rows(connection: Connection) -> Receipt:
            return await work(attempts(connection, table, table.target.name))

        return await with_receipt(self._sessions, self._tables, table, receipt, rows)

    async def sift_once(
        self, plan: Plan, table: TablePlan, receipt: Receipt, work: Work
    ) -> Receipt:
        """Do the work at once with its plan; see the seam."""

        async def write(connection: Connection, into: QualifiedName) -> Receipt:
            return await work(attempts(connection, table, into))

        return await Once(self._sessions, self._tables, plan, table, write).run()

    async def mend(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Delete and merge rows in one transaction; see the seam."""
        async with self._sessions.lend() as connection, transaction(connection):
            return await mend(connection, table, rows, extra, keys)

    async def repair_statements(
        self, change: str, table: TablePlan, rows: Reading, columns: Sequence[str]
    ) -> Sequence[str | None]:
        """Write the rows down as statements; see the seam."""
        return await repair_statements(change, table, rows, columns)

    async def referring(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Return what statements would change besides; see the seam."""
        async with self._sessions.lend() as connection:
            return await referring(connection, table, rows, extra, keys)

    def repair_file(self, statements: Sequence[str], notes: Sequence[str]) -> str:
        """Return what the client runs; see the seam."""
        return repair_file(statements, notes)

    async def _written(
        self,
        table: TablePlan,
        reading: Reading,
        receipt: Receipt,
        connection: Connection,
        into: QualifiedName,
    ) -> Receipt:
        """Write the rows and return the receipt of what both sides agree on."""
        counting = self._counts_alone and any(c.identity for c in table.target.columns)
        in_pieces = counting and len(table.partitions) > 1
        written = await write_rows(connection, table, reading, into, in_pieces=in_pieces)
        return await completed(receipt, table, reading, written)

    async def restart(self, run: str, epoch: int, table: TablePlan) -> None:
        """Forget the table's receipts and rows, and store its new partitions."""
        async with self._sessions.lend() as connection, transaction(connection):
            await state.fence(connection, self._tables, run, epoch, to_change=True)
            ours = await forget_receipts(connection, self._tables, run, table.source.name)
            if table.restartable:
                # TRUNCATE would commit.
                name = qualified(table.target.name)
                count = f"SELECT COUNT(*) FROM {name} FOR UPDATE"
                resume.check_rows(table, ours, int(await connection.fetchval(count)))
                await connection.execute(f"DELETE FROM {name}")
            await state.replace_table_plan(connection, self._tables, run, table)

    async def barrier(self, run: str) -> Kept:
        """Have the log written, and count what is left of the run."""
        async with self._sessions.lend() as connection:
            return await state.pass_barrier(connection, self._tables, run)

    async def occupied(self, tables: Sequence[QualifiedName]) -> Sequence[Occupied]:
        """Return what tables take; see the seam."""
        async with self._sessions.lend() as connection:
            return await occupied(connection, tables)

    async def rest(self) -> None:
        """Close idle connections."""
        await self._sessions.close()

    def state(self) -> state.MysqlState:
        """Return the runs stored in this database."""
        return state.MysqlState(self._sessions, self._tables)

    async def examine(self) -> Sequence[Finding]:
        """Return version, rights and settings that matter to a writer."""
        async with self._sessions.lend() as connection:
            return await examine_target(connection)
