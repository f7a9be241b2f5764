"""How many rows a table has between its keys, found out without reading them.

The server estimates how many rows lie between two keys by looking at the index's pages, in a
fraction of a millisecond (EXPLAIN). So a table is cut at guesses into cells; cells that hold too
many rows are cut again between the first and the last key that they really have, whatever gaps and
skew the keys have; and partitions are cells taken together. All that is asked of a round goes into
one statement, or a few.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TypeAlias

import msgspec

from fastload.model import Table
from fastload.partition import Boundary
from fastload_mysql.access import Access, index_hint
from fastload_mysql.connection import Connection
from fastload_mysql.key_space import known_space
from fastload_mysql.predicate import not_null, within
from fastload_mysql.quoting import ident, qualified

# Cells for each partition: guesses at first, and how large one may stay. What is estimated of a
# small range is nearly exact.
_FINE = 4
_LARGEST = 0.5
_ROUNDS = 30
_GUESSES_AT_MOST = 256
_SELECTS_PER_STATEMENT = 64
# Where guesses tell a cell's keys badly apart, the server counts rows, up to so many.
_COUNTED_ROWS = 1_000_000
_COUNTED_TO = (2, 4, 8)
_BADLY = 0.75

# Number of a cell, the column that tells its keys apart, and what selects one key.
_Lookup: TypeAlias = tuple[int, int, str]


class Cell(msgspec.Struct):
    """The keys from one up to the next cell's.

    Attributes:
        lower: What bounds it below, with no more columns than it takes; None for the first.
        first: Its first key, whole.
        last: Its last key; None until it is asked for.
        stubborn: Guesses did not help.
        whole: It cannot be cut.
    """

    lower: Boundary | None
    first: Boundary
    last: Boundary | None = None
    rows: int = 0
    stubborn: bool = False
    whole: bool = False


class Histogram:
    """Finds keys that cut a table into equal parts."""

    def __init__(self, connection: Connection, table: Table, access: Access) -> None:
        self._connection = connection
        self._table = table
        self._columns = access.columns
        self._spaces = [known_space(table.column(c)) for c in access.columns]
        self._from = f"FROM {qualified(table.name)} {index_hint(table, access.columns)}"
        self._cells: list[Cell] = []

    async def boundaries(self, want: int) -> list[Boundary]:
        """Return up to ``want - 1`` ascending keys, no more columns of each than it takes."""
        ends = await self._keys([(0, 0, self._some("")), (1, 0, self._some(" DESC"))])
        if len(ends) < 2:
            return []
        self._cells = [Cell(lower=None, first=ends[0][2], last=ends[1][2], rows=self._table.rows)]
        most = self._table.rows / want * _LARGEST
        for number in range(_ROUNDS):
            heavy = [
                i
                for i, cell in enumerate(self._cells)
                if not cell.whole and cell.last != cell.first and (cell.rows > most or number == 0)
            ]
            if not heavy:
                break
            await self._cut(heavy, want * _FINE if number == 0 else 0, most)
            most = sum(c.rows for c in self._cells) / want * _LARGEST
        return self._picked(want)

    def _picked(self, want: int) -> list[Boundary]:
        """Return the cells' edges that are nearest to equal parts."""
        sums = list(accumulate(cell.rows for cell in self._cells))
        edges = [cell.lower for cell in self._cells[1:]]
        found: dict[int, None] = {}
        for part in range(1, want):
            wanted = sums[-1] * part / want
            i = bisect_left(sums, wanted)
            if i > 0 and wanted - sums[i - 1] < sums[i] - wanted:
                i -= 1
            if i < len(edges):
                found[i] = None
        return [edge for i in found if (edge := edges[i]) is not None]

    async def _cut(self, heavy: Sequence[int], guesses: int, most: float) -> None:
        """Cut each of these cells at what is found at guesses between its ends."""
        await self._find_last(heavy)
        asked: list[_Lookup] = []
        for i in heavy:
            wanted = guesses or 2 * int(self._cells[i].rows / max(1, most)) + 2
            asked += self._at_guesses(i, min(wanted, _GUESSES_AT_MOST))
            if self._cells[i].stubborn:
                asked += self._at_offsets(i)
        found: defaultdict[int, list[Cell]] = defaultdict(list)
        for i, place, key in await self._keys(asked):
            known = found[i]
            if key not in (self._cells[i].first, known[-1].first if known else None):
                known.append(Cell(lower=key[: place + 1], first=key))
        await self._replace(heavy, found)

    async def _replace(self, heavy: Sequence[int], found: dict[int, list[Cell]]) -> None:
        """Put the new cells where the old ones were, and have their rows estimated."""
        made: list[Cell] = []
        changed: dict[int, int] = {}
        for i, cell in enumerate(self._cells):
            made.append(cell)
            if i in heavy and not found[i]:
                cell.whole = cell.stubborn or cell.rows > _COUNTED_ROWS
                cell.stubborn = True
            elif i in heavy:
                found[i][-1].last, cell.last = cell.last, None
                numbers = range(len(made) - 1, len(made) + len(found[i]))
                changed |= dict.fromkeys(numbers, cell.rows)
                made += found[i]
        self._cells = made
        for i, rows in zip(changed, await self._estimates(list(changed)), strict=True):
            made[i].rows = rows
            made[i].stubborn = _BADLY * changed[i] < rows <= _COUNTED_ROWS

    async def _find_last(self, heavy: Sequence[int]) -> None:
        unknown = [i for i in heavy if self._cells[i].last is None]
        for i, _, key in await self._keys([(i, 0, self._some(" DESC", i)) for i in unknown]):
            self._cells[i].last = key

    def _place(self, i: int) -> int:
        """Return the first column in which a cell's first and last key differ."""
        cell = self._cells[i]
        pairs = zip(cell.first, cell.last or cell.first, strict=True)
        return next((place for place, (a, b) in enumerate(pairs) if a != b), 0)

    def _at_guesses(self, i: int, count: int) -> list[_Lookup]:
        """Return the lookups of the first key at or after each guess in a cell."""
        cell, place = self._cells[i], self._place(i)
        first, last = cell.first, cell.last or cell.first
        if first == last:
            return []
        space = self._spaces[place]
        texts = space.guesses(first[place], last[place], count)
        values = [space.guess(t) for t in texts] + [space.literal(last[place])]
        equal = [
            f"{ident(c)} = {s.literal(v)}"
            for c, s, v in zip(self._columns[:place], self._spaces, first, strict=False)
        ]
        name = ident(self._columns[place])
        return [(i, place, self._some("", i, *equal, f"{name} >= {v}")) for v in values]

    def _at_offsets(self, i: int) -> list[_Lookup]:
        """Return the lookups of rows that the server counts to, of fewer perhaps than estimated."""
        offsets = {max(1, self._cells[i].rows // n) for n in _COUNTED_TO}
        place = len(self._columns) - 1
        return [(i, place, f"{self._some('', i)} OFFSET {n}") for n in sorted(offsets)]

    async def _keys(self, asked: Sequence[_Lookup]) -> list[tuple[int, int, Boundary]]:
        """Look keys up, and return them with their numbers, in the server's order for each cell."""
        places = [f"k{n}" for n in range(len(self._columns))]
        told = ", ".join(s.tell.format(k) for s, k in zip(self._spaces, places, strict=True))
        found: list[tuple[int, int, Boundary]] = []
        for part in _together(asked):
            union = " UNION ALL ".join(
                f"(SELECT {i} AS i, {p} AS p, {tail})" for i, p, tail in part
            )
            rows = await self._connection.fetch(
                f"SELECT i, p, {told} FROM ({union}) AS found ORDER BY i, {', '.join(places)}, p"
            )
            found += [(int(row[0]), int(row[1]), tuple(str(v) for v in row[2:])) for row in rows]
        return found

    def _some(self, order: str, i: int | None = None, *conditions: str) -> str:
        """Return what selects the first key, or the last, of a cell under some conditions."""
        names = ", ".join(f"{ident(c)} AS k{n}" for n, c in enumerate(self._columns))
        by = ", ".join(ident(c) + order for c in self._columns)
        parts = [*conditions, not_null(self._table, self._columns)]
        if i is not None:
            parts.append(self._bounds(i))
        where = " AND ".join(p for p in parts if p)
        return f"{names} {self._from} {f'WHERE {where} ' if where else ''}ORDER BY {by} LIMIT 1"

    def _bounds(self, i: int) -> str:
        upper = self._cells[i + 1].lower if i + 1 < len(self._cells) else None
        return within(self._table, self._columns, self._cells[i].lower, upper)

    async def _estimates(self, numbers: Sequence[int]) -> list[int]:
        """Return the server's estimates of the rows in these cells."""
        found: list[int] = []
        for start in range(0, len(numbers), _SELECTS_PER_STATEMENT):
            part = numbers[start : start + _SELECTS_PER_STATEMENT]
            selects = [f"SELECT 1 {self._from} WHERE {self._bounds(i) or 'TRUE'}" for i in part]
            rows = await self._connection.fetch_named(
                f"EXPLAIN FORMAT=TRADITIONAL {' UNION ALL '.join(selects)}"
            )
            found += [int(row["rows"] or 0) for row in rows[: len(part)]]
        return found


def _together(asked: Sequence[_Lookup]) -> Iterator[list[_Lookup]]:
    """Divide lookups into statements: those of one cell stay together, as they are sorted."""
    part: list[_Lookup] = []
    for _, lookups in groupby(asked, key=itemgetter(0)):
        part += lookups
        if len(part) >= _SELECTS_PER_STATEMENT:
            yield part
            part = []
    if part:
        yield part
