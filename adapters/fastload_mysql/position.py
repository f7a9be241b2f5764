"""Where the server's log stands: a GTID set, and file and offset where they may be seen."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from fastload.errors import FastloadError
from fastload.model import Position
from fastload_mysql.connection import Connection

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
        status = await connection.fetch_named(connection.product.log_status)
        told |= {"file": str(status[0]["File"]), "offset": str(status[0]["Position"])}
    return Position(msgspec.json.encode(told).decode())
