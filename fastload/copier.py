"""One partition: read it, write it, and again where another attempt can help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from fastload import retry
from fastload.adapter import Reading, ReadSpec, Snapshot, Source
from fastload.errors import FastloadError, Unrepresentable
from fastload.model import Partition, QualifiedName, Receipt, TablePlan
from fastload.progress import Meter
from fastload.transform import Counted, Renamed
from fastload.verification.passing import Passing

_BATCH_BYTES = 4 << 20
_BUFFER_BYTES = 8 << 20


Write: TypeAlias = Callable[[TablePlan, Reading, Receipt], Awaitable[Receipt]]


class Copier:
    """Copies partitions of one run; lanes share it.

    Guarantees: when ``copy`` returns, the partition is in the target exactly once, by the
    receipt that is returned. Relies on: the target's receipts, for attempts that were lost after
    their commit; ``write`` is its ``write`` or, for a whole plan at once, ``write_once``.
    """

    def __init__(
        self,
        source: Source,
        write: Write,
        at: Snapshot,
        *,
        run: str,
        epoch: int,
        lane_bytes: int,
        clusters: bool,
        policies: dict[QualifiedName, dict[str, str]],
        meter: Meter,
        check: Passing | None = None,
    ) -> None:
        self._source = source
        self._write = write
        self._at = at
        self._run = run
        self._epoch = epoch
        self._clusters = clusters
        # A batch exists about four times on its way: as bytes, as columns, encoded, and in the
        # driver's buffer.
        self._batch_bytes = min(_BATCH_BYTES, lane_bytes // 8)
        self._buffer_bytes = min(_BUFFER_BYTES, lane_bytes // 4)
        self._policies = policies
        self._meter = meter
        self._check = check
        self._exact: dict[QualifiedName, tuple[str, ...]] = {}

    async def copy(self, table: TablePlan, part: Partition) -> Receipt:
        """Copy one partition and return its receipt."""
        attempts = retry.Attempts(in_lane=True)
        while True:
            planned = self._with_exact(table)
            try:
                return await self._once(planned, part)
            except Unrepresentable as error:
                if error.column not in self._becoming_exact(table):
                    raise
                self._exact[table.source.name] = (*self._exact_of(table), error.column)
            except FastloadError as error:
                if not self._source.capabilities.replayable:
                    error.retryable = False
                    raise
                await attempts.pause_after(error)

    def _exact_of(self, table: TablePlan) -> tuple[str, ...]:
        return self._exact.get(table.source.name, table.exact)

    def _becoming_exact(self, table: TablePlan) -> set[str]:
        return set(table.exactable) - set(self._exact_of(table))

    def _with_exact(self, table: TablePlan) -> TablePlan:
        return msgspec.structs.replace(table, exact=self._exact_of(table))

    async def _once(self, table: TablePlan, part: Partition) -> Receipt:
        receipt = Receipt(
            run=self._run, epoch=self._epoch, table=table.source.name, partition=part.index
        )
        counted = None
        try:
            async with self._source.open(part, self._at, self._spec(table)) as reading:
                counted = Counted(reading, self._meter)
                return await self._written(table, counted, receipt)
        except BaseException as error:
            if counted is not None:
                counted.take_back()
            if isinstance(error, FastloadError):
                error.partition = part.index
            raise

    async def _written(self, table: TablePlan, counted: Reading, receipt: Receipt) -> Receipt:
        watched = None
        if self._check:
            watched = self._check.watched(counted, table, self._source)
        done = await self._write(table, _named(watched or counted, table), receipt)
        if self._check and watched:
            self._check.passed(watched, table, done)
        return done

    def _spec(self, table: TablePlan) -> ReadSpec:
        # A value that the target takes in its exact form is read again so, whatever the policy.
        policies = self._policies.get(table.source.name, {})
        return ReadSpec(
            table=table.source,
            columns=table.columns,
            wire=table.wire,
            exact=table.exact,
            where=table.where,
            on_unrepresentable={**policies, **dict.fromkeys(table.exactable, "error")},
            batch_bytes=self._batch_bytes,
            buffer_bytes=self._buffer_bytes,
            order_by=_key_order(table) if self._clusters else (),
        )


def _key_order(table: TablePlan) -> tuple[str, ...]:
    """Return the source's columns that become the target's primary key."""
    key = table.target.primary_key
    there = dict(zip(table.target_columns, table.columns, strict=True))
    if key is None or not set(key.columns) <= there.keys():
        return ()
    return tuple(there[c] for c in key.columns)


def _named(reading: Reading, table: TablePlan) -> Reading:
    if table.wire or table.columns == table.target_columns:
        return reading
    return Renamed(reading, table.target_columns)
