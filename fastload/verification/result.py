"""What a comparison has found: equal or not, and every difference down to the value."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec

from fastload.errors import ConfigError
from fastload.model import KeyRange, QualifiedName
from fastload.report import count, duration
from fastload.verification.pairs import NotCompared
from fastload.wording import visible

_LISTED = 20


class ColumnDifference(msgspec.Struct, frozen=True):
    """A column whose value differs, both as text; None is NULL."""

    column: str
    source: str | None
    target: str | None

    def __str__(self) -> str:
        return f"{self.column} {_shown(self.source)} -> {_shown(self.target)}"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is not the same on both sides.

    Attributes:
        kind: ``"missing"`` on the target, ``"extra"`` there, or ``"different"``.
        key: The row's key by source column, as text; all its columns where it has no key.
        columns: Those that differ.
    """

    table: str
    kind: str
    key: dict[str, str | None]
    columns: tuple[ColumnDifference, ...] = ()

    def __str__(self) -> str:
        key = ", ".join(f"{n}={_shown(v)}" for n, v in self.key.items())
        told = f": {'; '.join(map(str, self.columns))}" if self.columns else ""
        return f"{self.table} {self.kind} {key}{told}"


class TableCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one table.

    Attributes:
        table: The source table; ``target`` is the other where its name differs.
        rows: Rows of the source; ``rows_target`` of the target.
        how: How the rows were hashed, in words.
        differences: Rows that differ, at most as many as were asked for.
        more: Whether there are others.
        unlocated: Parts whose hashes differ, though no row of them was found to.
        not_compared: Columns of which nothing is said.
        because: Why nothing was compared; None where it was.
        ranges: Key ranges that differ.
        live: Whether rows that differed were read again; the counts, of the first moment, then
            say nothing.
        caught_up: Rows that differed at first, and that the target then had.
        unsettled: Rows that the source kept changing, of which nothing can be said.
        left: Why a repair left rows as they were; None where it did not.
    """

    table: QualifiedName
    rows: int = 0
    rows_target: int = 0
    target: QualifiedName | None = None
    how: str = ""
    differences: tuple[Difference, ...] = ()
    more: bool = False
    unlocated: int = 0
    not_compared: tuple[NotCompared, ...] = ()
    because: str | None = None
    ranges: tuple[KeyRange, ...] = ()
    live: bool = False
    caught_up: int = 0
    unsettled: int = 0
    left: str | None = None

    @property
    def name(self) -> str:
        """The source table, as ``schema.name``."""
        return str(self.table)

    @property
    def equal(self) -> bool:
        """Whether no difference was found in the columns that were compared, and none is lost."""
        found = self.differences or self.more or self.unlocated or self.because or self.unsettled
        return not (found or self.lost) and (self.live or self.rows == self.rows_target)

    @property
    def lost(self) -> tuple[str, ...]:
        """Columns that the target does not have."""
        return tuple(n.column for n in self.not_compared if n.lost)

    @property
    def title(self) -> str:
        """The source's name, and the target's where it differs."""
        return f"{self.name} -> {self.target}" if self.target else self.name


@dataclass(frozen=True)
class VerifyResult:
    """What a comparison of two databases has found.

    Attributes:
        tables: One entry for each table that was compared, or should have been.
        seconds: How long it took.
        losses: What values may have lost on their way, by their types, in words.
        inconsistent_because: Why rows of one side may be of several moments; None where not.
    """

    tables: tuple[TableCheck, ...]
    seconds: float
    losses: tuple[str, ...] = ()
    inconsistent_because: str | None = None
    _mend: Callable[[VerifyResult], Awaitable[VerifyResult]] | None = field(
        default=None, repr=False, compare=False
    )

    @property
    def equal(self) -> bool:
        """Whether every table is there and no difference was found in what was compared."""
        return all(t.equal for t in self.tables)

    @property
    def complete(self) -> bool:
        """Whether every column was compared; where not, ``equal`` speaks of the others."""
        return not self.not_compared

    @property
    def rows(self) -> int:
        """Rows of the source that were compared."""
        return sum(t.rows for t in self.tables)

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The differences of all tables that were located."""
        return tuple(d for t in self.tables for d in t.differences)

    @property
    def not_compared(self) -> tuple[NotCompared, ...]:
        """Columns of which nothing is said, with their tables' names."""
        return tuple(
            NotCompared(t.table.member(n.column), n.reason, n.lost)
            for t in self.tables
            for n in t.not_compared
        )

    async def repair(self) -> VerifyResult:
        """Make the target's rows the source's, where they differ, and compare those again.

        Rows that differ or are missing are merged by the target's primary key, and rows that the
        source does not have are deleted, per round in one transaction for each table. No other
        row is changed: what others refer to is not deleted, nor changed where a foreign key would
        then change them.

        Returns:
            The tables after the repair; those that were equal are not compared again. Of a table
            that cannot be repaired, such as one without a primary key on the target, or not as a
            whole, ``left`` says why.

        Raises:
            ConfigError: This result has nothing to repair from.
            PlanError, ConstraintError: None of the tables can be repaired.
        """
        if self.equal:
            return self
        if self._mend is None:
            raise ConfigError(
                "this result does not know its databases any more",
                hint="call fastload.verify again, and repair what it returns",
            )
        return await self._mend(self)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that any JSON writer takes."""
        tables = [_plain(t) for t in self.tables]
        return {
            "equal": self.equal,
            "complete": self.complete,
            "rows": self.rows,
            "seconds": self.seconds,
            "tables": tables,
            "losses": list(self.losses),
            "not_compared": [str(n) for n in self.not_compared],
            "inconsistent_because": self.inconsistent_because,
        }

    def write(self, folder: str | Path) -> None:
        """Write the differences into a folder, as ``differences.parquet``."""
        from fastload.verification.files import write_differences

        write_differences(self, Path(folder))

    def _repr_html_(self) -> str:
        from fastload.report_html import check_fragment

        return check_fragment(self)

    def __str__(self) -> str:
        return "\n".join(map(visible, _lines(self)))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_mend": None}

    def with_repair(self, mend: Callable[[VerifyResult], Awaitable[VerifyResult]]) -> VerifyResult:
        """Return the result with what repairs it."""
        return replace(self, _mend=mend)


def _plain(table: TableCheck) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(table)
    del plain["table"]
    target = str(table.target) if table.target else None
    return {"name": table.name, "equal": table.equal, **plain, "target": target}


def summary(result: VerifyResult) -> str:
    """Return the result's first line."""
    compared = f"{count(result.rows, 'row')} of {count(len(result.tables), 'table')}"
    if result.equal:
        left = count(len(result.not_compared), "column")
        but = f", but for {left} not compared" if result.not_compared else ""
        return f"equal{but}: {compared}, {duration(result.seconds)}"
    bad = [t for t in result.tables if not t.equal]
    more = "at least " if any(t.more or t.unlocated or t.unsettled for t in bad) else ""
    found = f"{more}{count(len(result.differences), 'difference')}"
    unsettled = sum(t.unsettled for t in bad)
    if unsettled and not result.differences:
        found = f"no difference found, and {count(unsettled, 'row')} kept changing"
    return f"{found} in {count(len(bad), 'table')}, of {compared}, {duration(result.seconds)}"


