"""AUTO_INCREMENT counters and MariaDB's sequences as the model's sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastload.model import Catalog, QualifiedName, Table
from fastload.model import Sequence as SequenceModel
from fastload_mysql import catalog_queries as queries
from fastload_mysql.catalog_queries import Session
from fastload_mysql.quoting import qualified
from fastload_mysql.typemap import ColumnFacts

_PER_QUERY = 200
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
# Whole numbers that the floating types tell apart.
_FLOATING = {"float": 1 << 24, "double": 1 << 53}


async def read_sequences(connection: Session, catalog: Catalog) -> tuple[SequenceModel, ...]:
    """Return the sequences of these tables, with the values they stand at now."""
    owned = [(t, c.name) for t in catalog.tables for c in t.columns if c.identity is not None]
    stored = [s.name for s in catalog.sequences if not s.identity]
    counters = await _counters(connection, [t.name for t, _ in owned])
    return (
        *(_counter(table, column, counters.get(table.name)) for table, column in owned),
        *await stored_sequences(connection, stored),
    )


async def _counters(
    connection: Session, names: Sequence[QualifiedName]
) -> dict[QualifiedName, int]:
    if not names:
        return {}
    rows = await connection.fetch_named(queries.COUNTERS.format(where=queries.on(names)))
    return {QualifiedName(r["schema"], r["name"]): int(r["following"]) for r in rows}


def _counter(table: Table, column: str, following: int | None) -> SequenceModel:
    """Return the sequence of an AUTO_INCREMENT column; a counter at 1 has drawn nothing."""
    type_ = table.column(column).type
    return SequenceModel(
        name=QualifiedName(table.name.schema, f"{table.name.name}_{column}_seq"),
        type=type_,
        start=1,
        increment=1,
        minimum=1,
        maximum=_most(type_),
        cache=1,
        cycle=False,
        last_value=following - 1 if following is not None and following > 1 else None,
        is_called=True,
        owner=(table.name, column),
        identity=True,
    )


def _most(type_: str) -> int:
    facts = ColumnFacts(type=type_)
    if facts.base in _FLOATING:
        return _FLOATING[facts.base]
    return (1 << _BITS.get(facts.base, 64) - (not facts.unsigned)) - 1


async def stored_sequences(
    connection: Session, names: Sequence[QualifiedName]
) -> list[SequenceModel]:
    """Return MariaDB's sequences of these names; each is a table with one row."""
    found = []
    for start in range(0, len(names), _PER_QUERY):
        part = names[start : start + _PER_QUERY]
        query = " UNION ALL ".join(
            f"SELECT {i} AS i, start_value, minimum_value, maximum_value, increment, cache_size, "
            f"cycle_option, next_not_cached_value AS following FROM {qualified(name)}"
            for i, name in enumerate(part)
        )
        rows = await connection.fetch_named(query)
        found += [_stored(part[r["i"]], r) for r in rows]
    return found


def _stored(name: QualifiedName, row: dict[str, Any]) -> SequenceModel:
    return SequenceModel(
        name=name,
        type="bigint",
        start=row["start_value"],
        # Zero is the server's auto_increment_increment.
        increment=row["increment"] or 1,
        minimum=row["minimum_value"],
        maximum=row["maximum_value"],
        cache=max(row["cache_size"], 1),
        cycle=bool(row["cycle_option"]),
        # Values that were handed to caches count as used.
        last_value=row["following"],
        is_called=False,
    )
