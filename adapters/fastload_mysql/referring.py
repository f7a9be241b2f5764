"""What refers to a table's rows, so that a repair leaves alone what it would change besides."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter

import msgspec

from fastload.adapter import Referring
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import ident, literal, qualified
from fastload_mysql.rights import known_rights

_REFUSING = ("NO ACTION", "RESTRICT")
_QUERY = """
SELECT k.constraint_schema AS `schema`, k.constraint_name AS name, k.table_schema AS child_schema,
       k.table_name AS child, k.column_name AS `column`, k.referenced_column_name AS referenced,
       k.referenced_table_schema AS to_schema, k.referenced_table_name AS to_table,
       r.delete_rule AS on_delete, r.update_rule AS on_update, @@lower_case_table_names AS folds
FROM information_schema.key_column_usage k
JOIN information_schema.referential_constraints r
  ON r.constraint_schema = k.constraint_schema AND r.constraint_name = k.constraint_name
 AND r.table_name = k.table_name
WHERE k.referenced_table_schema = {schema} AND k.referenced_table_name = {table}
ORDER BY 1, 3, 4, 2, k.ordinal_position"""

_PLAIN_COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = %s AND table_name = %s AND COALESCE(generation_expression, '') = ''"""
_DELETE_TRIGGERS = """
SELECT COUNT(*) FROM information_schema.triggers
WHERE event_object_schema = %s AND event_object_table = %s AND event_manipulation = 'DELETE'"""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key that refers to the table.

    Attributes:
        own: Whether it is the table's own.
    """

    name: str
    child: QualifiedName
    on_delete: str
    on_update: str
    own: bool
    columns: tuple[str, ...]
    referenced: tuple[str, ...]

    def action(self, event: str) -> str:
        """Return what it does on ``DELETE`` or ``UPDATE``."""
        return self.on_delete if event == "DELETE" else self.on_update

    def acts(self, event: str) -> bool:
        """Say whether it would change rows instead of refusing."""
        return self.action(event) not in _REFUSING

    def joined(self, table: TablePlan, alias: str, event: str) -> str:
        """Return the join with the rows that refer to row ``t``, and are in the event's way.

        The row itself is one where the foreign key refuses: InnoDB does not delete it, either.
        """
        parts = zip(self.columns, self.referenced, strict=True)
        same = " AND ".join(f"{alias}.{ident(c)} = t.{ident(r)}" for c, r in parts)
        if self.own and self.acts(event):
            itself = " AND ".join(f"{alias}.{ident(k)} = t.{ident(k)}" for k in table.merge_by)
            same = f"{same} AND NOT ({itself})"
        return f"JOIN {qualified(self.child)} {alias} ON {same}"


async def references_to(connection: Connection, table: QualifiedName) -> list[Reference]:
    """Return the foreign keys that refer to a table, of all tables that this user may see."""
    rows = await connection.fetch_named(
        _QUERY.format(schema=literal(table.schema), table=literal(table.name))
    )
    key, found = itemgetter("schema", "name", "child_schema", "child"), []
    for _, group in groupby(rows, key):
        parts = list(group)
        first = parts[0]
        to = QualifiedName(first["to_schema"], first["to_table"])
        # Names are compared regardless of case, which may make another table of it.
        if to != table and not int(first["folds"]):
            continue
        child = QualifiedName(first["child_schema"], first["child"])
        found.append(
            Reference(
                name=first["name"],
                child=child,
                on_delete=first["on_delete"],
                on_update=first["on_update"],
                own=child == to,
                columns=tuple(p["column"] for p in parts),
                referenced=tuple(p["referenced"] for p in parts),
            )
        )
    return found


async def may_be_made_anew(connection: Connection, table: TablePlan) -> bool:
    """Say whether a row that is deleted and inserted as planned is all that it was.

    It has no columns besides, and no trigger does something else when it goes.
    """
    name = table.target.name
    rights = await known_rights(connection)
    # Others do not see triggers.
    if rights is not None and not rights.may("TRIGGER", name.schema):
        return False
    place = (name.schema, name.name)
    columns = await connection.fetch(_PLAIN_COLUMNS, place)
    triggers = await connection.fetchval(_DELETE_TRIGGERS, place)
    return not triggers and {str(row[0]) for row in columns} <= {*table.target_columns}


def changing(reference: Reference, table: TablePlan) -> str:
    """Return the condition that row ``s`` would change what is referred to in row ``t``."""
    known = {c.name: c for c in table.target.columns}
    if any(known[c].generated for c in reference.referenced if c in known):
        return "TRUE"
    # By the bytes: a change of case is one.
    same = [
        f"CAST(t.{ident(c)} AS BINARY) <=> CAST(s.{ident(c)} AS BINARY)"
        for c in reference.referenced
        if c in table.target_columns
    ]
    return f"NOT ({' AND '.join(same)})" if same else "FALSE"


async def count(
    connection: Connection, reference: Reference, event: str, table: TablePlan, rows: str
) -> Referring | None:
    """Return how many rows refer to those of ``rows``, which selects them as ``t``, if any do."""
    condition = changing(reference, table) if event == "UPDATE" else "TRUE"
    found = await connection.fetchval(
        f"SELECT COUNT(*) FROM {rows} {reference.joined(table, 'c', event)} WHERE {condition}"
    )
    if not found:
        return None
    return Referring(
        key=reference.name,
        table=reference.child,
        event=event,
        action=reference.action(event),
        rows=int(found),
    )
