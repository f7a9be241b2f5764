"""Which row an error means, by its key: the encoder says the row of a batch, a server "at row N".

The keys of the rows that one statement sends are kept until its answer has come. A statement of
many rows ends where they take too much, and another goes on; that costs a load nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fastload.errors import ConstraintError, EncodeError, FastloadError, Unrepresentable
from fastload.model import TablePlan

if TYPE_CHECKING:
    import pyarrow as pa

MOST_KEPT_BYTES = 4 << 20
_AT_ROW = re.compile(r" at row (\d+)\b")
# MySQL names the table before the key, and cuts values after 64 characters.
_DUPLICATE = re.compile(r"Duplicate entry '(.*)' for key '(.*)'", re.DOTALL)


class RowKeys:
    """Keys of the rows of one statement, in its order.

    Attributes:
        columns: Of the key; empty where the table has none, or not all of it is written.
        batches: The keys.
    """

    def __init__(self, table: TablePlan) -> None:
        self.columns = key_columns(table)
        self.batches: list[pa.RecordBatch] = []
        self.bytes = 0

    def begin(self) -> None:
        """Begin the next statement."""
        self.batches.clear()
        self.bytes = 0

    def add(self, batch: pa.RecordBatch, row: int, end: int) -> None:
        """Keep the keys of some rows of a batch."""
        if self.columns:
            kept = _copied(batch.select(list(self.columns)).slice(row, end - row))
            self.batches.append(kept)
            self.bytes += kept.nbytes

    def at(self, number: int) -> str | None:
        """Return the key of the row that has this number, from 1, in the statement."""
        for batch in self.batches:
            if number <= batch.num_rows:
                return key_of(batch, self.columns, number - 1)
            number -= batch.num_rows
        return None

    def told(self, values: Iterable[object]) -> str:
        """Return a key's values as text."""
        return ", ".join(f"{c}={v}" for c, v in zip(self.columns, values, strict=True))

    def only(self) -> str | None:
        """Return the key of the row that is the only one."""
        return self.at(1) if sum(batch.num_rows for batch in self.batches) == 1 else None


def key_columns(table: TablePlan) -> tuple[str, ...]:
    """Return the columns that tell a row by, as far as they are written."""
    key = table.target.primary_key
    if key is None or not set(key.columns) <= set(table.target_columns):
        return ()
    return key.columns


def key_of(batch: pa.RecordBatch, columns: Sequence[str], row: int) -> str | None:
    """Return the key of a row of a batch, as text."""
    return ", ".join(f"{c}={batch.column(c)[row].as_py()}" for c in columns) or None


def _copied(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return a copy: a column of a batch that was imported keeps all of it alive."""
    import pyarrow as pa

    columns = [pa.concat_arrays([c, c.slice(0, 0)]) for c in batch.columns]
    return pa.record_batch(columns, schema=batch.schema)


@contextmanager
def naming(table: TablePlan, batch: pa.RecordBatch) -> Iterator[None]:
    """Add table and key to what the encoder raises about a row of this batch."""
    try:
        yield
    except (EncodeError, Unrepresentable) as error:
        error.side, error.table = "target", str(table.target.name)
        if error.row >= 0:
            error.key = key_of(batch, key_columns(table), error.row)
        raise


@contextmanager
def sending(table: TablePlan, keys: RowKeys | None = None) -> Iterator[None]:
    """Say by its key which row the server refused, in place of its number; and what to do."""
    try:
        yield
    except FastloadError as error:
        error.table = error.table or str(table.target.name)
        if number := _AT_ROW.search(error.message):
            error.key = error.key or (keys.at(int(number[1])) if keys else None)
            error.message = _AT_ROW.sub("", error.message)
        if isinstance(error, ConstraintError):
            error.key = error.key or _duplicate(table, error.message)
            if error.key is None and keys:
                error.key = keys.only()
            error.hint = error.hint or (
                "the partition was rolled back; mend the rows on the source, drop the constraint "
                "on the target, or use mode='upsert' where the rows are there already"
            )
        raise


def _duplicate(table: TablePlan, message: str) -> str | None:
    """Return the key that came twice, as far as the server says it."""
    found = _DUPLICATE.search(message)
    if found is None:
        return None
    keys = {key.name: key.columns for key in table.target.keys}
    # A table of rows to be merged has a key of its own.
    keys["PRIMARY"] = table.merge_by or keys.get("PRIMARY", ())
    for name, columns in keys.items():
        if columns and (found[2] == name or found[2].endswith(f".{name}")):
            return f"{', '.join(columns)}={found[1]}"
    return f"{found[2]}={found[1]}"
