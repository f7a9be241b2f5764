"""Batches of a reading as what servers of the family read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Literal

from fastload.adapter import Reading
from fastload.errors import ConstraintError
from fastload.labels import labelled, labels_of
from fastload.model import TablePlan
from fastload_mysql.row_keys import key_columns, key_of, naming

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
        filled = [c.name for c in table.target.columns if not c.nullable]
        nulls_instead = [c for c in table.nulls_instead if c not in filled]
        self._encoder = RowsEncoder(columns, nulls_instead=nulls_instead, form=form)
        self._filled = [c for c in table.target_columns if c in filled]
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
            self._check_filled(made)
            yield batch, made

    def _check_filled(self, made: pa.RecordBatch) -> None:
        """Refuse NULL where a column takes none: a server may put in a value of its own.

        It does so without a warning for AUTO_INCREMENT, and for a timestamp of a table that was
        made with ``explicit_defaults_for_timestamp = OFF``.
        """
        for name in self._filled:
            if made.column(name).null_count:
                row = made.column(name).is_null().index(True).as_py()
                raise ConstraintError(
                    f"NULL in column {name}, which takes none",
                    side="target",
                    table=str(self._table.target.name),
                    column=name,
                    key=key_of(self._came, key_columns(self._table), row),
                )

    def rows(self, made: pa.RecordBatch, row: int, most_bytes: int) -> tuple[bytes, int]:
        """Return rows of a batch from this one on, about so many bytes, and the row after them."""
        with naming(self._table, self._came):
            data, end = self._encoder.encode(made, row, most_bytes)
        return data, end
