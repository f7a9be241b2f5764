"""Tables compared part by part: hashed on both sides, and where hashes differ, down to the rows.

A part is a key range that means the same on both sides, or the whole table where none does: its
rows are then read in each side's own partitions, since sums do not depend on order. Hashes are
summed apart by their keys' leading bits, so that the rows of differing sums, and few others, are
all that is read once more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import anyio
import msgspec

from fastload.adapter import Fingerprint
from fastload.errors import Unrepresentable
from fastload.model import Extent, KeyRange, NullKeys, Partition, PhysicalRange, QualifiedName
from fastload.tasks import task_group
from fastload.verification.matching import Changed, Matched, Suspect, match
from fastload.verification.pairs import TablePair, can_be_exact, is_integer
from fastload.verification.result import Difference, TableCheck
from fastload.verification.sides import Side, Wanted, hashing_of

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.kernels.row_hash import Buckets

_ROWS_PER_BUCKET = 16
_LEAST_BITS, _MOST_BITS = 6, 18
_TABLES_AT_ONCE = 8


class Located(NamedTuple):
    """Rows to make a table's target equal to its source; see ``Matched``."""

    pair: TablePair
    changed: list[Changed]
    missing: list[pa.RecordBatch]
    extra: list[pa.RecordBatch]

    @property
    def rows(self) -> list[pa.RecordBatch]:
        """The source's rows that are missing or different on the target."""
        return [*(b for c in self.changed for b in c.rows), *self.missing]


class _Part(NamedTuple):
    """Partitions of either side that should hold the same rows."""

    here: Sequence[Partition]
    there: Sequence[Partition]


class _Found:
    """What has been found of one table so far."""

    def __init__(self) -> None:
        self.rows = self.rows_target = self.unlocated = 0
        self.differences: list[Difference] = []
        self.changed: list[Changed] = []
        self.missing: list[pa.RecordBatch] = []
        self.extra: list[pa.RecordBatch] = []
        self.suspects: dict[int, Suspect] = {}
        self.ranges: list[KeyRange] = []
        self.more = False
        self.other = False


