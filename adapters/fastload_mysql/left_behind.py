"""What a server has beside tables: objects that have no form in the model."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fastload.model import NotCarried, QualifiedName, Table
from fastload.naming import column_of, spelled
from fastload_mysql import catalog_queries as queries
from fastload_mysql.catalog_queries import Session
from fastload_mysql.relations import Relation

_NOT_YET = "definitions are not carried yet"
_GRANTS = "users and rights belong to the server"

_BEYOND_THE_CATALOGUE = ("utf8mb4", "utf16", "utf16le", "utf32", "gb18030")


async def left_behind(
    connection: Session,
    tables: Sequence[Table],
    relations: Sequence[Relation],
    schemas: Collection[str],
) -> list[NotCarried]:
    """Return what stays behind of these tables, and of the databases that are copied whole.

    ``relations`` is all that is in ``schemas``; both are empty where tables were picked.
    """
    found = await _of_tables(connection, [t.name for t in tables])
    found += [NotCarried("view", str(r.name), _NOT_YET) for r in relations if r.kind == "VIEW"]
    if schemas:
        found += await _of_databases(connection, schemas)
    for table in tables:
        found += _of_table(table)
    return sorted(found)


async def _of_tables(connection: Session, names: Sequence[QualifiedName]) -> list[NotCarried]:
    if not names:
        return []
    chosen = set(names)
    of_events = queries.on(names, "event_object_schema", "event_object_table")
    triggers = await connection.fetch_named(queries.TRIGGERS.format(where=of_events))
    grants = await connection.fetch_named(queries.GRANTS.format(where=queries.on(names)))
    found = [
        NotCarried("trigger", spelled(r["schema"], r["table"], r["name"]), _NOT_YET)
        for r in triggers
        if QualifiedName(r["schema"], r["table"]) in chosen
    ]
    return found + [
        NotCarried("grants", f"{r['schema']}.{r['table']}", _GRANTS)
        for r in grants
        if QualifiedName(r["schema"], r["table"]) in chosen
    ]


async def _of_databases(connection: Session, schemas: Collection[str]) -> list[NotCarried]:
    query = queries.OF_DATABASES.format(schemas=queries.in_schemas(schemas))
    found = []
    for row in await connection.fetch_named(query):
        if row["kind"] == "grants":
            found.append(NotCarried("grants", row["schema"], _GRANTS))
        else:
            found.append(NotCarried(row["kind"], spelled(row["schema"], row["name"]), _NOT_YET))
    return found


def _of_table(table: Table) -> list[NotCarried]:
    name, extra = str(table.name), table.extra
    found = []
    if "versioned" in extra:
        found.append(NotCarried("history", name, "rows as they were are not copied"))
    if "remote" in extra:
        reason = f"its rows are copied, its link by {extra['engine']} is not"
        found.append(NotCarried("link of table", name, reason))
    reason = "the server's catalogue writes ? for characters beyond U+FFFF, which may be meant"
    for column in table.columns:
        if "uncounted" in column.extra:
            because = f"read as {column.type}, which is not counted up"
            found.append(NotCarried("identity", f"{name}.{column.name}", because))
        shown = "".join(column.labels) + column.extra.get("members", "") + (column.default or "")
        if "?" in shown and column.extra.get("charset") in _BEYOND_THE_CATALOGUE:
            found.append(NotCarried("spelling in column", column_of(name, column.name), reason))
    return found
