"""A copy that is verified: the source hashed as its rows pass, and only the target read again.

Rows on the Arrow route are hashed between source and target. What passes undecoded is hashed by
the source's server, in the copy's own snapshot; so is nothing that was written there meanwhile.
"""

from __future__ import annotations

import dataclasses
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, TypeAlias, cast

from fastload.adapter import (
    Endpoint,
    Fingerprint,
    Fingerprinting,
    Item,
    Reading,
    Snapshot,
    Source,
    Target,
    WireHasher,
)
from fastload.channel import Waits
from fastload.config import CopyOptions
from fastload.errors import Unrepresentable, VerificationError
from fastload.model import Catalog, Cut, Partition, Plan, QualifiedName, Receipt, Seal, TablePlan
from fastload.registry import open_source
from fastload.tasks import task_group
from fastload.verification.comparison import Pairing, comparing, doubts_of, pair_up
from fastload.verification.pairs import TablePair, kind_of
from fastload.verification.repairing import narrowed, repairer
from fastload.verification.result import TableCheck, VerifyResult, summary
from fastload.verification.sides import Side, hashing
from fastload.verification.verifier import by_server

if TYPE_CHECKING:
    import pyarrow as pa


LIMIT = 1000
Form: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


class Passing:
    """What is known of the rows of one copy.

    Guarantees: a table counts as hashed only where every partition's rows were, and as many as
    its receipt says; any other is read again in the same snapshot.
    """

    def __init__(self, here: Endpoint, there: Endpoint, options: CopyOptions) -> None:
        self._here = here
        self._there = there
        self._options = options
        self._own = False
        self._hashed: dict[tuple[QualifiedName, int], Fingerprint] = {}
        self._cuts: defaultdict[QualifiedName, set[Cut]] = defaultdict(set)
        self._kinds: dict[QualifiedName, list[tuple[str, str]]] = {}
        self._catalog: Catalog | None = None
        self._target: Target | None = None
        self._hashed_as: dict[QualifiedName, Form] = {}
        self._source: dict[QualifiedName, Fingerprint | None] = {}
        self._by_server: set[QualifiedName] = set()
        self._wires: dict[QualifiedName, str] = {}

    def set_dialects(self, source: str, target: str) -> None:
        """Learn whether both databases are of one dialect."""
        self._own = source == target

    def watched(
        self, reading: Reading, table: TablePlan, source: Source
    ) -> Watched | WatchedWire | None:
        """Return a reading that hashes what passes; None where nothing can."""
        if table.wire is not None:
            return self._watched_wire(reading, table, table.wire, source)
        kinds = []
        for name, other in zip(table.columns, table.target_columns, strict=True):
            column = table.source.column(name)
            kind = kind_of(column, table.target.column(other), own=self._own)
            if kind is None or name in table.exact:
                return None
            kinds.append((name, kind))
        self._kinds[table.source.name] = kinds
        return Watched(reading, kinds)

    def _watched_wire(
        self, reading: Reading, table: TablePlan, wire: str, source: Source
    ) -> WatchedWire | None:
        if source.capabilities.fingerprint is None:
            return None
        hasher = cast("Fingerprinting", source).wire_hasher(wire)
        if hasher is None:
            return None
        self._kinds[table.source.name] = [(name, wire) for name in table.columns]
        return WatchedWire(reading, hasher)

    def passed(self, watched: Watched | WatchedWire, table: TablePlan, receipt: Receipt) -> None:
        """Keep the hashes of a partition that has been written."""
        found = watched.found
        if found.rows == receipt.rows:
            key = (table.source.name, receipt.partition)
            self._hashed[key] = Fingerprint(found.rows, found.sum)
            self._cuts[table.source.name].add(watched.cut)

    async def read_source(
        self, source: Source, target: Target, at: Snapshot, catalog: Catalog, plan: Plan
    ) -> None:
        """Hash what has not been hashed as it passed, in the copy's snapshot."""
        self._target, self._catalog = target, catalog
        # Columns get their new names after the rows.
        columns = {
            t.source.name: dict(zip(t.columns, t.target_columns, strict=True)) for t in plan.tables
        }
        async with open_source(self._there, connections=1) as reading:
            pairing = await self._paired(reading, plan, columns)
            there = reading.capabilities.fingerprint
        here = source.capabilities.fingerprint
        side = self._side(source, at, "source")
        for pair in pairing.pairs:
            name, parts = pair.source.name, plan.table(pair.source.name).partitions
            self._hashed_as[name] = _form(pair)
            found = self._known(pair, parts)
            wire = plan.table(name).wire
            if found is None and wire and by_server(pair, here, there):
                found = self._known(pair, parts, wire)
                if found is not None:
                    self._wires[name] = wire
            if found is None and by_server(pair, here, there):
                self._by_server.add(name)
            if found is not None:
                await side.check_count(pair, found.rows, parts, self._cuts[name])
            else:
                found = await self._read(side, pair, await side.partitions(pair))
            self._source[name] = found

    async def _paired(
        self, reading: Source, plan: Plan, columns: dict[QualifiedName, dict[str, str]] | None
    ) -> Pairing:
        assert self._catalog is not None
        assert self._target is not None
        names = {t.source.name: t.target.name for t in plan.tables}
        return await pair_up(
            self._catalog, reading, self._target, names, self._options, {}, columns
        )

    def _side(self, source: Source, at: Snapshot, word: str) -> Side:
        lanes, memory = self._options.parallel, self._options.memory_bytes
        return Side(source, at, word, lanes=lanes, memory=memory)

    async def _read(
        self, side: Side, pair: TablePair, parts: Sequence[Partition]
    ) -> Fingerprint | None:
        """Return what a side's rows come to; None where a value has no form to be hashed in."""
        if wire := self._wires.get(pair.source.name):
            return await side.passing(pair, parts, wire)
        if pair.source.name in self._by_server:
            return await side.fingerprint(pair, parts)
        try:
            found = await side.buckets(pair, parts, 0)
        except Unrepresentable:
            return None
        await side.check_count(pair, found.rows, parts)
        return Fingerprint(found.rows, found.sum)

    def _known(
        self, pair: TablePair, parts: Sequence[Partition], wire: str | None = None
    ) -> Fingerprint | None:
        """Return what passed of a table, if all of it did, and was hashed as it is compared."""
        kinds = [(p.source.name, wire or p.kind) for p in pair.pairs]
        found = [self._hashed.get((pair.source.name, p.index)) for p in parts]
        known = [f for f in found if f is not None]
        if self._kinds.get(pair.source.name) != kinds or len(known) < len(found):
            return None
        return Fingerprint(sum(f.rows for f in known), sum(f.sum for f in known) % 2**64)

    async def result(self, plan: Plan) -> VerifyResult:
        """Read the target and compare; tables that differ are compared once more, row by row."""
        if self._catalog is None:
            # An earlier process has begun the run, and knew what passed.
            return await self._compared([t.source.name for t in plan.tables])
        began, lanes = time.monotonic(), self._options.parallel
        checks: dict[QualifiedName, TableCheck] = {}
        async with open_source(self._there, connections=lanes) as reading:
            pairing = await self._paired(reading, plan, None)
            pairs = pairing.pairs
            async with reading.snapshot([p.target for p in pairs], lanes) as at:
                side = self._side(reading, at, "target")
                async with task_group() as group:
                    for pair in pairs:
                        group.start_soon(self._check, side, pair, checks)
        result = VerifyResult(
            tables=tuple(checks[p.source.name] for p in pairs),
            seconds=time.monotonic() - began,
            losses=pairing.losses,
            inconsistent_because=doubts_of(side.cuts),
        )
        return result if result.equal else await self._located(result)

    async def _check(
        self, side: Side, pair: TablePair, checks: dict[QualifiedName, TableCheck]
    ) -> None:
        name = pair.source.name
        # What was hashed otherwise than it is compared now says nothing.
        if self._hashed_as[name] != _form(pair):
            self._source[name] = None
        ours = self._source[name]
        theirs = await self._read(side, pair, await side.partitions(pair)) if ours else None
        checks[name] = TableCheck(
            table=name,
            target=pair.target.name if pair.target.name != name else None,
            rows=ours.rows if ours else 0,
            rows_target=theirs.rows if theirs else 0,
            how=self._how(name),
            unlocated=int(ours is None or ours != theirs),
            not_compared=pair.not_compared,
        )

    def _how(self, table: QualifiedName) -> str:
        if table in self._wires:
            return "hashed on the wire"
        return "hashed by the servers" if table in self._by_server else "hashed from Arrow"

    async def _located(self, result: VerifyResult) -> VerifyResult:
        """Name the rows that differ, as far as the source still has them as they were."""
        compared = await self._compared([t.table for t in result.tables if not t.equal])
        # A table that was hashed, and now is equal, was written to meanwhile, or differed before.
        unhashed = {name for name, found in self._source.items() if found is None}
        again = {t.table: t for t in compared.tables if not t.equal or t.table in unhashed}
        tables = tuple(again.get(t.table, t) for t in result.tables)
        return dataclasses.replace(compared, tables=tables, losses=result.losses)

    async def _compared(self, names: Sequence[QualifiedName]) -> VerifyResult:
        options = narrowed(self._options, names)
        compare = comparing(self._here, self._there, LIMIT)
        compared = await compare(options)
        return compared.result.with_repair(repairer(self._here, self._there, options, compare))


