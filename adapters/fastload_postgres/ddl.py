"""Schema work of a copy as PostgreSQL's statements: what comes before the rows, and the whole."""

from __future__ import annotations

from collections.abc import Iterable

from fastload.adapter import SchemaSpec
from fastload.errors import SchemaMismatch, UnsupportedType
from fastload.model import (
    Catalog,
    Column,
    EnumType,
    Inspection,
    NotCarried,
    QualifiedName,
    Sequence,
    Step,
    Steps,
    Table,
)
from fastload.naming import option
from fastload_postgres.ddl_after import after_steps
from fastload_postgres.free_names import with_free_names
from fastload_postgres.quoting import ident, literal, qualified
from fastload_postgres.touching import touching, untouched

_STORAGE = {"p": "PLAIN", "e": "EXTERNAL", "x": "EXTENDED", "m": "MAIN"}


def render(catalog: Catalog, existing: Inspection, want: SchemaSpec) -> Steps:
    """Return the statements around the rows; see ``Target.render``."""
    there = {e.table.name for e in existing.tables} if want.mode != "replace" else set()
    new = [t for t in catalog.tables if t.name not in there]
    _check_types(catalog, existing, new)
    named, renamed = with_free_names(catalog, existing, want)
    after = after_steps(named, existing, want)
    triggers: tuple[Step, ...] = ()
    if want.on_update == "trigger":
        triggers = tuple(touching(catalog, new, want.rename_columns, tuple(s.id for s in after)))
        kept = [t for t in catalog.tables if t.name in there]
        left = untouched(kept, "no trigger sets it to {}, as the table is there already")
    else:
        left = untouched(
            catalog.tables, "no update sets it to {} here; on_update='trigger' makes triggers"
        )
    return Steps(
        before=(
            *_clearing(existing, want.mode),
            *_making_names(catalog, existing, new),
            *(_making_table(t, catalog, existing) for t in new),
            *_owning(catalog, existing, new),
        ),
        after=(*after, *triggers),
        not_carried=(*_left(new), *left, *renamed),
    )


def _check_types(catalog: Catalog, existing: Inspection, new: Iterable[Table]) -> None:
    for table in new:
        for column in table.columns:
            if column.extra.get("user_type") in existing.missing_types:
                raise UnsupportedType(
                    f"the target has no type {column.type}",
                    side="target",
                    table=str(table.name),
                    column=column.name,
                    hint="create the type or its extension on the target first, or copy the "
                    f"column as text: {option('types', table.name.member(column.name), 'text')}",
                )
    labels = {e.name: e.labels for e in existing.enums}
    for enum in catalog.enums:
        missing = set(enum.labels) - set(labels.get(enum.name, enum.labels))
        if missing:
            raise SchemaMismatch(
                f"the target's type {enum.name} lacks {', '.join(sorted(missing))}",
                side="target",
                hint="add the labels with ALTER TYPE ... ADD VALUE, or drop the type there",
            )


def _clearing(existing: Inspection, mode: str) -> list[Step]:
    """Empty or drop all at once, so that they may refer to each other but to nothing else."""
    names = ", ".join(qualified(e.table.name) for e in existing.tables)
    if mode == "truncate" and names:
        return [Step(id="truncate", title="empty the tables", statements=(f"TRUNCATE {names}",))]
    if mode == "replace" and names:
        return [Step(id="drop", title="drop the tables", statements=(f"DROP TABLE {names}",))]
    return []


def _making_names(catalog: Catalog, existing: Inspection, new: list[Table]) -> list[Step]:
    steps = []
    enums = [e for e in catalog.enums if e.name not in {x.name for x in existing.enums}]
    sequences = _new_sequences(catalog, existing, new)
    if not new:
        return []
    schemas = {n.schema for n in (*_names(new), *_names(enums), *_names(sequences))}
    for schema in sorted(schemas):
        statement = f"CREATE SCHEMA IF NOT EXISTS {ident(schema)}"
        steps.append(Step(id=f"schema:{schema}", title=f"schema {schema}", statements=(statement,)))
    steps += [
        Step(id=f"enum:{e.name}", title=f"type {e.name}", statements=(_enum(e),)) for e in enums
    ]
    steps += [
        Step(id=f"sequence:{s.name}", title=f"sequence {s.name}", statements=(_sequence(s),))
        for s in sequences
    ]
    return steps


