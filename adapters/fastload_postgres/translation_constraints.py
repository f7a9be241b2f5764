"""Another database's checks and foreign keys as PostgreSQL has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fastload.model import Check, ForeignKey, Index, Key, QualifiedName, Table
from fastload_postgres.declaration import INTEGER_BOUNDS, Place
from fastload_postgres.names import Wanted, unique_names, wanted
from fastload_postgres.wording import Wording


def constraint_names(table: Table, keys: Sequence[Key]) -> dict[Wanted, str]:
    """Return names for checks and foreign keys, which share their table's with its keys."""
    # Since PostgreSQL 18 the server's own names for NOT NULL stand among them.
    not_null = (f"{table.name.name}_{c.name}_not_null" for c in table.columns)
    return unique_names(
        (
            *(_check_wanted(table, c) for c in table.checks),
            *(_foreign_key_wanted(table, f) for f in table.foreign_keys),
        ),
        taken={*not_null, *(k.name for k in keys)},
    )


def _check_wanted(table: Table, check: Check) -> Wanted:
    return wanted(table.name.name, "check", check.name)


def _foreign_key_wanted(table: Table, key: ForeignKey) -> Wanted:
    return wanted(table.name.name, "fkey", key.name)


def translate_checks(words: Wording, names: Mapping[Wanted, str]) -> tuple[Check, ...]:
    """Return the checks that can be said."""
    made = []
    for check in words.table.checks:
        said = words.say(check.definition, "check", "check", check.name)
        if said is not None:
            name = names[_check_wanted(words.table, check)]
            made.append(Check(name=name, definition=f"CHECK ({said})", comment=check.comment))
    return tuple(made)


def translate_foreign_keys(
    words: Wording,
    tables: Mapping[QualifiedName, Table],
    types: Mapping[Place, str],
    names: Mapping[Wanted, str],
) -> tuple[ForeignKey, ...]:
    """Return the foreign keys that PostgreSQL can check; ``types`` are what columns have here."""
    made = []
    for key in words.table.foreign_keys:
        if reason := _obstacle(key, words.table.name, tables, types):
            words.tell("foreign key", key.name, reason)
            continue
        name, actions = names[_foreign_key_wanted(words.table, key)], " ".join(_actions(key))
        made.append(msgspec.structs.replace(key, name=name, actions=actions, extra={}))
    return tuple(made)


def _actions(key: ForeignKey) -> Iterator[str]:
    """Yield the actions in the server's own order, without those that it leaves out."""
    if key.on_update != "NO ACTION":
        yield f"ON UPDATE {key.on_update}"
    if key.on_delete != "NO ACTION":
        yield f"ON DELETE {key.on_delete}"


def _obstacle(
    key: ForeignKey,
    table: QualifiedName,
    tables: Mapping[QualifiedName, Table],
    types: Mapping[Place, str],
) -> str | None:
    there = tables.get(key.references)
    if there is None:
        return f"{key.references} is not selected"
    if not _is_unique(there, key.referenced_columns):
        columns = ", ".join(key.referenced_columns)
        return f"PostgreSQL wants a key of {key.references} over just these columns: {columns}"
    for here, other in zip(key.columns, key.referenced_columns, strict=True):
        pair = types[Place(table, here)], types[Place(there.name, other)]
        if not _compares(*pair):
            return f"{here} is of type {pair[0]}, and what it refers to of type {pair[1]}"
    return None


def _is_unique(table: Table, columns: Sequence[str]) -> bool:
    """Say whether the table has a key or a plain unique index over these columns."""
    keys = [k.columns for k in table.keys]
    keys += [_plain(i) for i in table.indexes if i.unique and i.where is None]
    return any(sorted(k) == sorted(columns) for k in keys)


def _plain(index: Index) -> tuple[str, ...]:
    """Return the names of an index's columns, none where some are not whole columns."""
    names = [c.name for c in index.columns if c.name is not None and c.prefix is None]
    return tuple(names) if len(names) == len(index.columns) else ()


def _compares(here: str, there: str) -> bool:
    """Say whether values of both types are compared without a cast that nobody asked for."""
    pair = _family(here), _family(there)
    return pair[0] == pair[1] or pair == ("integer", "numeric")


def _family(type_: str) -> str:
    if type_ in INTEGER_BOUNDS:
        return "integer"
    if type_ == "text" or type_.startswith("character varying"):
        return "text"
    return "numeric" if type_.startswith("numeric") else type_
