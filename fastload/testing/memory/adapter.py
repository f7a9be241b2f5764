"""The adapter object of the memory databases."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastload.adapter import Endpoint
from fastload.errors import ConfigError
from fastload.testing.memory.database import MemoryDatabase, database
from fastload.testing.memory.source import MemorySource
from fastload.testing.memory.target import MemoryTarget
from fastload.url import Url


class MemoryAdapter:
    """Makes sources and targets of memory databases."""

    schemes = ("memory",)

    def accepts(self, client: object) -> bool:
        """Say whether this is a memory database."""
        return isinstance(client, MemoryDatabase)

    def room(self, endpoint: Endpoint) -> int | None:
        """Return None: there are no connections to run out of."""
        return None

    @asynccontextmanager
    async def source(self, endpoint: Endpoint, *, connections: int) -> AsyncIterator[MemorySource]:
        """Open a database to read."""
        yield MemorySource(_database(endpoint))

    @asynccontextmanager
    async def target(self, endpoint: Endpoint, *, connections: int) -> AsyncIterator[MemoryTarget]:
        """Open a database to write."""
        target = MemoryTarget(_database(endpoint))
        try:
            yield target
        finally:
            target.end()


def _database(endpoint: Endpoint) -> MemoryDatabase:
    if isinstance(endpoint, MemoryDatabase):
        return endpoint
    assert isinstance(endpoint, Url)
    if not endpoint.host:
        raise ConfigError("a memory database has a name", hint="write memory://name")
    return database(endpoint.host)


ADAPTER = MemoryAdapter()
