"""Partitions of a table over the key that InnoDB stores it by, or over a column that is named."""

from __future__ import annotations

import difflib

from fastload import partition
from fastload.adapter import PartitionSpec
from fastload.errors import ConfigError
from fastload.model import Column, Partition, Table
from fastload.partition import Boundary
from fastload_mysql.access import Access, by_column, clustered
from fastload_mysql.ascending import ascending, ascending_keys
from fastload_mysql.connection import Connection
from fastload_mysql.histogram import Histogram
from fastload_mysql.key_space import known_space, space_of
from fastload_mysql.quoting import ident, qualified


async def plan_partitions(
    connection: Connection, table: Table, spec: PartitionSpec
) -> list[Partition]:
    """Return the table's partitions; see ``Source.partitions``."""
    if spec.by in ("auto", "physical", "keys"):
        access = clustered(table)
        if spec.want <= 1 or access is None or spec.by == "physical":
            return partition.whole(table.name, table.rows, table.bytes)
    else:
        access = by_column(table, _chosen(table, spec.by).name)
    if access.index_name is not None:
        found = await Histogram(connection, table, access).boundaries(spec.want)
        boundaries = await ascending(connection, table, access.columns, found)
    else:
        boundaries = await _sorted_by_server(connection, table, access, spec)
    return partition.key_ranges(
        table.name,
        access.columns[: max(map(len, boundaries), default=1)],
        boundaries,
        rows=table.rows,
        size_bytes=table.bytes,
        nulls=table.column(access.columns[0]).nullable,
    )


def _chosen(table: Table, name: str) -> Column:
    names = [c.name for c in table.columns]
    if name not in names:
        near = difflib.get_close_matches(name, names, 3, 0.3)
        raise ConfigError(
            f"partition_by names a column that {table.name} does not have: {name!r}",
            side="source",
            table=str(table.name),
            hint=f"did you mean {', '.join(near)}?" if near else None,
        )
    if space_of(table.column(name)) is None:
        raise ConfigError(
            f"{name} of {table.name} has no order to partition by",
            side="source",
            table=str(table.name),
            hint="partition_by another column, or 'auto'",
        )
    return table.column(name)


async def _sorted_by_server(
    connection: Connection, table: Table, access: Access, spec: PartitionSpec
) -> list[Boundary]:
    """Cut by a column without an index: the server sorts it, once, or on old ones for each part."""
    (column,) = access.columns
    name, told = ident(column), known_space(table.column(column)).tell.format("k")
    rest = f"FROM {qualified(table.name)} WHERE {name} IS NOT NULL"
    rest += f" AND ({spec.where})" if spec.where else ""
    if connection.product.has_windows:
        parts = f"SELECT {name} AS k, NTILE({spec.want}) OVER (ORDER BY {name}) AS part {rest}"
        cuts = f"SELECT MIN(k) AS k FROM ({parts}) AS parts WHERE part > 1 GROUP BY part"
        rows = await connection.fetch(
            f"SELECT {told} FROM ({ascending_keys(cuts)}) AS k ORDER BY n"
        )
        return [(str(row[0]),) for row in rows]
    count = await connection.fetchval(f"SELECT COUNT(*) {rest}")
    offsets = sorted({count * i // spec.want for i in range(1, spec.want)} - {0})
    cuts = " UNION ALL ".join(
        f"(SELECT {name} AS k {rest} ORDER BY {name} LIMIT 1 OFFSET {n})" for n in offsets
    )
    if not cuts:
        return []
    rows = await connection.fetch(
        f"SELECT {told} FROM (SELECT DISTINCT k FROM ({cuts}) AS cuts) AS cuts ORDER BY k"
    )
    return await ascending(connection, table, access.columns, [(str(row[0]),) for row in rows])
