"""Signs of life of a run's process: a session with an advisory lock that stands for run and epoch.

An idle session ends with its client at once, and the server shows when it last said something.
"""

from __future__ import annotations

import hashlib

from fastload.lease import Lease
from fastload.model import Worker
from fastload_postgres.connection import Connection, Sessions

_MARK = "SELECT pg_try_advisory_lock($1)"
# A lock by one number of 64 bits is shown as its halves, and apart from those by two numbers. When
# another user's session has last said something is not shown to everybody.
_WORKER = """
SELECT l.pid, host(a.client_addr) AS place,
       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS silent_s
FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = (($1::int8 >> 32) & 4294967295)::oid AND l.objid = ($1::int8 & 4294967295)::oid"""


def show(sessions: Sessions, run: str, epoch: int) -> None:
    """Let others see, until it is ended, that this process works for the run."""
    number = _number(run, epoch)

    async def mark(connection: Connection) -> bool:
        return bool(await connection.fetchval(_MARK, number))

    async def beat(connection: Connection) -> None:
        await connection.execute("SELECT 1")

    if sessions.can_show and sessions.lease is None:
        sessions.lease = Lease(sessions, mark, beat)


async def find(sessions: Sessions, run: str, epoch: int) -> Worker | None:
    """Return the session that shows itself for the run."""
    async with sessions.lend() as connection:
        row = await connection.fetchrow(_WORKER, _number(run, epoch))
    if row is None:
        return None
    told = f"session {row['pid']}" + (f", from {row['place']}" if row["place"] else "")
    return Worker(told=told, silent_s=row["silent_s"])


def _number(run: str, epoch: int) -> int:
    told = f"{epoch}\0{run}".encode()
    return int.from_bytes(hashlib.blake2b(told, digest_size=8).digest(), "big", signed=True)
