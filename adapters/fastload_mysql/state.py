"""Runs, receipts and steps in the target: tables of a common prefix, made when first needed.

They stand beside the tables that are copied, since a user may often make tables there and nowhere
else. A writer inserts its receipt under a shared lock of the run's row, and a claim updates that
row: so a claim waits for transactions of the earlier owner, and none can begin after it.

All texts are bytes here, as a collation would take some for others.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

import msgspec

from fastload import resume
from fastload.errors import StateError, TargetError
from fastload.model import Cut, Kept, Plan, QualifiedName, Receipt, StoredRun, TablePlan
from fastload_mysql.connection import Connection, Row
from fastload_mysql.databases import make_database
from fastload_mysql.driver import LOCK_TIMEOUT_S, Sessions
from fastload_mysql.quoting import literal, qualified
from fastload_mysql.transaction import transaction

PREFIX = "_fastload_"
# Old servers index up to 767 bytes of a column, unless they are told otherwise.
_KEY_BYTES = 255
_TABLES = {
    "runs": "run VARBINARY(255) PRIMARY KEY, epoch BIGINT NOT NULL, plan LONGBLOB NOT NULL, "
    "prepared DATETIME(6) NOT NULL",
    "receipts": "run VARBINARY(255), table_schema VARBINARY(256), table_name VARBINARY(256), "
    "`partition` INT, epoch BIGINT NOT NULL, `rows` BIGINT, bytes BIGINT, cut LONGBLOB, "
    "nulled BIGINT, completed DATETIME(6), "
    "PRIMARY KEY (run, table_schema, table_name, `partition`)",
    "steps": "run VARBINARY(255), step VARBINARY(255), completed DATETIME(6) NOT NULL, "
    "PRIMARY KEY (run, step)",
    "barrier": "id INT PRIMARY KEY, passed DATETIME(6) NOT NULL",
}
_ONE = "run = %s AND table_schema = %s AND table_name = %s AND `partition` = %s"
_RECEIPT = "table_schema, table_name, `partition`, epoch, `rows`, bytes, cut, nulled"


class Tables:
    """The state's tables in one database, by their quoted names."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        names = {kind: qualified(QualifiedName(schema, PREFIX + kind)) for kind in _TABLES}
        self.runs, self.receipts = names["runs"], names["receipts"]
        self.steps, self.barrier = names["steps"], names["barrier"]
        self._names = names

    async def there(self, connection: Connection) -> bool:
        """Say whether they are made."""
        return bool(
            await connection.fetchval(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = %s "
                "AND table_name = %s",
                (self.schema, f"{PREFIX}runs"),
            )
        )

    async def make(self, connection: Connection) -> None:
        """Make them; the statements commit by themselves, and repeating them is harmless."""
        if await self.there(connection):
            return
        await make_database(connection, self.schema)
        # The one that says that all are there comes last.
        for kind in reversed(_TABLES):
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._names[kind]} ({_TABLES[kind]}) ENGINE = InnoDB"
            )

    async def drop(self, connection: Connection) -> None:
        """Drop them, beginning with the one that says that all are there."""
        for kind in _TABLES:
            await connection.execute(f"DROP TABLE IF EXISTS {self._names[kind]}")

    @asynccontextmanager
    async def alone(self, connection: Connection) -> AsyncIterator[None]:
        """Let no other process make, prepare or drop here meanwhile; DDL ends transactions."""
        name = literal("fastload:" + f"{zlib.crc32(self.schema.encode()):08x}")
        if not await connection.fetchval(f"SELECT GET_LOCK({name}, {LOCK_TIMEOUT_S})"):
            raise StateError(
                "another process is preparing a run in this database",
                side="target",
                hint="start again when it is done",
            )
        yield
        await connection.fetchval(f"SELECT RELEASE_LOCK({name})")


async def store_plan(connection: Connection, tables: Tables, plan: Plan, void: list[str]) -> int:
    """Insert the run with its plan, forget those it makes void, and return its epoch, 1."""
    for other in void:
        await _delete(connection, tables, other)
    await connection.execute(
        f"INSERT INTO {tables.runs} VALUES (%s, 1, {_bytes(_pack(plan))}, UTC_TIMESTAMP(6))",
        (_key(plan.run),),
    )
    return 1


async def check_free(connection: Connection, tables: Tables, plan: Plan) -> list[str]:
    """Return the runs that the plan makes void.

    Raises:
        StateError: The run is there already, or another is filling one of its tables.
    """
    stored = [_unpack(row[0]) for row in await connection.fetch(f"SELECT plan FROM {tables.runs}")]
    if any(other.run == plan.run for other in stored):
        raise StateError(
            f"run {plan.run!r} was started by another process meanwhile",
            side="target",
            hint="start it again to continue it, or give this one another name: run='...'",
        )
    return resume.others(plan, stored)


