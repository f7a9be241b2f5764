"""Upsert by primary key: rows of a temporary table change those of their key, or are added.

ON DUPLICATE KEY UPDATE would also change a row that shares another unique key with a new one.
"""

from __future__ import annotations

from collections.abc import Iterator

from fastload.model import QualifiedName, TablePlan
from fastload_mysql.quoting import ident, idents, qualified


def stage(table: TablePlan, into: QualifiedName, staging: QualifiedName) -> str:
    """Return what makes the temporary table, whose key refuses a key that comes twice.

    It has the columns that are written, as the target has them, so that keys are equal here that
    are equal there.
    """
    keys, columns = idents(table.merge_by), idents(table.target_columns)
    return (
        f"CREATE TEMPORARY TABLE {qualified(staging)} (PRIMARY KEY ({keys})) ENGINE = InnoDB "
        f"SELECT {columns} FROM {qualified(into)} LIMIT 0"
    )


def merge(table: TablePlan, into: QualifiedName, staging: QualifiedName) -> Iterator[str]:
    """Yield the statements that bring the staged rows into the table."""
    target, staged = qualified(into), qualified(staging)
    same = same_key(table)
    # Rows that are there are changed before others come, which may take what they let go.
    if changing := [c for c in table.target_columns if _may_differ(table, c)]:
        changed = ", ".join(f"t.{ident(c)} = s.{ident(c)}" for c in changing)
        yield f"UPDATE {target} t JOIN {staged} s ON {same} SET {changed}"
    first, values = (
        ident(table.merge_by[0]),
        ", ".join(f"s.{ident(c)}" for c in table.target_columns),
    )
    yield (
        f"INSERT INTO {target} ({idents(table.target_columns)}) SELECT {values} "
        f"FROM {staged} s LEFT JOIN {target} t ON {same} WHERE t.{first} IS NULL"
    )


def same_key(table: TablePlan) -> str:
    """Return the condition that row ``t`` has the key of the staged row ``s``."""
    return " AND ".join(f"t.{ident(c)} = s.{ident(c)}" for c in table.merge_by)


def _may_differ(table: TablePlan, column: str) -> bool:
    """Say whether rows of one key may differ in a column: texts may that compare as equal."""
    return column not in table.merge_by or bool(table.target.column(column).extra.get("charset"))
