"""Rows deleted and merged so that no other row is changed: what others refer to is left alone."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.adapter import Reading, Referring
from fastload.errors import ConstraintError
from fastload.model import QualifiedName, TablePlan
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import ident, qualified
from fastload_postgres.referring import (
    Reference,
    changing,
    count,
    may_be_made_anew,
    minding,
    references_to,
)
from fastload_postgres.writing import Layouts, explained, merge_staged, stage_rows


async def mend(
    connection: Connection,
    table: TablePlan,
    rows: Reading,
    extra: TablePlan,
    keys: Reading,
    layouts: Layouts,
) -> list[Referring]:
    """Delete and merge rows in the connection's transaction; see the seam."""
    with explained(table):
        references = await references_to(connection, table.target.name)
        left = await _delete(connection, extra, keys, layouts, references)
        found = await _merge(connection, table, rows, layouts, references, left)
    return [*left, *found]


async def referring(
    connection: Connection,
    table: TablePlan,
    rows: Reading,
    extra: TablePlan,
    keys: Reading,
    layouts: Layouts,
) -> list[Referring]:
    """Return what mending rows would change besides; see the seam."""
    found: list[Referring] = []
    transaction = connection.transaction()
    await transaction.start()
    try:
        references = await references_to(connection, table.target.name)
        work = (("DELETE", extra, keys), ("UPDATE", table, rows))
        for event, plan, reading in work:
            acting = [r for r in references if r.acts(event)]
            if acting:
                staging = await stage_rows(connection, plan, reading, layouts)
                found += await _found(connection, event, plan, staging, acting)
                await connection.execute(f"DROP TABLE {qualified(staging)}")
    finally:
        await transaction.rollback()
    return found


async def _delete(
    connection: Connection,
    table: TablePlan,
    keys: Reading,
    layouts: Layouts,
    references: Sequence[Reference],
) -> list[Referring]:
    """Delete the rows of these keys to which no others refer; return what refers to the rest."""
    staging = await stage_rows(connection, table, keys, layouts)
    minded = minding(references, "DELETE")
    await _delete_staged(connection, table, staging, minded)
    left = await _found(connection, "DELETE", table, staging, minded)
    await connection.execute(f"DROP TABLE {qualified(staging)}")
    return left


async def _delete_staged(
    connection: Connection, table: TablePlan, staging: QualifiedName, minded: Sequence[Reference]
) -> None:
    if minded:
        # Nobody can come to refer to a row that is locked.
        await connection.execute(f"SELECT FROM {_rows(table, staging)} FOR UPDATE OF t")
    alone = "".join(f" AND NOT {r.exists(table)}" for r in minded)
    statement = (
        f"DELETE FROM {qualified(table.target.name)} AS t USING {qualified(staging)} AS s "
        f"WHERE {_same(table)}{alone}"
    )
    # Where rows of the table refer to each other, those go first to which nobody does. What refers
    # to rows that are merged later lets go of others by the next round.
    while await connection.execute(statement) != "DELETE 0" and any(r.own for r in minded):
        pass


async def _merge(
    connection: Connection,
    table: TablePlan,
    rows: Reading,
    layouts: Layouts,
    references: Sequence[Reference],
    left: Sequence[Referring],
) -> list[Referring]:
    """Merge rows but those whose change would change what refers to them; return that.

    Rows that are left for the sake of others may be in the way of these: then none is merged.
    """
    staging = await stage_rows(connection, table, rows, layouts)
    minded = minding(references, "UPDATE")
    if minded:
        await connection.execute(f"SELECT FROM {_rows(table, staging)} FOR UPDATE OF t")
    found = await _found(connection, "UPDATE", table, staging, minded)
    for r in minded:
        await connection.execute(
            f"DELETE FROM {qualified(staging)} AS s USING {qualified(table.target.name)} AS t "
            f"WHERE {_same(table)} AND {changing(r, table)} AND {r.exists(table)}"
        )
    try:
        await _merge_somehow(connection, table, staging, references)
    except ConstraintError:
        if not left and not found:
            raise
        await connection.execute(f"DROP TABLE {qualified(staging)}")
    return found


async def _merge_somehow(
    connection: Connection,
    table: TablePlan,
    staging: QualifiedName,
    references: Sequence[Reference],
) -> None:
    """Merge staged rows; where they are in each other's way, make those anew that may be."""
    try:
        async with connection.transaction():
            with explained(table):
                await merge_staged(connection, table, staging)
    except ConstraintError:
        if not await may_be_made_anew(connection, table):
            raise
        async with connection.transaction():
            with explained(table):
                await _delete_staged(connection, table, staging, minding(references, "DELETE"))
                await merge_staged(connection, table, staging)


async def _found(
    connection: Connection,
    event: str,
    table: TablePlan,
    staging: QualifiedName,
    references: Sequence[Reference],
) -> list[Referring]:
    found = []
    for r in references:
        condition = changing(r, table) if event == "UPDATE" else "true"
        found.append(await count(connection, r, event, table, _rows(table, staging), condition))
    return [f for f in found if f is not None]


def _rows(table: TablePlan, staging: QualifiedName) -> str:
    return f"{qualified(table.target.name)} AS t JOIN {qualified(staging)} AS s ON {_same(table)}"


def _same(table: TablePlan) -> str:
    return " AND ".join(f"t.{ident(c)} = s.{ident(c)}" for c in table.merge_by)
