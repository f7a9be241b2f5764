"""A plan as targets store it, and one that another version of fastload has stored.

The version is read first: what an older one has stored may lack fields, and its target columns and
tables.
"""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Iterable

import msgspec

from fastload.errors import ResumeRefused, StateError
from fastload.model import PLAN_VERSION, Plan


class _Version(msgspec.Struct):
    run: str
    version: int = 0
    source: str = ""
    target: str = ""
    mode: str = ""


def first_epoch() -> int:
    """Return the epoch of a run that is stored for the first time; claims raise it one by one.

    It is one that no run of this name had before. Names come again, every night where they are
    derived from the options, and what is stored goes with the run: numbers that began at 1 would
    let a process that stood still since an earlier run of the name write into the present one. A
    random number needs no memory, where a counter would have to outlive the run and a clock may be
    set back. It fits a signed 64-bit column, and leaves room for any number of claims.
    """
    return secrets.randbits(61) + 1


def pack(plan: Plan) -> bytes:
    """Return a plan as it is stored."""
    return zlib.compress(msgspec.json.encode(plan), 1)


def unpack(data: bytes) -> Plan:
    """Return a stored plan; of another version's, no more than its name and where it goes."""
    told = zlib.decompress(data)
    found = msgspec.json.decode(told, type=_Version)
    if found.version == PLAN_VERSION:
        return msgspec.json.decode(told, type=Plan)
    return Plan(
        run=found.run,
        source=found.source,
        target=found.target,
        mode=found.mode,
        guarantee="",
        tables=(),
        version=found.version,
    )


def is_known(plan: Plan) -> bool:
    """Say whether this version has stored it, with all that belongs to it."""
    return plan.version == PLAN_VERSION


def check_known(plan: Plan) -> None:
    """Refuse to continue what another version has begun.

    Raises:
        ResumeRefused: With what to do instead.
    """
    if not is_known(plan):
        raise ResumeRefused(
            f"run {plan.run!r} was begun by another version of fastload: its stored form is "
            f"version {plan.version}, and this is {PLAN_VERSION}",
            side="target",
            hint="continue it with that version; or forget it with fresh=True, then "
            "mode='replace' or 'truncate' clears what it has copied",
        )


def check_none_unknown(stored: Iterable[Plan]) -> None:
    """Refuse to store a run beside those of another version, whose tables of state differ.

    Raises:
        StateError: With their names.
    """
    if names := [plan.run for plan in stored if not is_known(plan)]:
        raise StateError(
            f"the target remembers runs of another version of fastload: {', '.join(names)}",
            side="target",
            hint="finish them with that version, or forget them: fastload runs TARGET --discard "
            "RUN; their rows stay",
        )
