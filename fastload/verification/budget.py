"""How many rows of a table may still be named, and how many bytes held meanwhile.

Parts of a table are located side by side. Each reserves rows before it reads, so that together they
name as many as were asked for, and no more; whoever comes when all are reserved waits until it is
known how many were needed.

Guarantees: ``rows`` are never below 0; every reservation is settled. Relies on: one event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio


class Share:
    """What one part has reserved.

    Attributes:
        rows: Rows that it may name, whatever others do.
        bytes: Rows of this size it holds.
    """

    def __init__(self, budget: Budget, rows: int) -> None:
        self._budget = budget
        self.rows = rows
        self.bytes = 0

    def hold(self, size_bytes: int) -> bool:
        """Count what is held, or is no more; say whether it is too much."""
        self.bytes += size_bytes
        self._budget.held_bytes += size_bytes
        return self._budget.held_bytes > self._budget.most_bytes

    @property
    def most_rows(self) -> int:
        """The reserved rows and those that nobody has reserved."""
        return self.rows + self._budget.rows

    def use(self, rows: int) -> None:
        """Take so many of ``most_rows``; what was reserved beyond goes back."""
        self._budget.rows += self.rows - rows
        self.rows = 0


class Budget:
    """What may still be located of a table.

    Attributes:
        rows: Rows that nobody has reserved.
        most_bytes: What may be held at once.
        held_bytes: What is.
    """

    def __init__(self, rows: int, most_bytes: int) -> None:
        self.rows = rows
        self.most_bytes = most_bytes
        self.held_bytes = 0
        self._reserved = 0
        self._settled = anyio.Condition()

    @asynccontextmanager
    async def share(self, most: int) -> AsyncIterator[Share]:
        """Reserve up to so many rows; none where none are left, or no memory is.

        What is not used in the end goes back; what is held counts on.
        """
        async with self._settled:
            while not self.rows and self._reserved:
                await self._settled.wait()
            rows = min(most, self.rows) if self.held_bytes <= self.most_bytes else 0
            self.rows -= rows
            self._reserved += 1
        share = Share(self, rows)
        try:
            yield share
        finally:
            with anyio.CancelScope(shield=True):
                async with self._settled:
                    self.rows += share.rows
                    self._reserved -= 1
                    self._settled.notify_all()
