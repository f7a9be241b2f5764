"""Batches of a reading as what servers of the family read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING

from fastload.adapter import Reading
from fastload.labels import labelled, labels_of
from fastload.model import TablePlan
from fastload_mysql.row_keys import encoding

if TYPE_CHECKING:
    import pyarrow as pa


class Encoded:
    """A reading, batch by batch as the encoder takes it, and rows of a batch as bytes."""

    def __init__(
        self,
        reading: Reading,
        table: TablePlan,
        columns: Sequence[tuple[str, str]],
        *,
        form: str = "file",
    ) -> None:
        from fastload.arrow_input import plan
        from fastload_mysql.rows_encode import RowsEncoder

        schema = reading.schema
        assert not isinstance(schema, str)
        self._table = table
        self._encoder = RowsEncoder(columns, nulls_instead=table.nulls_instead, form=form)
        self._canonical = plan(schema, columns, self._encoder.check)
        self._labels = labels_of(table)
        self._reading = reading
        self._unknown = 0

    @property
    def nulled(self) -> int:
        """Values written as NULL because the type cannot hold them."""
        return self._encoder.nulled + self._unknown

    async def batches(self) -> AsyncIterator[pa.RecordBatch]:
        """Yield the batches in the target's columns."""
        async for batch in self._reading:
            with encoding(self._table, batch):
                made, unknown = labelled(self._canonical(batch), self._labels)
            self._unknown += unknown
            yield made

    def rows(self, batch: pa.RecordBatch, row: int, most_bytes: int) -> tuple[bytes, int]:
        """Return rows of a batch from this one on, about so many bytes, and the row after them."""
        with encoding(self._table, batch):
            data, end = self._encoder.encode(batch, row, most_bytes)
        return data, end
