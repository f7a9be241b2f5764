"""Counters of columns and sequences of the target, set to where the source's stand."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.model import Sequence as SequenceModel
from fastload_mysql.catalog_queries import FRESH
from fastload_mysql.connection import Connection
from fastload_mysql.flavours import Server
from fastload_mysql.numbering import advances, standing
from fastload_mysql.relations import is_there


async def advance(
    connection: Connection,
    sequences: Sequence[SequenceModel],
    server: Server,
    *,
    keep_higher: bool,
) -> None:
    """Set every sequence that is here and whose value is known; see ``Target.advance``."""
    owners = sorted({s.owner[0] for s in sequences if s.owner is not None})
    if connection.product.keeps_statistics:
        await connection.execute(FRESH)
    rows = await connection.fetch(standing(owners)) if owners else []
    here = [(str(s), str(t), str(c), value) for s, t, c, value in rows]
    known = [s for s in sequences if s.owner or await is_there(connection, s.name)]
    for statement in advances(known, here, server, keep_higher=keep_higher):
        await connection.execute(statement)
