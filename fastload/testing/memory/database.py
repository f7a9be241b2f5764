"""What a memory database holds: tables with their rows, sequences, and runs.

Guarantees: rows change only in ``put``, which checks constraints first and then swaps one
immutable Arrow table for another; so whoever holds a table's rows sees one moment of them.
Relies on: a single event loop; no method awaits.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from fastload.errors import ConstraintError, StateError
from fastload.model import Plan, QualifiedName, Receipt, Sequence, Table
from fastload.typemap import parse

if TYPE_CHECKING:
    import pyarrow as pa

ReceiptKey = tuple[str, QualifiedName, int]


@dataclass(frozen=True)
class StoredTable:
    """A table with its rows, in the columns' order."""

    table: Table
    rows: pa.Table


@dataclass
class StoredPlan:
    """A run's plan with its epoch and the steps that are done."""

    plan: Plan
    epoch: int
    steps: list[str] = field(default_factory=list)


@dataclass
class MemoryDatabase:
    """One database."""

    name: str
    tables: dict[QualifiedName, StoredTable] = field(default_factory=dict)
    sequences: dict[QualifiedName, Sequence] = field(default_factory=dict)
    runs: dict[str, StoredPlan] = field(default_factory=dict)
    receipts: dict[ReceiptKey, Receipt] = field(default_factory=dict)
    writing: dict[ReceiptKey, anyio.Lock] = field(default_factory=dict)
    workers: dict[tuple[str, int], object] = field(default_factory=dict)

    def create(self, table: Table) -> None:
        """Make an empty table; nothing happens where it is there already."""
        self.tables.setdefault(table.name, StoredTable(table, schema_of(table).empty_table()))

    def put(self, name: QualifiedName, rows: pa.Table) -> None:
        """Make these the table's rows.

        Raises:
            ConstraintError: They violate NOT NULL or a key; nothing is changed.
        """
        table = self.tables[name].table
        check(table, rows)
        self.tables[name] = StoredTable(table, rows)

    def redeclare(self, table: Table) -> None:
        """Declare keys and other facts of a table anew, its rows must satisfy them."""
        rows = self.tables[table.name].rows.rename_columns([c.name for c in table.columns])
        check(table, rows)
        self.tables[table.name] = StoredTable(table, rows)

    def fence(self, run: str, epoch: int) -> StoredPlan:
        """Return the stored run; StateError where another process has claimed it."""
        stored = self.runs.get(run)
        if stored is None or stored.epoch != epoch:
            raise StateError(
                f"run {run!r} was taken over by another process; this one stops",
                side="target",
                hint="nothing is lost: let the other process go on",
            )
        return stored


def schema_of(table: Table) -> pa.Schema:
    """Return the Arrow schema of a table's rows."""
    import pyarrow as pa

    return pa.schema([pa.field(c.name, parse(c.arrow), c.nullable) for c in table.columns])


def check(table: Table, rows: pa.Table) -> None:
    """Raise ConstraintError where rows violate NOT NULL or a key."""
    for column in table.columns:
        if not column.nullable and rows.column(column.name).null_count:
            raise ConstraintError(
                f"column {column.name} takes no NULL",
                side="target",
                table=str(table.name),
                column=column.name,
            )
    for key in table.keys:
        check_key(table, key.columns, rows)


def check_key(table: Table, columns: tuple[str, ...], rows: pa.Table) -> None:
    """Raise ConstraintError where two rows have the same key."""
    seen: set[Any] = set()
    for values in keys_of(rows, columns):
        if None not in values and values in seen:
            told = ", ".join(f"{c}={v}" for c, v in zip(columns, values, strict=True))
            raise ConstraintError(
                "the key is there already", side="target", table=str(table.name), key=told
            )
        seen.add(values)


def keys_of(rows: pa.Table, columns: Iterable[str]) -> list[tuple[Any, ...]]:
    """Return the values of these columns, row by row."""
    return list(zip(*(rows.column(c).to_pylist() for c in columns), strict=True))


_databases: dict[str, MemoryDatabase] = {}


def database(name: str) -> MemoryDatabase:
    """Return the database of this name, made where there is none."""
    return _databases.setdefault(name, MemoryDatabase(name))


def forget(name: str) -> None:
    """Drop a database; unknown names have no effect."""
    _databases.pop(name, None)
