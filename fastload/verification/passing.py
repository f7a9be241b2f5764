"""A copy that is verified: the source hashed as its rows pass, and only the target read again.

Rows on the Arrow route are hashed between source and target, as batches; those that pass undecoded
as the bytes that they are. What cannot be hashed so is read again in the copy's own snapshot: so is
nothing that was written to the source meanwhile.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from typing import TypeAlias, cast

from fastload.adapter import (
    Endpoint,
    Fingerprint,
    Fingerprinting,
    Reading,
    Snapshot,
    Source,
    Target,
)
from fastload.config import CopyOptions
from fastload.errors import FastloadError, Unrepresentable
from fastload.model import Catalog, Cut, Partition, Plan, QualifiedName, Receipt, TablePlan
from fastload.registry import open_source
from fastload.tasks import task_group
from fastload.verification.comparison import Pairing, comparing, doubts_of, pair_up
from fastload.verification.pairs import TablePair, kind_of
from fastload.verification.repairing import repairer
from fastload.verification.result import TableCheck, VerifyResult
from fastload.verification.sides import Side
from fastload.verification.verifier import by_server
from fastload.verification.watching import Watched, WatchedBatches, WatchedWire

LIMIT = 1000
Form: TypeAlias = tuple[tuple[tuple[str, str], ...], bool]


@dataclasses.dataclass
class _TableState:
    """What is known of one source table's rows.

    Attributes:
        kinds: Columns and what their values were hashed by as they passed.
        passed: What the rows of each partition came to, by its index.
        cuts: What readings of these saw.
        form: What was compared with what when the source was hashed.
        source: What the source's rows come to; None where that is not known.
        wire: The wire on which they were hashed, where they were.
        by_server: Whether the source's server hashed them.
    """

    kinds: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    passed: dict[int, Fingerprint] = dataclasses.field(default_factory=dict)
    cuts: set[Cut] = dataclasses.field(default_factory=set)
    form: Form | None = None
    source: Fingerprint | None = None
    wire: str | None = None
    by_server: bool = False

    def total(self, pair: TablePair, parts: Sequence[Partition]) -> Fingerprint | None:
        """Return what passed, if all of it did, and was hashed as it is compared."""
        found = [self.passed.get(p.index) for p in parts]
        known = [f for f in found if f is not None]
        kinds = [(p.source.name, self.wire or p.kind) for p in pair.pairs]
        if self.kinds != kinds or len(known) < len(found):
            return None
        return Fingerprint(sum(f.rows for f in known), sum(f.sum for f in known) % 2**64)

    @property
    def how(self) -> str:
        """How the rows of both sides were hashed, in words."""
        if self.wire:
            return "hashed on the wire"
        return "hashed by the servers" if self.by_server else "hashed from Arrow"


class Passing:
    """What is known of the rows of one copy.

    Guarantees: a table counts as hashed only where every partition's rows were, and as many as
    its receipt says; any other is read again in the same snapshot. The target is read again after
    everything was committed to it, and is durable.
    """

    def __init__(self, here: Endpoint, there: Endpoint, options: CopyOptions) -> None:
        self._here = here
        self._there = there
        self._options = options
        self._own = False
        self._states: dict[QualifiedName, _TableState] = {}
        self._catalog: Catalog | None = None
        self._target: Target | None = None

    def settle(self, options: CopyOptions, source: str, target: str) -> None:
        """Learn what the options mean between both databases, and their dialects."""
        self._options, self._own = options, source == target

    def watched(self, reading: Reading, table: TablePlan, source: Source) -> Watched | None:
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
        self._state(table.source.name).kinds = kinds
        return WatchedBatches(reading, kinds)

    def _watched_wire(
        self, reading: Reading, table: TablePlan, wire: str, source: Source
    ) -> WatchedWire | None:
        if source.capabilities.fingerprint is None:
            return None
        hasher = cast("Fingerprinting", source).wire_hasher(wire)
        if hasher is None:
            return None
        self._state(table.source.name).kinds = [(name, wire) for name in table.columns]
        return WatchedWire(reading, hasher)

    def passed(self, watched: Watched, table: TablePlan, receipt: Receipt) -> None:
        """Keep the hashes of a partition that has been written."""
        found = watched.found
        if found.rows == receipt.rows:
            state = self._state(table.source.name)
            state.passed[receipt.partition] = Fingerprint(found.rows, found.sum)
            state.cuts.add(watched.cut)

    def _state(self, table: QualifiedName) -> _TableState:
        return self._states.setdefault(table, _TableState())

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
            state, table = self._state(pair.source.name), plan.table(pair.source.name)
            state.form, hashed = _form(pair), by_server(pair, here, there)
            state.wire = table.wire if hashed else None
            state.source = state.total(pair, table.partitions)
            if state.source is not None:
                await side.check_count(pair, state.source.rows, table.partitions, state.cuts)
            else:
                state.wire, state.by_server = None, hashed
                state.source = await self._read(side, pair, state)

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

    async def _read(self, side: Side, pair: TablePair, state: _TableState) -> Fingerprint | None:
        """Return what a side's rows come to; None where a value has no form to be hashed in."""
        parts = await side.partitions(pair)
        if state.wire:
            return await side.passing(pair, parts, state.wire)
        if state.by_server:
            return await side.fingerprint(pair, parts)
        try:
            found = await side.buckets(pair, parts, 0)
        except Unrepresentable:
            return None
        await side.check_count(pair, found.rows, parts)
        return Fingerprint(found.rows, found.sum)

    async def result(self, plan: Plan) -> VerifyResult:
        """Read the target and compare; tables that differ are compared once more, row by row."""
        if self._catalog is None:
            # An earlier process has begun the run, and knew what passed.
            return await self._compared([t.source.name for t in plan.tables])
        try:
            result = await self._of_target(plan)
        except FastloadError as error:
            # The target was read as a source.
            error.side = "target"
            raise
        return result if result.equal else await self._located(result)

    async def _of_target(self, plan: Plan) -> VerifyResult:
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
        return VerifyResult(
            tables=tuple(checks[p.source.name] for p in pairs),
            seconds=time.monotonic() - began,
            losses=pairing.losses,
            inconsistent_because=doubts_of(side.cuts),
        )

    async def _check(
        self, side: Side, pair: TablePair, checks: dict[QualifiedName, TableCheck]
    ) -> None:
        name = pair.source.name
        state = self._state(name)
        # What was hashed otherwise than it is compared now says nothing.
        if state.form != _form(pair):
            state.source = None
        ours = state.source
        theirs = await self._read(side, pair, state) if ours else None
        checks[name] = TableCheck(
            table=name,
            target=pair.target.name if pair.target.name != name else None,
            rows=ours.rows if ours else 0,
            rows_target=theirs.rows if theirs else 0,
            how=state.how,
            unlocated=int(ours is None or ours != theirs),
            not_compared=pair.not_compared,
        )

    async def _located(self, result: VerifyResult) -> VerifyResult:
        """Name the rows that differ, as far as the source still has them as they were."""
        compared = await self._compared([t.table for t in result.tables if not t.equal])
        # A table that was hashed, and now is equal, was written to meanwhile, or differed before.
        unhashed = {name for name, state in self._states.items() if state.source is None}
        again = {t.table: t for t in compared.tables if not t.equal or t.table in unhashed}
        tables = tuple(again.get(t.table, t) for t in result.tables)
        return dataclasses.replace(compared, tables=tables, losses=result.losses)

    async def _compared(self, names: Sequence[QualifiedName]) -> VerifyResult:
        options = self._options.narrowed(names)
        compare = comparing(self._here, self._there, LIMIT)
        compared = await compare(options)
        return compared.result.with_repair(repairer(self._here, self._there, options, compare))


def _form(pair: TablePair) -> Form:
    return tuple((p.source.name, p.kind) for p in pair.pairs), pair.same
