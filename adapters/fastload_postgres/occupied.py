"""What tables take of a server's room."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.model import Occupied, QualifiedName
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import qualified

_QUERY = """
WITH RECURSIVE members AS (
    SELECT w.place, to_regclass(w.name)::oid AS member
    FROM unnest($1::text[]) WITH ORDINALITY AS w (name, place)
    WHERE to_regclass(w.name) IS NOT NULL
    UNION ALL
    SELECT m.place, i.inhrelid FROM members m
    JOIN pg_class p ON p.oid = m.member AND p.relkind = 'p'
    JOIN pg_inherits i ON i.inhparent = m.member)
SELECT place, sum(pg_total_relation_size(member))::int8 AS bytes
FROM members GROUP BY place ORDER BY place"""


async def occupied(connection: Connection, tables: Sequence[QualifiedName]) -> list[Occupied]:
    """Return what tables take, their parts, indexes and TOAST tables included."""
    names = [qualified(name) for name in tables]
    rows = await connection.fetch(_QUERY, names)
    found = ((int(row["place"]) - 1, int(row["bytes"])) for row in rows)
    return [Occupied(tables[i], size, f"TRUNCATE TABLE {names[i]}") for i, size in found]
