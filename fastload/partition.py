"""Arithmetic of partitions: how many, and where they meet. Pure; knows no database.

Key ranges are half-open and together cover every key exactly once, whatever the boundaries are,
as long as they ascend: the first is unbounded below, the last above, and each begins where the one
before ends. Wrong or stale boundaries can therefore only make them unequal; those out of order
would make rows come twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from fastload.model import (
    Extent,
    KeyRange,
    NullKeys,
    Partition,
    PhysicalRange,
    QualifiedName,
)

SMALLEST_BYTES = 16 << 20
LARGEST_BYTES = 1 << 30
MOST = 10_000
_PER_LANE = 4

Boundary = tuple[str, ...]


def wanted(table_bytes: int, total_bytes: int, lanes: int) -> int:
    """Return how many partitions a table should have.

    About four per lane over the whole run, so that the last lane to finish is not far behind;
    between 16 MiB, where a partition's fixed cost of some milliseconds is below 5 %, and 1 GiB,
    which is what a lost connection costs.
    """
    share = LARGEST_BYTES if lanes == 1 else total_bytes // (lanes * _PER_LANE)
    size_bytes = max(SMALLEST_BYTES, min(LARGEST_BYTES, share))
    if table_bytes < 2 * size_bytes:
        return 2 if lanes > 1 and table_bytes > size_bytes * 1.5 else 1
    return min(MOST, -(-table_bytes // size_bytes))


def whole(table: QualifiedName, rows: int, size_bytes: int) -> list[Partition]:
    """Return the table as one partition."""
    return [Partition(table=table, index=0, rows=rows, bytes=size_bytes)]


def key_ranges(
    table: QualifiedName,
    columns: tuple[str, ...],
    boundaries: Sequence[Boundary],
    *,
    rows: int,
    size_bytes: int,
    nulls: bool = False,
) -> list[Partition]:
    """Return ranges that meet at these boundaries, which ascend in the server's own order.

    With ``nulls``, a last partition has the rows in which a key column is NULL.
    """
    distinct = list(dict.fromkeys(boundaries))
    if not distinct and not nulls:
        return whole(table, rows, size_bytes)
    edges: list[Boundary | None] = [None, *distinct, None]
    extents: list[Extent] = [
        KeyRange(columns=columns, lower=lower, upper=upper) for lower, upper in pairwise(edges)
    ]
    share = len(extents)
    parts = [
        Partition(table=table, index=i, extent=e, rows=rows // share, bytes=size_bytes // share)
        for i, e in enumerate(extents)
    ]
    if nulls:
        parts.append(Partition(table=table, index=share, extent=NullKeys(columns=columns)))
    return parts


def page_ranges(
    table: QualifiedName, pages: int, want: int, *, rows: int, size_bytes: int
) -> list[Partition]:
    """Return ranges of about equally many pages; the last reaches past the table's end."""
    count = max(1, min(want, pages, MOST))
    if count == 1:
        return whole(table, rows, size_bytes)
    starts = [pages * i // count for i in range(count)]
    ends = [*starts[1:], None]
    return [
        Partition(
            table=table,
            index=i,
            extent=PhysicalRange(first=first, end=end),
            rows=rows // count,
            bytes=size_bytes // count,
        )
        for i, (first, end) in enumerate(zip(starts, ends, strict=True))
    ]


def quantiles(ordered: Sequence[Boundary], want: int) -> list[Boundary]:
    """Return up to ``want - 1`` boundaries that cut an ordered sample into equal parts.

    A key that fills several parts by itself is a boundary once. The sample's first key bounds
    nothing: no range below it would hold rows.
    """
    count = len(ordered)
    picked = [ordered[count * i // want] for i in range(1, want)] if count else []
    return [b for b in dict.fromkeys(picked) if b != ordered[0]]
