"""Signs of life: who works for a run shows it in the target, and who would start it looks there.

No lock, and nothing depends on it but courtesy: what must not be written twice is fenced by the
run's epoch. A process shows a session of its target that holds a mark of run and epoch, and says
something now and then. One that was killed has no session any more, and is not waited for; one
that stands still, or whose network is gone, has one that says nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from fastload.errors import StateError, TooManyConnections
from fastload.model import StoredRun, Worker
from fastload.tasks import in_full

if TYPE_CHECKING:
    from fastload.adapter import StateStore
    from fastload.sessions import Sessions

ConnectionT = TypeVar("ConnectionT")

# Copies that are shorter need no session more.
FIRST_S = 0.2
BEAT_S = 1.0
# An event loop that is busy with other things says nothing for some seconds.
GONE_S = 15.0
LOOK_S = 0.25
# Servers tell whole seconds.
_COARSE_S = 1.0


class Lease(Generic[ConnectionT]):
    """Keeps a session that shows that this process lives.

    Guarantees: it takes no connection that a lane could have, see ``give_up``; its failures are
    nobody's. Relies on: one event loop.

    Args:
        sessions: Where it comes from, with the right to one more.
        mark: Marks it; False where an earlier session of this process still has the mark.
        beat: Says something to the server.
    """

    def __init__(
        self,
        sessions: Sessions[ConnectionT],
        mark: Callable[[ConnectionT], Awaitable[bool]],
        beat: Callable[[ConnectionT], Awaitable[object]],
    ) -> None:
        self._sessions, self._mark, self._beat = sessions, mark, beat
        self._holds = False
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def give_up(self) -> bool:
        """Leave the session's place to others, for good; False where there is none to leave."""
        held, self._holds = self._holds, False
        if held:
            await self.end()
        return held

    async def end(self) -> None:
        """Show nothing more."""
        self._task.cancel()
        await in_full(asyncio.wait([self._task]))

    async def _run(self) -> None:
        await asyncio.sleep(FIRST_S)
        while True:
            try:
                await self._hold()
            except TooManyConnections:
                return
            except Exception:  # whatever has happened to it, the load goes on without
                await asyncio.sleep(BEAT_S)

    async def _hold(self) -> None:
        connection = await self._sessions.acquire()
        self._holds = True
        try:
            marked = False
            while True:
                marked = marked or await self._mark(connection)
                await asyncio.sleep(BEAT_S)
                await self._beat(connection)
        finally:
            self._holds = False
            # Closed, and so unmarked: others must not be lent it.
            await self._sessions.discard(connection)


async def check_free(
    state: StateStore, stored: StoredRun, tell: Callable[[str | None], None]
) -> None:
    """Refuse a run that a living process works for; wait until one that is silent counts as gone.

    Args:
        state: Where the run is stored.
        stored: The run, as it is stored now.
        tell: Called with what is waited for, and with None at the end.

    Raises:
        StateError: With who it is.
    """
    run, began = stored.plan.run, anyio.current_time()
    try:
        while (worker := await state.worker(run, stored.epoch)) is not None:
            looked_s, silent_s = anyio.current_time() - began, worker.silent_s
            if silent_s is None or looked_s > silent_s + _COARSE_S:
                raise _at_work(stored, worker)
            if silent_s > GONE_S:
                return
            tell(f"waits for a sign of {worker.told}, which works for run {run!r}")
            await anyio.sleep(LOOK_S)
    finally:
        tell(None)


def _at_work(stored: StoredRun, worker: Worker) -> StateError:
    begun = stored.plan.begun_at
    since = f", begun {begun}" if begun else ""
    return StateError(
        f"another process is at work for run {stored.plan.run!r}{since}: the target's "
        f"{worker.told}",
        side="target",
        hint="wait until it is done; or stop that process, and start again: this continues it",
    )
