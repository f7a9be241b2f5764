"""What a target has taken of a reading, compared with what the source says it has sent."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from fastload.adapter import Reading
from fastload.errors import TargetError
from fastload.model import Receipt, TablePlan


class Written(NamedTuple):
    """What became of a reading.

    Attributes:
        rows: How many the server took.
        nulled: Values that it has as NULL because the type cannot hold them.
    """

    rows: int
    nulled: int


async def completed(
    receipt: Receipt, table: TablePlan, reading: Reading, written: Written
) -> Receipt:
    """Seal the reading and return the full receipt; before the commit.

    Raises:
        TargetError: Both sides count different rows.
    """
    seal = await reading.seal()
    if written.rows != seal.rows:
        raise TargetError(
            f"the source sent {seal.rows} rows and the target took {written.rows}",
            side="target",
            table=str(table.target.name),
            partition=receipt.partition,
            hint="the partition was rolled back; a rule or trigger on the target may drop rows",
        )
    return msgspec.structs.replace(
        receipt,
        rows=seal.rows,
        bytes=seal.bytes,
        cut=reading.cut,
        nulled=written.nulled + seal.nulled,
    )
