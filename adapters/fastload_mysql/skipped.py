"""Which row a load has left out, where the server does not say: its key is not in the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastload.errors import FastloadError
from fastload.model import QualifiedName
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import ident, idents, qualified
from fastload_mysql.row_keys import RowKeys

_PROBE = "fastload_probe"
_STATEMENT_BYTES = 512 << 10


async def find_skipped(
    connection: Connection,
    into: QualifiedName,
    columns: Sequence[tuple[str, str]],
    keys: RowKeys,
) -> str | None:
    """Return the key of a row of the last file that is not there; None where all are, or no keys.

    Args:
        connection: In the transaction of the load, which is to be rolled back.
        into: The table.
        columns: Name and codec of each column that was loaded.
        keys: Those of the file.
    """
    if not keys.columns:
        return None
    probe, names = qualified(QualifiedName(into.schema, _PROBE)), idents(keys.columns)
    same = " AND ".join(f"t.{ident(c)} = k.{ident(c)}" for c in keys.columns)
    asked = ", ".join(f"k.{ident(c)}" for c in keys.columns)
    try:
        await connection.execute(f"DROP TEMPORARY TABLE IF EXISTS {probe}")
        await connection.execute(
            f"CREATE TEMPORARY TABLE {probe} ENGINE = InnoDB "
            f"SELECT {names} FROM {qualified(into)} LIMIT 0"
        )
        for rows in _literals(keys, dict(columns)):
            await connection.change(f"INSERT INTO {probe} ({names}) VALUES ".encode() + rows)
        row = await connection.fetchrow(
            f"SELECT {asked} FROM {probe} k LEFT JOIN {qualified(into)} t ON {same} "
            f"WHERE t.{ident(keys.columns[0])} IS NULL LIMIT 1"
        )
    except FastloadError:
        return None  # what the load was refused for matters more
    return None if row is None else keys.told(row)


def _literals(keys: RowKeys, words: dict[str, str]) -> Iterator[bytes]:
    from fastload.arrow_input import plan
    from fastload_mysql.rows_encode import RowsEncoder

    columns = [(c, words[c]) for c in keys.columns]
    encoder = RowsEncoder(columns, form="values")
    for batch in keys.batches:
        made, row = plan(batch.schema, columns, encoder.check)(batch), 0
        while row < made.num_rows:
            data, row = encoder.encode(made, row, _STATEMENT_BYTES)
            yield data
