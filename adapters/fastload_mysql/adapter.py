"""The adapter object: schemes, and how an endpoint becomes a source or a target."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastload.url import Url
from fastload_mysql.dialect import DIALECT

if TYPE_CHECKING:
    from fastload.adapter import Endpoint
    from fastload.expressions import Dialect
    from fastload_mysql.source import MysqlSource
    from fastload_mysql.target import MysqlTarget


class MysqlAdapter:
    """Makes sources and targets of MySQL's family."""

    schemes = ("mysql", "mariadb")
    dialect = DIALECT

    def accepts(self, client: object) -> bool:
        """Say whether this is an aiomysql pool."""
        aiomysql = sys.modules.get("aiomysql")
        return aiomysql is not None and isinstance(client, aiomysql.Pool)

    def room(self, endpoint: Endpoint) -> int | None:
        """Return the size of a pool."""
        return None if isinstance(endpoint, Url) else int(endpoint.maxsize)

    def expressions(self) -> Dialect:
        """Return what expressions mean here, and how they are said."""
        from fastload_mysql.expression_dialect import EXPRESSIONS

        return EXPRESSIONS

    @asynccontextmanager
    async def source(self, endpoint: Endpoint, *, connections: int) -> AsyncIterator[MysqlSource]:
        """Connect to read."""
        from fastload_mysql.driver import open_sessions
        from fastload_mysql.identity import read_database
        from fastload_mysql.source import MysqlSource

        async with open_sessions(endpoint, side="source", limit=connections + 1) as sessions:
            async with sessions.lend() as connection:
                database = await read_database(connection)
            yield MysqlSource(sessions, database)

    @asynccontextmanager
    async def target(self, endpoint: Endpoint, *, connections: int) -> AsyncIterator[MysqlTarget]:
        """Connect to write."""
        from fastload_mysql.driver import open_sessions
        from fastload_mysql.identity import read_database
        from fastload_mysql.target import MysqlTarget

        async with open_sessions(endpoint, side="target", limit=connections + 1) as sessions:
            async with sessions.lend() as connection:
                database = await read_database(connection)
            yield MysqlTarget(sessions, database)


ADAPTER = MysqlAdapter()
