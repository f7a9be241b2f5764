"""The memory database's own statements: plain data as JSON, run against a database."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from fastload.model import ForeignKey, Index, Key, QualifiedName, Sequence, Table
from fastload.testing.memory.database import MemoryDatabase, StoredTable


class Create(msgspec.Struct, frozen=True, tag="create"):
    """Make a table; without effect where it is there."""

    table: Table


class Drop(msgspec.Struct, frozen=True, tag="drop"):
    """Drop a table if it is there."""

    name: QualifiedName


class Empty(msgspec.Struct, frozen=True, tag="empty"):
    """Remove a table's rows."""

    name: QualifiedName


class Rename(msgspec.Struct, frozen=True, tag="rename"):
    """Give columns new names."""

    name: QualifiedName
    columns: dict[str, str]


class Declare(msgspec.Struct, frozen=True, tag="declare"):
    """Add keys, indexes and foreign keys."""

    name: QualifiedName
    keys: tuple[Key, ...] = ()
    indexes: tuple[Index, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()


class MakeSequence(msgspec.Struct, frozen=True, tag="sequence"):
    """Make a sequence; without effect where it is there."""

    sequence: Sequence


Statement: TypeAlias = Create | Drop | Empty | Rename | Declare | MakeSequence


def write_down(statement: Statement) -> str:
    """Return the statement as text."""
    return msgspec.json.encode(statement).decode()


def execute(database: MemoryDatabase, text: str) -> None:
    """Run one statement, whole or not at all.

    Raises:
        ConstraintError: The rows do not satisfy what it declares.
    """
    statement = msgspec.json.decode(text, type=Statement)
    match statement:
        case Create(table=table):
            database.create(table)
        case Drop(name=name):
            database.tables.pop(name, None)
        case Empty(name=name):
            stored = database.tables[name]
            database.tables[name] = StoredTable(stored.table, stored.rows.slice(0, 0))
        case Rename(name=name, columns=columns):
            database.redeclare(_renamed(database.tables[name].table, columns))
        case Declare(name=name):
            database.redeclare(_declared(database.tables[name].table, statement))
        case MakeSequence(sequence=sequence):
            database.sequences.setdefault(sequence.name, sequence)


def _declared(table: Table, more: Declare) -> Table:
    return msgspec.structs.replace(
        table,
        keys=(*table.keys, *more.keys),
        indexes=(*table.indexes, *more.indexes),
        foreign_keys=(*table.foreign_keys, *more.foreign_keys),
    )


def _renamed(table: Table, names: dict[str, str]) -> Table:
    def new(columns: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(names.get(c, c) for c in columns)

    replace = msgspec.structs.replace
    return replace(
        table,
        columns=tuple(replace(c, name=names.get(c.name, c.name)) for c in table.columns),
        keys=tuple(replace(k, columns=new(k.columns)) for k in table.keys),
        foreign_keys=tuple(replace(f, columns=new(f.columns)) for f in table.foreign_keys),
    )
