"""Where the server's log stands: a GTID set, and file and offset where they may be seen."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from fastload.errors import FastloadError
from fastload.model import Position
from fastload_mysql.connection import Connection

_ALIKE = 3
_SNAPSHOT = "SHOW SESSION STATUS LIKE 'Binlog_snapshot_%'"


class Place(msgspec.Struct, frozen=True):
    """A file of the log, and an offset in it."""

    file: str
    offset: str


async def position_under_lock(reader: Connection) -> Position | None:
    """Return where the log stands, which nobody adds to; None where none is kept.

    Args:
        reader: Inside its transaction.
    """
    mariadb = reader.flavour == "mariadb"
    gtid = "gtid_binlog_pos" if mariadb else "gtid_executed"
    row = await reader.fetchrow(f"SELECT @@global.log_bin, @@global.{gtid}")
    if row is None or not row[0]:
        return None
    told = str(row[1] or "")
    if not mariadb:
        return _position(told, await _current_place(reader))
    place = await snapshot_place(reader)
    same = place is not None and await _gtid_at(reader, place) == told
    return _position(told, place if same else None)


async def snapshot_place(reader: Connection) -> Place | None:
    """Return the exact place of a reader's own snapshot; only MariaDB knows it.

    The server tells it by way of a variable that all sessions share: measured, one in 500 answers
    was another session's where four asked without a pause. So it is asked until it says the same
    several times running.
    """
    told: list[Place | None] = []
    while len(told) < _ALIKE or len(set(told[-_ALIKE:])) > 1:
        told.append(await _told_place(reader))
    return told[-1]


async def _told_place(reader: Connection) -> Place | None:
    told = {row[0]: str(row[1]) for row in await reader.fetch(_SNAPSHOT)}
    if not told.get("Binlog_snapshot_file"):
        return None
    return Place(told["Binlog_snapshot_file"], told["Binlog_snapshot_position"])


async def position_at(reader: Connection, place: Place | None) -> Position | None:
    """Return the position of a place in MariaDB's log."""
    if place is None:
        return None
    return _position(await _gtid_at(reader, place), place)


async def _gtid_at(reader: Connection, place: Place) -> str:
    gtid = await reader.fetchval("SELECT BINLOG_GTID_POS(%s, %s)", (place.file, int(place.offset)))
    return str(gtid or "")


async def _current_place(connection: Connection) -> Place | None:
    # Takes a right of its own, which a copy that is not followed does not need.
    with suppress(FastloadError):
        shown = await connection.fetch_named(connection.product.log_status)
        return Place(str(shown[0]["File"]), str(shown[0]["Position"]))
    return None


def _position(gtid: str, place: Place | None) -> Position:
    told = {"gtid": gtid.replace("\n", "")}
    if place is not None:
        told |= {"file": place.file, "offset": place.offset}
    return Position(msgspec.json.encode(told).decode())
