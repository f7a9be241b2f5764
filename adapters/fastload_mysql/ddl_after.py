"""Schema work after the rows, as a graph: indexes, statistics, names, foreign keys.

A table's indexes are built by one ALTER: it reads the rows once, and a server takes one such
statement on a table at a time anyway. DDL commits by itself, so each statement that would fail
when repeated comes with a query that finds its work; see ``Step.done``.

Foreign keys are declared without a look at the rows, which is a change of the catalogue alone;
with it, the server copies the whole table row by row. Then a query looks for rows without a
counterpart: rows that are written from the declaration on are checked by whoever writes them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import msgspec

from fastload.adapter import SchemaSpec
from fastload.model import Catalog, ForeignKey, Index, Inspection, Key, QualifiedName, Step, Table
from fastload.schema_work import (
    GROUP,
    Building,
    Renames,
    TableWork,
    free_name,
    of_catalog,
    several,
    small_groups,
)
from fastload_mysql.clauses import (
    constraint_name,
    definition,
    foreign_key,
    key_or_index,
    with_table,
)
from fastload_mysql.naming import LONGEST
from fastload_mysql.quoting import ident, literal, qualified
from fastload_mysql.renaming import rename

_ANALYSED_ROWS = 50  # fewer stand on one page
# InnoDB builds one of these at a time.
_ALONE = ("fulltext", "spatial", "vector")
_UNCHECKED = "SET SESSION foreign_key_checks = 0"
_CHECKED = "SET SESSION foreign_key_checks = 1"

_Statement: TypeAlias = tuple[str, str]  # and the query that finds its work done
_Present: TypeAlias = Mapping[QualifiedName, Table]


def after_steps(catalog: Catalog, existing: Inspection, want: SchemaSpec) -> tuple[Step, ...]:
    """Return the steps after the rows."""
    work = of_catalog(catalog, existing, want, _same_index)
    touched = {w.name for w in work}
    kept = [t for t in catalog.tables if t.name not in touched]
    made = {w.name for w in work if w.is_new}
    present = {e.table.name: e.table for e in existing.tables} if want.mode != "replace" else {}
    building = Building()
    for step in _large(work, present):
        building.add(step)
    for step, group in _small(work, present):
        building.add(step, group)
    for table in kept if want.statistics else ():
        building.add(_analyse(table, ()))
    for step in [*_renaming(work, want.rename_columns, building)]:
        building.add(step)
    referring = [_renamed(w, want.rename_columns, made) for w in work]
    return (*building.steps, *_referring(referring, building))


def _same_index(one: Index, other: Index) -> bool:
    return (one.unique, one.kind, one.columns) == (other.unique, other.kind, other.columns)


def _large(work: Sequence[TableWork], present: _Present) -> Iterator[Step]:
    for w in work:
        if w.small:
            continue
        last: tuple[str, ...] = ()
        # One after the other: each ALTER locks its table out of the others' way.
        for number, (statement, done) in enumerate(_builds(w, present.get(w.name))):
            step = Step(
                id=f"index:{qualified(w.name)}:{number}",
                title=f"indexes of {w.name}",
                statements=(statement,),
                needs=last,
                table=w.name,
                weight=w.table.bytes,
                done=(done,),
            )
            last = (step.id,)
            yield step
        if w.statistics:
            yield _analyse(w.table, last)


def _small(work: Sequence[TableWork], present: _Present) -> Iterator[tuple[Step, list[TableWork]]]:
    for group in small_groups(work):
        statements = [s for w in group for s in _small_statements(w, present.get(w.name))]
        if statements:
            step = Step(
                id=f"small:{qualified(group[0].name)}",
                title=f"indexes and keys of {several([w.name for w in group])}",
                statements=tuple(s for s, _ in statements),
                weight=sum(w.table.bytes for w in group),
                done=tuple(d for _, d in statements),
            )
            yield step, group


def _small_statements(w: TableWork, present: Table | None) -> Iterator[_Statement]:
    yield from _builds(w, present)
    if w.statistics and w.table.rows >= _ANALYSED_ROWS:
        yield f"ANALYZE TABLE {qualified(w.name)}", ""


def _analyse(table: Table, needs: tuple[str, ...]) -> Step:
    return Step(
        id=f"analyse:{qualified(table.name)}",
        title=f"statistics of {table.name}",
        statements=(f"ANALYZE TABLE {qualified(table.name)}",),
        needs=needs,
        table=table.name,
    )


def _builds(w: TableWork, present: Table | None) -> Iterator[_Statement]:
    """Yield what makes the keys and indexes that the table was not made with."""
    there = with_table(w.table) if w.is_new else []
    every: list[Key | Index] = [*w.keys, *w.indexes]
    wanted = [*_with_free_names([x for x in every if x not in there], present)]
    alone = [[x] for x in wanted if _is_alone(x)]
    for part in ([x for x in wanted if not _is_alone(x)], *alone):
        if part:
            clauses = ", ".join(f"ADD {key_or_index(x)}" for x in part)
            yield f"ALTER TABLE {qualified(w.name)} {clauses}", _has_indexes(w.name, part)


def _is_alone(found: Key | Index) -> bool:
    return isinstance(found, Index) and found.kind in _ALONE


def _with_free_names(wanted: Sequence[Key | Index], present: Table | None) -> Iterator[Key | Index]:
    """Give another name to what the table has another index under."""
    if present is None:
        yield from wanted
        return
    others: list[Key | Index] = [*present.keys, *present.indexes]
    taken = {x.name.lower() for x in others}
    for found in wanted:
        name = free_name(found.name, taken, LONGEST)
        taken.add(name.lower())
        yield found if name == found.name else _named(found, name)


def _named(found: Key | Index, name: str) -> Key | Index:
    """Return it under another name, in words of its own."""
    if isinstance(found, Key):
        return msgspec.structs.replace(found, name=name, extra={})
    return msgspec.structs.replace(found, name=name, definition=definition(found.columns))


def _has_indexes(table: QualifiedName, wanted: Sequence[Key | Index]) -> str:
    names = ", ".join(literal("PRIMARY" if _is_primary(x) else x.name) for x in wanted)
    return (
        f"SELECT count(*) = {len(wanted)} FROM information_schema.STATISTICS "
        f"WHERE TABLE_SCHEMA = {literal(table.schema)} AND TABLE_NAME = {literal(table.name)} "
        f"AND SEQ_IN_INDEX = 1 AND INDEX_NAME IN ({names})"
    )


def _is_primary(found: Key | Index) -> bool:
    return isinstance(found, Key) and found.primary


def _referring(work: Sequence[_Referring], building: Building) -> Iterator[Step]:
    """Declare foreign keys one group after the other, and check the rows side by side.

    A declaration takes no time but locks both tables, so it waits for what is built on either.
    """
    referring = [w for w in work if w.foreign_keys]
    last: tuple[str, ...] = ()
    for start in range(0, len(referring), GROUP):
        group = referring[start : start + GROUP]
        tables = {w.name for w in group} | {f.references for w in group for f in w.foreign_keys}
        declare = _declaring(group, (*building.on(sorted(tables)), *last))
        last = (declare.id,)
        yield declare
        yield from (_checking(w, last) for w in group)


def _declaring(group: Sequence[_Referring], needs: tuple[str, ...]) -> Step:
    return Step(
        id=f"foreign keys:{qualified(group[0].name)}",
        title=f"declare foreign keys of {several([w.name for w in group])}",
        statements=(_UNCHECKED, *map(_declare, group), _CHECKED),
        needs=needs,
        done=("", *map(_has_foreign_keys, group), ""),
    )


def _declare(w: _Referring) -> str:
    clauses = ", ".join(f"ADD {foreign_key(f, w.name)}" for f in w.foreign_keys)
    return f"ALTER TABLE {qualified(w.name)} {clauses}"


def _has_foreign_keys(w: _Referring) -> str:
    names = ", ".join(literal(constraint_name(f, w.name)) for f in w.foreign_keys)
    return (
        f"SELECT count(*) = {len(w.foreign_keys)} FROM information_schema.TABLE_CONSTRAINTS "
        f"WHERE TABLE_SCHEMA = {literal(w.name.schema)} AND TABLE_NAME = {literal(w.name.name)} "
        f"AND CONSTRAINT_TYPE = 'FOREIGN KEY' AND CONSTRAINT_NAME IN ({names})"
    )


def _checking(w: _Referring, needs: tuple[str, ...]) -> Step:
    return Step(
        id=f"validate:{qualified(w.name)}",
        title=f"check foreign keys of {w.name}",
        statements=(),
        needs=needs,
        table=w.name,
        weight=w.table.bytes * len(w.foreign_keys) // 4,
        refuted_by=tuple(_orphan(w.name, f) for f in w.foreign_keys),
    )


def _orphan(table: QualifiedName, key: ForeignKey) -> str:
    """Return the query for one row that refers to nothing; NULL anywhere refers to nothing."""
    pairs = [*zip(key.columns, key.referenced_columns, strict=True)]
    match = " AND ".join(f"p.{ident(there)} = c.{ident(here)}" for here, there in pairs)
    given = " AND ".join(f"c.{ident(here)} IS NOT NULL" for here in key.columns)
    return (
        f"SELECT {', '.join(f'c.{ident(here)}' for here in key.columns)} "
        f"FROM {qualified(table)} c LEFT JOIN {qualified(key.references)} p ON {match} "
        f"WHERE {given} AND p.{ident(pairs[0][1])} IS NULL LIMIT 1"
    )


def _renaming(work: Sequence[TableWork], renames: Renames, building: Building) -> Iterator[Step]:
    """Rename columns before foreign keys are over them: servers refuse some changes then."""
    for w in work:
        names = {c.name for c in w.table.columns}
        new = {o: n for o, n in renames.get(w.name, {}).items() if o != n and o in names}
        if w.is_new and new:
            made = msgspec.structs.replace(w.table, indexes=tuple(w.indexes))
            yield Step(
                id=f"rename:{qualified(w.name)}",
                title=f"column names of {w.name}",
                statements=(rename(made, new),),
                needs=building.on([w.name]),
                table=w.name,
                done=(_has_columns(w.table, new),),
            )


class _Referring(NamedTuple):
    """A table with its foreign keys, under the last names of all columns."""

    table: Table
    foreign_keys: list[ForeignKey]

    @property
    def name(self) -> QualifiedName:
        return self.table.name


def _renamed(w: TableWork, renames: Renames, made: Collection[QualifiedName]) -> _Referring:
    def named(table: QualifiedName, columns: Sequence[str]) -> tuple[str, ...]:
        new = renames.get(table, {}) if table in made else {}
        return tuple(new.get(c, c) for c in columns)

    keys = [
        msgspec.structs.replace(
            f,
            columns=named(w.name, f.columns),
            referenced_columns=named(f.references, f.referenced_columns),
        )
        for f in w.foreign_keys
    ]
    return _Referring(w.table, keys)


def _has_columns(table: Table, new: dict[str, str]) -> str:
    """Return the query that finds new names at the places of the old ones."""
    places = ", ".join(
        f"({number}, {literal(new[c.name])})"
        for number, c in enumerate(table.columns, 1)
        if c.name in new
    )
    return (
        f"SELECT count(*) = {len(new)} FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "
        f"{literal(table.name.schema)} AND TABLE_NAME = {literal(table.name.name)} "
        f"AND (ORDINAL_POSITION, COLUMN_NAME) IN ({places})"
    )
