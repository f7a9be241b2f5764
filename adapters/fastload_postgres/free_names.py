"""Names of keys and indexes that nothing on the target has: a schema has each name once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Set
from typing import TypeVar

import msgspec

from fastload.adapter import SchemaSpec
from fastload.model import Catalog, Index, Inspection, Key, NotCarried, QualifiedName, Table
from fastload.schema_work import TableWork, of_catalog
from fastload_postgres.ddl_after import same_index
from fastload_postgres.names import unique_names, wanted

_Named = TypeVar("_Named", Key, Index)


def with_free_names(
    catalog: Catalog, existing: Inspection, want: SchemaSpec
) -> tuple[Catalog, list[NotCarried]]:
    """Return the catalogue with other names for what could not be made, and tell of each.

    Args:
        catalog: In this database's words.
        existing: What the target has.
        want: What is made; tables that are replaced take their indexes with them.
    """
    ours = {t.name for t in catalog.tables}
    taken: defaultdict[str, set[str]] = defaultdict(set)
    for name, table in existing.relations:
        if not (want.mode == "replace" and table in ours):
            taken[name.schema].add(name.name)
    told: list[NotCarried] = []
    used = {schema: names | _own(catalog, schema) for schema, names in taken.items()}
    freed = {
        w.name: _freed(w, taken[w.name.schema], used[w.name.schema], told)
        for w in of_catalog(catalog, existing, want, same_index)
        if w.name.schema in used
    }
    tables = tuple(freed.get(t.name, t) for t in catalog.tables)
    return msgspec.structs.replace(catalog, tables=tables), told


def _own(catalog: Catalog, schema: str) -> set[str]:
    return {n for t in catalog.tables if t.name.schema == schema for n in _names(t)}


def _names(table: Table) -> Iterator[str]:
    yield table.name.name
    yield from (k.name for k in table.keys)
    yield from (i.name for i in table.indexes)
    yield from (c.name for c in table.checks)
    yield from (f.name for f in table.foreign_keys)


def _freed(w: TableWork, taken: Set[str], used: set[str], told: list[NotCarried]) -> Table:
    def free(kind: str, found: _Named) -> _Named:
        if found.name not in taken:
            return found
        wish = wanted(w.name.name, kind, found.name)
        (name,) = unique_names([wish], used).values()
        used.add(name)
        told.append(_renamed(kind, w.name, found.name, name))
        return msgspec.structs.replace(found, name=name)

    return msgspec.structs.replace(
        w.table,
        keys=tuple(free("key", k) if k in w.keys else k for k in w.table.keys),
        indexes=tuple(free("index", i) if i in w.indexes else i for i in w.table.indexes),
    )


def _renamed(kind: str, table: QualifiedName, old: str, new: str) -> NotCarried:
    reason = f"made as {new}: something else in the target's schema has the name"
    return NotCarried(f"name of {kind}", f"{table}.{old}", reason)
