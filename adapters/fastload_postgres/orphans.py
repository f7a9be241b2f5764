"""Who works for a run: sessions that hold what another has waited for in vain.

What a transaction has not committed is seen by nobody else, but its locks are: each holds an
advisory one that stands for its run and for its partition or step.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg

from fastload.errors import FastloadError, StateError
from fastload_postgres.connection import Connection, Sessions

_MARK = "SELECT pg_advisory_xact_lock_shared($1::int4, $2::int4)"
_WORKERS = """
SELECT a.pid, a.state, coalesce(host(a.client_addr), 'the same machine') AS place
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted AND l.classid = $1::int8::oid
  AND ($2::int8 IS NULL OR l.objid = $2::int8::oid) AND a.datname = current_database()
ORDER BY 1"""


async def mark(connection: Connection, run: str, work: str) -> None:
    """Let others see, until the transaction ends, what this session is at."""
    await connection.execute(_MARK, _number(run), _number(work))


@asynccontextmanager
async def naming_orphans(
    sessions: Sessions, run: str, work: str | None = None
) -> AsyncIterator[None]:
    """Say which sessions hold what was waited for in vain, where they work for the run.

    Args:
        sessions: To ask with.
        run: The run.
        work: Partition or step that was to be done; None asks for those who are at any.
    """
    try:
        yield
    except FastloadError as error:
        if not isinstance(error.__cause__, asyncpg.LockNotAvailableError):
            raise
        async with sessions.lend() as connection:
            number = None if work is None else _number(work)
            found = await connection.fetch(_WORKERS, _number(run), number)
        if found:
            raise _orphans(run, work, found) from error
        raise


def _orphans(run: str, work: str | None, found: Sequence[asyncpg.Record]) -> StateError:
    pid, state, place = found[0]
    return StateError(
        f"session {pid} (from {place}, {state or 'unknown'}) is at {work or 'work'} for an earlier "
        f"process of run {run!r}",
        side="target",
        hint="stop that process; or, where it is gone, end its sessions on the target: "
        + "; ".join(f"SELECT pg_terminate_backend({row['pid']})" for row in found),
    )


def _number(text: str) -> int:
    """Return what stands for a text among advisory locks; positive, as they are shown."""
    digest = hashlib.blake2b(text.encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") & 0x7FFFFFFF
