"""MySQL's and MariaDB's catalogue as fastload's model.

A handful of set-based queries, and one SHOW CREATE TABLE per table: only there servers tell
defaults, expressions and options as they would read them again.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from fastload.adapter import Selection
from fastload.errors import SourceError
from fastload.model import Catalog, QualifiedName, Table
from fastload.selection import without_unselected
from fastload_mysql import catalog_queries as queries
from fastload_mysql.catalog_queries import Session
from fastload_mysql.counters import read_sequences, stored_sequences
from fastload_mysql.create_table import CreateTable, parse
from fastload_mysql.create_text import create_texts
from fastload_mysql.dialect import DIALECT
from fastload_mysql.flavours import server_of
from fastload_mysql.left_behind import left_behind
from fastload_mysql.quoting import qualified
from fastload_mysql.relations import chosen_tables, read_relations, read_schemas
from fastload_mysql.retyping import check_retyped
from fastload_mysql.rights import login
from fastload_mysql.table_model import table_of

Row = Mapping[str, Any]
Names = Mapping[QualifiedName, QualifiedName]


async def read_catalog(
    connection: Session, select: Selection, *, default_schema: str | None
) -> Catalog:
    """Return the selected tables with what belongs to them; see ``Source.catalog``.

    ``default_schema`` is the only database that is looked at, beside those of exact names; None
    looks at every user's.
    """
    server = await _prepared(connection)
    relations = await read_relations(connection, default_schema, [n.schema for n in select.names])
    names = chosen_tables(relations, select)
    whole = select.tables is None and not select.names
    schemas = {n.schema for n in names} | ({r.name.schema for r in relations} if whole else set())
    tables = await _read_tables(connection, {n: n for n in names}, select.types)
    check_retyped(tables, select.types)
    tables, dropped = without_unselected(tables)
    catalog = Catalog(
        dialect=DIALECT, tables=tuple(tables), schemas=tuple(sorted(schemas)), extra=server
    )
    stored = [r.name for r in relations if r.kind == "SEQUENCE" and whole]
    databases = await read_schemas(connection, default_schema) if whole else []
    return msgspec.structs.replace(
        catalog,
        sequences=(
            *await read_sequences(connection, catalog),
            *await stored_sequences(connection, stored),
        ),
        not_carried=(
            *dropped,
            *await left_behind(connection, tables, relations if whole else (), databases),
        ),
    )


async def read_tables(connection: Session, names: Iterable[QualifiedName]) -> list[Table]:
    """Return those of these tables that are there, in this order and under these names.

    On a server that folds names, a table has the name that it was asked for by.
    """
    wanted = list(dict.fromkeys(names))
    if not wanted:
        return []
    server = await _prepared(connection)
    folds = server["lower_case_table_names"] != "0"
    where = queries.on(_lowered(wanted) | set(wanted) if folds else wanted)
    rows = await connection.fetch_named(queries.RELATIONS.format(where=where))
    there = {
        _folded(QualifiedName(r["schema"], r["name"]), folds): QualifiedName(r["schema"], r["name"])
        for r in rows
        if r["kind"] in ("BASE TABLE", "SYSTEM VERSIONED")
    }
    found = {there[k]: n for n in wanted if (k := _folded(n, folds)) in there}
    return await _read_tables(connection, found, {})


def _lowered(names: Iterable[QualifiedName]) -> set[QualifiedName]:
    return {_folded(n, True) for n in names}


def _folded(name: QualifiedName, folds: bool) -> QualifiedName:
    return QualifiedName(name.schema.lower(), name.name.lower()) if folds else name


async def _prepared(connection: Session) -> dict[str, str]:
    """Set what the catalogue relies on, and return the facts of the server."""
    row = (await connection.fetch_named(queries.SERVER))[0]
    version = re.match(r"[\d.]+", row["version"])
    server = {
        "flavour": "mariadb" if "mariadb" in row["version"].lower() else "mysql",
        "version": version[0] if version else row["version"],
        "lower_case_table_names": str(row["folds"]),
    }
    await connection.execute(queries.QUOTED)
    if server_of(server["flavour"], server["version"]).keeps_statistics:
        await connection.execute(queries.FRESH)
    return server


async def _read_tables(
    connection: Session, names: Names, types: Mapping[tuple[str, str, str], str]
) -> list[Table]:
    """Return tables under other names perhaps, all of which are there."""
    if not names:
        return []
    where = queries.on(names)
    facts = _by_table(await connection.fetch_named(queries.TABLES.format(where=where)), "name")
    columns = _by_table(await connection.fetch_named(queries.COLUMNS.format(where=where)), "table")
    for own in names:
        _check_facts(own, facts[own], columns[own])
    texts = await create_texts(connection, names)
    made = []
    for own, name in names.items():
        create = parse(texts[own], own)
        check_columns(own, columns[own], create)
        made.append(table_of(name, facts[own][0], columns[own], create, texts[own], types))
    return made


def _by_table(rows: Sequence[Row], table: str) -> defaultdict[QualifiedName, list[Row]]:
    grouped: defaultdict[QualifiedName, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[QualifiedName(row["schema"], row[table])].append(row)
    return grouped


def _check_facts(name: QualifiedName, facts: Sequence[Row], columns: Sequence[Row]) -> None:
    if not facts:
        raise SourceError(f"{name} was dropped while it was looked at", table=str(name))
    if facts[0]["engine"] is None:
        raise SourceError(
            f"the server cannot open {name}: {facts[0]['comment'] or 'it does not say why'}",
            table=str(name),
            hint="repair the table, or leave it out with exclude",
        )
    if not columns or any("select" not in r["rights"].split(",") for r in columns):
        raise _refused(name, [r["name"] for r in columns], login(str(facts[0]["account"])))


def check_columns(name: QualifiedName, columns: Sequence[Row], create: CreateTable) -> None:
    """Refuse a table that was altered between two queries, or hides columns from this user."""
    seen, told = [r["name"] for r in columns], [c.name for c in create.columns]
    if seen != told:
        others = sorted(set(seen) ^ set(told)) or told
        raise SourceError(
            f"information_schema and SHOW CREATE TABLE differ in {name}: {', '.join(others)}",
            table=str(name),
            hint="it was altered just now: try again; or this user may not read all its columns",
        )


def _refused(name: QualifiedName, columns: Sequence[str], account: str) -> SourceError:
    shown = f" (columns {', '.join(columns)})" if columns else ""
    return SourceError(
        f"this user may not read all of {name}{shown}",
        side="source",
        table=str(name),
        hint=f"as an administrator: GRANT SELECT ON {qualified(name)} TO {account}; or exclude it",
    )
