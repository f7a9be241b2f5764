"""Proof that the target's tables are still those that were prepared.

Columns are written down with the plan, and compared under the metadata lock that a writer's rows
need anyway. TRUNCATE leaves no trace that every user may see: a table of which receipts say that
it has rows, and which has none, was emptied. Whoever comes first after a TRUNCATE sees that, since
receipts and rows commit together.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastload.errors import TargetChanged, TargetError
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection, Row
from fastload_mysql.quoting import qualified
from fastload_mysql.receipts import as_text
from fastload_mysql.relations import is_there
from fastload_mysql.state_tables import Tables, stored_key

_SHAPE = """(SELECT SHA2(GROUP_CONCAT(QUOTE(c.column_name), ' ', c.column_type, ' ',
       COALESCE(c.character_set_name, '') ORDER BY c.ordinal_position), 256)
FROM information_schema.columns c WHERE c.table_schema = {0} AND c.table_name = {1})"""
_OURS = "run = %s AND table_schema = %s AND table_name = %s"
# Otherwise tables would be taken for others whose names differ in case or accents alone.
_EXACTLY = "CONVERT(t.{} USING utf8mb4) COLLATE utf8mb4_bin"
_ASKED_AT_ONCE = 200


async def note(connection: Connection, tables: Tables, run: str, of: Sequence[TablePlan]) -> None:
    """Write down what the tables are now."""
    for table in of:
        here, there = table.source.name, table.target.name
        await connection.execute(
            f"REPLACE INTO {tables.tables} VALUES (%s, %s, %s, %s, %s, "
            f"{_SHAPE.format('%s', '%s')})",
            (stored_key(run), *_pair(here), *_pair(there), *_pair(there)),
        )


async def prove(connection: Connection, tables: Tables, run: str, table: TablePlan) -> None:
    """Lock a table against DDL as its writers do, and see that it is the one that was prepared.

    Raises:
        TargetChanged: It was altered, emptied or dropped meanwhile.
    """
    name, key = table.target.name, (stored_key(run), *_pair(table.source.name))
    try:
        await connection.fetch(f"SELECT 1 FROM {qualified(name)} LIMIT 0 FOR UPDATE")
    except TargetError as error:
        if await is_there(connection, name):
            raise
        raise TargetChanged.of(str(name), "dropped or renamed") from error
    row = await connection.fetchrow(
        f"SELECT t.shape, {_SHAPE.format('%s', '%s')}, EXISTS (SELECT 1 FROM {tables.receipts} "
        f"WHERE {_OURS} AND `rows` > 0 AND completed IS NOT NULL), "
        f"EXISTS (SELECT 1 FROM {qualified(name)}) FROM {tables.tables} t WHERE {_OURS}",
        (*_pair(name), *key, *key),
    )
    if row is not None:
        was, now, filled, holds = row
        _refuse(name, was, now, emptied=bool(filled and not holds))


async def prove_all(connection: Connection, tables: Tables, run: str, *, columns: bool) -> None:
    """See that all tables of a run are those that were prepared.

    Args:
        connection: Any.
        tables: The state's.
        run: The run.
        columns: Whether their columns have to be as they were; steps after the rows change them.

    Raises:
        TargetChanged: One was altered, emptied or dropped meanwhile.
    """
    rows = await connection.fetch(
        f"SELECT t.target_schema, t.target_name, t.shape, "
        f"{_SHAPE.format(*map(_EXACTLY.format, ('target_schema', 'target_name')))}, "
        f"EXISTS (SELECT 1 FROM {tables.receipts} r WHERE r.run = t.run AND r.table_schema = "
        "t.table_schema AND r.table_name = t.table_name AND r.`rows` > 0) "
        f"FROM {tables.tables} t WHERE t.run = %s",
        (stored_key(run),),
    )
    filled = []
    for schema, table, was, now, has_rows in rows:
        name = QualifiedName(as_text(schema), as_text(table))
        _refuse(name, was, now if columns or now is None else was)
        if has_rows:
            filled.append(name)
    for start in range(0, len(filled), _ASKED_AT_ONCE):
        some = filled[start : start + _ASKED_AT_ONCE]
        for name, row in zip(some, await _held(connection, some), strict=True):
            _refuse(name, None, "", emptied=not row[0])


async def _held(connection: Connection, names: Sequence[QualifiedName]) -> Sequence[Row]:
    """Return for each table, in order, whether it holds a row."""
    asked = " UNION ALL ".join(f"SELECT EXISTS (SELECT 1 FROM {qualified(n)})" for n in names)
    return await connection.fetch(asked)


def _refuse(
    name: QualifiedName, was: bytes | None, now: str | bytes | None, *, emptied: bool = False
) -> None:
    if now is None:
        raise TargetChanged.of(str(name), "dropped or renamed")
    if was is not None and as_text(was) != as_text(now):
        raise TargetChanged.of(str(name), "altered")
    if emptied:
        raise TargetChanged.of(str(name), "emptied or made anew")


def _pair(name: QualifiedName) -> tuple[str, str]:
    return name.schema, name.name
