"""Signs of life of a run's process: a session that holds the lock of run and epoch by its name.

An idle session ends with its client at once, and the server shows when it last said something.
"""

from __future__ import annotations

from fastload.lease import Lease
from fastload.model import Worker
from fastload_mysql.connection import Connection
from fastload_mysql.driver import Sessions
from fastload_mysql.named_lock import lock_name
from fastload_mysql.state_tables import Tables

# Other users' sessions are shown to those alone who may see all.
_WORKER = "SELECT host, time FROM information_schema.processlist WHERE id = %s"


def show(sessions: Sessions, tables: Tables, run: str, epoch: int) -> None:
    """Let others see, until it is ended, that this process works for the run."""
    name = _name(tables, run, epoch)

    async def mark(connection: Connection) -> bool:
        return bool(await connection.fetchval("SELECT GET_LOCK(%s, 0)", (name,)))

    async def beat(connection: Connection) -> None:
        await connection.execute("DO 0")

    if sessions.can_show and sessions.lease is None:
        sessions.lease = Lease(sessions, mark, beat)


async def find(sessions: Sessions, tables: Tables, run: str, epoch: int) -> Worker | None:
    """Return the session that shows itself for the run."""
    async with sessions.lend() as connection:
        name = _name(tables, run, epoch)
        session = await connection.fetchval("SELECT IS_USED_LOCK(%s)", (name,))
        if session is None:
            return None
        row = await connection.fetchrow(_WORKER, (session,))
    place, silent_s = row or (None, None)
    told = f"session {session}" + (f", from {place}" if place else "")
    return Worker(told=told, silent_s=None if silent_s is None else float(silent_s))


def _name(tables: Tables, run: str, epoch: int) -> str:
    return lock_name("run", tables.schema, run, str(epoch))
