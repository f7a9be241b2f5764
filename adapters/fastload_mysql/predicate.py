"""The SQL condition for the rows of a partition.

A comparison of rows, ``(a, b) >= (1, 2)``, reads the whole table, as no range of an index is made
of it. Written out column by column, with a bound on the first column alone beside, it is a range.
"""

from __future__ import annotations

from fastload.model import Extent, KeyRange, NullKeys, Table
from fastload.partition import Boundary
from fastload_mysql.key_space import KeySpace, known_space
from fastload_mysql.quoting import ident


def predicate(table: Table, extent: Extent) -> str:
    """Return the condition for the rows of an extent; empty for the whole table."""
    match extent:
        case KeyRange(columns=columns, lower=lower, upper=upper):
            parts = [within(table, columns, lower, upper), not_null(table, columns)]
            return " AND ".join(p for p in parts if p)
        case NullKeys(columns=columns):
            return "(" + " OR ".join(f"{ident(c)} IS NULL" for c in columns) + ")"
        case _:
            return ""


def not_null(table: Table, columns: tuple[str, ...]) -> str:
    """Return the condition for rows that have all of these; empty where all rows have."""
    return " AND ".join(f"{ident(c)} IS NOT NULL" for c in columns if table.column(c).nullable)


def within(
    table: Table, columns: tuple[str, ...], lower: Boundary | None, upper: Boundary | None
) -> str:
    """Return the condition for keys from ``lower`` to below ``upper``; empty without bounds."""
    spaces = [known_space(table.column(c)) for c in columns]
    parts = []
    if lower is not None:
        parts += _bounded(columns, spaces, lower, ">", ">=")
    if upper is not None:
        parts += _bounded(columns, spaces, upper, "<", "<")
    return " AND ".join(parts)


def _bounded(
    columns: tuple[str, ...], spaces: list[KeySpace], bound: Boundary, strict: str, last: str
) -> list[str]:
    values = [space.literal(v) for space, v in zip(spaces, bound, strict=False)]
    names = [ident(c) for c in columns[: len(values)]]
    if len(values) == 1:
        return [f"{names[0]} {last} {values[0]}"]
    condition = f"{names[-1]} {last} {values[-1]}"
    for name, value in zip(reversed(names[:-1]), reversed(values[:-1]), strict=True):
        condition = f"({name} {strict} {value} OR ({name} = {value} AND {condition}))"
    return [f"{names[0]} {strict}= {values[0]}", condition]
