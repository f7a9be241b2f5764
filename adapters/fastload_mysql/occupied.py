"""What tables take of a server's room.

The sizes of their files say it, which the server shows to users with the right PROCESS. To others
it shows estimates, which know little of rows that were rolled back.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastload.errors import TargetError
from fastload.model import Occupied, QualifiedName
from fastload_mysql import catalog_queries as queries
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import literal, qualified

_ESTIMATES = """
SELECT table_schema, table_name, data_length + index_length + data_free
FROM information_schema.tables WHERE {where}"""
# Parts of a table have files of their own.
_FILES = """
SELECT SUBSTRING_INDEX(SUBSTRING_INDEX(name, '#P#', 1), '#p#', 1) AS named, SUM(file_size)
FROM information_schema.{view} GROUP BY named"""


async def occupied(connection: Connection, tables: Sequence[QualifiedName]) -> list[Occupied]:
    """Return what tables take, their indexes and free pages included."""
    if connection.product.keeps_statistics:
        await connection.execute(queries.FRESH)
    rows = await connection.fetch(_ESTIMATES.format(where=queries.on(tables)))
    estimates = {QualifiedName(schema, name): int(size or 0) for schema, name, size in rows}
    there = [t for t in tables if t in estimates]
    files = await _files(connection, there)
    # MySQL since 8 makes an emptied table's new file before it drops the full one: no room for it.
    word = "DROP" if connection.product.keeps_statistics else "TRUNCATE"
    return [
        Occupied(t, max(estimates[t], files.get(t, 0)), f"{word} TABLE {qualified(t)}")
        for t in there
    ]


async def _files(
    connection: Connection, tables: Sequence[QualifiedName]
) -> dict[QualifiedName, int]:
    plain = connection.product.keeps_statistics
    view = "innodb_tablespaces" if plain else "innodb_sys_tablespaces"
    try:
        sizes = {
            str(n).lower(): int(s) for n, s in await connection.fetch(_FILES.format(view=view))
        }
    except TargetError:  # who may not look, or an old server
        return {}
    names = [f"{t.schema}/{t.name}" for t in tables]
    if not plain:
        names = await _encoded(connection, tables)
    found = zip(tables, names, strict=True)
    return {t: sizes[n.lower()] for t, n in found if n.lower() in sizes}


async def _encoded(connection: Connection, tables: Sequence[QualifiedName]) -> list[str]:
    """Return the names as those of files."""
    words = [w for t in tables for w in (t.schema, t.name)]
    if not words:
        return []
    row = await connection.fetchrow(
        "SELECT "
        + ", ".join(f"CAST(CONVERT({literal(w)} USING filename) AS BINARY)" for w in words)
    )
    assert row is not None
    made = [value.decode() for value in row]
    return [f"{schema}/{name}" for schema, name in zip(made[::2], made[1::2], strict=True)]
