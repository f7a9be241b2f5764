"""What a target has under the names that a plan wants."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from fastload.model import Catalog, ExistingTable, Inspection, QualifiedName, Table
from fastload_mysql import catalog_queries as queries
from fastload_mysql.catalog import read_tables
from fastload_mysql.connection import Connection
from fastload_mysql.engines import unsafe
from fastload_mysql.quoting import qualified

_TRIGGERS = """
SELECT event_object_schema AS `schema`, event_object_table AS `table`, trigger_name AS name
FROM information_schema.triggers WHERE {where} AND event_manipulation = 'INSERT'"""
_OTHERS = """
SELECT table_schema AS `schema`, table_name AS name, table_type AS kind
FROM information_schema.tables
WHERE {where} AND table_type NOT IN ('BASE TABLE', 'SYSTEM VERSIONED')"""
_REFERRING = """
SELECT DISTINCT referenced_table_schema AS `schema`, referenced_table_name AS `table`,
       CONCAT(table_schema, '.', table_name) AS name
FROM information_schema.key_column_usage WHERE {where}"""
_PER_QUERY = 500

_Found = defaultdict[QualifiedName, list[str]]


async def read_inspection(connection: Connection, catalog: Catalog) -> Inspection:
    """Return what is there under the names of a translated catalogue."""
    names = [t.name for t in catalog.tables]
    tables = await read_tables(connection, names)
    there = [t.name for t in tables]
    filled = await _filled(connection, there)
    where = queries.on(there, "event_object_schema", "event_object_table")
    triggers = await _by_table(connection, _TRIGGERS.format(where=where))
    referring = await read_referring(connection, there)
    kinds = await _other_kinds(connection, names + [s.name for s in catalog.sequences])
    views = [
        ExistingTable(table=Table(name=n, columns=()), empty=False, obstacles=(f"it is a {k}",))
        for n, k in kinds.items()
        if n in set(names)
    ]
    return Inspection(
        tables=(
            *(_existing(t, t.name not in filled, triggers, referring) for t in tables),
            *views,
        ),
        sequences=tuple(s.name for s in catalog.sequences if s.name in kinds),
    )


async def read_referring(
    connection: Connection, names: Sequence[QualifiedName]
) -> defaultdict[QualifiedName, list[str]]:
    """Return for each table which others have foreign keys to it, or it to itself."""
    where = queries.on(names, "referenced_table_schema", "referenced_table_name")
    return await _by_table(connection, _REFERRING.format(where=where))


def _existing(table: Table, empty: bool, triggers: _Found, referring: _Found) -> ExistingTable:
    extra = {**table.extra, "referred_by": "\n".join(referring[table.name])}
    return ExistingTable(
        table=msgspec.structs.replace(table, extra={k: v for k, v in extra.items() if v}),
        empty=empty,
        obstacles=tuple(f"trigger {name}" for name in triggers[table.name]),
        unsafe=unsafe(table),
    )


async def _by_table(connection: Connection, query: str) -> _Found:
    found: _Found = defaultdict(list)
    for row in await connection.fetch_named(query):
        found[QualifiedName(row["schema"], row["table"])].append(row["name"])
    return found


async def _other_kinds(
    connection: Connection, names: Sequence[QualifiedName]
) -> dict[QualifiedName, str]:
    rows = await connection.fetch_named(_OTHERS.format(where=queries.on(names)))
    found = {QualifiedName(r["schema"], r["name"]): str(r["kind"]).lower() for r in rows}
    return {n: k for n, k in found.items() if n in set(names)}


async def _filled(connection: Connection, names: Sequence[QualifiedName]) -> set[QualifiedName]:
    """Return the tables that hold a row."""
    filled = set()
    for start in range(0, len(names), _PER_QUERY):
        part = names[start : start + _PER_QUERY]
        rows = await connection.fetch(
            " UNION ALL ".join(
                f"SELECT {i} FROM DUAL WHERE EXISTS (SELECT 1 FROM {qualified(n)})"
                for i, n in enumerate(part)
            )
        )
        filled |= {part[int(i)] for (i,) in rows}
    return filled
