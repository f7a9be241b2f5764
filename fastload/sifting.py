"""One partition sifted: rows that the target takes go in, those that it refuses into a file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from fastload.adapter import Attempt, Reading
from fastload.channel import Waits
from fastload.errors import FastloadError, TargetError, Unrepresentable
from fastload.misfits import Misfit, misfits_of
from fastload.model import Cut, Receipt, Seal, TablePlan
from fastload.reject_files import Reason, RejectFile

if TYPE_CHECKING:
    import pyarrow as pa

Admit: TypeAlias = Callable[[FastloadError], None]
"""Counts a rejected row of the run; raises where it is one too many."""


class Held:
    """A reading of rows that are in memory; of none where there is no batch."""

    def __init__(self, batch: pa.RecordBatch | None, schema: pa.Schema, cut: Cut) -> None:
        self._batch = batch
        self.schema = schema
        self.cut = cut

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        if self._batch is not None:
            yield self._batch

    async def seal(self) -> Seal:
        """Return what was delivered."""
        if self._batch is None:
            return Seal(rows=0, bytes=0)
        return Seal(rows=self._batch.num_rows, bytes=self._batch.nbytes)

    def waits(self) -> Waits:
        """Return nothing: nobody waits."""
        return Waits()


class Sifter:
    """Tries the rows of one reading, batch by batch, and parts what is refused until it is a row.

    Guarantees: every row of the reading is loaded or rejected, or ``run`` raises; nothing but an
    error that is ``of_data``, raised for one row alone, rejects it. Relies on: an attempt that
    raised such an error has left nothing.

    Attributes:
        rejected: Rows so far.
    """

    def __init__(
        self,
        table: TablePlan,
        reading: Reading,
        receipt: Receipt,
        file: RejectFile,
        admit: Admit,
        becoming_exact: Collection[str] = (),
    ) -> None:
        schema = reading.schema
        assert not isinstance(schema, str)
        self._table = table
        self._reading = reading
        self._schema = schema
        self._receipt = receipt
        self._file = file
        self._admit = admit
        self._becoming_exact = becoming_exact
        self._key = _key_columns(table)
        self._loaded = self._nulled = self._misfits = 0
        self.rejected = 0

    async def run(self, attempt: Attempt) -> Receipt:
        """Sift all rows and return the full receipt; the rejected ones are durable by then."""
        # What is refused without any row is no row's fault.
        await attempt(Held(None, self._schema, self._reading.cut))
        async for batch in self._reading:
            await self._sift(await self._without_misfits(batch), attempt)
        seal = await self._reading.seal()
        self._check(seal.rows)
        return msgspec.structs.replace(
            self._receipt,
            rows=self._loaded,
            bytes=seal.bytes,
            cut=self._reading.cut,
            nulled=self._nulled + seal.nulled - self._misfits,
            rejected=self.rejected,
            rejects=await self._file.publish(),
        )

    async def _sift(self, batch: pa.RecordBatch, attempt: Attempt) -> None:
        waiting = [batch]
        while waiting:
            rows = waiting.pop()
            if not rows.num_rows:
                continue
            try:
                written = await attempt(Held(rows, self._schema, self._reading.cut))
            except FastloadError as error:
                if not error.of_data or self._mends(error):
                    raise
                if rows.num_rows == 1:
                    await self._reject(rows, error)
                else:
                    waiting += reversed(_parted(rows, error))
            else:
                self._loaded += written.rows
                self._nulled += written.nulled

    def _mends(self, error: FastloadError) -> bool:
        """Say whether the row would be taken, were the column read in its exact form."""
        return isinstance(error, Unrepresentable) and error.column in self._becoming_exact

    async def _without_misfits(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Reject the rows with a value that has no Arrow form, and return the others."""
        import pyarrow as pa

        found: dict[int, Misfit] = {}
        for misfit in misfits_of(batch):
            found.setdefault(misfit.row, misfit)
            self._misfits += 1
        if not found:
            return batch
        for row, misfit in sorted(found.items()):
            error = Unrepresentable(
                f"{misfit.value} has no place in the column's Arrow type",
                side="source",
                column=batch.schema.names[misfit.column],
            )
            await self._reject(batch.slice(row, 1), error)
        return batch.filter(pa.array([row not in found for row in range(batch.num_rows)]))

    async def _reject(self, row: pa.RecordBatch, error: FastloadError) -> None:
        # The error names the row as it was told to: by the target's words, or not at all.
        key = ", ".join(f"{c}={row.column(c)[0].as_py()}" for c in self._key) or error.key
        error.key, error.partition = key, self._receipt.partition
        error.table = error.table or str(self._table.target.name)
        self.rejected += 1
        self._admit(error)
        reason = Reason(error.code, error.message, error.column, key, self._receipt.partition)
        await self._file.add(row, reason)

    def _check(self, sent: int) -> None:
        if self._loaded + self.rejected != sent:
            raise TargetError(
                f"the source sent {sent} rows; the target took {self._loaded}, and "
                f"{self.rejected} are rejected",
                side="target",
                table=str(self._table.target.name),
                partition=self._receipt.partition,
                hint="the partition was rolled back; a rule or trigger on the target may drop rows",
            )


def _parted(rows: pa.RecordBatch, error: FastloadError) -> list[pa.RecordBatch]:
    """Return rows in two halves; or around the row that the error names, if it does."""
    count, row = rows.num_rows, getattr(error, "row", -1)
    cuts = [0, row, row + 1, count] if 0 <= row < count else [0, count // 2, count]
    return [rows.slice(a, b - a) for a, b in pairwise(cuts)]


def _key_columns(table: TablePlan) -> tuple[str, ...]:
    """Return the columns, under the target's names, that tell a row by."""
    there = dict(zip(table.columns, table.target_columns, strict=True))
    keys = [table.target.primary_key.columns] if table.target.primary_key else []
    if table.source.primary_key:
        keys.append(tuple(there.get(c, "") for c in table.source.primary_key.columns))
    return next((key for key in keys if set(key) <= set(table.target_columns)), ())