def _names(objects: Iterable[Table | EnumType | Sequence]) -> list[QualifiedName]:
    return [o.name for o in objects]


def _new_sequences(catalog: Catalog, existing: Inspection, new: list[Table]) -> list[Sequence]:
    made = {t.name for t in new}
    return [
        s
        for s in catalog.sequences
        if not s.identity
        and s.name not in existing.sequences
        and (s.owner is None or s.owner[0] in made)
    ]


def _enum(enum: EnumType) -> str:
    labels = ", ".join(literal(label) for label in enum.labels)
    return f"CREATE TYPE {qualified(enum.name)} AS ENUM ({labels})"


def _sequence(sequence: Sequence) -> str:
    return f"CREATE SEQUENCE {qualified(sequence.name)} AS {sequence.type} {_counting(sequence)}"


def _counting(s: Sequence) -> str:
    return (
        f"START WITH {s.start} INCREMENT BY {s.increment} MINVALUE {s.minimum} "
        f"MAXVALUE {s.maximum} CACHE {s.cache} {'' if s.cycle else 'NO '}CYCLE"
    )


def _owning(catalog: Catalog, existing: Inspection, new: list[Table]) -> list[Step]:
    statements = [
        f"ALTER SEQUENCE {qualified(s.name)} OWNED BY {qualified(s.owner[0])}.{ident(s.owner[1])}"
        for s in _new_sequences(catalog, existing, new)
        if s.owner is not None
    ]
    if not statements:
        return []
    title = "sequences belong to their columns"
    return [Step(id="owners", title=title, statements=tuple(statements))]


def _making_table(table: Table, catalog: Catalog, existing: Inspection) -> Step:
    identities = {
        s.owner: s for s in catalog.sequences if s.identity and s.name not in existing.sequences
    }
    lines = [_column(c, identities.get((table.name, c.name)), table) for c in table.columns]
    lines += [
        f"CONSTRAINT {ident(c.name)} {c.definition}"
        for c in table.checks
        if not c.definition.endswith("NOT VALID")
    ]
    unlogged = "UNLOGGED " if table.extra.get("persistence") == "u" else ""
    body = ",\n  ".join(lines)
    create = f"CREATE {unlogged}TABLE {qualified(table.name)} (\n  {body}\n){_options(table)}"
    storage = [
        f"ALTER TABLE {qualified(table.name)} ALTER COLUMN {ident(c.name)} "
        f"SET STORAGE {_STORAGE[c.extra['storage']]}"
        for c in table.columns
        if c.extra.get("storage") in _STORAGE
    ]
    return Step(
        id=f"table:{table.name}",
        title=f"table {table.name}",
        statements=(create, *storage),
        table=table.name,
    )


def _options(table: Table) -> str:
    pairs = [o.split("=", 1) for o in table.extra.get("options", "").split(", ") if "=" in o]
    if not pairs:
        return ""
    return " WITH (" + ", ".join(f"{name} = {literal(value)}" for name, value in pairs) + ")"


def _column(column: Column, sequence: Sequence | None, table: Table) -> str:
    parts = [ident(column.name), column.type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if column.generated is not None:
        kind = "VIRTUAL" if column.extra.get("generated") == "v" else "STORED"
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) {kind}")
    elif column.identity:
        parts.append(f"GENERATED {column.identity.upper()} AS IDENTITY")
        parts += [f"({_named(sequence, table)}{_counting(sequence)})"] if sequence else []
    elif column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if not column.nullable:
        parts.append("NOT NULL")
    return " ".join(parts)


def _named(sequence: Sequence, table: Table) -> str:
    """Keep the sequence's name, which must be in the table's schema."""
    if sequence.name.schema != table.name.schema:
        return ""
    return f"SEQUENCE NAME {qualified(sequence.name)} "


def _left(new: Iterable[Table]) -> Iterable[NotCarried]:
    for table in new:
        for column in table.columns:
            if "compression" in column.extra:
                name = table.name.member(column.name)
                yield NotCarried("compression of column", name, "the target's default is used")
