"""Points at which a loader kills itself, named by what it is saying to its target.

They hang on the statements that the driver is given, in the loader's process alone: the product
knows nothing of them. ``sent`` is where the server has the statement, and time to do it, and nobody
reads its answer.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

Moment = Literal["before", "sent", "after"]

# Statements by what they do, in PostgreSQL's schema of state and in MySQL's prefixed tables.
_PLAN = r"INSERT INTO \S*_fastload[._]runs"
_RECEIPT_BEGUN = r"INSERT (IGNORE )?INTO \S*_fastload[._]receipts"
_RECEIPT = r"UPDATE \S*_fastload[._]receipts"
_STEP = r"CREATE (UNIQUE )?INDEX|ALTER TABLE .*ADD"
_STEP_RECEIPT = r"INSERT INTO \S*_fastload[._]steps"
_EPOCH = r"UPDATE \S*_fastload[._]runs\S* SET epoch"
_BARRIER = r"(INSERT INTO|REPLACE INTO|TRUNCATE TABLE) \S*_fastload[._]barrier"
_FORGET = r"DELETE FROM \S*_fastload[._]runs"
_DROP = r"DROP (SCHEMA|TABLE IF EXISTS) \S*_fastload"
_COPY = "the rows' own statement"


@dataclass(frozen=True)
class Point:
    """A moment of a statement, or of the COMMIT that follows it.

    Attributes:
        statement: A pattern of it.
        moment: When, of the statement or of its commit.
        commit: Whether it is the commit that is meant.
        continued: Only a continued run comes there.
    """

    statement: str
    moment: Moment
    commit: bool = False
    continued: bool = False


POINTS = {
    "plan": Point(_PLAN, "before"),
    "plan commit sent": Point(_PLAN, "sent", commit=True),
    "plan acknowledged": Point(_PLAN, "after", commit=True),
    "receipt begun": Point(_RECEIPT_BEGUN, "after"),
    "rows under way": Point(_COPY, "before"),
    "COPY end": Point(_COPY, "sent"),
    "COPY done": Point(_COPY, "after"),
    "receipt": Point(_RECEIPT, "before"),
    "receipt complete": Point(_RECEIPT, "after"),
    "commit sent": Point(_RECEIPT, "sent", commit=True),
    "acknowledgement read": Point(_RECEIPT, "after", commit=True),
    "index": Point(_STEP, "before"),
    "index sent": Point(_STEP, "sent"),
    "index made": Point(_STEP, "after"),
    "step commit sent": Point(_STEP_RECEIPT, "sent", commit=True),
    "step acknowledged": Point(_STEP_RECEIPT, "after", commit=True),
    "epoch": Point(_EPOCH, "before", continued=True),
    "epoch raised": Point(_EPOCH, "after", continued=True),
    "epoch commit sent": Point(_EPOCH, "sent", commit=True, continued=True),
    "epoch acknowledged": Point(_EPOCH, "after", commit=True, continued=True),
    "barrier": Point(_BARRIER, "before"),
    "barrier passed": Point(_BARRIER, "after"),
    "forgetting": Point(_FORGET, "after"),
    "forgotten": Point(_FORGET, "sent", commit=True),
    "state dropped": Point(_DROP, "after"),
}  # fmt: skip
# Where nothing is lost that is not lost there anyway, but a target with the wrong order has
# committed its rows.
HARMLESS = {"receipt not begun": Point(_RECEIPT_BEGUN, "before")}


class _Hook:
    """Counts how often the point is reached, and kills the process the last time."""

    def __init__(self, name: str, occurrence: int) -> None:
        self._name, self._left = name, occurrence
        self._point = (POINTS | HARMLESS)[name]
        self._pattern = re.compile(self._point.statement, re.IGNORECASE | re.DOTALL)
        self._matched: set[int] = set()

    def _reached(self) -> bool:
        self._left -= 1
        return not self._left

    def _kill(self) -> None:
        print("reached", self._name, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)

    def _kill_late(self) -> None:
        time.sleep(0.05)
        self._kill()

    def _is_due(self, connection: object, sql: str) -> bool:
        if not self._point.commit:
            return bool(self._pattern.search(sql)) and self._reached()
        if sql.startswith("COMMIT"):
            due = id(connection) in self._matched
            self._matched.discard(id(connection))
            return due and self._reached()
        if self._pattern.search(sql):
            self._matched.add(id(connection))
        return False

    async def statement(self, connection: object, sql: str, call: Callable[[], Any]) -> Any:
        """Run a statement, or do not live to see its end."""
        if not self._is_due(connection, sql):
            return await call()
        if self._point.moment == "before":
            self._kill()
        if self._point.moment == "sent":
            running = asyncio.ensure_future(call())
            # Written in its first step; what a codec has to ask for first is not asked here.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._kill_late()
            await running
        result = await call()
        self._kill()
        return result

    async def rows(self, pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        """Pass the rows on; kill in their middle, or with their end sent."""
        due = self._reached()
        async for piece in pieces:
            if due and self._point.moment == "before":
                # Some of them are with the server.
                yield piece[: len(piece) // 2]
                await asyncio.sleep(0.01)
                self._kill()
            yield piece
        if due and self._point.moment == "sent":
            asyncio.get_running_loop().call_soon(self._kill_late)

    async def copy(
        self, pieces: AsyncIterable[bytes], call: Callable[[AsyncIterable[bytes]], Awaitable[Any]]
    ) -> Any:
        """Run what sends rows."""
        if self._point.statement != _COPY:
            return await call(pieces)
        if self._point.moment != "after":
            return await call(self.rows(pieces))
        result = await call(pieces)
        if self._reached():
            self._kill()
        return result


def install(name: str, occurrence: int) -> None:
    """Have this process kill itself when it comes to a point for the so-many-th time."""
    hook = _Hook(name, occurrence)
    _install_postgres(hook)
    _install_mysql(hook)


def _install_postgres(hook: _Hook) -> None:
    import asyncpg

    kind: Any = asyncpg.Connection
    for method in ("execute", "fetchval", "fetchrow", "fetch"):
        setattr(kind, method, _watched(getattr(kind, method), hook))
    copy = kind.copy_to_table

    async def copy_to_table(self: Any, table: str, *, source: Any, **options: Any) -> Any:
        return await hook.copy(source, lambda s: copy(self, table, source=s, **options))

    kind.copy_to_table = copy_to_table


def _install_mysql(hook: _Hook) -> None:
    import fastload_mysql.loading as loading
    from fastload_mysql.connection import Connection

    kind: Any = Connection
    kind._query = _watched(kind._query, hook)
    load_local = loading.load_local

    async def load(connection: Any, sql: str, token: str, pieces: Any, table: Any) -> Any:
        return await hook.copy(pieces, lambda p: load_local(connection, sql, token, p, table))

    loading.load_local = load


def _watched(method: Any, hook: _Hook) -> Any:
    async def watched(self: Any, sql: Any, *args: Any, **options: Any) -> Any:
        if isinstance(sql, bytes):
            return await method(self, sql, *args, **options)
        return await hook.statement(self, sql, lambda: method(self, sql, *args, **options))

    return watched
