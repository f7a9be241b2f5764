"""What is said of a target that has no room left: who takes it, and what gives it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from fastload.adapter import Target
from fastload.errors import FastloadError, TargetFull
from fastload.model import Occupied, Plan, QualifiedName

_ASK_S = 5.0
_SHOWN = 5
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@asynccontextmanager
async def telling_what_is_occupied(
    target: Target, plan: Plan, *, offering: bool = True
) -> AsyncIterator[None]:
    """Say with a TargetFull what the plan's tables take, and which of them may be emptied.

    Those are the tables that the run has made; never one that was there.

    Args:
        target: Where they are.
        plan: The plan; its before-data steps are done.
        offering: Whether to say which may be emptied.
    """
    try:
        yield
    except TargetFull as error:
        found: Sequence[Occupied] = ()
        with anyio.move_on_after(_ASK_S), suppress(FastloadError):
            found = await target.occupied([t.target.name for t in plan.tables])
        made = {step.table for step in plan.before if step.table is not None and offering}
        error.details = tuple(_told(found, made))
        raise


def _told(found: Sequence[Occupied], made: set[QualifiedName]) -> list[str]:
    largest = sorted((o for o in found if o.bytes), key=lambda o: -o.bytes)
    if not largest:
        return []
    shown = ", ".join(f"{o.table} {_size(o.bytes)}" for o in largest[:_SHOWN])
    more = f" and {len(largest) - _SHOWN} more" if largest[_SHOWN:] else ""
    total = _size(sum(o.bytes for o in largest))
    lines = [
        f"the run's tables occupy {total}, with what rolled-back rows keep: {shown}{more}",
    ]
    ours = [o for o in largest if o.table in made]
    if ours:
        statements = "; ".join(o.emptying for o in ours[:_SHOWN])
        also = f" (and {len(ours) - _SHOWN} more)" if ours[_SHOWN:] else ""
        lines.append(
            f"to give up what was copied instead: {statements}{also} frees "
            f"{_size(sum(o.bytes for o in ours))} of tables that this run has made; then begin "
            "anew with fresh=True and mode='replace'"
        )
    return lines


def _size(count: int) -> str:
    size, unit = float(count), 0
    while size >= 1000 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{count} bytes"
