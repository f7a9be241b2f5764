"""One copy in a process of its own, for tests that kill it: URLs, then options as JSON."""

from __future__ import annotations

import asyncio
import json
import sys

import fastload


async def main(source: str, target: str, options: str) -> None:
    def say(progress: fastload.Progress) -> None:
        print(progress.rows, flush=True)

    result = await fastload.copy(source, target, progress=say, **json.loads(options))
    print("done", result.rows, flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
