"""The index by which a table is cut and read."""

from __future__ import annotations

from typing import NamedTuple

from fastload.model import Table
from fastload_mysql.key_space import space_of
from fastload_mysql.quoting import ident

_MOST_COLUMNS = 4
# MEMORY finds single keys of its own, but no ranges of them.
_UNSORTED = ("MEMORY", "HEAP")


class Access(NamedTuple):
    """Columns that a table is cut by, and the index that has them first, if there is one."""

    columns: tuple[str, ...]
    index_name: str | None


def clustered(table: Table) -> Access | None:
    """Return the key that rows are stored by, as far as the order of its columns is known here.

    InnoDB stores rows by the primary key, or else by the first unique one without NULLs.
    """
    if any(i.name == "PRIMARY" for i in table.indexes):
        return None  # over the beginnings of texts
    for name, columns in _keys(table):
        if any(table.column(c).nullable for c in columns):
            continue
        known = []
        for column in columns[:_MOST_COLUMNS]:
            if space_of(table.column(column)) is None:
                break
            known.append(column)
        return Access(tuple(known), name) if known else None
    return None


def by_column(table: Table, column: str) -> Access:
    """Return how to cut by a column, with an index that has it first if there is one."""
    return Access((column,), index_over(table, (column,)))


def index_over(table: Table, columns: tuple[str, ...]) -> str | None:
    """Return the index whose first columns are these; that of the rows before others."""
    for name, has in [*_keys(table), *_indexes(table)]:
        if has[: len(columns)] == columns:
            return name
    return None


def index_hint(table: Table, columns: tuple[str, ...]) -> str:
    """Return the hint that makes the server read a range of the index over these columns.

    It would read the whole table for a large range, as it does not know that every other part is
    read as well.
    """
    index = index_over(table, columns)
    return f"FORCE INDEX ({ident(index)})" if index else ""


def _keys(table: Table) -> list[tuple[str, tuple[str, ...]]]:
    if table.extra.get("engine", "").upper() in _UNSORTED:
        return []
    keys = sorted(table.keys, key=lambda k: not k.primary)
    return [
        ("PRIMARY" if k.primary else k.name, k.columns) for k in keys if "invisible" not in k.extra
    ]


def _indexes(table: Table) -> list[tuple[str, tuple[str, ...]]]:
    if table.extra.get("engine", "").upper() in _UNSORTED:
        return []
    found = []
    for index in table.indexes:
        whole = [c.name for c in index.columns if c.name is not None and c.prefix is None]
        sorted_ = index.kind == "sorted" and "invisible" not in index.extra
        if sorted_ and len(whole) == len(index.columns):
            found.append((index.name, tuple(whole)))
    return found
