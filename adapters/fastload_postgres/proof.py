"""Proof that the target's tables are still those that were prepared.

What a table is, is written down with the plan: its object id, the files that hold its rows, which
TRUNCATE and rewriting ALTERs replace, and its columns. Every writer compares them under the lock
that its rows need anyway, so nothing can change between the look and the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg

from fastload.errors import TargetChanged
from fastload.model import QualifiedName, TablePlan
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import qualified

TABLE = "_fastload.tables"
MAKE = f"""
CREATE TABLE IF NOT EXISTS {TABLE} (
    run text, table_schema text, table_name text,
    target_schema text NOT NULL, target_name text NOT NULL,
    relation bigint, storage text, shape text,
    PRIMARY KEY (run, table_schema, table_name));
"""
_NOW = """
LEFT JOIN pg_namespace n ON n.nspname = w.target_schema
LEFT JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.target_name
LEFT JOIN LATERAL (
    WITH RECURSIVE tree AS (
        SELECT c.oid AS member
        UNION ALL
        SELECT i.inhrelid FROM tree t
        JOIN pg_class p ON p.oid = t.member AND p.relkind = 'p'
        JOIN pg_inherits i ON i.inhparent = t.member)
    SELECT string_agg(coalesce(pg_relation_filenode(member), 0)::text, ',' ORDER BY member) AS told
    FROM tree) AS storage ON true
LEFT JOIN LATERAL (
    SELECT md5(coalesce(string_agg(concat_ws(':', quote_ident(a.attname), a.atttypid, a.atttypmod),
                                   ',' ORDER BY a.attnum), '')) AS told
    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    ) AS shape ON true"""
_NOTE = f"""
INSERT INTO {TABLE}
SELECT $1::text, w.table_schema, w.table_name, w.target_schema, w.target_name,
       c.oid::int8, storage.told, shape.told
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[])
  AS w (table_schema, table_name, target_schema, target_name){_NOW}"""
_CHANGED = f"""
SELECT w.target_schema, w.target_name, c.oid IS NULL AS gone, shape.told <> w.shape AS altered
FROM {TABLE} w{_NOW}
WHERE w.run = $1 AND (c.oid IS NULL OR c.oid::int8 <> w.relation OR storage.told <> w.storage
                      OR ($2 AND shape.told <> w.shape)) {{which}} LIMIT 1"""
_ANY_CHANGED = _CHANGED.format(which="")
_ONE_CHANGED = _CHANGED.format(which="AND w.table_schema = $3 AND w.table_name = $4")


async def note(connection: Connection, run: str, tables: Sequence[TablePlan]) -> None:
    """Write down what the tables are now."""
    here, there = [t.source.name for t in tables], [t.target.name for t in tables]
    names = [[n.schema for n in here], [n.name for n in here]]
    names += [[n.schema for n in there], [n.name for n in there]]
    await connection.execute(_NOTE, run, *names)


async def forget(connection: Connection, run: str, table: QualifiedName) -> None:
    """Forget what one table was."""
    await connection.execute(
        f"DELETE FROM {TABLE} WHERE run = $1 AND table_schema = $2 AND table_name = $3",
        run,
        table.schema,
        table.name,
    )


async def prove(connection: Connection, run: str, table: TablePlan) -> None:
    """Lock a table as its writers do, and see that it is the one that was prepared.

    Raises:
        TargetChanged: It was altered, emptied or dropped meanwhile.
    """
    name = table.target.name
    if table.target.extra.get("relkind") != "f":  # which takes no lock
        try:
            await connection.execute(f"LOCK TABLE {qualified(name)} IN ROW EXCLUSIVE MODE")
        except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError) as error:
            raise _changed(name, "dropped or renamed") from error
    source = table.source.name
    _refuse(await connection.fetchrow(_ONE_CHANGED, run, True, source.schema, source.name))


async def prove_all(connection: Connection, run: str, *, columns: bool) -> None:
    """See that all tables of a run are those that were prepared.

    Args:
        connection: Any.
        run: The run.
        columns: Whether their columns have to be as they were; steps after the rows change them.

    Raises:
        TargetChanged: One was altered, emptied or dropped meanwhile.
    """
    _refuse(await connection.fetchrow(_ANY_CHANGED, run, columns))


def _refuse(found: asyncpg.Record | None) -> None:
    if found is None:
        return
    name = QualifiedName(found["target_schema"], found["target_name"])
    if found["gone"]:
        raise _changed(name, "dropped or renamed")
    raise _changed(name, "altered" if found["altered"] else "emptied, rewritten or made anew")


def _changed(name: QualifiedName, what: str) -> TargetChanged:
    return TargetChanged.of(str(name), what)
