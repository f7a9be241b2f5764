"""One partition: read it, write it, and again where another attempt can help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from fastload import retry
from fastload.adapter import Reading, ReadSpec, Snapshot, Source
from fastload.errors import FastloadError, Unrepresentable
from fastload.hinting import in_place, where_null_fits
from fastload.model import Partition, QualifiedName, Receipt, TablePlan
from fastload.progress import Meter
from fastload.rejecting import Rejecting
from fastload.transform import Counted, Renamed
from fastload.verification.passing import Passing

_BATCH_BYTES = 4 << 20
_BUFFER_BYTES = 8 << 20


Write: TypeAlias = Callable[[TablePlan, Reading, Receipt], Awaitable[Receipt]]


class Copier:
    """Copies partitions of one run; lanes share it.

    Guarantees: when ``copy`` returns, the partition is in the target exactly once, by the
    receipt that is returned. Relies on: the target's receipts, for attempts that were lost after
    their commit; ``write`` is its ``write`` or, for a whole plan at once, ``write_once``. Where
    rows may be rejected, a partition that fails by its rows is sifted in another attempt; one
    that cannot be read again is in the first.
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
        rejecting: Rejecting | None = None,
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
        self._rejecting = rejecting
        self._exact: dict[QualifiedName, tuple[str, ...]] = {}

    async def copy(self, table: TablePlan, part: Partition) -> Receipt:
        """Copy one partition and return its receipt."""
        attempts = retry.Attempts(in_lane=True)
        replayable = self._source.capabilities.replayable
        sifted = self._rejecting is not None and not replayable
        while True:
            planned = self._with_exact(self._through_arrow(table) if sifted else table)
            try:
                return await self._once(planned, part, sifted)
            except FastloadError as error:
                if _is_of_value(error, self._becoming_exact(planned)):
                    known = self._exact.get(table.source.name, ())
                    self._exact[table.source.name] = (*known, str(error.column))
                elif self._rejecting and error.of_data and not sifted:
                    sifted = True
                elif replayable:
                    await attempts.pause_after(error)
                else:
                    error.retryable = False
                    raise

    def _through_arrow(self, table: TablePlan) -> TablePlan:
        assert self._rejecting is not None
        return self._rejecting.through_arrow(table)

    @staticmethod
    def _becoming_exact(table: TablePlan) -> set[str]:
        return set(table.exactable) - set(table.exact)

    def _with_exact(self, table: TablePlan) -> TablePlan:
        if table.wire is not None:
            return table
        more = [c for c in self._exact.get(table.source.name, ()) if c not in table.exact]
        return msgspec.structs.replace(table, exact=(*table.exact, *more))

    async def _once(self, table: TablePlan, part: Partition, sifted: bool) -> Receipt:
        receipt = Receipt(
            run=self._run, epoch=self._epoch, table=table.source.name, partition=part.index
        )
        counted = None
        try:
            async with self._source.open(part, self._at, self._spec(table, sifted)) as reading:
                counted = Counted(reading, self._meter)
                if sifted:
                    return await self._sifted(table, counted, receipt)
                return await self._written(table, counted, receipt)
        except BaseException as error:
            if counted is not None:
                counted.take_back()
            if isinstance(error, FastloadError):
                error.partition = part.index
                in_place(error, table)
            raise

    async def _written(self, table: TablePlan, counted: Reading, receipt: Receipt) -> Receipt:
        watched = None
        if self._check:
            watched = self._check.watched(counted, table, self._source)
        done = await self._write(table, _named(watched or counted, table), receipt)
        if self._check and watched:
            self._check.passed(watched, table, done)
        return done

    async def _sifted(self, table: TablePlan, counted: Reading, receipt: Receipt) -> Receipt:
        assert self._rejecting is not None
        exact = self._becoming_exact(table)
        done = await self._rejecting.write(table, _named(counted, table), receipt, exact)
        self._meter.add(rows=-done.rejected)
        return done

    def _spec(self, table: TablePlan, sifted: bool) -> ReadSpec:
        # A value that the target takes in its exact form is read again so, whatever the policy.
        policies = where_null_fits(self._policies.get(table.source.name, {}), table)
        if sifted:
            policies = {
                c: "note" if p == "error" else p for c, p in {"": "error", **policies}.items()
            }
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


def _is_of_value(error: FastloadError, columns: set[str]) -> bool:
    """Say whether one of these columns in its exact form would have been taken."""
    return isinstance(error, Unrepresentable) and error.column in columns


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
