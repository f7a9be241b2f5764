"""The tables of a server that a selection means, and what else its databases have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fastload.adapter import Selection
from fastload.errors import TableNotFound
from fastload.model import QualifiedName
from fastload.selection import choose
from fastload_mysql import catalog_queries as queries
from fastload_mysql.catalog_queries import Session
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import literal

_TABLES = ("BASE TABLE", "SYSTEM VERSIONED")


class Relation(msgspec.Struct, frozen=True):
    """A table, view or sequence.

    Attributes:
        kind: ``TABLE_TYPE``.
    """

    name: QualifiedName
    kind: str

    @property
    def plain(self) -> bool:
        """Whether patterns mean it."""
        return self.kind in _TABLES


async def read_relations(
    connection: Session, default_schema: str | None, others: Iterable[str] = ()
) -> list[Relation]:
    """Return what is in the default database and in others, or in every user's database."""
    schemas = [literal(s) for s in dict.fromkeys((default_schema or "", *others))]
    where = "TRUE" if default_schema is None else f"table_schema IN ({', '.join(schemas)})"
    rows = await connection.fetch_named(queries.RELATIONS.format(where=where))
    return [Relation(QualifiedName(r["schema"], r["name"]), r["kind"]) for r in rows]


async def read_schemas(connection: Session, default_schema: str | None) -> list[str]:
    """Return the default database, or every user's database."""
    if default_schema is not None:
        return [default_schema]
    return [r["schema"] for r in await connection.fetch_named(queries.SCHEMAS)]


async def is_there(connection: Connection, name: QualifiedName) -> bool:
    """Say whether there is a table of this name."""
    return bool(
        await connection.fetchval(
            "SELECT COUNT(*) FROM information_schema.tables "
            "WHERE table_schema = %s AND table_name = %s",
            (name.schema, name.name),
        )
    )


def chosen_tables(relations: Sequence[Relation], select: Selection) -> list[QualifiedName]:
    """Return the tables that the selection means.

    Raises:
        TableNotFound: A name without wildcards matches no table.
    """
    try:
        return [r.name for r in choose([r for r in relations if r.plain], select)]
    except TableNotFound as error:
        raise _explained(error, relations) from None


def _explained(error: TableNotFound, relations: Sequence[Relation]) -> TableNotFound:
    for relation in relations:
        if error.table in (relation.name.name, str(relation.name)) and not relation.plain:
            error.hint = f"{relation.name} is a {relation.kind.lower()}: only tables are copied"
            return error
    error.hint = f"{error.hint} (tables on which this user has no right are not seen)"
    return error
