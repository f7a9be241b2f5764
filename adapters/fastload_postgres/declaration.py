"""What the columns of another database are declared as: their types, and the enums these need."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fastload.model import Catalog, Column, EnumType, QualifiedName, Table
from fastload_postgres.arrow_types import declare
from fastload_postgres.names import Wanted
from fastload_postgres.quoting import LONGEST_NAME_BYTES, qualified
from fastload_postgres.typemap import Forms

_MOST_CHARACTERS = 10_485_760  # of character varying
_OPAQUE = re.compile(r"opaque\[(.+), [^,]+, \w+\]")
INTEGER_BOUNDS = {
    "smallint": (-(1 << 15), (1 << 15) - 1),
    "integer": (-(1 << 31), (1 << 31) - 1),
    "bigint": (-(1 << 63), (1 << 63) - 1),
}


class Place(NamedTuple):
    """A column of a table."""

    table: QualifiedName
    column: str


class Declared(NamedTuple):
    """What a column is declared as.

    Attributes:
        lost: What its values no longer say here; None where the type says all.
    """

    type: str
    forms: Forms
    lost: str | None = None


def enums_of(catalog: Catalog) -> dict[Place, Place]:
    """Return for each column with labels the column whose type it takes, itself or another.

    Columns that refer to each other must have one type, and have if their labels are equal.
    """
    labelled = {
        Place(t.name, c.name): c.labels for t in catalog.tables for c in t.columns if can_be_enum(c)
    }
    found = {place: place for place in labelled}
    for group in _linked(catalog):
        by_labels: defaultdict[tuple[str, ...], list[Place]] = defaultdict(list)
        for place in group & labelled.keys():
            by_labels[labelled[place]].append(place)
        found |= {place: min(places) for places in by_labels.values() for place in places}
    return found


def can_be_enum(column: Column) -> bool:
    """Say whether the column has labels, and all of a length that PostgreSQL takes."""
    return bool(column.labels) and all(
        len(label.encode("utf-8", "surrogatepass")) <= LONGEST_NAME_BYTES for label in column.labels
    )


def enum_wanted(place: Place) -> Wanted:
    """Return the wish for the name of a column's enum."""
    name = f"{place.table.name}_{place.column}"
    return Wanted(place.table.name, "type", place.column, first=name, second=f"{name}_type")


def enum_type(name: QualifiedName, column: Column) -> EnumType:
    """Return the enum with this column's labels."""
    return EnumType(name=name, labels=tuple(dict.fromkeys(column.labels)))


def bigints_of(catalog: Catalog) -> set[Place]:
    """Return the unsigned columns that are identities, or refer to one, or are referred to by one.

    An identity cannot be numeric, and a foreign key's columns must be of types that compare.
    Values beyond a bigint are refused with their row.
    """
    unsigned = {
        Place(t.name, c.name): c.identity is not None
        for t in catalog.tables
        for c in t.columns
        if c.arrow == "uint64"
    }
    found = {place for place, identity in unsigned.items() if identity}
    for group in _linked(catalog):
        if group & found:
            found |= group & unsigned.keys()
    return found


def _linked(catalog: Catalog) -> list[set[Place]]:
    """Return the sets of columns that foreign keys tie to each other."""
    neighbours: defaultdict[Place, set[Place]] = defaultdict(set)
    for here, there in _references(catalog.tables):
        neighbours[here].add(there)
        neighbours[there].add(here)
    groups: list[set[Place]] = []
    while neighbours:
        place, near = neighbours.popitem()
        group, waiting = {place}, list(near)
        while waiting:
            place = waiting.pop()
            group.add(place)
            waiting += neighbours.pop(place, ())
        groups.append(group)
    return groups


def _references(tables: Iterable[Table]) -> Iterator[tuple[Place, Place]]:
    for table in tables:
        for key in table.foreign_keys:
            for here, there in zip(key.columns, key.referenced_columns, strict=True):
                yield Place(table.name, here), Place(key.references, there)


def declared(
    place: Place, column: Column, enums: Mapping[Place, QualifiedName], bigints: set[Place]
) -> Declared:
    """Return what a column is declared as.

    Raises:
        UnsupportedType: PostgreSQL has nothing for it.
    """
    where = {"table": str(place.table), "column": column.name}
    if place in enums:
        forms = Forms(arrow="string", decode="enum", encode="enum")
        return Declared(qualified(enums[place]), forms)
    if place in bigints:
        return Declared(*declare("int64", **where))
    type_, forms = declare(column.arrow, **where)
    if opaque := _OPAQUE.fullmatch(column.arrow):
        kept = "text" if type_ == "text" else "bytes, in the source's own form"
        return Declared(type_, forms, f"{opaque[1]} is kept as {kept}")
    if type_ == "text" and column.labels:
        lost = f"a label is longer than {LONGEST_NAME_BYTES} bytes: labels become text"
        return Declared(type_, forms, lost)
    if type_ == "text" and column.length is not None and column.length <= _MOST_CHARACTERS:
        return Declared(f"character varying({max(column.length, 1)})", forms)
    return Declared(type_, forms)
