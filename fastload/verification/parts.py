"""Parts of two tables that should hold the same rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from fastload.model import Extent, KeyRange, NullKeys, Partition, PhysicalRange
from fastload.verification.pairs import TablePair, is_integer
from fastload.verification.sides import Side


class Part(NamedTuple):
    """Partitions of either side that should hold the same rows."""

    here: Sequence[Partition]
    there: Sequence[Partition]

    @property
    def rows(self) -> int:
        """About how many rows either side has here."""
        return max(sum(p.rows for p in self.here), sum(p.rows for p in self.there))

    @property
    def range(self) -> KeyRange | None:
        """The key range that it is, if it is one."""
        extent = self.here[0].extent
        return extent if isinstance(extent, KeyRange) else None


async def parts_of(
    pair: TablePair, here: Side, there: Side, ranges: Sequence[KeyRange]
) -> list[Part]:
    """Return the parts that a table is compared in: these key ranges, or what covers it."""
    name = pair.source.name
    if ranges:
        chosen = [Partition(table=name, index=i, extent=r) for i, r in enumerate(ranges)]
        return [Part([p], [_moved(p, pair)]) for p in chosen]
    found = await here.partitions(pair)
    if _means_the_same(pair, [p.extent for p in found]):
        return [Part([p], [_moved(p, pair)]) for p in found]
    return [Part(found, await there.partitions(pair))]


def _means_the_same(pair: TablePair, extents: Sequence[Extent]) -> bool:
    """Say whether both sides have the same rows in these extents, whatever is in them.

    Both sort whole numbers alike; texts by collations, and much else by rules of their own.
    """
    if any(isinstance(e, PhysicalRange) for e in extents):
        return False
    ranged = {c for e in extents if isinstance(e, KeyRange) for c in e.columns}
    nulls = any(isinstance(e, NullKeys) for e in extents)
    by_name = {p.source.name: p for p in pair.pairs}
    for name in ranged:
        p = by_name.get(name)
        if p is None or not (is_integer(p.source) and is_integer(p.target)):
            return False
        # A row without the key would be in none of the target's ranges.
        if p.target.nullable and not nulls:
            return False
    return True


def _moved(part: Partition, pair: TablePair) -> Partition:
    """Return a partition of the source's table as one of the target's."""
    names = {p.source.name: p.target.name for p in pair.pairs}
    extent = part.extent
    if isinstance(extent, KeyRange | NullKeys):
        columns = tuple(names[c] for c in extent.columns)
        extent = msgspec.structs.replace(extent, columns=columns)
    return msgspec.structs.replace(part, table=pair.target.name, extent=extent)
