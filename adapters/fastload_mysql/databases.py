"""Databases that are made where they are missing.

CREATE DATABASE IF NOT EXISTS waits, on MySQL, for whoever reads a table of a database that is
there: a copy within one database would wait for its own source.
"""

from __future__ import annotations

from fastload_mysql.connection import Connection
from fastload_mysql.quoting import ident, literal


def creating(database: str) -> tuple[str, str]:
    """Return the statement, and the query that returns 1 where it is not needed."""
    there = "SELECT COUNT(*) FROM information_schema.schemata WHERE schema_name = "
    return f"CREATE DATABASE IF NOT EXISTS {ident(database)}", there + literal(database)


async def make_database(connection: Connection, database: str) -> None:
    """Make a database, unless it is there."""
    statement, there = creating(database)
    if await connection.fetchval(there) != 1:
        await connection.execute(statement)
