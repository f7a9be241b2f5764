"""Which server answers, and a name for its database that survives restarts and moves."""

from __future__ import annotations

import msgspec

from fastload_mysql.connection import Connection
from fastload_mysql.flavours import Server, server_of


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """The database of a session's own, if it has one, and its server.

    Attributes:
        identity: Of server and database.
        server_identity: Of the server, whose tables each session can name.
        counts_alone: Whether one statement at a time draws numbers for AUTO_INCREMENT of a table,
            and LOAD DATA counts as one that does.
        takes_files: Whether LOAD DATA LOCAL works, as far as both sides say.
    """

    identity: str
    server_identity: str
    name: str | None
    server: Server
    takes_files: bool
    counts_alone: bool


async def read_database(connection: Connection) -> Database:
    """Return what a connection leads to."""
    row = await connection.fetchrow(
        "SELECT DATABASE(), @@lower_case_table_names, @@local_infile, @@innodb_autoinc_lock_mode"
    )
    assert row is not None
    name, folds, local_infile, lock_mode = row
    version = ".".join(map(str, connection.version))
    server = f"mysql:{await _server_id(connection)}"
    return Database(
        identity=f"{server}/{name or ''}",
        server_identity=server,
        name=name,
        server=server_of(connection.flavour, version, int(folds)),
        takes_files=bool(local_infile) and connection.sends_files,
        counts_alone=int(lock_mode) < 2,
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
