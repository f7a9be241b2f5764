"""Schema work of a copy as MySQL's statements: what comes before the rows, and the whole.

DDL commits by itself, so every statement here may be repeated while nothing is prepared yet.
Tables are made unless they are there, and not dropped first: what another client made meanwhile
is never lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from fastload.adapter import SchemaSpec
from fastload.errors import SchemaMismatch
from fastload.model import (
    Catalog,
    Inspection,
    QualifiedName,
    Sequence,
    Step,
    Steps,
    Table,
)
from fastload.schema_work import Renames
from fastload_mysql.clauses import check, collation_of, column, key_or_index, with_table
from fastload_mysql.databases import creating
from fastload_mysql.ddl_after import after_steps
from fastload_mysql.naming import lowered
from fastload_mysql.numbering import create
from fastload_mysql.quoting import qualified


def render(catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
    """Return the statements around the rows; see ``Target.render``.

    Statements of a step follow each other in one session.
    """
    there = {e.table.name for e in existing.tables} if want.mode != "replace" else set()
    new = [t for t in catalog.tables if t.name not in there]
    stored = _by_stored_name(want.rename_columns, catalog)
    return Steps(
        before=(
            *_clearing(existing, want.mode),
            *_making_names(catalog, existing, new),
            *(_making_table(t) for t in new),
        ),
        after=after_steps(catalog, existing, msgspec.structs.replace(want, rename_columns=stored)),
    )


def _by_stored_name(renames: Renames, catalog: Catalog) -> Renames:
    """Return new names of columns by the names that a server which folds them has for tables."""
    known = {t.name for t in catalog.tables}
    return {n if n in known else lowered(n): names for n, names in renames.items()}


def _clearing(existing: Inspection, mode: str) -> list[Step]:
    """Empty or drop all tables, which may refer to each other but to which nothing else may."""
    names = [e.table.name for e in existing.tables]
    if mode not in ("truncate", "replace") or not names:
        return []
    _check_referring(existing)
    if mode == "truncate":
        statements = [f"TRUNCATE TABLE {qualified(n)}" for n in names]
        return [_unchecked("truncate", "empty the tables", statements)]
    drop = f"DROP TABLE IF EXISTS {', '.join(map(qualified, names))}"
    return [_unchecked("drop", "drop the tables", [drop])]


def _check_referring(existing: Inspection) -> None:
    ours = {str(e.table.name) for e in existing.tables}
    for there in existing.tables:
        referring = filter(None, there.table.extra.get("referred_by", "").split("\n"))
        refuse_referring(there.table.name, set(referring) - ours)


def refuse_referring(name: QualifiedName, others: Collection[str]) -> None:
    """Refuse to leave other tables with references to rows that are gone."""
    if others:
        raise SchemaMismatch(
            f"{', '.join(sorted(others))} refers to {name}, which is to be emptied",
            side="target",
            table=str(name),
            hint="drop that foreign key first, or copy both tables",
        )


def _unchecked(id_: str, title: str, statements: Iterable[str]) -> Step:
    """Return a step without foreign key checks, which refuse TRUNCATE even of empty tables."""
    off, on = (f"SET SESSION foreign_key_checks = {n}" for n in (0, 1))
    return Step(id=id_, title=title, statements=(off, *statements, on))


def _making_names(catalog: Catalog, existing: Inspection, new: list[Table]) -> list[Step]:
    if not new:
        return []
    sequences = [
        s for s in catalog.sequences if s.owner is None and s.name not in existing.sequences
    ]
    schemas = {t.name.schema for t in new} | {s.name.schema for s in sequences}
    steps = [_making_schema(s) for s in sorted(schemas)]
    return steps + [_making_sequence(s) for s in sequences]


def _making_schema(schema: str) -> Step:
    statement, there = creating(schema)
    return Step(
        id=f"schema:{schema}", title=f"database {schema}", statements=(statement,), done=(there,)
    )


def _making_sequence(sequence: Sequence) -> Step:
    return Step(
        id=f"sequence:{sequence.name}",
        title=f"sequence {sequence.name}",
        statements=(create(sequence),),
    )


def _making_table(table: Table) -> Step:
    return Step(
        id=f"table:{table.name}",
        title=f"table {table.name}",
        statements=(create_table(table),),
        table=table.name,
    )


def create_table(table: Table) -> str:
    """Return what makes a table with the keys that it cannot be without.

    Rows are stored in the order of the primary key, and AUTO_INCREMENT needs an index.
    """
    collation = collation_of(table)
    lines = [column(c, collation) for c in table.columns]
    lines += [key_or_index(k) for k in with_table(table)]
    lines += [check(c, table) for c in table.checks]
    lines += filter(None, table.extra.get("periods", "").split("\n"))
    options = " ".join(filter(None, (table.extra.get("options"), table.extra.get("partitioning"))))
    body = ",\n  ".join(lines)
    return f"CREATE TABLE IF NOT EXISTS {qualified(table.name)} (\n  {body}\n) {options}".rstrip()
