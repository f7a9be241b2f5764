"""Proof that boundaries ascend, without which ranges between them would hold rows twice.

A server sorts by the beginnings of long keys alone, so its ORDER BY proves nothing. A row does:
where one lies between two boundaries, by the very condition that its partition is read with, the
one is below the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fastload.model import Table
from fastload.partition import Boundary
from fastload_mysql.access import index_hint
from fastload_mysql.connection import Connection
from fastload_mysql.predicate import not_null, within
from fastload_mysql.quoting import qualified

_SELECTS_PER_STATEMENT = 64
_ALL_BEFORE = "(ORDER BY n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"


async def ascending(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    boundaries: Sequence[Boundary],
) -> list[Boundary]:
    """Return boundaries without those that are not above the one before.

    Args:
        connection: Sees rows with these keys.
        table: The table.
        columns: Those that the boundaries are about, or begin with.
        boundaries: About in ascending order.
    """
    kept, proven = list(dict.fromkeys(boundaries)), set[tuple[Boundary, Boundary]]()
    while unproven := [pair for pair in pairwise(kept) if pair not in proven]:
        found = await _with_rows_between(connection, table, columns, unproven)
        proven |= found
        dropped = {upper for lower, upper in unproven if (lower, upper) not in found}
        kept = [b for b in kept if b not in dropped]
    return kept


async def _with_rows_between(
    connection: Connection,
    table: Table,
    columns: tuple[str, ...],
    pairs: Sequence[tuple[Boundary, Boundary]],
) -> set[tuple[Boundary, Boundary]]:
    hint = index_hint(table, columns)
    there = not_null(table, columns)
    found: set[tuple[Boundary, Boundary]] = set()
    for start in range(0, len(pairs), _SELECTS_PER_STATEMENT):
        part = pairs[start : start + _SELECTS_PER_STATEMENT]
        conditions = [within(table, columns, *pair) for pair in part]
        rows = await connection.fetch(
            " UNION ALL ".join(
                f"(SELECT {i} FROM {qualified(table.name)} {hint} "
                f"WHERE {' AND '.join(c for c in (condition, there) if c)} LIMIT 1)"
                for i, condition in enumerate(conditions)
            )
        )
        found |= {part[int(row[0])] for row in rows}
    return found


def ascending_keys(keys: str) -> str:
    """Return what selects ``k``, and ``n`` to sort by, of those keys that are above all before.

    The server compares them as what they are: for columns without an index, in which rows between
    keys would be found by reading the table for each.

    Args:
        keys: SELECT of keys ``k``, on a server that has window functions.
    """
    numbered = f"SELECT k, ROW_NUMBER() OVER (ORDER BY k) AS n FROM ({keys}) AS cuts"
    compared = f"SELECT k, n, MAX(k) OVER {_ALL_BEFORE} AS highest FROM ({numbered}) AS numbered"
    return f"SELECT k, n FROM ({compared}) AS compared WHERE highest IS NULL OR k > highest"
