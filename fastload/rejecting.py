"""Rejected rows of one run: how many there may be, where they go, and what plans say of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias, cast

import msgspec

from fastload import reject_files
from fastload.adapter import Reading, Sifting, Target, Work
from fastload.config import CopyOptions
from fastload.errors import (
    ConnectionLost,
    FastloadError,
    PlanError,
    RejectLimit,
    SchemaMismatch,
    StateError,
)
from fastload.model import Fit, Plan, QualifiedName, Receipt, TablePlan
from fastload.reject_files import RejectFile, file_of
from fastload.sifting import Sifter

Sift: TypeAlias = Callable[[TablePlan, Receipt, Work], Awaitable[Receipt]]


class Rejecting:
    """Sifts partitions of one run; lanes share it.

    Guarantees: with the rows of earlier processes, no more are rejected than the limit says.
    """

    def __init__(
        self,
        target: Target,
        options: CopyOptions,
        *,
        dialect: str,
        files_of: str,
        sift: Sift | None = None,
        earlier: Iterable[Receipt] = (),
    ) -> None:
        assert options.rejects is not None
        self._target = target
        self._dialect = dialect
        self._folder = Path(options.rejects).absolute()
        self._limit = options.reject_limit
        self._run = files_of
        self._sift = sift or cast("Sifting", target).sift
        self._once = sift is not None
        self._rows = sum(r.rejected for r in earlier)
        reject_files.make_folder(self._folder, files_of)

    async def write(
        self,
        table: TablePlan,
        reading: Reading,
        receipt: Receipt,
        becoming_exact: Collection[str] = (),
    ) -> Receipt:
        """Sift one partition and return its receipt."""
        schema = reading.schema
        assert not isinstance(schema, str)
        path = file_of(self._folder, self._run, table.source.name, receipt.partition)
        file = RejectFile(path, schema)
        sifter = Sifter(table, reading, receipt, file, self._admit, becoming_exact)
        try:
            done = await self._sift(table, receipt, sifter.run)
        except BaseException as error:
            self._rows -= sifter.rejected
            if self._once and _undone(error):
                path.unlink(missing_ok=True)
            raise
        finally:
            file.discard()
        self._rows += done.rejected - sifter.rejected
        return done

    def _admit(self, error: FastloadError) -> None:
        self._rows += 1
        if self._rows > self._limit:
            raise RejectLimit(
                f"more rows are refused than reject_limit={self._limit} lets be rejected; "
                f"the last one: {error.message}",
                side=error.side or "target",
                table=error.table,
                column=error.column,
                partition=error.partition,
                key=error.key,
                hint="mend what they have in common; or raise reject_limit and start the run "
                "again: it continues",
            ) from error

    def through_arrow(self, table: TablePlan) -> TablePlan:
        """Return the plan of a table with rows that can be told apart."""
        if table.wire is None:
            return table
        exact = tuple(c for c, fit in _fits(table, self._target, self._dialect) if not fit.native)
        return msgspec.structs.replace(table, wire=None, exact=exact)

    def settle(self, receipts: Sequence[Receipt]) -> None:
        """Remove files that no receipt stands for, as of a partition that went in later."""
        keep = {Path(r.rejects) for r in receipts if r.rejects}
        reject_files.clear(self._folder, self._run, keep)


def _undone(error: BaseException) -> bool:
    """Say whether nothing was written; a file of rows that are neither here nor there is needless.

    After a lost connection nobody knows yet, nor who is cancelled; what is said of the state may
    be said after the commit.
    """
    return isinstance(error, Exception) and not isinstance(error, ConnectionLost | StateError)


def check(plan: Plan, target: Target, dialect: str) -> None:
    """Refuse a plan whose rows could not be rejected rightly, one by one.

    Raises:
        PlanError: The target cannot, or a table's rows would be judged before their time.
    """
    if not target.capabilities.rejects:
        raise PlanError(
            f"{target.identity} cannot tell good rows from bad ones",
            side="target",
            hint="leave out on_error='reject': the first bad row then ends the run",
        )
    levels = {t.target.name: t.level for t in plan.tables}
    for table in plan.tables:
        _check_references(table, levels)
        for column, fit in _fits(table, target, dialect) if table.wire else ():
            if not (fit.native or fit.exact):
                raise SchemaMismatch(
                    f"column {column} has no way through Arrow, and rows that are refused are "
                    "told apart there",
                    table=str(table.source.name),
                    column=column,
                    hint="copy the column as text with `types`, or leave out on_error='reject'",
                )


def _check_references(table: TablePlan, levels: dict[QualifiedName, int]) -> None:
    for key in table.target.foreign_keys:
        if levels.get(key.references, -1) >= table.level:
            raise PlanError(
                f"rows of {table.target.name} may come before those of {key.references} that they "
                f"refer to by {key.name}, and would be rejected for that",
                side="target",
                table=str(table.target.name),
                hint="drop the foreign key on the target while the rows are written; or leave out "
                "on_error='reject'",
            )


def _fits(table: TablePlan, target: Target, dialect: str) -> list[tuple[str, Fit]]:
    pairs = zip(table.columns, table.target_columns, strict=True)
    return [
        (c, target.fit(table.source.column(c), table.target.column(t), dialect)) for c, t in pairs
    ]


def notes(options: CopyOptions, *, made: bool, there: bool) -> list[str]:
    """Return what a plan says of rejected rows.

    Args:
        options: Of the copy.
        made: Whether the run makes tables.
        there: Whether it writes to tables that are there.
    """
    found = [
        f"rows that the target refuses go to {options.rejects}, {options.reject_limit:,} at most"
    ]
    if there:
        found.append(
            "tables that are there reject what breaks their constraints; of several rows with one "
            "key, the first that comes stays"
        )
    if made:
        found.append(
            "tables that are made get what the steps after the rows declare (keys, unique and "
            "foreign keys) too late to reject a row: one that breaks it stops the run at that step"
        )
    return found
