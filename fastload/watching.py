"""Connections that have fallen silent: noticed, and ended, so that others take their place.

A socket stays open when its other end is cut off without a word. The kernel notices most of it,
but neither what a proxy or a balancer acknowledges in a dead server's name, nor, where rows are
sent, a network that swallows them. So whoever has moved nothing for a while is asked about: a new
login has to be answered. A server that works on a long statement answers it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

import anyio

from fastload.secret import password_of
from fastload.socket_facts import facts_of
from fastload.tasks import in_full
from fastload.url import Url

ConnectionT = TypeVar("ConnectionT")

QUIET_S = 8.0
ANSWER_S = 10.0
UNHEARD_S = 20.0
LOOK_S = 2.0


class Watched(Protocol[ConnectionT]):
    """What a watch needs of a driver; see ``sessions.Driver``."""

    @property
    def side(self) -> str:
        """``"source"`` or ``"target"``."""

    async def open(self, endpoint: Any) -> ConnectionT:
        """Connect."""

    def socket(self, connection: ConnectionT) -> Any:
        """Return its socket, or None."""

    def abort(self, connection: ConnectionT) -> None:
        """Drop it without waiting."""


class Watch(Generic[ConnectionT]):
    """Looks at connections in use, and ends those of a server that does not answer.

    Guarantees: of a server that falls silent, a connection in use is ended within
    ``QUIET_S + ANSWER_S + LOOK_S``, or ``UNHEARD_S + LOOK_S``; one that moves bytes, or whose
    server answers, never is. Relies on: one event loop.

    Args:
        driver: Of the connections.
        url: Where a new login is tried.
        used: Returns the connections that somebody may be waiting for.
    """

    def __init__(
        self,
        driver: Watched[ConnectionT],
        url: Url,
        used: Callable[[], Collection[ConnectionT]],
    ) -> None:
        self._driver = driver
        self._url = url
        self._used = used
        self._moved: dict[int, tuple[int, float]] = {}
        self._task: asyncio.Task[None] | None = None
        self.silent: set[int] = set()

    def begin(self) -> None:
        """Look every ``LOOK_S`` from now on."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def end(self) -> None:
        """Look no more."""
        if self._task is not None:
            self._task.cancel()
            await in_full(asyncio.wait([self._task]))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if not self._quiet():
                continue
            answers = await self._answers()
            for connection in self._quiet():  # what has moved meanwhile has answered
                if answers:
                    self._moved.pop(id(connection))
                else:
                    self._give_up(connection)

    def _quiet(self) -> list[ConnectionT]:
        """Return who has moved nothing for a while; who is not heard any more is given up."""
        now, quiet, before = anyio.current_time(), [], self._moved
        self._moved = {}
        for connection in list(self._used()):
            facts = facts_of(self._driver.socket(connection))
            if facts is None:
                continue
            if facts.unheard_s > UNHEARD_S:
                self._give_up(connection)
                continue
            moved, since = before.get(id(connection), (-1, now))
            since = since if moved == facts.moved else now
            self._moved[id(connection)] = (facts.moved, since)
            if now - since >= QUIET_S:
                quiet.append(connection)
        return quiet

    async def _answers(self) -> bool:
        """Say whether a new login is answered, be it by a refusal."""
        try:
            password = await password_of(self._url, self._driver.side)
        except Exception:  # a service that brings passwords may be slow, and the server is not
            return True
        url = self._url if password is None else self._url.with_password(password)
        with anyio.move_on_after(ANSWER_S) as bound:
            try:
                self._driver.abort(await self._driver.open(url))
            except Exception as error:  # of whatever kind: who watches must not end by it
                return not _is_timeout(error)
            return True
        return not bound.cancelled_caught

    def _give_up(self, connection: ConnectionT) -> None:
        self.silent.add(id(connection))
        with suppress(Exception):
            self._driver.abort(connection)


def _is_timeout(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, TimeoutError):
            return True
        error = error.__cause__
    return False