class Verifier:
    """Compares the tables of two sides.

    Args:
        here: The source.
        there: The target, read as a source.
        lanes: Connections that each side has.
        limit: Differences of a table to locate.
        memory: Bound of the rows that are held to be matched.
        ranges: Key ranges to compare alone, by source table.
        only: Hashes of the keys whose rows are compared alone, by source table.

    Attributes:
        located: What would make each differing table equal, as far as it was located.
        suspects: The keys that differ, by source table.
    """

    def __init__(
        self,
        here: Side,
        there: Side,
        *,
        lanes: int,
        limit: int,
        memory: int,
        ranges: Mapping[QualifiedName, Sequence[KeyRange]] | None = None,
        only: Mapping[QualifiedName, Collection[int]] | None = None,
    ) -> None:
        self._here = here
        self._there = there
        # Parts that hold sums: both sides read about the same ones at a time.
        self._gate = anyio.Semaphore(2 * lanes)
        self._limit = limit
        self._memory = memory
        self._ranges = ranges or {}
        self._only = only or {}
        self.located: list[Located] = []
        self.suspects: dict[QualifiedName, dict[int, Suspect]] = {}

    async def run(self, pairs: Sequence[TablePair]) -> list[TableCheck]:
        """Compare tables, some side by side, the largest first."""
        found: dict[QualifiedName, TableCheck] = {}
        waiting = sorted(pairs, key=lambda p: p.source.bytes)

        async def lane() -> None:
            while waiting:
                pair = waiting.pop()
                found[pair.source.name] = await self._table(pair)

        async with task_group() as group:
            for _ in range(min(_TABLES_AT_ONCE, len(pairs))):
                group.start_soon(lane)
        return [found[p.source.name] for p in pairs]

    async def _table(self, pair: TablePair) -> TableCheck:
        """Compare a table; columns with values that have no form are read otherwise, or left."""
        while True:
            try:
                return await self._once(pair)
            except Unrepresentable as error:
                pair = self._otherwise(pair, error)

    def _otherwise(self, pair: TablePair, error: Unrepresentable) -> TablePair:
        on_source = error.side == "source"
        for p in pair.pairs:
            if error.column == (p.source.name if on_source else p.target.name):
                if can_be_exact(p):
                    return pair.exactly(p.source.name)
                return pair.without(p.source.name, f"on the {error.side}, {error.message}")
        raise error

    async def _once(self, pair: TablePair) -> TableCheck:
        found = _Found()
        here, there = self._here.source.capabilities, self._there.source.capabilities
        hashed = by_server(pair, here.fingerprint, there.fingerprint)
        # A few keys are not what a server's hash of a whole part is about.
        hashed = hashed and pair.source.name not in self._only
        parts = await self._parts(pair)

        async def one(part: _Part) -> None:
            async with self._gate:
                await self._part(pair, part, found, hashed)

        async with task_group() as group:
            for part in parts:
                group.start_soon(one, part)
        if pair.source.name not in self._ranges:
            await self._check_counts(pair, parts, found)
        if found.changed or found.missing or found.extra:
            self.located.append(Located(pair, found.changed, found.missing, found.extra))
        self.suspects[pair.source.name] = found.suspects
        return check_of(pair, found, hashed)

    async def _check_counts(self, pair: TablePair, parts: list[_Part], found: _Found) -> None:
        here = [p for part in parts for p in part.here]
        there = [p for part in parts for p in part.there]
        async with task_group() as group:
            group.start_soon(self._here.check_count, pair, found.rows, here)
            group.start_soon(self._there.check_count, pair, found.rows_target, there)

    async def _part(self, pair: TablePair, part: _Part, found: _Found, hashed: bool) -> None:
        if hashed:
            ours, theirs = await self._fingerprints(pair, part)
            found.rows, found.rows_target = found.rows + ours.rows, found.rows_target + theirs.rows
            if ours == theirs:
                return
        here, there = await self._buckets(pair, part)
        if not hashed:
            found.rows, found.rows_target = found.rows + here.rows, found.rows_target + there.rows
        differing = self._suspected(pair, here.bits, here.differing(there))
        if differing:
            found.more |= await self._locate(pair, part, found, here.bits, differing)
        elif hashed:
            found.unlocated += 1
        if (differing or hashed) and isinstance(part.here[0].extent, KeyRange):
            found.ranges.append(part.here[0].extent)
        found.other |= not isinstance(part.here[0].extent, KeyRange)

    async def _fingerprints(self, pair: TablePair, part: _Part) -> tuple[Fingerprint, Fingerprint]:
        found: dict[str, Fingerprint] = {}

        async def one(side: Side, parts: Sequence[Partition]) -> None:
            found[side.word] = await side.fingerprint(pair, parts)

        async with task_group() as group:
            group.start_soon(one, self._here, part.here)
            group.start_soon(one, self._there, part.there)
        return found["source"], found["target"]

    async def _buckets(self, pair: TablePair, part: _Part) -> tuple[Buckets, Buckets]:
        found: dict[str, Buckets] = {}
        rows = max(sum(p.rows for p in part.here), sum(p.rows for p in part.there))
        bits = (rows // _ROWS_PER_BUCKET).bit_length()
        bits = max(_LEAST_BITS, min(_MOST_BITS, bits))

        async def one(side: Side, parts: Sequence[Partition]) -> None:
            found[side.word] = await side.buckets(pair, parts, bits)

        async with task_group() as group:
            group.start_soon(one, self._here, part.here)
            group.start_soon(one, self._there, part.there)
        return found["source"], found["target"]

    async def _locate(
        self,
        pair: TablePair,
        part: _Part,
        found: _Found,
        bits: int,
        differing: Sequence[tuple[int, int, int]],
    ) -> bool:
        """Match the rows of differing buckets; say whether some were left out."""
        if len(found.differences) >= self._limit:
            return True
        chosen = list(_within(differing, 4 * self._limit))
        wanted = Wanted(bits, chosen, self._memory // 4)
        rows: dict[str, list[pa.RecordBatch]] = {}

        async def one(side: Side, parts: Sequence[Partition]) -> None:
            rows[side.word] = await side.pick(pair, parts, wanted)

        async with task_group() as group:
            group.start_soon(one, self._here, part.here)
            group.start_soon(one, self._there, part.there)
        kept = tuple(
            wanted.filtered(hashing_of(s, pair), rows[s.word]) for s in (self._here, self._there)
        )
        only = self._only.get(pair.source.name)
        # Other parts have been located meanwhile.
        left = max(0, self._limit - len(found.differences))
        matched = match(pair, self._here, self._there, (kept[0], kept[1]), left, only)
        _take(found, matched)
        if not matched.suspects and only is None:
            found.unlocated += 1
        return matched.more or wanted.cut or len(chosen) < len(differing)

    def _suspected(
        self, pair: TablePair, bits: int, differing: list[tuple[int, int, int]]
    ) -> list[tuple[int, int, int]]:
        """Return the buckets that hold keys which are to be compared."""
        only = self._only.get(pair.source.name)
        if only is None:
            return differing
        buckets = {key >> (64 - bits) for key in only}
        return [d for d in differing if d[0] in buckets]

    async def _parts(self, pair: TablePair) -> list[_Part]:
        if ranges := self._ranges.get(pair.source.name):
            parts = [
                Partition(table=pair.source.name, index=i, extent=r) for i, r in enumerate(ranges)
            ]
            return [_Part([p], [_moved(p, pair)]) for p in parts]
        here = await self._here.partitions(pair)
        if _means_the_same(pair, [p.extent for p in here]):
            return [_Part([p], [_moved(p, pair)]) for p in here]
        return [_Part(here, await self._there.partitions(pair))]


def by_server(pair: TablePair, here: str | None, there: str | None) -> bool:
    """Say whether both servers can hash these rows, and alike; by the names of their hashes."""
    return here is not None and here == there and pair.same and not pair.policies_null


def check_of(pair: TablePair, found: _Found, hashed: bool) -> TableCheck:
    """Return what is said of a table."""
    renamed = pair.target.name != pair.source.name
    return TableCheck(
        table=pair.source.name,
        target=pair.target.name if renamed else None,
        rows=found.rows,
        rows_target=found.rows_target,
        how="hashed by the servers" if hashed else "hashed from Arrow",
        differences=tuple(found.differences),
        more=found.more,
        unlocated=found.unlocated,
        not_compared=pair.not_compared,
        ranges=() if found.other else tuple(found.ranges),
    )


def _take(found: _Found, matched: Matched) -> None:
    found.differences += matched.differences
    found.changed += matched.changed
    found.missing += matched.missing
    found.extra += matched.extra
    found.suspects |= matched.suspects


def _within(differing: Sequence[tuple[int, int, int]], most_rows: int) -> Iterator[int]:
    """Yield buckets until their rows are as many as may be matched; at least one."""
    rows = 0
    for bucket, ours, theirs in differing:
        if rows and rows + ours + theirs > most_rows:
            return
        rows += ours + theirs
        yield bucket


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
