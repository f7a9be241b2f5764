"""What a target has under the names that a plan wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastload.model import Catalog, EnumType, ExistingTable, Inspection, QualifiedName, Table
from fastload_postgres.catalog import read_tables
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import literal, qualified

_RELATIONS = """
SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN unnest($1::text[], $2::text[]) AS w (schema, name)
  ON w.schema = n.nspname AND w.name = c.relname
WHERE c.relkind = ANY ($3::text[]::"char"[])"""
_OBSTACLES = """
SELECT t.tgrelid AS oid, 'trigger ' || t.tgname AS obstacle FROM pg_trigger t
WHERE NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') AND t.tgrelid = ANY ($1::oid[])
  AND t.tgtype & 4 <> 0
UNION ALL
SELECT r.ev_class, 'rule ' || r.rulename FROM pg_rewrite r
WHERE r.ev_class = ANY ($1::oid[]) AND r.ev_enabled IN ('O', 'A') AND r.rulename <> '_RETURN'
UNION ALL
SELECT c.oid, 'row security' FROM pg_class c
WHERE c.oid = ANY ($1::oid[]) AND row_security_active(c.oid)"""
_ENUMS = """
SELECT n.nspname AS schema, t.typname AS name,
       array_agg(e.enumlabel::text ORDER BY e.enumsortorder) AS labels
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN unnest($1::text[], $2::text[]) AS w (schema, name)
  ON w.schema = n.nspname AND w.name = t.typname
LEFT JOIN pg_enum e ON e.enumtypid = t.oid GROUP BY 1, 2"""
_NAMES = """
SELECT n.nspname AS schema, c.relname AS name, coalesce(t.relname, c.relname) AS table
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = c.oid LEFT JOIN pg_class t ON t.oid = i.indrelid
WHERE n.nspname = ANY ($1::text[])"""
_TABLE_KINDS, _SEQUENCE_KINDS = ["r", "p", "f", "v", "m"], ["S"]


async def read_inspection(connection: Connection, catalog: Catalog) -> Inspection:
    """Return what is there under the names of a translated catalogue."""
    relations = await _relations(connection, [t.name for t in catalog.tables], _TABLE_KINDS)
    names = {oid: name for oid, name, _ in relations}
    tables = await read_tables(connection, names)
    obstacles = await _obstacles(connection, relations)
    filled = await _filled(connection, [t.name for t in tables])
    sequences = await _relations(connection, [s.name for s in catalog.sequences], _SEQUENCE_KINDS)
    return Inspection(
        tables=tuple(
            ExistingTable(table=t, empty=t.name not in filled, obstacles=tuple(obstacles[t.name]))
            for t in tables
        ),
        enums=await _enums(connection, [e.name for e in catalog.enums]),
        sequences=tuple(name for _, name, _ in sequences),
        missing_types=await _missing_types(connection, catalog.tables),
        relations=await _named(connection, {t.name.schema for t in catalog.tables}),
    )


async def _relations(
    connection: Connection, names: Iterable[QualifiedName], kinds: list[str]
) -> list[tuple[int, QualifiedName, str]]:
    wanted = list(names)
    if not wanted:
        return []
    rows = await connection.fetch(
        _RELATIONS, [n.schema for n in wanted], [n.name for n in wanted], kinds
    )
    return [(r["oid"], QualifiedName(r["schema"], r["name"]), r["kind"]) for r in rows]


async def _named(
    connection: Connection, schemas: Iterable[str]
) -> tuple[tuple[QualifiedName, QualifiedName], ...]:
    """Return what has a name in these schemas, with its table: an index has its own's."""
    rows = await connection.fetch(_NAMES, sorted(schemas))
    return tuple(
        (QualifiedName(r["schema"], r["name"]), QualifiedName(r["schema"], r["table"]))
        for r in rows
    )


async def _obstacles(
    connection: Connection, relations: Sequence[tuple[int, QualifiedName, str]]
) -> dict[QualifiedName, list[str]]:
    words = {"v": "it is a view", "m": "it is a materialised view", "f": "it is a foreign table"}
    names = {oid: name for oid, name, _ in relations}
    found: dict[QualifiedName, list[str]] = {name: [] for name in names.values()}
    if not names:
        return found
    for _, name, kind in relations:
        if kind in words:
            found[name].append(words[kind])
    for row in await connection.fetch(_OBSTACLES, list(names)):
        found[names[row["oid"]]].append(row["obstacle"])
    return found


async def _filled(connection: Connection, names: Sequence[QualifiedName]) -> set[QualifiedName]:
    """Return the tables that hold a row."""
    filled = set()
    for start in range(0, len(names), 500):
        part = names[start : start + 500]
        rows = await connection.fetch(
            " UNION ALL ".join(
                f"SELECT {i} AS i WHERE EXISTS (SELECT FROM {qualified(n)})"
                for i, n in enumerate(part)
            )
        )
        filled |= {part[r["i"]] for r in rows}
    return filled


async def _enums(connection: Connection, names: Sequence[QualifiedName]) -> tuple[EnumType, ...]:
    if not names:
        return ()
    rows = await connection.fetch(_ENUMS, [n.schema for n in names], [n.name for n in names])
    return tuple(
        EnumType(name=QualifiedName(r["schema"], r["name"]), labels=tuple(r["labels"] or ()))
        for r in rows
    )


async def _missing_types(connection: Connection, tables: Iterable[Table]) -> tuple[str, ...]:
    used = sorted(
        {c.extra["user_type"] for t in tables for c in t.columns if "user_type" in c.extra}
    )
    if not used:
        return ()
    row = await connection.fetchrow(
        "SELECT " + ", ".join(f"to_regtype({literal(u)}) IS NULL" for u in used)
    )
    assert row is not None
    return tuple(name for name, missing in zip(used, row, strict=True) if missing)
