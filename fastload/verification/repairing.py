"""Rows of the target made the source's where they differ, and compared again."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import anyio
import msgspec

from fastload import planner
from fastload.adapter import Endpoint, Mending, Referring, Source, Target
from fastload.channel import Waits
from fastload.config import CopyOptions
from fastload.errors import ConstraintError, FastloadError, PlanError, SchemaMismatch
from fastload.model import Column, Cut, QualifiedName, Seal, Table, TablePlan
from fastload.registry import open_source, open_target
from fastload.report import count
from fastload.resolution import resolved
from fastload.typemap import schema_of
from fastload.verification.comparison import Compare, Ranges
from fastload.verification.result import Difference, TableCheck, VerifyResult
from fastload.verification.verifier import Located
from fastload.wording import visible

if TYPE_CHECKING:
    import pyarrow as pa


MOST_S = 600.0


def repairer(
    here: Endpoint, there: Endpoint, options: CopyOptions, compare: Compare
) -> Callable[[VerifyResult], Awaitable[VerifyResult]]:
    """Return what repairs a result of these two databases.

    Args:
        here: The source.
        there: The target.
        options: As the comparison understood them (``Compared.options``).
        compare: What compares both once more.
    """

    async def repair(result: VerifyResult) -> VerifyResult:
        """Locate, mend and compare in rounds, until nothing differs or no row is left to mend.

        No round begins after ten minutes: of a source that is written to, something may differ
        for ever.

        Tables that were equal stay in the result as they were: no other row is changed.
        """
        differing = {t.table: t for t in result.tables if not t.equal}
        async with _both(here, there) as (source, target):
            plans, left = await possible_plans(source, target, options, differing.values())
        if left and not plans:
            raise next(iter(left.values()))
        chosen = options.narrowed(list(plans))
        mendable = [t for name, t in differing.items() if name in plans]
        ranges, exact = ranges_of(mendable), {name: p.exact for name, p in plans.items()}
        first: tuple[Difference, ...] | None = None
        last: tuple[Difference, ...] = ()
        refused: dict[QualifiedName, FastloadError] = {}
        until = anyio.current_time() + MOST_S
        while True:
            compared = await compare(chosen, ranges, exact)
            found = compared.result.differences
            if anyio.current_time() > until:
                break
            # What is still the same is not mended by writing it once more.
            if not compared.located or found == last:
                if not ranges:
                    break
                ranges = {}
                continue
            first, last = found if first is None else first, found
            async with open_target(there, connections=1) as target:
                refused = await _mend_all(target, plans, compared.located)
        if refused and last == first:
            # Nothing could be written.
            raise next(iter(refused.values()))
        told = {t.table: t for t in result.tables}
        told |= {t.table: t for t in compared.result.tables}
        for name, error in (left | refused).items():
            if not told[name].equal:
                told[name] = msgspec.structs.replace(told[name], left=_why(error))
        mended = dataclasses.replace(
            compared.result,
            tables=tuple(told.values()),
            losses=result.losses,
            inconsistent_because=compared.result.inconsistent_because
            or result.inconsistent_because,
        )
        return mended.with_repair(repair)

    return repair


async def _mend_all(
    target: Target, plans: Mapping[QualifiedName, TablePlan], found: Iterable[Located]
) -> dict[QualifiedName, FastloadError]:
    """Mend tables one after another, and say which the target refuses, and why.

    What others refer to comes first. What is refused for their sake now may go in the next round.
    """
    refused: dict[QualifiedName, FastloadError] = {}
    for located in sorted(found, key=lambda x: plans[x.pair.source.name].level):
        name = located.pair.source.name
        try:
            await _mend(target, plans[name], located)
        except FastloadError as error:
            if not (error.of_data or isinstance(error, PlanError)):
                raise
            refused[name] = error
    return refused


def _why(error: FastloadError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


async def possible_plans(
    source: Source, target: Target, options: CopyOptions, tables: Iterable[TableCheck]
) -> tuple[dict[QualifiedName, TablePlan], dict[QualifiedName, FastloadError]]:
    """Plan all tables whose rows can be merged, and say why the others' cannot.

    Those that can are planned together: their levels are of all of them.
    """
    left: dict[QualifiedName, FastloadError] = {
        t.table: _not_there(t) for t in tables if t.because is not None
    }
    known = {t.table: {t.name, str(t.target or t.table)} for t in tables if t.table not in left}
    while known:
        try:
            return await plans_of(source, target, options.narrowed(list(known))), left
        except FastloadError as error:
            named = [name for name, words in known.items() if error.table in words] or list(known)
            left |= dict.fromkeys(named, error)
            known = {name: words for name, words in known.items() if name not in left}
    return {}, left


def _not_there(table: TableCheck) -> PlanError:
    return PlanError(
        f"{table.name} cannot be repaired: {table.because}",
        side="target",
        table=table.name,
        hint="copy the table first",
    )


def ranges_of(tables: Sequence[TableCheck]) -> Ranges:
    """Return the key ranges in which tables were found to differ, where they are known."""
    return {t.table: t.ranges for t in tables if t.ranges}


@asynccontextmanager
async def _both(here: Endpoint, there: Endpoint) -> AsyncIterator[tuple[Source, Target]]:
    async with (
        open_source(here, connections=1) as source,
        open_target(there, connections=1) as target,
    ):
        yield source, target


async def plans_of(
    source: Source, target: Target, options: CopyOptions
) -> dict[QualifiedName, TablePlan]:
    """Return how rows of these tables are merged into the target."""
    if not target.capabilities.mend:
        raise PlanError(
            "this target cannot be repaired row by row",
            side="target",
            hint="copy the tables anew with mode='truncate'",
        )
    options = msgspec.structs.replace(options, route="arrow", mode="upsert")
    options, catalog, wanted = await resolved(source, target, options)
    existing = await target.inspect(wanted)
    for here, there in zip(catalog.tables, wanted.tables, strict=True):
        if found := existing.table(there.name):
            _check_key(here, found.table)
    plan = planner.make(
        catalog, wanted, existing, source=source, target=target, options=options, run="repair"
    )
    return {t.source.name: t for t in plan.tables}


def _check_key(here: Table, table: Table) -> None:
    if table.primary_key is None:
        raise SchemaMismatch(
            f"rows of {table.name} cannot be repaired: it has no primary key on the target",
            side="target",
            table=str(table.name),
            hint=f"add one there; or copy the table anew: tables=[{str(here.name)!r}], "
            "mode='truncate'",
        )


async def _mend(target: Target, plan: TablePlan, located: Located) -> None:
    """Write and delete the rows that were located, in one transaction.

    Raises:
        SchemaMismatch: Some of them were left alone, for the sake of others.
        ConstraintError: A constraint refuses them; nothing was changed.
    """
    try:
        found = await cast("Mending", target).mend(*changes_of(plan, located))
    except ConstraintError as error:
        error.hint = (
            "nothing of this table was changed. Where rows exchange values of a unique key, drop "
            "the key on the target, repair, and declare it again: they are not deleted and made "
            "anew where others refer to them, nor where the target has more columns, or triggers "
            "on DELETE. What other constraints refuse is mended on the source"
        )
        raise
    if found:
        raise referred(located, found)


def changes_of(plan: TablePlan, located: Located) -> tuple[TablePlan, Held, TablePlan, Held]:
    """Return what a target is given to mend located rows."""
    fitted = fit_to(plan, located)
    return (fitted, held(fitted, located, located.rows), *keys_of(fitted, located))


def referred(located: Located, found: Sequence[Referring]) -> SchemaMismatch:
    """Return what is said of rows that were left alone because others refer to them."""
    name = located.pair.target.name
    return SchemaMismatch(
        f"rows of {name} cannot be repaired: {'; '.join(map(_referring, found))}",
        side="target",
        table=str(name),
        hint="drop the foreign key on the target, repair, and declare it again as it was: rows "
        "that refer to others are changed by nothing else, and keep what they refer to",
    )


def _referring(found: Referring) -> str:
    rows = "rows that this user may not see" if found.rows is None else count(found.rows, "row")
    done = "is to be deleted" if found.event == "DELETE" else "is to be changed"
    verb = "refers" if found.rows == 1 else "refer"
    key = f"foreign key {visible(found.key)}, ON {found.event} {found.action}"
    return f"{rows} of {found.table} {verb} to what {done} ({key})"


def fit_to(plan: TablePlan, located: Located) -> TablePlan:
    """Return the plan by which located rows are written.

    Raises:
        SchemaMismatch: They do not have all columns that would have to be written.
    """
    pair = located.pair
    exact = tuple(p.source.name for p in pair.pairs if p.exact)
    order = [c for c in plan.columns if c in {p.source.name for p in pair.pairs}]
    if missing := [c for c in plan.columns if c not in order or c in {*plan.exact} - {*exact}]:
        raise SchemaMismatch(
            f"rows of {pair.source.name} cannot be repaired: {', '.join(missing)} is not compared",
            table=str(pair.source.name),
            column=missing[0],
            hint="copy the table anew with mode='truncate'",
        )
    return msgspec.structs.replace(plan, exact=exact)


def held(plan: TablePlan, located: Located, batches: Sequence[pa.RecordBatch]) -> Held:
    """Return some of the rows that the source has, as the plan writes them."""
    columns = [located.pair.source.column(c) for c in plan.columns]
    chosen = [b.select(list(plan.columns)) for b in batches]
    return Held(columns, plan.exact, chosen, names=list(plan.target_columns))


def keys_of(plan: TablePlan, located: Located) -> tuple[TablePlan, Held]:
    """Return the keys of the target's rows that are to go, as the target's own values."""
    key = plan.merge_by
    table = located.pair.target
    extra = msgspec.structs.replace(
        plan, source=table, columns=key, target_columns=key, exact=(), exactable=()
    )
    columns = [table.column(c) for c in key]
    batches = [b.select(list(key)) for b in located.extra]
    return extra, Held(columns, (), batches, names=list(key))


class Held:
    """A reading of rows that are in memory already, under the target's names."""

    def __init__(
        self,
        columns: Sequence[Column],
        exact: Sequence[str],
        batches: Sequence[pa.RecordBatch],
        *,
        names: list[str],
    ) -> None:
        self._names = names
        self._batches = [b.rename_columns(names) for b in batches]
        fields = schema_of(columns, exact)
        import pyarrow as pa

        self._schema = pa.schema(
            [field.with_name(name) for field, name in zip(fields, names, strict=True)]
        )
        self.cut = Cut(visible="held")

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches."""
        return self._schema

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(b.num_rows for b in self._batches)

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        for batch in self._batches:
            yield batch

    async def seal(self) -> Seal:
        """Return what is held."""
        return Seal(rows=self.rows, bytes=sum(b.nbytes for b in self._batches))

    def waits(self) -> Waits:
        """Return none: nobody waits for what is there."""
        return Waits()
