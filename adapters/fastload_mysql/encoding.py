"""Record batches of a reading as rows of this server's, whichever way they go in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from fastload.adapter import Reading
from fastload.model import TablePlan
from fastload_mysql.row_keys import naming

if TYPE_CHECKING:
    import pyarrow as pa


class Encoding:
    """Encodes one reading; what it raises about a row has table and key."""

    def __init__(
        self,
        reading: Reading,
        table: TablePlan,
        columns: Sequence[tuple[str, str]],
        form: Literal["file", "values"],
    ) -> None:
        from fastload.arrow_input import plan
        from fastload_mysql.rows_encode import RowsEncoder

        schema = reading.schema
        assert not isinstance(schema, str)
        self._table = table
        self._encoder = RowsEncoder(columns, nulls_instead=table.nulls_instead, form=form)
        self._canonical = plan(schema, columns, self._encoder.check)

    @property
    def nulled(self) -> int:
        """Values that became NULL because the column cannot hold them."""
        return self._encoder.nulled

    def prepare(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch as the encoder takes it."""
        with naming(self._table, batch):
            return self._canonical(batch)

    def encode(
        self, batch: pa.RecordBatch, made: pa.RecordBatch, row: int, max_bytes: int
    ) -> tuple[bytes, int]:
        """Return rows of a batch, from this one on, and the next one's number.

        Args:
            batch: As it came.
            made: As ``prepare`` returned it.
            row: Where to begin.
            max_bytes: How much to encode, if that is not less than one row.
        """
        with naming(self._table, batch):
            return self._encoder.encode(made, row, max_bytes)
