"""A name for a database that survives restarts and moves."""

from __future__ import annotations

from fastload_mysql.connection import Connection


async def identify(connection: Connection) -> tuple[str, str | None]:
    """Return the identity of server and database, and the database's name if there is one."""
    database = await connection.fetchval("SELECT DATABASE()")
    return f"mysql:{await _server(connection)}/{database or ''}", database


async def _server(connection: Connection) -> str:
    """Return the server's own id; where it has none, its host and data directory."""
    rows = await connection.fetch(
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')"
    )
    if rows:
        return str(rows[0][1])
    row = await connection.fetchrow("SELECT @@hostname, @@port, @@datadir")
    assert row is not None
    host, port, path = row
    return f"{host}:{port}{str(path).rstrip('/')}"
