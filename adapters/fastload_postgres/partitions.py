"""Partitions of a PostgreSQL table: key ranges from a sample, or ranges of pages.

Boundaries are keys that a random sample of pages holds, cut into equal parts by the server under
the columns' own order: so skew, gaps, any type and any collation need no arithmetic here, and
statistics cannot be stale. Sixty pages per partition keep each within a factor of two of the
others even where all rows of a page have neighbouring keys.
"""

from __future__ import annotations

import difflib

import asyncpg

from fastload import partition
from fastload.adapter import PartitionSpec
from fastload.errors import ConfigError
from fastload.model import (
    Column,
    Extent,
    KeyRange,
    NullKeys,
    Partition,
    PhysicalRange,
    Table,
)
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import ident, idents, literal, qualified

_PAGES_PER_PARTITION = 60
_FEWEST_PAGES = 600
# Where rows lie in key order, a range of keys is read almost sequentially; elsewhere each row
# would be a random access.
_ORDERED = 0.9
# Of a partition's rows, how many more or less bounds on the first column alone may give it.
_LARGEST_SHIFT = 0.25
# A user's filter means what it means in the user's own sessions.
USERS_NAMES = "SET LOCAL search_path = DEFAULT"
OWN_NAMES = "SET LOCAL search_path = pg_catalog"
# Before it, a filter on ctid reads the whole table (release notes of 14, "TID range scans").
_RANGE_SCANS_SINCE = 14


async def plan_partitions(
    connection: Connection, table: Table, spec: PartitionSpec
) -> list[Partition]:
    """Return the table's partitions; see ``Source.partitions``."""
    version = connection.get_server_version().major
    if spec.where:
        await connection.execute(USERS_NAMES)
    parts = await _planned(connection, table, spec, version)
    if spec.where:
        await connection.execute(OWN_NAMES)
    return parts


async def _planned(
    connection: Connection, table: Table, spec: PartitionSpec, version: int
) -> list[Partition]:
    if spec.by not in ("auto", "physical", "keys"):
        return await _by_keys(connection, table, (_chosen(table, spec.by),), spec)
    if spec.want <= 1 or table.extra.get("relkind") == "f":
        return partition.whole(table.name, table.rows, table.bytes)
    keys = _key_columns(table)
    physical = table.extra.get("relkind") == "r" and version >= _RANGE_SCANS_SINCE
    if spec.by == "physical" or (spec.by == "auto" and not (keys and in_key_order(table))):
        if physical:
            return await _by_pages(connection, table, spec)
        if spec.by == "physical":
            return partition.whole(table.name, table.rows, table.bytes)
    if not keys:
        return partition.whole(table.name, table.rows, table.bytes)
    return await _by_keys(connection, table, keys, spec)


def _chosen(table: Table, name: str) -> str:
    names = [c.name for c in table.columns]
    if name not in names:
        near = difflib.get_close_matches(name, names, 3, 0.3)
        raise ConfigError(
            f"partition_by names a column that {table.name} does not have: {name!r}",
            side="source",
            table=str(table.name),
            hint=f"did you mean {', '.join(near)}?" if near else None,
        )
    if _foreign_order(table.column(name)):
        raise _no_order(table, (name,))
    return name


def _no_order(table: Table, columns: tuple[str, ...]) -> ConfigError:
    return ConfigError(
        f"{', '.join(columns)} of {table.name} has no order to partition by",
        side="source",
        table=str(table.name),
        hint="partition_by another column, or 'physical'",
    )


def in_key_order(table: Table) -> bool:
    """Say whether the table's rows lie in the order of its key, or its reverse."""
    return abs(float(table.extra.get("correlation", "0"))) >= _ORDERED


def _key_columns(table: Table) -> tuple[str, ...]:
    """Return a key without NULLs, the primary one before others."""
    for key in sorted(table.keys, key=lambda k: not k.primary):
        columns = [table.column(c) for c in key.columns]
        if not any(c.nullable or _foreign_order(c) for c in columns):
            return key.columns
    return ()


def _foreign_order(column: Column) -> bool:
    """Say whether the type's order is not one of the server's own.

    An extension's type may be sorted by an operator of its own and compared, where names resolve
    in pg_catalog alone, by that of a type it casts to: citext is sorted without regard to case and
    would be compared as text, so that ranges would overlap.
    """
    return "user_type" in column.extra


async def _by_pages(connection: Connection, table: Table, spec: PartitionSpec) -> list[Partition]:
    pages = await _pages(connection, table)
    return partition.page_ranges(
        table.name, pages, spec.want, rows=table.rows, size_bytes=table.bytes
    )


