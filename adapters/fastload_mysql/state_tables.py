"""The tables of a target's state: made when first needed, dropped when nothing is left in them.

They stand beside the tables that are copied, since a user may often make tables there and nowhere
else. All texts are bytes here, as a collation would take some for others.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastload.errors import StateError, TargetError
from fastload.model import QualifiedName
from fastload_mysql.connection import Connection
from fastload_mysql.named_lock import Held, holding
from fastload_mysql.quoting import qualified
from fastload_mysql.relations import is_there

PREFIX = "_fastload_"
# Old servers index up to 767 bytes of a column, unless they are told otherwise.
_KEY_BYTES = 255
_TABLES = {
    "runs": "run VARBINARY(255) PRIMARY KEY, epoch BIGINT NOT NULL, plan LONGBLOB NOT NULL, "
    "prepared DATETIME(6) NOT NULL",
    "receipts": "run VARBINARY(255), table_schema VARBINARY(256), table_name VARBINARY(256), "
    "`partition` INT, epoch BIGINT NOT NULL, session BIGINT UNSIGNED NOT NULL, `rows` BIGINT, "
    "bytes BIGINT, cut LONGBLOB, nulled BIGINT, rejected BIGINT, rejects LONGBLOB, "
    "completed DATETIME(6), "
    "PRIMARY KEY (run, table_schema, table_name, `partition`)",
    "steps": "run VARBINARY(255), step VARBINARY(255), completed DATETIME(6) NOT NULL, "
    "PRIMARY KEY (run, step)",
    "tables": "run VARBINARY(255), table_schema VARBINARY(256), table_name VARBINARY(256), "
    "target_schema VARBINARY(256), target_name VARBINARY(256), shape VARBINARY(64), "
    "PRIMARY KEY (run, table_schema, table_name)",
    "barrier": "id INT PRIMARY KEY, passed DATETIME(6) NOT NULL",
}
_EAGER = (
    "SELECT @@global.innodb_flush_log_at_trx_commit = 1 "
    "AND (@@global.log_bin = 0 OR @@global.sync_binlog = 1)"
)


def stored_key(text: str) -> str:
    """Return a text as the state's keys hold it: of a long one, the beginning and its digest."""
    data = text.encode()
    if len(data) <= _KEY_BYTES:
        return text
    digest = hashlib.sha256(data).hexdigest()
    return f"{data[: _KEY_BYTES - len(digest) - 1].decode(errors='ignore')}~{digest}"


class Tables:
    """The state's tables in one database, by their quoted names."""

    def __init__(self, schema: str) -> None:
        self.schema = schema
        self.names = [QualifiedName(schema, PREFIX + kind) for kind in _TABLES]
        names = {kind: qualified(n) for kind, n in zip(_TABLES, self.names, strict=True)}
        self.runs, self.receipts = names["runs"], names["receipts"]
        self.steps, self.barrier = names["steps"], names["barrier"]
        self.tables = names["tables"]
        self._names = names

    async def there(self, connection: Connection) -> bool:
        """Say whether they are made."""
        return await is_there(connection, QualifiedName(self.schema, f"{PREFIX}runs"))

    async def begun(self, connection: Connection) -> bool:
        """Say whether at least the first of them is made."""
        return await is_there(connection, QualifiedName(self.schema, f"{PREFIX}barrier"))

    async def of_runs(self, connection: Connection) -> list[str]:
        """Return those that have rows by run, the runs first; another version may lack some."""
        kinds = ("runs", "receipts", "steps", "tables")
        names = {kind: QualifiedName(self.schema, PREFIX + kind) for kind in kinds}
        return [self._names[k] for k in kinds if await is_there(connection, names[k])]

    async def make(self, connection: Connection) -> None:
        """Make them; the statements commit by themselves, and repeating them is harmless."""
        # Last the one that says that all are there, first the one that says that one is.
        for kind in reversed(_TABLES):
            statement = f"CREATE TABLE IF NOT EXISTS {self._names[kind]} ({_TABLES[kind]})"
            try:
                await connection.execute(f"{statement} ENGINE = InnoDB")
            except TargetError as error:
                error.table = f"{self.schema}.{PREFIX}{kind}"
                raise

    async def drop_if_unused(self, connection: Connection) -> None:
        """Drop them where no run is left, nor the mark of a write that goes on without one.

        Alone only. A mark whose writer was killed is nobody's after a day.
        """
        if await self.there(connection) and await connection.fetchval(
            f"SELECT EXISTS (SELECT 1 FROM {self.runs}) OR EXISTS (SELECT 1 FROM {self.steps} "
            "WHERE completed > UTC_TIMESTAMP() - INTERVAL 1 DAY)"
        ):
            return
        # At once, or an answer that is lost in between would leave some for ever; first the one
        # that says that all are there.
        await connection.execute(f"DROP TABLE IF EXISTS {', '.join(self._names.values())}")

    @asynccontextmanager
    async def alone(self, connection: Connection) -> AsyncIterator[None]:
        """Let no other process make, prepare or drop here meanwhile; DDL ends transactions."""
        try:
            async with holding(connection, "prepare", self.schema):
                yield
        except Held as error:
            raise StateError(
                f"session {error.session} is preparing a run in this database",
                side="target",
                hint="start again when it is done",
            ) from None

    async def make_durable(self, connection: Connection) -> None:
        """Have the server's log written up to here, whatever it does at a commit.

        Where it writes its log at each commit, one that changes something takes the log before it
        along. Elsewhere DDL does so in any case. FLUSH ENGINE LOGS would need a right, and MariaDB
        writes nothing for it (10.11, measured by the log's positions, with
        innodb_flush_log_at_trx_commit of 0 and 2), nor for an ALTER of the catalogue alone.
        """
        if await connection.fetchval(_EAGER):
            await connection.execute(f"REPLACE INTO {self.barrier} VALUES (1, UTC_TIMESTAMP(6))")
        else:
            await connection.execute(f"TRUNCATE TABLE {self.barrier}")
