"""Texts that are no label of their column's enumerated type.

Some databases keep such values: MySQL has an empty text for one that it did not know. Servers
refuse them when they are written, but without the row's key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastload.errors import NULL_INSTEAD, Unrepresentable

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.model import TablePlan


class Labels(NamedTuple):
    """What a column takes.

    Attributes:
        null_instead: Whether other values become NULL.
    """

    column: str
    place: int
    labels: tuple[str, ...]
    null_instead: bool


def labels_of(table: TablePlan) -> list[Labels]:
    """Return the labels of the target's columns that have any."""
    found = []
    for place, name in enumerate(table.target_columns):
        if labels := table.target.column(name).labels:
            found.append(Labels(name, place, labels, name in table.nulls_instead))
    return found


def labelled(batch: pa.RecordBatch, columns: Sequence[Labels]) -> tuple[pa.RecordBatch, int]:
    """Return the batch with none but labels in these columns, and how many texts became NULL.

    Raises:
        Unrepresentable: With row and column, where another value is not to become NULL.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    nulled = 0
    for column in columns:
        texts = batch.column(column.place)
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            continue
        wanted = pa.array(column.labels, texts.type)
        other = pc.and_(pc.is_valid(texts), pc.invert(pc.is_in(texts, value_set=wanted)))
        row = pc.index(other, True).as_py()
        if row < 0:
            continue
        if not column.null_instead:
            raise _no_label(texts[row].as_py(), row, column)
        kept = pc.if_else(other, pa.scalar(None, texts.type), texts)
        nulled += kept.null_count - texts.null_count
        batch = batch.set_column(column.place, column.column, kept)
    return batch, nulled


def _no_label(text: str, row: int, column: Labels) -> Unrepresentable:
    return Unrepresentable(
        f"{text!r} is no label of the column's enum",
        row=row,
        column_index=column.place,
        column=column.column,
        value=text,
        hint=f"add the label to the type on the target, or mend the row; {NULL_INSTEAD}",
    )
