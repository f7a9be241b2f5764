"""Statements stopped before their last row, so that their session goes on in its transaction.

Another session has to stop them. What the server has sent by then, or is about to, is read: some
megabytes at most, as it waits where nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from fastload.errors import FastloadError, Unrepresentable
from fastload_mysql.connection import Connection
from fastload_mysql.driver import MysqlDriver
from fastload_mysql.protocol import Result

if TYPE_CHECKING:
    from fastload_mysql.rows_decode import RowsDecoder

HALT_S = 5.0
_KILL_S = 2.0


async def halt(
    connection: Connection, result: Result, decoder: RowsDecoder, columns: Sequence[tuple[str, str]]
) -> None:
    """Stop a statement and read to its end; where that fails, the connection stays out of step.

    Args:
        connection: What the statement runs on.
        result: Its rows.
        decoder: What has decoded them so far.
        columns: What the decoder was made of.
    """
    from fastload_mysql.rows_decode import RowsDecoder

    if not connection.usable:
        return
    with anyio.move_on_after(HALT_S, shield=True), suppress(Exception):
        # Without it, the rows may come to an end by themselves in time.
        with anyio.move_on_after(_KILL_S), suppress(Exception):
            await MysqlDriver(connection.side).stop_statement(connection)
        try:
            await result.drain(decoder)
        except Unrepresentable:
            anything = RowsDecoder(columns, nulls_instead=[name for name, _ in columns])
            anything.feed(decoder.rest)
            await result.drain(anything)


async def goes_on(connection: Connection) -> bool:
    """Say whether a session is idle and still in its transaction.

    An order to stop that came too late may stop the first statement after it.
    """
    if connection.busy or not connection.usable:
        return False
    with anyio.move_on_after(HALT_S, shield=True):
        for _ in range(2):
            with suppress(FastloadError):
                await connection.execute("DO 0")
                return connection.in_transaction
    return False