async def replace_table_plan(
    connection: Connection, tables: Tables, run: str, table: TablePlan
) -> None:
    """Store a new plan of one table within the run's."""
    packed = await connection.fetchval(
        f"SELECT plan FROM {tables.runs} WHERE run = %s", (_key(run),)
    )
    plan = _unpack(packed)
    planned = tuple(table if t.source.name == table.source.name else t for t in plan.tables)
    packed = _pack(msgspec.structs.replace(plan, tables=planned))
    await connection.execute(
        f"UPDATE {tables.runs} SET plan = {_bytes(packed)} WHERE run = %s", (_key(run),)
    )


async def begin_receipt(connection: Connection, tables: Tables, receipt: Receipt) -> Receipt | None:
    """Insert an open receipt; return None to go on, or the one that is complete already.

    Waits for another writer of the same partition to end.
    """
    await fence(connection, tables, receipt.run, receipt.epoch)
    key = _place(receipt)
    began = await connection.execute(
        f"INSERT IGNORE INTO {tables.receipts} "
        "(run, table_schema, table_name, `partition`, epoch) VALUES (%s, %s, %s, %s, %s)",
        (*key, receipt.epoch),
    )
    if began:
        return None
    # Not as the transaction's snapshot sees it: the other writer may have just committed.
    row = await connection.fetchrow(
        f"SELECT {_RECEIPT} FROM {tables.receipts} WHERE {_ONE} LOCK IN SHARE MODE", key
    )
    assert row is not None
    return _receipt(receipt.run, row)


async def end_receipt(connection: Connection, tables: Tables, receipt: Receipt) -> None:
    """Complete the receipt that this transaction began."""
    cut = msgspec.json.encode(receipt.cut).decode() if receipt.cut else None
    await connection.execute(
        f"UPDATE {tables.receipts} SET `rows` = %s, bytes = %s, cut = %s, "
        f"nulled = %s, completed = UTC_TIMESTAMP(6) WHERE {_ONE}",
        (receipt.rows, receipt.bytes, cut, receipt.nulled, *_place(receipt)),
    )


async def forget_receipts(
    connection: Connection, tables: Tables, run: str, table: QualifiedName
) -> int:
    """Delete the receipts of one table, and return how many rows they stood for."""
    where = f"FROM {tables.receipts} WHERE run = %s AND table_schema = %s AND table_name = %s"
    key = (_key(run), table.schema, table.name)
    rows = await connection.fetchval(f"SELECT COALESCE(SUM(`rows`), 0) {where}", key)
    await connection.execute(f"DELETE {where}", key)
    return int(rows)


async def fence(connection: Connection, tables: Tables, run: str, epoch: int) -> None:
    """Hold the run against claims until the transaction ends; StateError if it was claimed."""
    held = await connection.fetchval(
        f"SELECT 1 FROM {tables.runs} WHERE run = %s AND epoch = %s LOCK IN SHARE MODE",
        (_key(run), epoch),
    )
    if not held:
        raise StateError(
            f"run {run!r} was taken over by another process; this one stops",
            side="target",
            hint="nothing is lost: let the other process go on",
        )


async def has_step(connection: Connection, tables: Tables, run: str, step: str) -> bool:
    """Say whether a step has its receipt."""
    where = f"FROM {tables.steps} WHERE run = %s AND step = %s"
    return bool(await connection.fetchval(f"SELECT COUNT(*) {where}", (_key(run), _key(step))))


async def end_step(connection: Connection, tables: Tables, run: str, step: str) -> bool:
    """Insert the step's receipt; False where it is there already.

    Waits for another transaction that has inserted it to end.
    """
    made = await connection.execute(
        f"INSERT IGNORE INTO {tables.steps} VALUES (%s, %s, UTC_TIMESTAMP(6))",
        (_key(run), _key(step)),
    )
    return bool(made)


