"""Hints in place: what an encoder or decoder says of a value, in words that work for its table."""

from __future__ import annotations

import re

from fastload.errors import NULL_INSTEAD, FastloadError
from fastload.model import Column, TablePlan

_FILLED = "mend the row, as the target's column takes no NULL"
_CAST = "cast it first"
_INTEGER = re.compile(r"u?int\d+")
_ANY_INTEGER = "decimal(20,0)"  # of 64 bits, signed or not; every dialect reads this


def where_null_fits(policies: dict[str, str], table: TablePlan) -> dict[str, str]:
    """Return the policies without NULL for columns that take none: their errors name the row."""
    if "null" not in policies.values():
        return policies
    default = policies.get("", "error")
    pairs = zip(table.columns, table.target_columns, strict=True)
    filled = [here for here, there in pairs if not table.target.column(there).nullable]
    refused = [c for c in filled if policies.get(c, default) == "null"]
    return {**policies, **dict.fromkeys(refused, "error")}


def in_place(error: FastloadError, table: TablePlan) -> None:
    """Offer no NULL where the target's column takes none, and name the option that casts."""
    names = table.target_columns if error.side == "target" else table.columns
    if error.hint is None or error.column not in names:
        return
    place = names.index(error.column)
    source = table.source.column(table.columns[place])
    if not table.target.column(table.target_columns[place]).nullable:
        error.hint = error.hint.replace(NULL_INSTEAD, _FILLED)
    if _INTEGER.fullmatch(source.arrow):
        error.hint = error.hint.replace(_CAST, _casting(table, source))


def _casting(table: TablePlan, column: Column) -> str:
    name = f"{table.source.name}.{column.name}"
    return f"types={{{name!r}: {_ANY_INTEGER!r}}} makes it one where fastload makes the table"
