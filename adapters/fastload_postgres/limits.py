"""Texts that are longer than their column takes.

PostgreSQL refuses them, but cuts spaces beyond the limit off without a word ("Character Types" in
its documentation). Here any text that is too long is refused, with its row.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastload.errors import EncodeError

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.model import Column, TablePlan

_TEXT_LIMIT = re.compile(r"(?:character varying|character|bpchar|varchar)\((\d+)\)")


class Limit(NamedTuple):
    """The most characters that a column takes."""

    column: str
    place: int
    characters: int


def characters(column: Column) -> int | None:
    """Return the most characters that a column of text takes; None without a limit."""
    match = _TEXT_LIMIT.fullmatch(column.type)
    return int(match[1]) if match else None


def limits_of(table: TablePlan) -> list[Limit]:
    """Return the limits that the source's own do not keep already."""
    found = []
    pairs = zip(table.columns, table.target_columns, strict=True)
    for place, (source, target) in enumerate(pairs):
        most = characters(table.target.column(target))
        least = _least(table.source.column(source))
        if most is not None and (least is None or least > most):
            found.append(Limit(target, place, most))
    return found


def _least(source: Column) -> int | None:
    """Return the most characters that the source's column can hold, as far as it says."""
    spelled = characters(source)
    return source.length if spelled is None else spelled


def within(
    batch: pa.RecordBatch, limits: Sequence[Limit], nulls_instead: Collection[str] = ()
) -> tuple[pa.RecordBatch, int]:
    """Refuse the first text of a batch that is longer than its column takes.

    Args:
        batch: Under the target's names.
        limits: What its columns take.
        nulls_instead: Names of columns in which such a text becomes NULL.

    Returns:
        The batch, and how many texts became NULL in it.

    Raises:
        EncodeError: With row and column.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    nulled = 0
    for limit in limits:
        texts = batch.column(limit.place)
        if not (pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type)):
            continue
        lengths = pc.utf8_length(texts)
        longest = pc.max(lengths).as_py()
        if longest is None or longest <= limit.characters:
            continue
        if limit.column in nulls_instead:
            fits = pc.less_equal(lengths, limit.characters)
            kept = pc.if_else(fits, texts, pa.scalar(None, texts.type))
            nulled += kept.null_count - texts.null_count
            batch = batch.set_column(limit.place, limit.column, kept)
        else:
            row = pc.index(pc.greater(lengths, limit.characters), True).as_py()
            raise EncodeError(
                f"a text of {lengths[row].as_py()} characters is too long: the column takes "
                f"{limit.characters}",
                row=row,
                column_index=limit.place,
                column=limit.column,
                hint="widen the target's column, or shorten the text first",
            )
    return batch, nulled
