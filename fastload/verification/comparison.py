"""Two databases opened, their tables paired, and compared."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeAlias

from fastload import planner
from fastload.adapter import Endpoint, Selection, Source, Target
from fastload.config import CopyOptions
from fastload.errors import FastloadError, PlanError
from fastload.model import Catalog, Column, Cut, KeyRange, QualifiedName, Table
from fastload.registry import open_source, open_target
from fastload.report import count
from fastload.resolution import resolved
from fastload.tasks import side_by_side
from fastload.verification.matching import Suspect
from fastload.verification.pairs import TablePair, can_be_exact, pair_tables
from fastload.verification.result import TableCheck, VerifyResult
from fastload.verification.sides import Side
from fastload.verification.verifier import Located, Verifier

Suspects: TypeAlias = Mapping[QualifiedName, Mapping[int, Suspect]]
Ranges = Mapping[QualifiedName, Sequence[KeyRange]]
Exact = Mapping[QualifiedName, Collection[str]]


Only = Mapping[QualifiedName, Collection[int]]


class Compared(NamedTuple):
    """A result, and the rows that would make the target equal.

    Attributes:
        options: What was compared, and as what: names are whole, and mean the same ever after.
        suspects: What differs, by source table and the hash of its key.
        pairs: By source table.
    """

    options: CopyOptions
    result: VerifyResult
    located: list[Located]
    suspects: Suspects
    pairs: Mapping[QualifiedName, TablePair]


class Compare(Protocol):
    """Compares two databases; see ``compare``."""

    async def __call__(
        self, options: CopyOptions, ranges: Ranges | None = None, exact: Exact | None = None
    ) -> Compared:
        """Compare the selected tables."""


def comparing(here: Endpoint, there: Endpoint, limit: int) -> Compare:
    """Return what compares two databases that nobody writes to."""

    async def run(
        options: CopyOptions, ranges: Ranges | None = None, exact: Exact | None = None
    ) -> Compared:
        return await compare(here, there, options, limit, ranges, exact)

    return run


class Pairing(NamedTuple):
    """The tables of both sides that belong together.

    Attributes:
        absent: Checks of tables that the target does not have.
        losses: What values may have lost by their types.
    """

    pairs: list[TablePair]
    absent: list[TableCheck]
    losses: tuple[str, ...]


async def compare(
    here: Endpoint,
    there: Endpoint,
    options: CopyOptions,
    limit: int,
    ranges: Ranges | None = None,
    exact: Exact | None = None,
    only: Only | None = None,
) -> Compared:
    """Compare the selected tables of a source with their counterparts.

    Args:
        here: The source.
        there: The target.
        options: What to compare, and as what.
        limit: Rows of each table to locate.
        ranges: Key ranges to compare alone.
        exact: Columns to read in their exact form from the start.
        only: Hashes of the keys whose rows are compared alone.
    """
    began = time.monotonic()
    lanes = options.parallel
    async with open_source(here, connections=lanes) as source:
        # Closed before the target is read: a caller's pool has no more than the lanes need.
        async with open_target(there, connections=1) as target:
            options, catalog, wanted = await resolved(source, target, options)
            names = await _names_there(target, catalog, wanted, options)
        async with open_source(there, connections=lanes) as reading:
            pairing = await pair_up(catalog, reading, target, names, options, exact or {})
            found = await _run(source, reading, pairing, options, limit, ranges, only)
    checks, located, suspects, cuts = found
    by_name = {c.table: c for c in (*checks, *pairing.absent)}
    result = VerifyResult(
        tables=tuple(by_name[t.name] for t in catalog.tables),
        seconds=time.monotonic() - began,
        losses=pairing.losses,
        inconsistent_because=doubts_of(cuts),
    )
    return Compared(options, result, located, suspects, {p.source.name: p for p in pairing.pairs})


async def _names_there(
    target: Target, catalog: Catalog, wanted: Catalog, options: CopyOptions
) -> dict[QualifiedName, QualifiedName]:
    """Return the target's names of those of the catalogue's tables that it has."""
    planner.check_names(catalog, options)
    if not catalog.tables:
        raise PlanError(
            "the source has no tables to compare",
            side="source",
            hint="check the database's name in the URL, and `exclude`",
        )
    existing = await target.inspect(wanted)
    found = {}
    for table, there in zip(catalog.tables, wanted.tables, strict=True):
        if existing.table(there.name):
            found[table.name] = there.name
    return found


async def pair_up(
    catalog: Catalog,
    reading: Source,
    target: Target,
    names: Mapping[QualifiedName, QualifiedName],
    options: CopyOptions,
    exact: Exact,
    columns: Mapping[QualifiedName, dict[str, str]] | None = None,
) -> Pairing:
    """Pair tables and columns; of the target only ``fit`` is used, which is pure.

    Args:
        catalog: The source's.
        reading: The target, as a source.
        target: The target.
        names: The target's tables by the source's.
        options: Of the comparison.
        exact: Columns to read in their exact form.
        columns: The target's columns by the source's, where they are not as the options say.
    """
    there: dict[QualifiedName, Table] = {}
    dialect = ""
    if names:
        try:
            found = await reading.catalog(Selection(names=tuple(names.values())))
        except FastloadError as error:
            error.side = "target"  # which is read as a source is
            raise
        dialect, there = found.dialect, {t.name: t for t in found.tables}
    pairs: list[TablePair] = []
    absent: list[TableCheck] = []
    losses: list[str] = []
    for table in catalog.tables:
        name = names.get(table.name)
        if name is None:
            because = (
                f"the target has no {options.target_name(table.name)}, and the source's has "
                f"about {count(table.rows, 'row')}"
            )
            absent.append(TableCheck(table=table.name, because=because))
            continue
        renamed = (columns or {}).get(table.name, options.target_columns(table.name))
        pair = _paired(table, there[name], target, catalog.dialect, dialect, options, renamed)
        losses += _losses(pair, target, catalog.dialect)
        for p in pair.pairs:
            if p.source.name in exact.get(table.name, ()) and can_be_exact(p):
                pair = pair.exactly(p.source.name)
        pairs.append(pair)
    return Pairing(pairs, absent, tuple(losses))


def _paired(
    table: Table,
    there: Table,
    target: Target,
    dialect: str,
    dialect_there: str,
    options: CopyOptions,
    renamed: dict[str, str],
) -> TablePair:
    cast = any((s, t) == (table.name.schema, table.name.name) for s, t, _ in options.types)

    def misfit(column: Column, other: Column) -> str | None:
        return target.fit(column, other, dialect).reason

    return pair_tables(
        table,
        there,
        names=renamed,
        own=dialect == dialect_there and not cast,
        where=options.filter(table.name),
        policies=options.policies(table.name),
        misfit=misfit,
    )


def _losses(pair: TablePair, target: Target, dialect: str) -> Iterable[str]:
    for p in pair.pairs:
        fit = target.fit(p.source, p.target, dialect)
        if fit.loss:
            yield f"{pair.source.name.member(p.source.name)}: {fit.loss}"
        if pair.policies.get(p.source.name, pair.policies.get("")) == "null":
            told = "values that the target cannot hold are NULL there, and count as equal"
            yield f"{pair.source.name.member(p.source.name)}: {told}"


async def _run(
    source: Source,
    reading: Source,
    pairing: Pairing,
    options: CopyOptions,
    limit: int,
    ranges: Ranges | None,
    only: Only | None,
) -> tuple[list[TableCheck], list[Located], Suspects, set[Cut]]:
    pairs, lanes = pairing.pairs, options.parallel
    memory = options.memory_bytes
    if not pairs:
        return [], [], {}, set()
    async with side_by_side(
        source.snapshot([p.source for p in pairs], lanes),
        reading.snapshot([p.target for p in pairs], lanes),
    ) as (at, at_there):
        here = Side(source, at, "source", lanes=lanes, memory=memory)
        there = Side(reading, at_there, "target", lanes=lanes, memory=memory)
        verifier = Verifier(
            here, there, lanes=lanes, limit=limit, memory=memory, ranges=ranges, only=only
        )
        checks = await verifier.run(pairs)
    return checks, verifier.located, verifier.suspects, here.cuts | there.cuts


def doubts_of(cuts: Iterable[Cut]) -> str | None:
    """Say why the rows of a side may not be of one moment."""
    told = sorted({c.inconsistent_because for c in cuts if c.inconsistent_because})
    return "; ".join(told) or None
