"""Tables compared part by part: hashed on both sides, and where hashes differ, down to the rows.

A part is a key range that means the same on both sides, or the whole table where none does: its
rows are then read in each side's own partitions, since sums do not depend on order. Hashes are
summed apart by their keys' leading bits, so that the rows of differing sums, and few others, are
all that is read once more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

import anyio

from fastload.errors import Unrepresentable
from fastload.model import KeyRange, Partition, QualifiedName
from fastload.tasks import task_group
from fastload.verification.budget import Budget, Share
from fastload.verification.found import Found
from fastload.verification.hashing import hashing_of
from fastload.verification.matching import Changed, Suspect, match
from fastload.verification.pairs import TablePair, can_be_exact
from fastload.verification.parts import Part, parts_of
from fastload.verification.result import TableCheck
from fastload.verification.sides import Side
from fastload.verification.wanted import Wanted

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Picked: TypeAlias = "tuple[list[pa.RecordBatch], list[pa.RecordBatch]]"
# Of each row that differs, so many are read with it on either side.
_ROWS_PER_BUCKET = 4
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
        here, there = self._here.source.capabilities, self._there.source.capabilities
        hashed = by_server(pair, here.fingerprint, there.fingerprint)
        # A few keys are not what a server's hash of a whole part is about.
        hashed = hashed and pair.source.name not in self._only
        found = Found(pair, Budget(self._limit, self._memory // 8), hashed=hashed)
        ranges = self._ranges.get(pair.source.name, ())

        async def one(part: Part) -> None:
            async with self._gate:
                await self._part(part, found)

        async with task_group() as group:
            parts = await parts_of(pair, self._here, self._there, ranges)
            for part in parts:
                group.start_soon(one, part)
        if pair.source.name not in self._ranges:
            await self._check_counts(found, parts)
        if found.changed or found.missing or found.extra:
            self.located.append(Located(pair, found.changed, found.missing, found.extra))
        self.suspects[pair.source.name] = found.suspects
        return found.check()

    async def _check_counts(self, found: Found, parts: Sequence[Part]) -> None:
        here = [p for part in parts for p in part.here]
        there = [p for part in parts for p in part.there]
        async with task_group() as group:
            group.start_soon(self._here.check_count, found.pair, found.rows, here)
            group.start_soon(self._there.check_count, found.pair, found.rows_target, there)

    async def _part(self, part: Part, found: Found) -> None:
        if found.hashed:
            ours, theirs = await self._of_both(part, lambda s, p: s.fingerprint(found.pair, p))
            found.count(ours.rows, theirs.rows)
            if ours == theirs:
                return
        bits = (part.rows // _ROWS_PER_BUCKET).bit_length()
        bits = max(_LEAST_BITS, min(_MOST_BITS, bits))
        here, there = await self._of_both(part, lambda s, p: s.buckets(found.pair, p, bits))
        if not found.hashed:
            found.count(here.rows, there.rows)
        differing = self._suspected(found.pair, bits, here.differing(there))
        if differing:
            await self._locate(part, found, bits, [bucket for bucket, _, _ in differing])
        elif found.hashed:
            found.unlocated += 1
        if differing or found.hashed:
            found.mark(part)

    async def _locate(self, part: Part, found: Found, bits: int, differing: Sequence[int]) -> None:
        """Match the rows of differing buckets; in each of them at least one differs."""
        async with found.budget.share(len(differing)) as share:
            chosen = differing[: share.rows]
            found.more |= len(chosen) < len(differing)
            if chosen:
                wanted = Wanted(bits, chosen, share)
                picked = await self._of_both(part, lambda s, p: s.pick(found.pair, p, wanted))
                self._match(found, wanted, picked, share)

    def _match(self, found: Found, wanted: Wanted, picked: Picked, share: Share) -> None:
        pair, only = found.pair, self._only.get(found.pair.source.name)
        sides = zip((self._here, self._there), picked, strict=True)
        ours, theirs = (wanted.filtered(hashing_of(s, pair), rows) for s, rows in sides)
        matched = match(pair, self._here, self._there, (ours, theirs), share.most_rows, only)
        found.take(matched)
        found.more |= matched.more or wanted.cut
        if not matched.suspects and only is None:
            found.unlocated += 1
        share.use(len(matched.differences))
        share.hold(matched.bytes - share.bytes)

    async def _of_both(
        self, part: Part, work: Callable[[Side, Sequence[Partition]], Awaitable[T]]
    ) -> tuple[T, T]:
        """Do the same on both sides at once."""
        found: dict[str, T] = {}

        async def one(side: Side, parts: Sequence[Partition]) -> None:
            found[side.word] = await work(side, parts)

        async with task_group() as group:
            group.start_soon(one, self._here, part.here)
            group.start_soon(one, self._there, part.there)
        return found[self._here.word], found[self._there.word]

    def _suspected(
        self, pair: TablePair, bits: int, differing: list[tuple[int, int, int]]
    ) -> list[tuple[int, int, int]]:
        """Return the buckets that hold keys which are to be compared."""
        only = self._only.get(pair.source.name)
        if only is None:
            return differing
        buckets = {key >> (64 - bits) for key in only}
        return [d for d in differing if d[0] in buckets]


def by_server(pair: TablePair, here: str | None, there: str | None) -> bool:
    """Say whether both servers can hash these rows, and alike; by the names of their hashes."""
    return here is not None and here == there and pair.same and not pair.policies_null
