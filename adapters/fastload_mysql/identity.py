"""Which server answers, and a name for its database that survives restarts and moves."""

from __future__ import annotations

import msgspec

from fastload_mysql.connection import Connection, Flavour


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server, and the database of a session's own.

    Attributes:
        identity: Of server and database.
        folds: ``lower_case_table_names``: 0 tells names apart by case.
    """

    identity: str
    database: str | None
    flavour: Flavour
    version: str
    folds: int


async def read_server(connection: Connection) -> Server:
    """Return who answers."""
    row = await connection.fetchrow("SELECT DATABASE(), @@lower_case_table_names")
    assert row is not None
    database, folds = row
    return Server(
        identity=f"mysql:{await _server_id(connection)}/{database or ''}",
        database=database,
        flavour=connection.flavour,
        version=".".join(map(str, connection.version)),
        folds=int(folds),
    )


async def _server_id(connection: Connection) -> str:
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
