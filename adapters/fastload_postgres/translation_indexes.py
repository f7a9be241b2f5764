"""Another database's keys and indexes as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from fastload.model import Column, Index, IndexColumn, Key, Table
from fastload_postgres.names import Wanted, wanted
from fastload_postgres.quoting import ident
from fastload_postgres.wording import Wording

_NO_NAME = "PRIMARY"  # SQL's word for the key, where keys have no names of their own
_UNSORTED = ("json",)  # types without an order


def key_wanted(table: Table, key: Key) -> Wanted:
    """Return the wish for a key's name."""
    if key.primary or _is_nameless(key.name):
        return _primary_wanted(table, "key", key.name)
    return wanted(table.name.name, "key", key.name)


def index_wanted(table: Table, index: Index) -> Wanted:
    """Return the wish for an index's name."""
    if _is_nameless(index.name):  # a primary key that is no key here, as over parts of columns
        return _primary_wanted(table, "index", index.name)
    return wanted(table.name.name, "index", index.name)


def _is_nameless(name: str) -> bool:
    return name.upper() == _NO_NAME


def _primary_wanted(table: Table, kind: str, name: str) -> Wanted:
    usual = f"{table.name.name}_pkey"
    first = name if name and not _is_nameless(name) else usual
    return Wanted(table.name.name, kind, name, first=first, second=usual)


def translate_keys(
    words: Wording, columns: Mapping[str, Column], names: Mapping[Wanted, str]
) -> tuple[Key, ...]:
    """Return the keys under the names found for them; ``columns`` are the target's."""
    made = []
    for key in words.table.keys:
        if reason := _without_order(key.columns, columns):
            words.tell("key", key.name, reason)
            continue
        name = names[key_wanted(words.table, key)]
        made.append(msgspec.structs.replace(key, name=name, deferrable=False, extra={}))
    return tuple(made)


def translate_indexes(
    words: Wording, columns: Mapping[str, Column], names: Mapping[Wanted, str]
) -> tuple[Index, ...]:
    """Return the indexes that PostgreSQL can have; ``columns`` are the target's."""
    made = (
        _index(i, words, columns, names[index_wanted(words.table, i)]) for i in words.table.indexes
    )
    return tuple(i for i in made if i is not None)


def _index(index: Index, words: Wording, columns: Mapping[str, Column], name: str) -> Index | None:
    if reason := _obstacle(index, columns):
        words.tell("index", index.name, reason)
        return None
    places = [_place(p, index, words, columns) for p in index.columns]
    where = None
    if index.where is not None:
        where = words.say(index.where, "check", "index", index.name)
    if None in places or (index.where is not None and where is None):
        return None
    found = [p for p in places if p is not None]
    parts = ", ".join(sql + (" DESC" if p.descending else "") for p, sql in found)
    has_expression = any(p.expression is not None for p, _ in found)
    return Index(
        name=name,
        unique=index.unique,
        definition=f"USING btree ({parts})" + (f" WHERE {where}" if where else ""),
        columns=tuple(p for p, _ in found),
        where=where,
        comment=index.comment,
        extra={"expression": "yes"} if has_expression else {},
    )


def _obstacle(index: Index, columns: Mapping[str, Column]) -> str | None:
    if index.kind != "sorted":
        return f"PostgreSQL has no like of a {index.kind} index"
    if not index.columns:
        return "it is described in another database's words alone"
    return _without_order((p.name for p in index.columns if p.name is not None), columns)


def _without_order(names: Iterable[str], columns: Mapping[str, Column]) -> str | None:
    for name in names:
        if columns[name].type in _UNSORTED:
            return f"{name} has no order here: its type is {columns[name].type}"
    return None


def _place(
    place: IndexColumn, index: Index, words: Wording, columns: Mapping[str, Column]
) -> tuple[IndexColumn, str] | None:
    """Return a place in the index with its SQL."""
    if place.name is None:
        said = words.say(
            place.expression or "", "unique" if index.unique else "index", "index", index.name
        )
        return None if said is None else (_computed(place, said), f"({said})")
    column = columns[place.name]
    start = _start(column, place.prefix) if place.prefix is not None else None
    if start is not None:
        return _computed(place, start), start
    return IndexColumn(name=place.name, descending=place.descending), ident(place.name)


def _computed(place: IndexColumn, expression: str) -> IndexColumn:
    return IndexColumn(expression=expression, descending=place.descending)


def _start(column: Column, length: int) -> str | None:
    """Return the first characters or bytes of a column, spelled as the server would."""
    name = ident(column.name)
    if column.type == "bytea":
        return f"SUBSTRING({name} FROM 1 FOR {length})"
    if column.type == "text":
        return f'"left"({name}, {length})'
    if column.type.startswith("character varying"):
        return f'"left"(({name})::text, {length})'
    return None
