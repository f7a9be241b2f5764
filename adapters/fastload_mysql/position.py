"""Where the server's log stands: a GTID set, and file and offset where they may be seen."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from fastload.errors import FastloadError
from fastload.model import Position
from fastload_mysql.connection import Connection

# MySQL 8.2 has the new name and 8.4 has lost the old one; MariaDB knows only the old one.
_STATUS = {"mysql": ((8, 2), "SHOW BINARY LOG STATUS"), "mariadb": ((99,), "")}
_GTID = {"mysql": "@@global.gtid_executed", "mariadb": "@@global.gtid_binlog_pos"}


async def read_position(connection: Connection) -> Position | None:
    """Return the log's position while nothing can be committed; None where there is no log."""
    rows = await connection.fetch_named(
        f"SELECT @@global.log_bin AS log_bin, {_GTID[connection.flavour]} AS gtid"
    )
    if not rows[0]["log_bin"]:
        return None
    told = {"gtid": str(rows[0]["gtid"]).replace("\n", "")}
    # Takes a right of its own, which a copy that is not followed does not need.
    with suppress(FastloadError):
        status = await connection.fetch_named(_show_status(connection))
        told |= {"file": str(status[0]["File"]), "offset": str(status[0]["Position"])}
    return Position(msgspec.json.encode(told).decode())


def _show_status(connection: Connection) -> str:
    since, statement = _STATUS[connection.flavour]
    return statement if connection.version >= since else "SHOW MASTER STATUS"
