"""Partitions of a table over the key that InnoDB stores it by.

The server estimates how many rows lie between two keys by looking at the index's pages, in a
fraction of a millisecond (EXPLAIN); half the rows of a range are therefore found by bisection,
whatever gaps and skew the keys have. Each boundary is a key of the table, looked up near a guess.
"""

from __future__ import annotations

import difflib

from fastload import partition
from fastload.adapter import PartitionSpec
from fastload.errors import ConfigError
from fastload.model import Column, Partition, Table
from fastload.partition import Boundary
from fastload_mysql.connection import Connection
from fastload_mysql.key_space import known_space, space_of
from fastload_mysql.predicate import index_hint, within
from fastload_mysql.quoting import ident, qualified

_STEPS = 64
_ALL = (1 << 64) - 1
# A cut is good enough when it is off by this share of the rows on either side.
_TOLERANCE = 0.1


async def plan_partitions(
    connection: Connection, table: Table, spec: PartitionSpec
) -> list[Partition]:
    """Return the table's partitions; see ``Source.partitions``."""
    if spec.by not in ("auto", "physical", "keys"):
        return await _by_column(connection, table, _chosen(table, spec.by), spec)
    columns = clustered_key(table)
    if spec.want <= 1 or not columns or spec.by == "physical":
        return partition.whole(table.name, table.rows, table.bytes)
    boundaries = await _Cuts(connection, table, columns).boundaries(spec.want)
    return partition.key_ranges(
        table.name,
        columns[: max(map(len, boundaries), default=1)],
        boundaries,
        rows=table.rows,
        size_bytes=table.bytes,
    )


def clustered_key(table: Table) -> tuple[str, ...]:
    """Return the columns that rows are stored by, as far as their order is known here."""
    found: list[str] = []
    for name in _stored_by(table):
        column = table.column(name)
        if column.nullable or space_of(column) is None:
            break
        found.append(name)
    return tuple(found[:2])


def _stored_by(table: Table) -> tuple[str, ...]:
    """Return the primary key, or the first unique one without NULLs, as InnoDB does."""
    for key in sorted(table.keys, key=lambda k: not k.primary):
        if not any(table.column(c).nullable for c in key.columns):
            return key.columns
    return ()


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


async def _by_column(
    connection: Connection, table: Table, column: Column, spec: PartitionSpec
) -> list[Partition]:
    """Cut by a column that a user has named, which may have no index: the server sorts it."""
    space = known_space(column)
    name = ident(column.name)
    where = f" AND ({spec.where})" if spec.where else ""
    keys = f"FROM {qualified(table.name)} WHERE {name} IS NOT NULL{where}"
    if connection.product.has_windows:
        cuts = _even(name, keys, spec.want)
    else:
        cuts = _counted(name, keys, int(await connection.fetchval(f"SELECT COUNT(*) {keys}")), spec)
    rows = await connection.fetch(f"SELECT {space.text.format('k')} FROM ({cuts}) cuts ORDER BY k")
    return partition.key_ranges(
        table.name,
        (column.name,),
        [(str(row[0]),) for row in rows],
        rows=table.rows,
        size_bytes=table.bytes,
        nulls=column.nullable,
    )


def _even(name: str, keys: str, want: int) -> str:
    """Return the query for the first key of every part but one."""
    parts = f"SELECT {name} AS k, NTILE({want}) OVER (ORDER BY {name}) AS part {keys}"
    return f"SELECT MIN(k) AS k FROM ({parts}) parts WHERE part > 1 GROUP BY part"


