"""What refers to a table's rows, so that a repair leaves alone what it would change besides.

A foreign key's own operators are used, in its referenced column's collation: what refers to a row
here is what the server takes for referring to it.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fastload.adapter import Referring
from fastload.model import QualifiedName, TablePlan
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import ident, qualified

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_REFUSING = ("NO ACTION", "RESTRICT")

# Of a key that partitions have of their own, the one of the whole table says all.
_TREE = """
WITH RECURSIVE tree AS (
    SELECT to_regclass($1)::oid AS member
    UNION
    SELECT i.inhrelid FROM tree t JOIN pg_inherits i ON i.inhparent = t.member)"""
_QUERY = f"""{_TREE}
SELECT k.conname AS name, n.nspname AS schema, c.relname AS child,
       k.confdeltype::text AS on_delete, k.confupdtype::text AS on_update,
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')
           AND NOT row_security_active(c.oid) AS seen,
       k.conrelid IN (SELECT member FROM tree) AS own,
       p.columns, p.referenced, p.operators, p.collations
FROM pg_constraint k
JOIN pg_class c ON c.oid = k.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY u.n) AS columns,
           array_agg(r.attname::text ORDER BY u.n) AS referenced,
           array_agg(format('OPERATOR(%I.%s)', os.nspname, o.oprname) ORDER BY u.n) AS operators,
           array_agg(CASE WHEN l.oid IS NULL THEN ''
                     ELSE format('COLLATE %I.%I', ls.nspname, l.collname) END ORDER BY u.n)
               AS collations
    FROM unnest(k.conkey, k.confkey, k.conpfeqop) WITH ORDINALITY AS u (own, other, operator, n)
    JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.own
    JOIN pg_attribute r ON r.attrelid = k.confrelid AND r.attnum = u.other
    JOIN pg_operator o ON o.oid = u.operator
    JOIN pg_namespace os ON os.oid = o.oprnamespace
    LEFT JOIN pg_collation l ON l.oid = r.attcollation
    LEFT JOIN pg_namespace ls ON ls.oid = l.collnamespace) p
WHERE k.contype = 'f' AND k.confrelid IN (SELECT member FROM tree) AND {{own}}
ORDER BY 2, 3, 1"""
_OWN = """NOT EXISTS (
    SELECT FROM pg_constraint w WHERE w.oid = k.conparentid
    AND w.confrelid IN (SELECT member FROM tree))"""

# Columns that would not come back, and what else a deletion sets off; 8 is TRIGGER_TYPE_DELETE.
_MORE = f"""{_TREE}
SELECT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = to_regclass($1) AND a.attnum > 0
               AND NOT a.attisdropped AND {{plain}} AND a.attname <> ALL ($2::text[]))
    OR EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid IN (SELECT member FROM tree)
               AND NOT g.tgisinternal AND g.tgtype & 8 <> 0)
    OR EXISTS (SELECT FROM pg_rewrite w WHERE w.ev_class = to_regclass($1) AND w.ev_type = '4')"""


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign key that refers to the table.

    Attributes:
        own: Whether it is the table's own, or one of its partitions'.
        seen: Whether this user may read all rows that have it.
        same: Condition that row ``c`` refers to row ``t``.
    """

    name: str
    child: QualifiedName
    on_delete: str
    on_update: str
    own: bool
    seen: bool
    referenced: tuple[str, ...]
    same: str

    def action(self, event: str) -> str:
        """Return what it does on ``DELETE`` or ``UPDATE``."""
        return self.on_delete if event == "DELETE" else self.on_update

    def acts(self, event: str) -> bool:
        """Say whether it would change rows instead of refusing."""
        return self.action(event) not in _REFUSING

    def matching(self, table: TablePlan) -> str:
        """Return the condition that row ``c``, another one, refers to row ``t``."""
        if not self.own:
            return self.same
        itself = " AND ".join(f"c.{ident(k)} = t.{ident(k)}" for k in table.merge_by)
        return f"{self.same} AND NOT ({itself})"

    def exists(self, table: TablePlan) -> str:
        """Return the condition that other rows refer to row ``t``, or may for all that is seen."""
        if not self.seen:
            return "true"
        return f"EXISTS (SELECT FROM {qualified(self.child)} AS c WHERE {self.matching(table)})"


async def references_to(connection: Connection, table: QualifiedName) -> list[Reference]:
    """Return the foreign keys of any tables that refer to this one, or to its partitions."""
    own = _OWN if connection.get_server_version().major >= 11 else "true"
    rows = await connection.fetch(_QUERY.format(own=own), qualified(table))
    found = []
    for r in rows:
        parts = zip(r["referenced"], r["operators"], r["columns"], r["collations"], strict=True)
        same = [f"t.{ident(ref)} {op} c.{ident(col)} {collate}" for ref, op, col, collate in parts]
        found.append(
            Reference(
                name=r["name"],
                child=QualifiedName(r["schema"], r["child"]),
                on_delete=_ACTIONS[r["on_delete"]],
                on_update=_ACTIONS[r["on_update"]],
                own=r["own"],
                seen=r["seen"],
                referenced=tuple(r["referenced"]),
                same=" AND ".join(same),
            )
        )
    return found


async def may_be_made_anew(connection: Connection, table: TablePlan) -> bool:
    """Say whether a row that is deleted and inserted as planned is all that it was.

    It has no columns besides, and no trigger or rule does something else when it goes.
    """
    version = connection.get_server_version().major
    query = _MORE.format(plain="a.attgenerated = ''" if version >= 12 else "true")
    return not await connection.fetchval(
        query, qualified(table.target.name), list(table.target_columns)
    )


def minding(references: Sequence[Reference], event: str) -> list[Reference]:
    """Return those that are asked for referring rows: others of unseen tables refuse by themselves.

    Of an update that refuses nothing is to be feared, nor hoped.
    """
    if event == "UPDATE":
        return [r for r in references if r.acts(event)]
    return [r for r in references if r.seen or r.acts(event)]


def changing(reference: Reference, table: TablePlan) -> str:
    """Return the condition that row ``s`` would change what is referred to in row ``t``.

    By the bytes, as the server decides whether its foreign keys act.
    """
    if any(table.target.column(c).generated for c in reference.referenced if _known(table, c)):
        return "true"
    written = [c for c in reference.referenced if c in table.target_columns]
    if not written:
        return "false"
    new, old = (f"ROW({', '.join(f'{a}.{ident(c)}' for c in written)})::record" for a in "st")
    return f"{old} *<> {new}"


def _known(table: TablePlan, column: str) -> bool:
    return any(c.name == column for c in table.target.columns)


async def count(
    connection: Connection,
    reference: Reference,
    event: str,
    table: TablePlan,
    rows: str,
    condition: str = "true",
) -> Referring | None:
    """Return how many rows refer to those, if any do.

    Args:
        connection: In a transaction.
        reference: Asked for.
        event: What is to be done to the rows.
        table: Whose rows they are.
        rows: What selects them from, as ``t``.
        condition: Further, on what ``rows`` has.
    """
    if reference.seen:
        rows = f"{rows} JOIN {qualified(reference.child)} AS c ON {reference.matching(table)}"
    found = await connection.fetchval(f"SELECT count(*) FROM {rows} WHERE {condition}")
    if not found:
        return None
    return Referring(
        key=reference.name,
        table=reference.child,
        event=event,
        action=reference.action(event),
        rows=found if reference.seen else None,
    )