async def _pages(connection: Connection, table: Table) -> int:
    return int(
        await connection.fetchval(
            "SELECT pg_relation_size($1::oid) / current_setting('block_size')::int8",
            int(table.extra["oid"]),
        )
    )


async def _by_keys(
    connection: Connection, table: Table, columns: tuple[str, ...], spec: PartitionSpec
) -> list[Partition]:
    query = _sample(table, columns, spec, await _pages(connection, table))
    try:
        rows = await connection.fetch(query)
    except asyncpg.UndefinedFunctionError as error:
        if spec.where:
            raise
        raise _no_order(table, columns) from error
    # Bounds on the key's first column alone are cheaper to scan (0.80 against 1.07 s per million
    # rows of lineitem), and as balanced where each of its values has few rows.
    if all(row["shift"] * spec.want <= row["total"] * _LARGEST_SHIFT for row in rows):
        columns = columns[:1]
    return partition.key_ranges(
        table.name,
        columns,
        [tuple(row[str(i)] for i in range(len(columns))) for row in rows],
        rows=table.rows,
        size_bytes=table.bytes,
        nulls=any(table.column(c).nullable for c in columns),
    )


def _sample(table: Table, columns: tuple[str, ...], spec: PartitionSpec, pages: int) -> str:
    """Return the query for the keys that cut a sample of the table into equal parts.

    ``shift`` is how many of the sample's rows lie between a cut and the first row that shares the
    cut's first column.
    """
    wanted = max(_FEWEST_PAGES, _PAGES_PER_PARTITION * spec.want)
    kind = table.extra.get("relkind")
    sampled = kind == "r" and pages > 2 * wanted
    sample = f" TABLESAMPLE SYSTEM ({100 * wanted / pages:.6f})" if sampled else ""
    conditions = [f"{ident(c)} IS NOT NULL" for c in columns]
    conditions += [f"({spec.where})"] if spec.where else []
    only = "ONLY " if kind == "r" else ""
    numbered = ", ".join(f'{ident(c)} AS "{i}"' for i, c in enumerate(columns))
    texts = ", ".join(f'"{i}"::text AS "{i}"' for i in range(len(columns)))
    order = idents(columns)
    # A key that several cuts fall on bounds once, and the least key bounds nothing.
    return (
        f"SELECT {texts}, total, place - place_of_column AS shift FROM ("
        f"SELECT {numbered}, row_number() OVER ordered AS place, count(*) OVER () AS total, "
        f"rank() OVER ordered AS place_of_first, "
        f"rank() OVER (ORDER BY {ident(columns[0])}) AS place_of_column "
        f"FROM {only}{qualified(table.name)}{sample} WHERE {' AND '.join(conditions)} "
        f"WINDOW ordered AS (ORDER BY {order})) AS sample "
        f"WHERE place_of_first > 1 AND place IN (SELECT 1 + total * cut / {spec.want} "
        f"FROM generate_series(1, {spec.want - 1}) AS cut) ORDER BY place"
    )


def reads_by_index(table: Table, extent: Extent) -> bool:
    """Say whether the rows of a range lie together, so that its index finds them cheaply.

    The server's planner reads the whole table for a sixth of it (1.40 against 0.80 s per million
    rows of lineitem), as it does not know that every other part is read too.
    """
    columns = extent.columns if isinstance(extent, KeyRange) else ()
    return bool(columns) and columns[:1] == _key_columns(table)[:1] and in_key_order(table)


def predicate(table: Table, extent: Extent) -> str:
    """Return the SQL condition for the rows of an extent; empty for the whole table.

    Bounds are untyped literals: the server reads them as the columns' own types, and compares
    under the columns' own collations, as their index does.
    """
    match extent:
        case KeyRange(columns=columns, lower=lower, upper=upper):
            nullable = [c for c in columns if table.column(c).nullable]
            parts = [f"{_row(columns)} >= {_values(lower)}"] if lower else []
            parts += [f"{_row(columns)} < {_values(upper)}"] if upper else []
            # (1, NULL) < (2, 0) is true: rows with a NULL belong to their own partition alone.
            return " AND ".join(parts + [f"{ident(c)} IS NOT NULL" for c in nullable])
        case NullKeys(columns=columns):
            return "(" + " OR ".join(f"{ident(c)} IS NULL" for c in columns) + ")"
        case PhysicalRange(first=first, end=end):
            lower_bound = f"ctid >= '({first},0)'::tid"
            return lower_bound + (f" AND ctid < '({end},0)'::tid" if end is not None else "")
        case _:
            return ""


def _row(columns: tuple[str, ...]) -> str:
    return ident(columns[0]) if len(columns) == 1 else f"({idents(columns)})"


def _values(values: tuple[str, ...]) -> str:
    texts = [literal(v).strip() for v in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
