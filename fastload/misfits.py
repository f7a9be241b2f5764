"""Values of a source that their column's Arrow form cannot hold, told with the batch without them.

Where ``ReadSpec.policy`` is ``"note"``, such a value is NULL in its batch, and the batch's schema
says so in its metadata: batches pass through queues and wrappers, and this passes with them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"fastload.misfits"


class Misfit(NamedTuple):
    """One value that is NULL in its batch.

    Attributes:
        row: Zero-based row of the batch.
        column: Zero-based column.
        value: What the source has, as text.
    """

    row: int
    column: int
    value: str


def with_misfits(batch: pa.RecordBatch, found: Sequence[tuple[int, int, str]]) -> pa.RecordBatch:
    """Return the batch with what it lacks; ``found`` has row, column and value as text."""
    if not found:
        return batch
    metadata = dict(batch.schema.metadata or {})
    return batch.replace_schema_metadata({**metadata, _KEY: msgspec.json.encode(found)})


def misfits_of(batch: pa.RecordBatch) -> list[Misfit]:
    """Return what the batch lacks."""
    told = (batch.schema.metadata or {}).get(_KEY)
    return msgspec.json.decode(told, type=list[Misfit]) if told else []