def _counted(name: str, keys: str, count: int, spec: PartitionSpec) -> str:
    """Return the same of a server that only counts by itself; without a limit some do not sort."""
    ordered = f"SELECT {name} AS k {keys} ORDER BY {name} LIMIT {_ALL}"
    numbered = f"SELECT k, @fastload_row := @fastload_row + 1 AS n FROM ({ordered}) ordered"
    size = max(1, -(-count // spec.want))
    started = "(SELECT @fastload_row := -1) started"
    return f"SELECT k FROM ({numbered}, {started}) numbered WHERE n > 0 AND n % {size} = 0"


class _Cuts:
    """Finds keys that cut a table into equal parts.

    A key is one text per column, so that a column's value that fills several parts by itself is
    cut by the column after it.
    """

    def __init__(self, connection: Connection, table: Table, columns: tuple[str, ...]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._spaces = [known_space(table.column(c)) for c in columns]
        self._from = f"FROM {qualified(table.name)} {index_hint(table)}"
        self._deepest = 1

    async def boundaries(self, want: int) -> list[Boundary]:
        """Return up to ``want - 1`` ascending keys; no more columns of each than it takes."""
        cuts = await self._cut(None, None, want)
        return [key[: self._deepest] for key in cuts]

    async def _cut(
        self, lower: Boundary | None, upper: Boundary | None, want: int
    ) -> list[Boundary]:
        if want < 2:
            return []
        divided = await self._divide(lower, upper, (want // 2) / want)
        if divided is None:
            return []
        key, share = divided
        left = max(1, min(want - 1, round(want * share)))
        return [
            *await self._cut(lower, key, left),
            key,
            *await self._cut(key, upper, want - left),
        ]

    async def _divide(
        self, lower: Boundary | None, upper: Boundary | None, wanted: float
    ) -> tuple[Boundary, float] | None:
        """Return a key with about the wanted share of a range's rows below it, and that share."""
        first, last = await self._end(lower, upper, ""), await self._end(lower, upper, " DESC")
        if first is None or last is None or first == last:
            return None
        place = next(i for i, (a, b) in enumerate(zip(first, last, strict=True)) if a != b)
        low, high, middle = first[place], last[place], self._spaces[place].middle
        best: tuple[Boundary, float] | None = None
        for _ in range(_STEPS):
            guess = middle(low, high)
            key = await self._at_or_after((*first[:place], guess), lower, upper)
            share = (
                1.0
                if key is None
                else 0.0
                if key == first
                else await self._share(lower, key, upper)
            )
            if key not in (None, first) and (
                best is None or abs(share - wanted) < abs(best[1] - wanted)
            ):
                assert key is not None
                best = key, share
            if abs(share - wanted) <= _TOLERANCE * wanted or guess in (low, high):
                break
            low, high = (guess, high) if share < wanted else (low, guess)
        if best is not None:
            self._deepest = max(self._deepest, place + 1)
        return best

    async def _share(self, lower: Boundary | None, key: Boundary, upper: Boundary | None) -> float:
        left, right = await self._rows(lower, key), await self._rows(key, upper)
        return left / max(1, left + right)

    async def _rows(self, lower: Boundary | None, upper: Boundary | None) -> int:
        """Return the server's estimate of the rows in a range."""
        where = self._where(lower, upper)
        (row,) = await self._connection.fetch_named(
            f"EXPLAIN FORMAT=TRADITIONAL SELECT 1 {self._from} WHERE {where}"
        )
        return int(row["rows"] or 0)

    async def _end(
        self, lower: Boundary | None, upper: Boundary | None, order: str
    ) -> Boundary | None:
        by = ", ".join(ident(c) + order for c in self._columns)
        where = self._where(lower, upper)
        return await self._first(f"{f'WHERE {where} ' if where else ''}ORDER BY {by}")

    async def _at_or_after(
        self, guess: Boundary, lower: Boundary | None, upper: Boundary | None
    ) -> Boundary | None:
        """Return the first key of a range whose leading columns are at or after these values."""
        *fixed, value = guess
        place = len(fixed)
        equal = zip(self._columns, self._spaces, fixed, strict=False)
        conditions = [f"{ident(c)} = {s.literal(v)}" for c, s, v in equal]
        conditions.append(f"{ident(self._columns[place])} >= {self._spaces[place].literal(value)}")
        conditions += [w] if (w := self._where(lower, upper)) else []
        order = ", ".join(ident(c) for c in self._columns)
        return await self._first(f"WHERE {' AND '.join(conditions)} ORDER BY {order}")

    async def _first(self, tail: str) -> Boundary | None:
        names = ", ".join(
            s.text.format(ident(c)) for c, s in zip(self._columns, self._spaces, strict=True)
        )
        row = await self._connection.fetchrow(f"SELECT {names} {self._from} {tail} LIMIT 1")
        return tuple(str(v) for v in row) if row else None

    def _where(self, lower: Boundary | None, upper: Boundary | None) -> str:
        return within(self._table, self._columns, lower, upper)
