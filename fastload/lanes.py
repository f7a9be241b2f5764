"""Tasks side by side: as many as were asked for, or as the servers give connections for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from fastload import retry
from fastload.errors import TooManyConnections
from fastload.progress import Meter
from fastload.tasks import task_group

T = TypeVar("T")


class Lanes:
    """How many lanes a run has.

    Guarantees: a lane that gets no connection hands its work to the others and ends; the last one
    tries again, as ``retry`` says, and then raises.

    Attributes:
        count: How many there are; never more again once they are fewer.
    """

    def __init__(self, wanted: int, meter: Meter) -> None:
        self.count = self._wanted = wanted
        self._because = ""
        self._meter = meter
        meter.lanes = wanted

    @property
    def note(self) -> str | None:
        """Why there are fewer than were asked for; None where there are not."""
        if self.count == self._wanted:
            return None
        lanes = "lane" if self.count == 1 else "lanes"
        return f"{self.count} {lanes} instead of {self._wanted}: {self._because}"

    def limit(self, count: int, because: str) -> None:
        """Have no more than so many lanes from here on."""
        if count < self.count:
            self.count, self._because = count, because
            self._meter.lanes = count

    async def run(
        self,
        most: int,
        take: Callable[[], Awaitable[T | None]],
        give_back: Callable[[T], None],
        work: Callable[[T], Awaitable[None]],
    ) -> None:
        """Take and do what there is, in at most so many lanes, until there is none left."""
        running = min(self.count, most)

        async def lane() -> None:
            """Take one after another; where the server has no room for it, leave that to others."""
            nonlocal running
            attempts = retry.Attempts()
            while (item := await take()) is not None:
                try:
                    await work(item)
                except TooManyConnections as error:
                    give_back(item)
                    if running == 1:
                        await attempts.pause_after(error)
                        continue
                    self.limit(running - 1, error.message)
                    break
                attempts = retry.Attempts()
            running -= 1

        async with task_group() as group:
            for _ in range(running):
                group.start_soon(lane)
