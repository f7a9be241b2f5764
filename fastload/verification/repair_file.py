"""What would mend the target, as a file of statements in its own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from fastload.adapter import Endpoint, Reading, RepairWriting, Source, Target
from fastload.config import CopyOptions
from fastload.errors import FastloadError
from fastload.model import QualifiedName, TablePlan
from fastload.private_files import make_private_file
from fastload.registry import open_source, open_target
from fastload.report import count
from fastload.verification.repairing import (
    changes_of,
    fit_to,
    held,
    keys_of,
    possible_plans,
    ranges_of,
    referred,
)
from fastload.verification.result import VerifyResult
from fastload.verification.verifier import Located
from fastload.wording import visible

if TYPE_CHECKING:
    from fastload.verification.comparison import Compare, Compared

REPAIR = "repair.sql"


class _Change(NamedTuple):
    """Rows of one table that want one kind of statement."""

    kind: str
    plan: TablePlan
    rows: Reading
    columns: tuple[str, ...] = ()


async def write_repair(
    here: Endpoint,
    there: Endpoint,
    compared: Compared,
    compare: Compare,
    folder: Path,
) -> None:
    """Write the file, where the target has words for it and there is something to say."""
    if not compared.located:
        return
    async with (
        open_source(here, connections=1) as source,
        open_target(there, connections=1) as target,
    ):
        if not target.capabilities.writes_repairs:
            return
        writer = _Writer(source, target, compared.options, compare)
        text = await writer.file(compared)
    make_private_file(folder / REPAIR).write_text(text, encoding="utf-8", newline="")


class _Writer:
    """Collects statements and notes."""

    def __init__(
        self, source: Source, target: Target, options: CopyOptions, compare: Compare
    ) -> None:
        self._source = source
        self._target = target
        self._to = cast("RepairWriting", target)
        self._options = options
        self._compare = compare
        self._statements: list[str] = []
        self._notes: list[str] = []
        self._left: set[QualifiedName] = set()

    async def file(self, compared: Compared) -> str:
        """Return the file; what is not in it is told."""
        names = {x.pair.source.name for x in compared.located}
        tables = [t for t in compared.result.tables if t.table in names]
        plans, left = await possible_plans(self._source, self._target, self._options, tables)
        for name, error in left.items():
            self._leave(name, error)
        compared = await self._exactly(compared, plans)
        planned = [(plans[n], x) for x in compared.located if (n := x.pair.source.name) in plans]
        # What refers to other tables' rows goes before them, and comes after them.
        planned.sort(key=lambda p: p[0].level)
        for plan, located in planned:
            await self._check(plan, located)
        for plan, located in reversed(planned):
            await self._table(plan, located, ("delete",))
        for plan, located in planned:
            await self._table(plan, located, ("update", "insert"))
        self._tell(compared.result)
        return self._to.repair_file(self._statements, [visible(n) for n in self._notes])

    async def _exactly(self, compared: Compared, plans: dict[QualifiedName, TablePlan]) -> Compared:
        """Compare tables once more that are written from other forms than they were compared in."""
        exact = {
            name: plans[name].exact
            for pair in (found.pair for found in compared.located)
            if (name := pair.source.name) in plans
            and {*plans[name].exact} - {p.source.name for p in pair.pairs if p.exact}
        }
        if not exact:
            return compared
        ranges = ranges_of([t for t in compared.result.tables if t.table in exact])
        again = await self._compare(self._options.narrowed(list(exact)), ranges, exact)
        kept = [x for x in compared.located if x.pair.source.name not in exact]
        return compared._replace(located=[*kept, *again.located])

    async def _check(self, plan: TablePlan, located: Located) -> None:
        """Leave a table out whose statements would change others' rows."""
        try:
            if found := await self._to.referring(*changes_of(plan, located)):
                raise referred(located, found)
        except FastloadError as error:
            self._leave(located.pair.source.name, error)

    async def _table(self, plan: TablePlan, located: Located, kinds: Sequence[str]) -> None:
        if located.pair.source.name in self._left:
            return
        try:
            for change in _changes(fit_to(plan, located), located):
                if change.kind in kinds:
                    await self._add(change, located)
        except FastloadError as error:
            self._leave(located.pair.source.name, error)

    async def _add(self, change: _Change, located: Located) -> None:
        found = await self._to.repair_statements(
            change.kind, change.plan, change.rows, change.columns
        )
        self._statements += [s for s in found if s is not None]
        if left := sum(s is None for s in found):
            what = f"{change.kind} of {count(left, 'row')} of {located.pair.target.name}"
            self._notes.append(f"NOT HERE: {what}, too long or without exact literals")

    def _leave(self, name: QualifiedName, error: FastloadError) -> None:
        self._left.add(name)
        self._notes.append(f"NOT HERE: {name}: {error.message}")

    def _tell(self, result: VerifyResult) -> None:
        for table in result.tables:
            if table.because:
                self._notes.append(f"NOT HERE: {table.because}")
            elif table.more or table.unlocated:
                self._notes.append(f"NOT HERE: other rows of {table.name} that differ")


def _changes(plan: TablePlan, located: Located) -> Iterator[_Change]:
    names = dict(zip(plan.columns, plan.target_columns, strict=True))
    if located.extra:
        yield _Change("delete", *keys_of(plan, located))
    for columns, rows in located.changed:
        # A column that the target makes itself differs with those it is made of.
        written = tuple(names[c] for c in columns if c in names)
        if written:
            yield _Change("update", plan, held(plan, located, rows), written)
    if located.missing:
        yield _Change("insert", plan, held(plan, located, located.missing))
