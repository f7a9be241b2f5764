"""Rows deleted and merged so that no other row is changed: what others refer to is left alone."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.adapter import Reading, Referring
from fastload.errors import ConstraintError
from fastload.model import QualifiedName, TablePlan
from fastload_mysql.connection import Connection
from fastload_mysql.merging import same_key
from fastload_mysql.quoting import ident, qualified
from fastload_mysql.referring import (
    Reference,
    changing,
    count,
    may_be_made_anew,
    references_to,
)
from fastload_mysql.writing import merge_staged, stage_rows, unstage

_SAVEPOINT = "fastload_merge"


async def mend(
    connection: Connection, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
) -> list[Referring]:
    """Delete and merge rows in the connection's transaction; see the seam."""
    references = await references_to(connection, table.target.name)
    left = await _delete(connection, extra, keys, references)
    found = await _merge(connection, table, rows, references, left)
    return [*left, *found]


async def referring(
    connection: Connection, table: TablePlan, rows: Reading, extra: TablePlan, keys: Reading
) -> list[Referring]:
    """Return what mending rows would change besides; see the seam."""
    found: list[Referring] = []
    references = await references_to(connection, table.target.name)
    for event, plan, reading in (("DELETE", extra, keys), ("UPDATE", table, rows)):
        acting = [r for r in references if r.acts(event)]
        if acting:
            staging = await stage_rows(connection, plan, reading)
            found += await _found(connection, event, plan, staging, acting)
            await unstage(connection, staging)
    return found


async def _delete(
    connection: Connection, table: TablePlan, keys: Reading, references: Sequence[Reference]
) -> list[Referring]:
    """Delete the rows of these keys to which no others refer; return what refers to the rest."""
    staging = await stage_rows(connection, table, keys)
    await _delete_staged(connection, table, staging, references)
    left = await _found(connection, "DELETE", table, staging, references)
    await unstage(connection, staging)
    return left


async def _delete_staged(
    connection: Connection,
    table: TablePlan,
    staging: QualifiedName,
    references: Sequence[Reference],
) -> None:
    # Reading locks: what refers to nothing here cannot come to do so before the end.
    joins = "".join(f" LEFT {r.joined(table, f'c{i}', 'DELETE')}" for i, r in enumerate(references))
    alone = "".join(f" AND c{i}.{ident(r.columns[0])} IS NULL" for i, r in enumerate(references))
    statement = f"DELETE t FROM {_rows(table, staging)}{joins} WHERE TRUE{alone}"
    # Where rows of the table refer to each other, those go first to which nobody does. What refers
    # to rows that are merged later lets go of others by the next round.
    while await connection.execute(statement) and any(r.own for r in references):
        pass


async def _merge(
    connection: Connection,
    table: TablePlan,
    rows: Reading,
    references: Sequence[Reference],
    left: Sequence[Referring],
) -> list[Referring]:
    """Merge rows but those whose change would change what refers to them; return that.

    Rows that are left for the sake of others may be in the way of these: then none is merged.
    """
    staging = await stage_rows(connection, table, rows)
    acting = [r for r in references if r.acts("UPDATE")]
    found = await _found(connection, "UPDATE", table, staging, acting)
    for r in acting:
        await connection.execute(
            f"DELETE s FROM {_rows(table, staging)} {r.joined(table, 'c', 'UPDATE')} "
            f"WHERE {changing(r, table)}"
        )
    await connection.execute(f"SAVEPOINT {_SAVEPOINT}")
    try:
        await _merge_somehow(connection, table, staging, references)
    except ConstraintError:
        if not left and not found:
            raise
        await connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        await unstage(connection, staging)
    return found


async def _merge_somehow(
    connection: Connection,
    table: TablePlan,
    staging: QualifiedName,
    references: Sequence[Reference],
) -> None:
    """Merge staged rows; where they are in each other's way, make those anew that may be."""
    try:
        await merge_staged(connection, table, table.target.name, staging)
    except ConstraintError:
        await connection.execute(f"ROLLBACK TO SAVEPOINT {_SAVEPOINT}")
        if not await may_be_made_anew(connection, table):
            raise
        await _delete_staged(connection, table, staging, references)
        await merge_staged(connection, table, table.target.name, staging)


async def _found(
    connection: Connection,
    event: str,
    table: TablePlan,
    staging: QualifiedName,
    references: Sequence[Reference],
) -> list[Referring]:
    rows = _rows(table, staging)
    found = [await count(connection, r, event, table, rows) for r in references]
    return [f for f in found if f is not None]


def _rows(table: TablePlan, staging: QualifiedName) -> str:
    return f"{qualified(table.target.name)} t JOIN {qualified(staging)} s ON {same_key(table)}"
