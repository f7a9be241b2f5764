"""Batches of a reading as what servers of the family read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal

from fastload.adapter import Reading
from fastload.labels import labelled, labels_of
from fastload.model import TablePlan
from fastload_mysql.row_keys import naming

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
        form: Literal["file", "values"] = "file",
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
        self._came: pa.RecordBatch = None

    @property
    def nulled(self) -> int:
        """Values written as NULL because the type cannot hold them."""
        return self._encoder.nulled + self._unknown

    async def batches(self) -> AsyncIterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
        """Yield each batch as it came, and in the encoder's columns."""
        async for batch in self._reading:
            with naming(self._table, batch):
                made, unknown = labelled(self._canonical(batch), self._labels)
            self._unknown += unknown
            self._came = batch
            yield batch, made

    def rows(self, made: pa.RecordBatch, row: int, most_bytes: int) -> tuple[bytes, int]:
        """Return rows of a batch from this one on, about so many bytes, and the row after them."""
        with naming(self._table, self._came):
            data, end = self._encoder.encode(made, row, most_bytes)
        return data, end
