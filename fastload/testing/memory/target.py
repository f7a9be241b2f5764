"""A memory database as a target, with its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import anyio
import msgspec

from fastload import resume
from fastload.adapter import (
    Attempt,
    Reading,
    Referring,
    SchemaSpec,
    TargetCapabilities,
    Work,
)
from fastload.errors import EncodeError, StateError
from fastload.model import (
    Catalog,
    Column,
    ExistingTable,
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
    StoredRun,
    TablePlan,
    Worker,
)
from fastload.model import Sequence as SequenceModel
from fastload.stored_plan import first_epoch
from fastload.testing.memory import schema
from fastload.testing.memory.database import MemoryDatabase, StoredPlan, check, check_key, keys_of
from fastload.testing.memory.source import DEFAULT_SCHEMA
from fastload.testing.memory.statements import Empty, execute, write_down
from fastload.written import Written, completed

if TYPE_CHECKING:
    import pyarrow as pa


class MemoryTarget:
    """Writes one database."""

    capabilities = TargetCapabilities(guarantee="L3", ddl=True, merge=True, rejects=True, mend=True)
    default_schema = DEFAULT_SCHEMA

    def __init__(self, database: MemoryDatabase) -> None:
        self._database = database
        self.identity = self.namespace = f"memory:{database.name}"

    def translate(self, catalog: Catalog) -> Catalog:
        """Return the catalogue with Arrow's types."""
        return schema.translate(catalog)

    async def inspect(self, catalog: Catalog) -> Inspection:
        """Return the tables and sequences that are there."""
        there = [self._database.tables.get(t.name) for t in catalog.tables]
        return Inspection(
            tables=tuple(
                ExistingTable(table=s.table, empty=not s.rows.num_rows) for s in there if s
            ),
            sequences=tuple(
                s.name for s in catalog.sequences if s.name in self._database.sequences
            ),
        )

    def fit(self, source: Column, target: Column, dialect: str) -> Fit:
        """Say how one column's values fit another."""
        return schema.fit(source, target)

    def render(self, catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
        """Return the schema work; there are no statistics."""
        return schema.render(catalog, existing, want)

    async def prepare(self, plan: Plan) -> int:
        """Run the before-data steps and store the plan."""
        if plan.run in self._database.runs:
            raise StateError(f"run {plan.run!r} was started by another process", side="target")
        for other in resume.others(plan, [stored.plan for stored in self._database.runs.values()]):
            await self.state().discard(other)
        for step in plan.before:
            for statement in step.statements:
                execute(self._database, statement)
        stored = self._database.runs[plan.run] = StoredPlan(plan, first_epoch())
        return stored.epoch

    async def run_step(self, step: Step, run: str, epoch: int, *, width: int = 1) -> None:
        """Run a step that is not done."""
        stored = self._database.fence(run, epoch)
        if step.id in stored.steps:
            return
        for statement in step.statements:
            execute(self._database, statement)
        stored.steps.append(step.id)

    async def advance(
        self, sequences: Sequence[SequenceModel], run: str, epoch: int, *, keep_higher: bool
    ) -> None:
        """Set sequences, those with an owner by their owner."""
        self._database.fence(run, epoch)
        for sequence in sequences:
            name = self._own_name(sequence)
            if sequence.last_value is None or name not in self._database.sequences:
                continue
            now = self._database.sequences[name]
            if keep_higher and now.last_value is not None and now.last_value > sequence.last_value:
                continue
            self._database.sequences[name] = msgspec.structs.replace(
                now, last_value=sequence.last_value, is_called=sequence.is_called
            )

    def _own_name(self, sequence: SequenceModel) -> QualifiedName:
        owned = (
            s.name
            for s in self._database.sequences.values()
            if sequence.owner is not None and s.owner == sequence.owner
        )
        return next(owned, sequence.name)

    async def write(self, table: TablePlan, reading: Reading, receipt: Receipt) -> Receipt:
        """Collect the rows, then change rows and receipt at once."""
        key = (receipt.run, receipt.table, receipt.partition)
        async with self._database.writing.setdefault(key, anyio.Lock()):
            self._database.fence(receipt.run, receipt.epoch)
            if done := self._database.receipts.get(key):
                return done
            batches = [self._taken(table, batch) async for batch in reading]
            nulled = sum(lost for _, lost in batches)
            full = await completed(
                receipt, table, reading, _counted([rows for rows, _ in batches], nulled)
            )
            self._database.fence(receipt.run, receipt.epoch)
            self._insert(table, [rows for rows, _ in batches])
            self._database.receipts[key] = full
            return full

    async def write_once(
        self, plan: Plan, table: TablePlan, reading: Reading, receipt: Receipt
    ) -> Receipt:
        """Collect the rows, then change all at once, or put back what was there."""
        batches = [batch async for batch in reading]
        full = await completed(receipt, table, reading, _counted(batches))
        tables, sequences = dict(self._database.tables), dict(self._database.sequences)
        try:
            for statement in (s for step in plan.before for s in step.statements):
                execute(self._database, statement)
            taken = [self._taken(table, batch) for batch in batches]
            self._insert(table, [rows for rows, _ in taken])
            for statement in (s for step in plan.after for s in step.statements):
                execute(self._database, statement)
        except BaseException:
            self._database.tables, self._database.sequences = tables, sequences
            raise
        nulled = full.nulled + sum(lost for _, lost in taken)
        return msgspec.structs.replace(full, nulled=nulled)

    async def sift(self, table: TablePlan, receipt: Receipt, work: Work) -> Receipt:
        """Collect the rows of good attempts, then change rows and receipt at once."""
        key = (receipt.run, receipt.table, receipt.partition)
        async with self._database.writing.setdefault(key, anyio.Lock()):
            self._database.fence(receipt.run, receipt.epoch)
            if done := self._database.receipts.get(key):
                return done
            taken: list[pa.Table] = []
            full = await work(self._attempts(table, taken))
            self._database.fence(receipt.run, receipt.epoch)
            self._insert(table, taken)
            self._database.receipts[key] = full
            return full

    async def sift_once(
        self, plan: Plan, table: TablePlan, receipt: Receipt, work: Work
    ) -> Receipt:
        """Change all at once, or put back what was there."""
        tables, sequences = dict(self._database.tables), dict(self._database.sequences)
        try:
            for statement in (s for step in plan.before for s in step.statements):
                execute(self._database, statement)
            taken: list[pa.Table] = []
            full = await work(self._attempts(table, taken))
            self._insert(table, taken)
            for statement in (s for step in plan.after for s in step.statements):
                execute(self._database, statement)
        except BaseException:
            self._database.tables, self._database.sequences = tables, sequences
            raise
        return full

    def _attempts(self, table: TablePlan, taken: list[pa.Table]) -> Attempt:
        """Return what adds rows to those taken, where the table would have all of them."""
        import pyarrow as pa

        async def attempt(rows: Reading) -> Written:
            found = [self._taken(table, batch) async for batch in rows]
            stored = self._database.tables[table.target.name]
            new = [batch for batch, _ in found]
            check(stored.table, pa.concat_tables([stored.rows, *taken, *new]))
            taken.extend(new)
            return _counted(new, sum(lost for _, lost in found))

        return attempt

    def _taken(self, table: TablePlan, batch: pa.RecordBatch) -> tuple[pa.Table, int]:
        """Return a batch in the target's columns and types; those without a source are NULL.

        With it comes how many values became NULL because their column cannot hold them.
        """
        import pyarrow as pa

        wanted = self._database.tables[table.target.name].rows.schema
        arrays, nulled = [], 0
        for field in wanted:
            if field.name not in table.target_columns:
                arrays.append(pa.nulls(batch.num_rows, field.type))
                continue
            column = batch.column(field.name)
            try:
                arrays.append(column if column.type == field.type else column.cast(field.type))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                if field.name in table.nulls_instead:
                    arrays.append(pa.array([_or_none(v, field.type) for v in column], field.type))
                    nulled += arrays[-1].null_count - column.null_count
                    continue
                raise EncodeError(
                    str(error), side="target", table=str(table.target.name), column=field.name
                ) from error
        return pa.table(arrays, schema=wanted), nulled

    def _insert(self, table: TablePlan, batches: list[pa.Table]) -> None:
        import pyarrow as pa

        stored = self._database.tables[table.target.name]
        rows = pa.concat_tables([stored.rows, *batches])
        if table.merge_by:
            check_key(table.target, table.merge_by, pa.concat_tables(batches))
            places = {key: i for i, key in enumerate(keys_of(rows, table.merge_by))}
            rows = rows.take(sorted(places.values()))
        self._database.put(table.target.name, rows)

    async def mend(
        self, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
    ) -> Sequence[Referring]:
        """Collect both, then delete and merge at once, or put back what was there."""
        gone = {key async for b in keys for key in keys_of(b, extra.target_columns)}
        taken = [self._taken(table, batch)[0] async for batch in rows]
        before = self._database.tables[table.target.name]
        found = keys_of(before.rows, extra.target_columns)
        kept = [place for place, key in enumerate(found) if key not in gone]
        try:
            self._database.put(table.target.name, before.rows.take(kept))
            if taken:
                self._insert(table, taken)
        except BaseException:
            self._database.tables[table.target.name] = before
            raise
        return ()

    async def restart(self, run: str, epoch: int, table: TablePlan) -> None:
        """Forget a table's receipts, empty it where it may be, and store its new plan."""
        stored = self._database.fence(run, epoch)
        gone = [k for k in self._database.receipts if k[:2] == (run, table.source.name)]
        ours = sum(self._database.receipts[k].rows or 0 for k in gone)
        if table.restartable:
            resume.check_rows(table, ours, self._database.tables[table.target.name].rows.num_rows)
        for key in gone:
            del self._database.receipts[key]
        if table.restartable:
            execute(self._database, write_down(Empty(table.target.name)))
        tables = tuple(
            table if t.source.name == table.source.name else t for t in stored.plan.tables
        )
        stored.plan = msgspec.structs.replace(stored.plan, tables=tables)

    async def barrier(self, run: str) -> Kept:
        """Return what there is: memory is as durable as it gets."""
        stored = self._database.runs.get(run)
        return Kept(
            receipts=sum(k[0] == run for k in self._database.receipts),
            steps=len(stored.steps) if stored else 0,
        )

    async def occupied(self, tables: Sequence[QualifiedName]) -> Sequence[Occupied]:
        """Return the bytes of the tables' rows."""
        there = (self._database.tables.get(name) for name in tables)
        return [
            Occupied(s.table.name, s.rows.nbytes, write_down(Empty(s.table.name)))
            for s in there
            if s
        ]

    async def rest(self) -> None:
        """Do nothing: there are no connections."""

    def state(self) -> MemoryState:
        """Return the runs of this database."""
        return MemoryState(self._database, self)

    def end(self) -> None:
        """Show no longer that this target works for a run."""
        workers = self._database.workers
        for key in [k for k, target in workers.items() if target is self]:
            del workers[key]

    async def examine(self) -> Sequence[Finding]:
        """Return how many runs are stored."""
        return [Finding(level="ok", subject="runs", text=str(len(self._database.runs)))]


def _or_none(value: pa.Scalar, type_: pa.DataType) -> Any:
    """Return a value as one of this type; None where it has no such value."""
    import pyarrow as pa

    try:
        return value.cast(type_).as_py()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None


def _counted(batches: Sequence[pa.Table], nulled: int = 0) -> Written:
    return Written(sum(batch.num_rows for batch in batches), nulled)


class MemoryState:
    """The state store of one database."""

    def __init__(self, database: MemoryDatabase, target: MemoryTarget) -> None:
        self._database = database
        self._target = target

    async def show(self, run: str, epoch: int) -> None:
        """Let others see that this target works for the run."""
        self._database.workers[run, epoch] = self._target

    async def worker(self, run: str, epoch: int) -> Worker | None:
        """Return who works for the run; who stands still shares that with whoever asks."""
        there = (run, epoch) in self._database.workers
        return Worker(told="a target of this process", silent_s=0.0) if there else None

    async def claim(self, run: str) -> StoredRun | None:
        """Raise the run's epoch and return what is stored of it."""
        stored = self._database.runs.get(run)
        if stored is None:
            return None
        stored.epoch += 1
        return self._told(run)

    async def runs(self) -> Sequence[StoredRun]:
        """Return every stored run."""
        return [self._told(run) for run in self._database.runs]

    async def discard(self, run: str, epoch: int | None = None) -> None:
        """Forget the run."""
        if epoch is not None and run in self._database.runs:
            self._database.fence(run, epoch)
        if epoch is not None:
            self._database.workers.pop((run, epoch), None)
        self._database.runs.pop(run, None)
        for key in [k for k in self._database.receipts if k[0] == run]:
            del self._database.receipts[key]

    def _told(self, run: str) -> StoredRun:
        stored = self._database.runs[run]
        return StoredRun(
            plan=stored.plan,
            epoch=stored.epoch,
            receipts=tuple(r for k, r in self._database.receipts.items() if k[0] == run),
            steps=tuple(stored.steps),
        )