class MysqlState:
    """The state store of one target."""

    def __init__(self, sessions: Sessions, tables: Tables) -> None:
        self._sessions = sessions
        self._tables = tables

    async def claim(self, run: str) -> StoredRun | None:
        """Raise the run's epoch and return what is stored of it."""
        async with self._sessions.lend() as connection:
            if not await self._tables.there(connection):
                return None
            async with transaction(connection):
                raised = f"UPDATE {self._tables.runs} SET epoch = epoch + 1 WHERE run = %s"
                if not await connection.execute(raised, (_key(run),)):
                    return None
                stored = await self._stored(connection, "WHERE run = %s", (_key(run),))
            return stored[0]

    async def runs(self) -> Sequence[StoredRun]:
        """Return every stored run, oldest first."""
        async with self._sessions.lend() as connection:
            if not await self._tables.there(connection):
                return []
            return await self._stored(connection, "ORDER BY prepared", ())

    async def discard(self, run: str) -> None:
        """Forget the run; the last one takes the tables with it."""
        async with self._sessions.lend() as connection:
            if not await self._tables.there(connection):
                return
            async with self._tables.alone(connection):
                async with transaction(connection):
                    await _delete(connection, self._tables, run)
                if not await connection.fetchval(f"SELECT COUNT(*) FROM {self._tables.runs}"):
                    await self._tables.drop(connection)

    async def _stored(
        self, connection: Connection, which: str, args: Sequence[str]
    ) -> list[StoredRun]:
        tables = self._tables
        found = []
        for epoch, packed in await connection.fetch(
            f"SELECT epoch, plan FROM {tables.runs} {which}", args
        ):
            plan = _unpack(packed)
            key, names = _key(plan.run), {_key(s.id): s.id for s in plan.after}
            receipts = await connection.fetch(
                f"SELECT {_RECEIPT} FROM {tables.receipts} "
                "WHERE run = %s AND completed IS NOT NULL",
                (key,),
            )
            steps = await connection.fetch(
                f"SELECT step FROM {tables.steps} WHERE run = %s", (key,)
            )
            found.append(
                StoredRun(
                    plan=plan,
                    epoch=epoch,
                    receipts=tuple(_receipt(plan.run, r) for r in receipts),
                    steps=tuple(names.get(_text(s), _text(s)) for (s,) in steps),
                )
            )
        return found


async def _delete(connection: Connection, tables: Tables, run: str) -> None:
    """Delete all that is stored of a run, first what its writers hold fast until they are done."""
    for table in (tables.runs, tables.receipts, tables.steps):
        await connection.execute(f"DELETE FROM {table} WHERE run = %s", (_key(run),))


async def pass_barrier(connection: Connection, tables: Tables, run: str) -> Kept:
    """Commit a row, have the log written, and count what is left of the run.

    A server writes its log at each commit, or once a second if it was told so
    (innodb_flush_log_at_trx_commit); FLUSH ENGINE LOGS then writes it now, if this user may.
    """
    async with tables.alone(connection):
        await tables.make(connection)
        async with transaction(connection):
            await connection.execute(f"REPLACE INTO {tables.barrier} VALUES (1, UTC_TIMESTAMP(6))")
            receipts = await connection.fetchval(
                f"SELECT COUNT(*) FROM {tables.receipts} WHERE run = %s AND completed IS NOT NULL",
                (_key(run),),
            )
            steps = await connection.fetchval(
                f"SELECT COUNT(*) FROM {tables.steps} WHERE run = %s", (_key(run),)
            )
        if await connection.fetchval("SELECT @@global.innodb_flush_log_at_trx_commit") != 1:
            with suppress(TargetError):
                await connection.execute("FLUSH ENGINE LOGS")
    return Kept(receipts=receipts, steps=steps)


def _receipt(run: str, row: Row) -> Receipt:
    schema, name, partition, epoch, rows, bytes_, cut, nulled = row
    return Receipt(
        run=run,
        epoch=epoch,
        table=QualifiedName(_text(schema), _text(name)),
        partition=partition,
        rows=rows,
        bytes=bytes_,
        cut=msgspec.json.decode(cut, type=Cut) if cut else None,
        nulled=nulled or 0,
    )


def _place(receipt: Receipt) -> tuple[str, str, str, int]:
    name = receipt.table
    return _key(receipt.run), name.schema, name.name, receipt.partition


def _key(text: str) -> str:
    """Return a text as keys hold it: of a long one, the beginning and its digest."""
    data = text.encode()
    if len(data) <= _KEY_BYTES:
        return text
    digest = hashlib.sha256(data).hexdigest()
    return f"{data[: _KEY_BYTES - len(digest) - 1].decode(errors='ignore')}~{digest}"


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _bytes(data: bytes) -> str:
    return f"X'{data.hex()}'"


def _pack(plan: Plan) -> bytes:
    return zlib.compress(msgspec.json.encode(plan), 1)


def _unpack(data: bytes) -> Plan:
    return msgspec.json.decode(zlib.decompress(data), type=Plan)
