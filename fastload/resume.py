"""Whether a stored run may be continued: only as it was begun, and only on what it has left."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence

from fastload.config import CopyOptions
from fastload.errors import ResumeRefused, StateError, TargetNotEmpty
from fastload.model import Catalog, Inspection, Plan, StoredRun, Table, TablePlan
from fastload.stored_plan import check_known


def check(stored: StoredRun, catalog: Catalog, options: CopyOptions, source: str) -> None:
    """Refuse with every difference in words.

    Raises:
        ResumeRefused: The run was begun otherwise.
    """
    check_known(stored.plan)
    _refuse(stored, [*_of_options(stored, options, source), *_of_tables(stored, catalog)])


def check_target(stored: StoredRun, existing: Inspection) -> None:
    """Refuse where the target does not have what the run's receipts say; of a claimed run.

    Raises:
        ResumeRefused: Its rows are no longer there, or others are.
    """
    _refuse(stored, list(_of_target(stored, existing)))


def _refuse(stored: StoredRun, found: Sequence[str]) -> None:
    if found:
        raise ResumeRefused(
            f"run {stored.plan.run!r} was begun otherwise: {'; '.join(found)}",
            hint="start it as it was begun to continue it; or forget it with fresh=True, then "
            "mode='replace' or 'truncate' clears what it has copied",
        )


def name_owner(
    error: TargetNotEmpty, stored: Iterable[StoredRun], options: CopyOptions, source: str
) -> None:
    """Say of a table that holds rows which unfinished run has left them, if one has."""
    for owner in stored:
        if error.table not in [str(t.target.name) for t in owner.plan.tables]:
            continue
        told = "; ".join(_of_options(owner, options, source))
        otherwise = f"; it was begun otherwise: {told}" if told else ""
        error.message = (
            f"the target's {error.table} holds rows of run {owner.plan.run!r}, which is not "
            f"done{otherwise}"
        )
        error.hint = (
            "the same call as then continues it; or, to copy anew as this call asks, add "
            "fresh=True and mode='replace'"
        )
        return


def check_rows(table: TablePlan, ours: int, there: int) -> None:
    """Refuse to empty a table of the target that holds other rows than those of its receipts.

    Raises:
        ResumeRefused: Someone else has written to the table, or removed rows from it.
    """
    if ours != there:
        raise ResumeRefused(
            f"the target's {table.target.name} holds {there} rows and the run has written {ours}; "
            "the table would have to start over, which would remove rows that are not the run's",
            side="target",
            table=str(table.target.name),
            hint="find out who else writes there; then forget the run with fresh=True, and "
            "mode='truncate' or 'replace' clears the table",
        )


def others(plan: Plan, stored: Iterable[Plan]) -> list[str]:
    """Return the names of stored runs that this one makes void by clearing one of their tables.

    Raises:
        StateError: Another run is filling one of the tables, and rows of both would mix.
    """
    tables = {t.target.name for t in plan.tables}
    void = []
    for other in stored:
        shared = sorted(tables & {t.target.name for t in other.tables})
        if other.run == plan.run or not shared or _mix(plan, other):
            continue
        if plan.mode not in ("truncate", "replace"):
            told = "; ".join(_of_plans(other, plan))
            raise StateError(
                f"the target's {shared[0]} belongs to run {other.run!r}, which is not done"
                + (f"; it was begun otherwise: {told}" if told else ""),
                side="target",
                table=str(shared[0]),
                hint="start that run as it was begun to continue it; or forget it: "
                f"fastload runs TARGET --discard {shlex.quote(other.run)}",
            )
        void.append(other.run)
    return void


def _mix(plan: Plan, other: Plan) -> bool:
    """Say whether both only add to what is there, so that neither minds the other."""
    return {plan.mode, other.mode} <= {"append", "upsert"}


def _of_options(stored: StoredRun, options: CopyOptions, source: str) -> Iterator[str]:
    yield from _of_shapes(stored.plan, options.shape(), source)


def _of_plans(before: Plan, now: Plan) -> Iterator[str]:
    yield from _of_shapes(before, now.options, now.source)


def _of_shapes(before: Plan, shape: Mapping[str, str], source: str) -> Iterator[str]:
    if before.source != source:
        yield f"the source was {before.source}, and is {source}"
    for name, value in shape.items():
        if before.options.get(name) != value:
            yield f"{name} was {before.options.get(name)}, and is {value}"


def _of_tables(stored: StoredRun, catalog: Catalog) -> Iterator[str]:
    before = {t.source.name: t.source for t in stored.plan.tables}
    now = {t.name: t for t in catalog.tables}
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield f"table {name} is gone"
        elif name not in before:
            yield f"table {name} is new"
        else:
            yield from _of_columns(before[name], now[name])


def _of_columns(before: Table, now: Table) -> Iterator[str]:
    had = {c.name: _declared(c.type, c.generated) for c in before.columns}
    has = {c.name: _declared(c.type, c.generated) for c in now.columns}
    for name in sorted(had.keys() | has.keys()):
        if had.get(name) != has.get(name):
            was, is_ = had.get(name, "missing"), has.get(name, "missing")
            yield f"column {now.name}.{name} was {was}, and is {is_}"


def _declared(type_: str, generated: str | None) -> str:
    return type_ if generated is None else f"{type_} generated"


def _of_target(stored: StoredRun, existing: Inspection) -> Iterator[str]:
    """Say which tables have lost rows that receipts prove were there."""
    for table in stored.plan.tables:
        rows = sum(r.rows or 0 for r in stored.receipts if r.table == table.source.name)
        there = existing.table(table.target.name)
        if there is None:
            yield f"the target's table {table.target.name} is gone"
        elif rows and there.empty:
            yield f"the target's table {table.target.name} was emptied after {rows} rows"
        elif not rows and not there.empty and stored.plan.mode not in ("append", "upsert"):
            yield f"the target's table {table.target.name} holds rows that the run has not written"
