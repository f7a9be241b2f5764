"""Names as a server tells them apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from fastload.errors import ConfigError, PlanError
from fastload.model import (
    Catalog,
    Check,
    ForeignKey,
    Index,
    Key,
    QualifiedName,
    Sequence,
    Table,
)
from fastload.naming import option, spelled
from fastload.schema_work import free_name
from fastload_mysql.flavours import Server
from fastload_mysql.quoting import ident

LONGEST = 64

_Named = TypeVar("_Named", Key, Index, ForeignKey, Check)


def stored(catalog: Catalog, server: Server) -> Catalog:
    """Return the catalogue under the names that the server stores.

    Raises:
        PlanError: A name is none here, or two names are one.
    """
    if server.lower_case_table_names == 1:
        catalog = _lowered(catalog)
    _check_tables(catalog.tables, folded=server.lower_case_table_names != 0)
    for table in catalog.tables:
        _check_columns(table)
    return catalog


def distinct(name: str, taken: set[str]) -> str:
    """Return the name, or one like it where it is taken or too long, and take it."""
    found = free_name(name.rstrip(" ") or "key", taken, LONGEST)
    taken.add(found.lower())
    return found


def with_distinct_names(tables: Iterable[Table]) -> list[Table]:
    """Return the tables with names of keys, indexes and constraints that can be here together.

    Names of keys and indexes are the table's, those of foreign keys and checks the database's.
    """
    foreign: defaultdict[str, set[str]] = defaultdict(set)
    checks: defaultdict[str, set[str]] = defaultdict(set)
    made = []
    for t in tables:
        taken = {"primary"}
        schema = t.name.schema
        made.append(
            msgspec.structs.replace(
                t,
                keys=tuple(k if k.primary else _renamed(k, taken) for k in t.keys),
                indexes=tuple(_renamed(i, taken) for i in t.indexes),
                foreign_keys=tuple(_renamed(f, foreign[schema]) for f in t.foreign_keys),
                checks=tuple(_renamed(c, checks[schema]) for c in t.checks),
            )
        )
    return made


def _renamed(named: _Named, taken: set[str]) -> _Named:
    return msgspec.structs.replace(named, name=distinct(named.name, taken))


def lowered(name: QualifiedName) -> QualifiedName:
    """Return the name in lower case."""
    return QualifiedName(name.schema.lower(), name.name.lower())


def _lowered(catalog: Catalog) -> Catalog:
    return msgspec.structs.replace(
        catalog,
        tables=tuple(_lowered_table(t) for t in catalog.tables),
        sequences=tuple(_lowered_sequence(s) for s in catalog.sequences),
        schemas=tuple(dict.fromkeys(s.lower() for s in catalog.schemas)),
    )


def _lowered_table(table: Table) -> Table:
    keys = tuple(
        msgspec.structs.replace(f, references=lowered(f.references)) for f in table.foreign_keys
    )
    return msgspec.structs.replace(table, name=lowered(table.name), foreign_keys=keys)


def _lowered_sequence(sequence: Sequence) -> Sequence:
    owner = (lowered(sequence.owner[0]), sequence.owner[1]) if sequence.owner else None
    return msgspec.structs.replace(sequence, name=lowered(sequence.name), owner=owner)


def _check_tables(tables: Iterable[Table], *, folded: bool) -> None:
    seen: dict[QualifiedName, QualifiedName] = {}
    for table in tables:
        name = table.name
        _check_name(name.schema, f"the schema {name.schema!r}", table)
        _check_name(name.name, f"the table {name.name!r}", table)
        other = seen.setdefault(lowered(name) if folded else name, name)
        if other is not name:
            raise PlanError(
                f"{other} and {name} are one table here, where case does not tell names apart",
                side="target",
                table=str(name),
                hint="give one of them another name: "
                + option("rename", str(name), spelled(f"{name.name}_2")),
            )


def _check_columns(table: Table) -> None:
    if not table.columns:
        raise PlanError(
            f"{table.name} has no columns, and MySQL has no such tables",
            side="target",
            table=str(table.name),
            hint=f"leave it out: exclude=[{str(table.name)!r}]",
        )
    seen: dict[str, str] = {}
    for column in table.columns:
        _check_name(column.name, f"the column {column.name!r}", table)
        other = seen.setdefault(column.name.lower(), column.name)
        if other is not column.name:
            raise PlanError(
                f"{other} and {column.name} are one column here, where case does not tell names "
                "apart",
                side="target",
                table=str(table.name),
                column=column.name,
                hint="give one of them another name: "
                + option("rename", table.name.member(column.name), f"{column.name}_2"),
            )


def _check_name(name: str, what: str, table: Table) -> None:
    try:
        ident(name)
    except ConfigError as error:
        raise PlanError(
            f"{what} cannot be had: {error.message}",
            side="target",
            table=str(table.name),
            hint="MySQL takes up to 64 characters, none beyond U+FFFF and no space at the end: "
            "`rename` gives another name",
        ) from None
