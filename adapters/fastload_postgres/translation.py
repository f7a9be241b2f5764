"""Another database's catalogue as PostgreSQL's own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from fastload.errors import PlanError
from fastload.model import Catalog, EnumType, NotCarried, QualifiedName, Table
from fastload.naming import option
from fastload_postgres.declaration import (
    Declared,
    Place,
    bigints_of,
    declared,
    enum_type,
    enum_wanted,
    enums_of,
)
from fastload_postgres.dialect import DIALECT
from fastload_postgres.names import Wanted, is_name, unique_names
from fastload_postgres.quoting import LONGEST_NAME_BYTES
from fastload_postgres.translation_columns import (
    sequence_wanted,
    tell_folding,
    translate_column,
    translate_sequence,
)
from fastload_postgres.translation_constraints import (
    constraint_names,
    translate_checks,
    translate_foreign_keys,
)
from fastload_postgres.translation_indexes import (
    index_wanted,
    key_wanted,
    translate_indexes,
    translate_keys,
)
from fastload_postgres.wording import Wording

_Names = Mapping[str, Mapping[Wanted, str]]  # by schema


class _Whole(NamedTuple):
    """What is decided for all tables before any of them is translated."""

    catalog: Catalog
    tables: Mapping[QualifiedName, Table]
    names: _Names
    enums: Mapping[Place, QualifiedName]
    declared: Mapping[Place, Declared]
    types: Mapping[Place, str]


def translate(catalog: Catalog) -> Catalog:
    """Return the catalogue in PostgreSQL's own words; what has none is added to not_carried.

    Raises:
        PlanError: A name or a column's type is impossible here.
    """
    if catalog.dialect == DIALECT:
        return catalog
    _check_names(catalog)
    whole = _decided(catalog)
    left: list[NotCarried] = []
    tables = tuple(_table(t, whole, left) for t in catalog.tables)
    columns = {Place(t.name, c.name): c for t in tables for c in t.columns}
    sequences = (translate_sequence(s, columns, whole.names) for s in catalog.sequences)
    return msgspec.structs.replace(
        catalog,
        dialect=DIALECT,
        tables=tables,
        enums=(*catalog.enums, *_enums(whole)),
        sequences=tuple(s for s in sequences if s is not None),
        not_carried=(*catalog.not_carried, *left),
        extra={},
    )


def _check_names(catalog: Catalog) -> None:
    """Refuse names that the server would cut off; those of indexes and the like are made anew."""
    for table in catalog.tables:
        if not is_name(table.name.name):
            raise _too_long(
                table.name.name, table, None, option("rename", str(table.name), "other")
            )
        for column in table.columns:
            if not is_name(column.name):
                raise _too_long(column.name, table, column.name, "rename it on the source")


def _too_long(name: str, table: Table, column: str | None, hint: str) -> PlanError:
    return PlanError(
        f"the name {name!r} is empty or longer than {LONGEST_NAME_BYTES} bytes, the most that "
        "PostgreSQL takes",
        side="target",
        table=str(table.name),
        column=column,
        hint=hint,
    )


def _decided(catalog: Catalog) -> _Whole:
    owners = enums_of(catalog)
    names = _names(catalog, set(owners.values()))
    enums = {
        place: QualifiedName(owner.table.schema, names[owner.table.schema][enum_wanted(owner)])
        for place, owner in owners.items()
    }
    bigints = bigints_of(catalog)
    found = {
        place: declared(place, column, enums, bigints)
        for table in catalog.tables
        for column in table.columns
        for place in [Place(table.name, column.name)]
    }
    return _Whole(
        catalog,
        tables={t.name: t for t in catalog.tables},
        names=names,
        enums=enums,
        declared=found,
        types={place: d.type for place, d in found.items()},
    )


def _names(catalog: Catalog, enums: Iterable[Place]) -> _Names:
    """Return names for what shares a schema with tables and with types."""
    objects: defaultdict[str, list[Wanted]] = defaultdict(list)
    taken: defaultdict[str, set[str]] = defaultdict(set)
    for table in catalog.tables:
        taken[table.name.schema].add(table.name.name)
        objects[table.name.schema] += [key_wanted(table, k) for k in table.keys]
        objects[table.name.schema] += [index_wanted(table, i) for i in table.indexes]
    for sequence in catalog.sequences:
        if wish := sequence_wanted(sequence):
            objects[wish[0]].append(wish[1])
        else:
            taken[sequence.name.schema].add(sequence.name.name)
    for enum in catalog.enums:
        taken[enum.name.schema].add(enum.name.name)
    for place in enums:
        objects[place.table.schema].append(enum_wanted(place))
    return {schema: unique_names(found, taken[schema]) for schema, found in objects.items()}


def _enums(whole: _Whole) -> list[EnumType]:
    found: dict[QualifiedName, EnumType] = {}
    for place, name in sorted(whole.enums.items()):
        column = whole.tables[place.table].column(place.column)
        found.setdefault(name, enum_type(name, column))
    return list(found.values())


def _table(table: Table, whole: _Whole, left: list[NotCarried]) -> Table:
    words = Wording(table, whole.catalog.dialect)
    if table.partitioned:
        words.tell("partitioning", None, "made as one plain table with all rows")
    columns = tuple(
        translate_column(c, words, whole.declared[Place(table.name, c.name)]) for c in table.columns
    )
    tell_folding(words)
    by_name = {c.name: c for c in columns}
    schema = whole.names.get(table.name.schema, {})
    keys = translate_keys(words, by_name, schema)
    names = constraint_names(table, keys)
    made = msgspec.structs.replace(
        table,
        columns=columns,
        keys=keys,
        indexes=translate_indexes(words, by_name, schema),
        foreign_keys=translate_foreign_keys(words, whole.tables, whole.types, names),
        checks=translate_checks(words, names),
        wires=(),
        partitioned=False,
        extra={},
    )
    left += words.left
    return made
