"""The adapter object: schemes, and how an endpoint becomes a source or a target."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastload.url import Url
from fastload_postgres.dialect import DIALECT

if TYPE_CHECKING:
    from fastload.adapter import Endpoint
    from fastload.expressions import Dialect
    from fastload_postgres.source import PostgresSource
    from fastload_postgres.target import PostgresTarget


class PostgresAdapter:
    """Makes PostgreSQL sources and targets."""

    schemes = ("postgresql",)
    dialect = DIALECT

    def accepts(self, client: object) -> bool:
        """Say whether this is an asyncpg pool."""
        asyncpg = sys.modules.get("asyncpg")
        return asyncpg is not None and isinstance(client, asyncpg.Pool)

    def room(self, endpoint: Endpoint) -> int | None:
        """Return the size of a pool."""
        return None if isinstance(endpoint, Url) else int(endpoint.get_max_size())

    def expressions(self) -> Dialect:
        """Return what expressions mean here, and how they are said."""
        from fastload_postgres.expression_dialect import EXPRESSIONS

        return EXPRESSIONS

    @asynccontextmanager
    async def source(
        self, endpoint: Endpoint, *, connections: int
    ) -> AsyncIterator[PostgresSource]:
        """Connect to read."""
        from fastload_postgres.connection import open_sessions
        from fastload_postgres.fingerprint import hash_name
        from fastload_postgres.source import PostgresSource, identify

        async with open_sessions(endpoint, side="source", limit=connections + 1) as sessions:
            async with sessions.lend() as connection:
                identity, name = await identify(connection), await hash_name(connection)
            yield PostgresSource(sessions, identity, name)

    @asynccontextmanager
    async def target(
        self, endpoint: Endpoint, *, connections: int
    ) -> AsyncIterator[PostgresTarget]:
        """Connect to write."""
        from fastload_postgres.connection import open_sessions
        from fastload_postgres.source import identify
        from fastload_postgres.target import PostgresTarget

        async with open_sessions(endpoint, side="target", limit=connections + 1) as sessions:
            async with sessions.lend() as connection:
                identity = await identify(connection)
            yield PostgresTarget(sessions, identity, connections)


ADAPTER = PostgresAdapter()
