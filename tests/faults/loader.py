"""One copy in a process of its own, for tests that kill it.

Arguments: URLs, options of the copy as JSON, and how this process differs from a user's as JSON:
``failpoint`` and ``occurrence`` say where it kills itself, ``wrong_order`` has its target commit
receipts after their rows, ``partition_bytes`` makes partitions of a small table, and with ``peak``
it says at its end how much memory it took.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import sys
from pathlib import Path

import fastload
from fastload import partition


async def main(source: str, target: str, options: str) -> None:
    def say(progress: fastload.Progress) -> None:
        print(progress.rows, flush=True)

    result = await fastload.copy(source, target, progress=say, **json.loads(options))
    print("done", result.rows, flush=True)


def peak_bytes(process: int | str) -> int:
    """Return the most memory that a process had so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(x.split()[1]) << 10 for x in lines if x.startswith("VmHWM"))


def prepare(
    failpoint: str | None = None,
    occurrence: int = 1,
    wrong_order: bool = False,
    partition_bytes: int | None = None,
    peak: bool = False,
) -> None:
    if peak:
        atexit.register(lambda: print("peak", peak_bytes("self")))
    if partition_bytes:
        partition.SMALLEST_BYTES = partition.LARGEST_BYTES = partition_bytes
    if wrong_order:
        from tests.faults import wrong_order as target

        target.install()
    if failpoint:
        from tests.faults import failpoints

        failpoints.install(failpoint, occurrence)


if __name__ == "__main__":
    prepare(**(json.loads(sys.argv[4]) if sys.argv[4:] else {}))
    asyncio.run(main(*sys.argv[1:4]))
