"""The relations of a database that a selection means, as far as this user may read them."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import msgspec

from fastload.adapter import Selection
from fastload.errors import SourceError
from fastload.model import QualifiedName
from fastload.selection import choose
from fastload_postgres import catalog_queries as queries
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import ident, qualified


class Relation(msgspec.Struct, frozen=True):
    """A table, or what reads like one.

    Attributes:
        plain: Neither a foreign table nor a partition of another.
        role: The user who asks.
    """

    oid: int
    name: QualifiedName
    plain: bool
    readable: bool
    role: str


async def read_relations(connection: Connection, select: Selection) -> list[Relation]:
    """Return the relations that the selection means.

    Raises:
        TableNotFound: A name without wildcards matches nothing.
        SourceError: This user may not read some of them.
    """
    rows = await connection.fetch(queries.RELATIONS)
    chosen = choose([_relation(r) for r in rows], select)
    check_rights(chosen)
    return chosen


def _relation(row: asyncpg.Record) -> Relation:
    return Relation(
        oid=row["oid"],
        name=QualifiedName(row["schema"], row["name"]),
        plain=row["kind"] != "f" and not row["is_partition"],
        readable=row["readable"],
        role=row["role"],
    )


def check_rights(chosen: Sequence[Relation]) -> None:
    """Refuse relations that this user may not read, with what grants the right."""
    refused = [r.name for r in chosen if not r.readable]
    if refused:
        grants, role = ", ".join(qualified(n) for n in refused), ident(chosen[0].role)
        raise SourceError(
            f"this user may not read {', '.join(map(str, refused))}",
            side="source",
            table=str(refused[0]),
            hint=f"as their owner: GRANT SELECT ON {grants} TO {role}; or exclude them",
        )
