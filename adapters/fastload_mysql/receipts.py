"""Receipts of partitions, which commit with their rows, and who holds one that is not complete."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec

from fastload.errors import StateError, TargetError
from fastload.model import Cut, QualifiedName, Receipt
from fastload_mysql.connection import Connection, Row
from fastload_mysql.state_tables import Tables, stored_key

_ONE = "run = %s AND table_schema = %s AND table_name = %s AND `partition` = %s"
_COLUMNS = (
    "table_schema, table_name, `partition`, epoch, `rows`, bytes, cut, nulled, rejected, rejects"
)


async def begin_receipt(connection: Connection, tables: Tables, receipt: Receipt) -> Receipt | None:
    """Insert an open receipt; return None to go on, or the one that is complete already.

    Waits for another writer of the same partition to end; in a transaction that is fenced.
    """
    key = _place(receipt)
    async with naming_orphans(connection, tables, receipt.run):
        began = await connection.execute(
            f"INSERT IGNORE INTO {tables.receipts} (run, table_schema, table_name, `partition`, "
            "epoch, session) VALUES (%s, %s, %s, %s, %s, CONNECTION_ID())",
            (*key, receipt.epoch),
        )
    if began:
        return None
    # Not as the transaction's snapshot sees it: the other writer may have just committed.
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM {tables.receipts} WHERE {_ONE} LOCK IN SHARE MODE", key
    )
    assert row is not None
    return _receipt(receipt.run, row)


async def end_receipt(connection: Connection, tables: Tables, receipt: Receipt) -> None:
    """Complete the receipt that this transaction began."""
    cut = msgspec.json.encode(receipt.cut).decode() if receipt.cut else None
    await connection.execute(
        f"UPDATE {tables.receipts} SET `rows` = %s, bytes = %s, cut = %s, nulled = %s, "
        f"rejected = %s, rejects = %s, completed = UTC_TIMESTAMP(6) WHERE {_ONE}",
        (
            receipt.rows,
            receipt.bytes,
            cut,
            receipt.nulled,
            receipt.rejected,
            receipt.rejects,
            *_place(receipt),
        ),
    )


async def forget_receipts(
    connection: Connection, tables: Tables, run: str, table: QualifiedName
) -> int:
    """Delete the receipts of one table, and return how many rows they stood for."""
    where = f"FROM {tables.receipts} WHERE run = %s AND table_schema = %s AND table_name = %s"
    key = (stored_key(run), table.schema, table.name)
    rows = await connection.fetchval(f"SELECT COALESCE(SUM(`rows`), 0) {where}", key)
    await connection.execute(f"DELETE {where}", key)
    return int(rows)


async def complete_receipts(
    connection: Connection, tables: Tables, run: str
) -> tuple[Receipt, ...]:
    """Return the receipts of a run that are complete."""
    query = f"SELECT {_COLUMNS} FROM {tables.receipts} WHERE run = %s AND completed IS NOT NULL"
    return tuple(_receipt(run, row) for row in await connection.fetch(query, (stored_key(run),)))


@asynccontextmanager
async def naming_orphans(connection: Connection, tables: Tables, run: str) -> AsyncIterator[None]:
    """Say which sessions hold what was waited for in vain, where they are writers of the run.

    Their receipts are not committed: only a reader that minds no transactions sees them.
    """
    try:
        yield
    except TargetError as error:
        if not error.retryable:
            raise
        await connection.execute("ROLLBACK")
        if found := await _open(connection, tables, run):
            raise _orphans(run, found) from error
        raise


async def _open(connection: Connection, tables: Tables, run: str) -> Sequence[Row]:
    await connection.execute("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
    query = f"SELECT session, `partition`, table_schema, table_name FROM {tables.receipts}"
    return await connection.fetch(
        f"{query} WHERE run = %s AND completed IS NULL", (stored_key(run),)
    )


def _orphans(run: str, found: Sequence[Row]) -> StateError:
    session, partition, schema, name = found[0]
    sessions = sorted({int(row[0]) for row in found})
    return StateError(
        f"session {session} is writing partition {partition} of "
        f"{as_text(schema)}.{as_text(name)} for an earlier process of run {run!r}",
        side="target",
        hint="stop that process; or, where it is gone, end its sessions on the target: "
        + "; ".join(f"KILL {s}" for s in sessions),
    )


def _place(receipt: Receipt) -> tuple[str, str, str, int]:
    name = receipt.table
    return stored_key(receipt.run), name.schema, name.name, receipt.partition


def _receipt(run: str, row: Row) -> Receipt:
    schema, name, partition, epoch, rows, bytes_, cut, nulled, rejected, rejects = row
    return Receipt(
        run=run,
        epoch=epoch,
        table=QualifiedName(as_text(schema), as_text(name)),
        partition=partition,
        rows=rows,
        bytes=bytes_,
        cut=msgspec.json.decode(cut, type=Cut) if cut else None,
        nulled=nulled or 0,
        rejected=rejected or 0,
        rejects=as_text(rejects) if rejects else None,
    )


def as_text(value: bytes | str) -> str:
    """Return the text of a column of bytes."""
    return value.decode() if isinstance(value, bytes) else value