def table_line(table: TableCheck) -> str:
    """Return what is said of one table."""
    if table.left:
        return f"not repaired: {table.left}"
    if table.because:
        return table.because
    if table.equal:
        behind = f"; {count(table.caught_up, 'row')} caught up" if table.caught_up else ""
        left = ", ".join(n.column for n in table.not_compared)
        return f"equal{f' but for {left}' if left else ''}, {table.how}{behind}"
    kinds = [d.kind for d in table.differences]
    told = [f"{kinds.count(k):,} {k}" for k in ("missing", "extra", "different") if k in kinds]
    told += ["more rows differ than are listed"] if table.more else []
    told += [f"{count(table.unlocated, 'part')} with other hashes"] if table.unlocated else []
    told += [f"{count(table.unsettled, 'row')} kept changing"] if table.unsettled else []
    told += [f"the target has no column {', '.join(table.lost)}"] if table.lost else []
    return "; ".join(told) or "the counts of rows differ"


def _lines(result: VerifyResult) -> Iterator[str]:
    yield summary(result)
    width = max((len(t.title) for t in result.tables), default=0)
    for table in result.tables:
        rows = (
            f"{table.rows:,}"
            if table.rows == table.rows_target
            else (f"{table.rows:,} against {table.rows_target:,}")
        )
        yield f"  {table.title:<{width}}  {rows:>14} rows  {table_line(table)}"
    shown = result.differences[:_LISTED]
    yield from (f"  {d}" for d in shown)
    if len(result.differences) > len(shown):
        yield f"  and {len(result.differences) - len(shown):,} more"
    yield from _listed("not compared", result.not_compared)
    yield from _listed("values may lose", result.losses)
    if result.inconsistent_because:
        yield f"not one consistent state: {result.inconsistent_because}"


def _listed(title: str, items: tuple[Any, ...]) -> list[str]:
    return [f"{title}:", *(f"  {item}" for item in items)] if items else []


def _shown(value: str | None) -> str:
    return "NULL" if value is None else repr(value)