def raise_unequal(result: VerifyResult, rejected: Sequence[str] = ()) -> None:
    """Raise what a copy says whose target is not equal to its source.

    Args:
        result: Of the comparison.
        rejected: What is told of rows that were rejected, which the target does not have.
    """
    if not result.equal:
        told = f"; rejected rows are missing: {'; '.join(rejected)}" if rejected else ""
        raise VerificationError(
            f"the copy is complete and differs from its source: {summary(result)}{told}",
            result=result,
            hint="error.result names the rows; await error.result.repair() mends them. Where the "
            "source is being written to, rows that changed since the copy differ too",
        )


def _form(pair: TablePair) -> Form:
    return tuple((p.source.name, p.kind) for p in pair.pairs), pair.same


class Watched:
    """A reading whose batches are hashed as they pass."""

    def __init__(self, reading: Reading, kinds: Sequence[tuple[str, str]]) -> None:
        from fastload.kernels.row_hash import Buckets

        schema = reading.schema
        assert not isinstance(schema, str)
        self._reading = reading
        self._hashing = hashing(schema, kinds)
        self.found = Buckets()

    @property
    def schema(self) -> pa.Schema | str:
        """The wrapped reading's."""
        return self._reading.schema

    @property
    def cut(self) -> Cut:
        """The wrapped reading's."""
        return self._reading.cut

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for batch in self._reading:
            self._hashing.hasher.add(self._hashing.flat(batch), self.found)
            yield batch

    async def seal(self) -> Seal:
        """Return the wrapped reading's."""
        return await self._reading.seal()

    def waits(self) -> Waits:
        """Return the wrapped reading's."""
        return self._reading.waits()


class WatchedWire:
    """A reading of a wire's bytes, whose rows are hashed as they pass."""

    def __init__(self, reading: Reading, hasher: WireHasher) -> None:
        self._reading = reading
        self.found = hasher

    @property
    def schema(self) -> pa.Schema | str:
        """The wrapped reading's."""
        return self._reading.schema

    @property
    def cut(self) -> Cut:
        """The wrapped reading's."""
        return self._reading.cut

    async def __aiter__(self) -> AsyncIterator[Item]:
        async for data in self._reading:
            self.found.feed(data)
            yield data
        self.found.finish()

    async def seal(self) -> Seal:
        """Return the wrapped reading's."""
        return await self._reading.seal()

    def waits(self) -> Waits:
        """Return the wrapped reading's."""
        return self._reading.waits()
