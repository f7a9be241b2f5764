"""Rows on their way in: LOAD DATA LOCAL from memory, straight or through a table that is merged.

LOCAL makes warnings of what would be errors: it cuts numbers, puts 0 for NULL and leaves out rows
whose key is there, in every sql_mode. So nothing that it warns of is kept.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from fastload.adapter import Reading
from fastload.errors import EncodeError, FastloadError, TargetError, Unrepresentable
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection
from fastload_mysql.driver_errors import refusal
from fastload_mysql.fitting import word
from fastload_mysql.load_local import LoadResult, load_local
from fastload_mysql.load_statement import load_statement
from fastload_mysql.merging import merge, stage
from fastload_mysql.quoting import literal, qualified

if TYPE_CHECKING:
    import pyarrow as pa

_Pieces: TypeAlias = AsyncIterator[bytes]

STAGING = "fastload_staging"
_ENCODED_BYTES = 1 << 20
_AT_ROW = re.compile(r" at row \d+$")


async def write_rows(
    connection: Connection,
    table: TablePlan,
    reading: Reading,
    into: QualifiedName | None = None,
    *,
    in_pieces: bool = False,
) -> int:
    """Write every row of the reading and return how many the server took.

    Args:
        connection: In a transaction.
        table: The plan.
        reading: Of record batches under the target's names.
        into: The table, where it is not the plan's.
        in_pieces: One statement for each megabyte, which holds the lock on the table's counter
            while the server takes it, and not while the source is waited for.
    """
    name = into or table.target.name
    if not table.merge_by:
        return await _load(connection, table, reading, name, in_pieces=in_pieces)
    staging = QualifiedName(name.schema, STAGING)
    await connection.execute(stage(table, staging))
    rows = await _load(connection, table, reading, staging)
    for statement in merge(table, staging):
        await connection.execute(statement)
    await connection.execute(f"DROP TEMPORARY TABLE {qualified(staging)}")
    return rows


async def _load(
    connection: Connection,
    table: TablePlan,
    reading: Reading,
    into: QualifiedName,
    *,
    in_pieces: bool = False,
) -> int:
    columns = [(c, _codec(table, c)) for c in table.target_columns]
    sets = {c: table.target.column(c).extra.get("charset", "") for c in table.target_columns}
    token = f"fastload-{secrets.token_hex(16)}"
    sql = load_statement(
        literal(token), qualified(into), columns, {c: s for c, s in sets.items() if s}
    )
    pieces, rows = _encoded(reading, table, columns), 0
    with _explained(table):
        async for part in _each(pieces) if in_pieces else _all(pieces):
            done = await load_local(connection, sql, token, part, str(table.target.name))
            await _check(connection, done, table)
            rows += done.records
    return rows


async def _all(pieces: _Pieces) -> AsyncIterator[_Pieces]:
    yield pieces


async def _each(pieces: _Pieces) -> AsyncIterator[_Pieces]:
    async for piece in pieces:
        yield _one(piece)


async def _one(piece: bytes) -> _Pieces:
    yield piece


def _codec(table: TablePlan, column: str) -> str:
    source = table.source.column(table.columns[table.target_columns.index(column)])
    target = table.target.column(column)
    exact = target.extra.get("encode_exact") if source.name in table.exact else None
    return exact or word(source, target)


async def _check(connection: Connection, done: LoadResult, table: TablePlan) -> None:
    """Refuse a load of which the server says that a row is not as it was sent."""
    if not (done.warnings or done.skipped or done.deleted):
        return
    found = await connection.fetch("SHOW WARNINGS")
    if found:
        _, number, message = found[0]
        raise refusal(int(number), str(message), "target", str(table.target.name))
    raise TargetError(
        f"the target skipped {done.skipped} rows, deleted {done.deleted} and gave "
        f"{done.warnings} warnings that it does not show",
        side="target",
        table=str(table.target.name),
        hint="set max_error_count above 0 on the target to see them",
    )


async def _encoded(
    reading: Reading, table: TablePlan, columns: list[tuple[str, str]]
) -> AsyncIterator[bytes]:
    from fastload.arrow_input import plan
    from fastload_mysql.rows_encode import RowsEncoder

    schema = reading.schema
    assert not isinstance(schema, str)
    encoder = RowsEncoder(columns, nulls_instead=table.nulls_instead)
    canonical = plan(schema, columns, encoder.check)
    async for batch in reading:
        with _located(table, batch):
            made = canonical(batch)
        row = 0
        while row < made.num_rows:
            with _located(table, batch):
                data, row = encoder.encode(made, row, _ENCODED_BYTES)
            yield data


@contextmanager
def _located(table: TablePlan, batch: pa.RecordBatch) -> Iterator[None]:
    """Add table and key to what the encoder raises about a row."""
    try:
        yield
    except (EncodeError, Unrepresentable) as error:
        error.side, error.table = "target", str(table.target.name)
        row = getattr(error, "row", None)
        if row is not None:
            error.key = _key_of(table, batch, row)
        raise


def _key_of(table: TablePlan, batch: pa.RecordBatch, row: int) -> str | None:
    key = table.target.primary_key
    if key is None or not set(key.columns) <= set(batch.schema.names):
        return None
    return ", ".join(f"{c}={batch.column(c)[row].as_py()}" for c in key.columns)


@contextmanager
def _explained(table: TablePlan) -> Iterator[None]:
    """Take out of a message what means nothing to a user: the row's place in its partition."""
    try:
        yield
    except FastloadError as error:
        error.message = _AT_ROW.sub("", error.message)
        error.table = error.table or str(table.target.name)
        raise
