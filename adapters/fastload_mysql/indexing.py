"""Indexes and constraints of other dialects as this server has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

import msgspec

from fastload.model import (
    Check,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    NotCarried,
    QualifiedName,
    Table,
)
from fastload_mysql.clauses import definition
from fastload_mysql.expressing import in_words, unbracketed
from fastload_mysql.flavours import Server
from fastload_mysql.numbering import counting_column
from fastload_mysql.widths import (
    MOST_PARTS,
    is_indexed,
    is_long,
    shared_room,
    unit_bytes,
    width_bytes,
)

LONGEST_COMMENT = 1024
_KEPT_ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL")


class Refused(Exception):
    """Why there is no counterpart, in words."""


def index(found: Index, here: Table, source: Table, read: str, server: Server) -> Index:
    """Return the index for the table as it is declared here.

    Raises:
        Refused: The server has none such.
    """
    if found.kind not in ("sorted", "hash"):
        raise Refused(f"MySQL has no index of kind {found.kind}")
    if not found.columns:
        raise Refused("it is no list of columns")
    if found.where is not None:
        raise Refused(f"MySQL has no index over a part of the rows, here {found.where}")
    if len(found.columns) > MOST_PARTS:
        raise Refused(f"MySQL's indexes have up to {MOST_PARTS} columns")
    use = "unique" if found.unique else "index"
    parts = [_expression(c, here, source, read, server, use) for c in found.columns]
    columns = _prefixed(parts, here, server, unique=found.unique)
    return msgspec.structs.replace(
        found,
        definition=definition(columns),
        columns=columns,
        kind="sorted",
        comment=short(found.comment),
        extra={},
    )


def _expression(
    column: IndexColumn, here: Table, source: Table, read: str, server: Server, use: str
) -> IndexColumn:
    if column.name is not None:
        return column
    if not server.has_functional_indexes:
        raise Refused("this server has no indexes over expressions")
    words = in_words(
        column.expression or "", source, read=read, use="unique" if use == "unique" else "index"
    )
    if words.text is None:
        raise Refused(words.reason or "its expression has no counterpart")
    if any(is_long(c.type) and c.name in words.columns for c in here.columns):
        raise Refused("an expression of a text without a length is not indexed")
    return msgspec.structs.replace(column, expression=words.text)


def _prefixed(
    parts: list[IndexColumn], here: Table, server: Server, *, unique: bool
) -> tuple[IndexColumn, ...]:
    """Index the first characters where the whole has no room; unique ones were given room."""
    named = [here.column(p.name) for p in parts if p.name is not None]
    for column in named:
        if not is_indexed(column.type):
            raise Refused(f"MySQL has no index over {column.type}")
    room = shared_room(named, server.index_part_bytes)
    made = []
    for part in parts:
        most = room.get(part.name or "")
        if part.name is not None and most is not None:
            column = here.column(part.name)
            if is_long(column.type) or width_bytes(column) > most * unit_bytes(column):
                part = msgspec.structs.replace(part, prefix=most)
        made.append(part)
    if unique and any(p.prefix is not None for p in made):
        raise Refused("its columns are longer than a unique index takes")
    return tuple(made)


def key(found: Key, here: Table) -> Key:
    """Return the key for the table as it is declared here.

    Raises:
        Refused: The server has none such.
    """
    if len(found.columns) > MOST_PARTS:
        raise Refused(f"MySQL's keys have up to {MOST_PARTS} columns")
    for name in found.columns:
        if not is_indexed(here.column(name).type):
            raise Refused(f"MySQL has no key over {here.column(name).type}")
    return Key(
        name="PRIMARY" if found.primary else found.name,
        columns=found.columns,
        primary=found.primary,
        comment=short(found.comment),
    )


def check(found: Check, here: Table, source: Table, read: str, server: Server) -> Check:
    """Return the check for the table as it is declared here.

    Raises:
        Refused: The server has none such.
    """
    if not server.has_checks:
        raise Refused("this server reads checks and forgets them")
    if found.definition.endswith("NOT VALID"):
        raise Refused("rows of the source may contradict it")
    words = in_words(found.definition, source, read=read, use="check")
    if words.text is None:
        raise Refused(words.reason or "its expression has no counterpart")
    for name in _unchecked(here):
        if name in words.columns:
            raise Refused(f"a check may not name {name}, which the server itself changes")
    return Check(name=found.name, definition=f"CHECK ({unbracketed(words.text)})")


def _unchecked(here: Table) -> Iterator[str]:
    """Yield columns that checks may not name: counting ones, and those that a key's action sets."""
    if (counting := counting_column(here)) is not None:
        yield counting
    for foreign in here.foreign_keys:
        if "SET NULL" in (foreign.on_delete, foreign.on_update) or foreign.on_update == "CASCADE":
            yield from foreign.columns


def foreign_key(
    found: ForeignKey, here: Table, tables: Mapping[QualifiedName, Table], bases: Set[str]
) -> tuple[ForeignKey, list[NotCarried]]:
    """Return the foreign key between tables as they are declared here, and what it leaves.

    ``bases`` are the columns that stored ones are generated from.

    Raises:
        Refused: The server has none such.
    """
    there = tables.get(found.references)
    if there is None:
        raise Refused(f"{found.references} is not selected")
    for mine, other in zip(found.columns, found.referenced_columns, strict=True):
        one, two = here.column(mine), there.column(other)
        if _family(one.type) != _family(two.type) or one.collation != two.collation:
            raise Refused(f"{mine} is {one.type} and {other} is {two.type}")
    told: list[NotCarried] = []
    actions = {
        event: _action(found, event, here, bases, told) for event in ("on_delete", "on_update")
    }
    if "DEFERRABLE" in found.actions.replace("NOT DEFERRABLE", ""):
        reason = "MySQL checks it with every row, not at the commit"
        told.append(NotCarried("deferral of foreign key", here.name.member(found.name), reason))
    made = msgspec.structs.replace(found, **actions, actions="", extra={}, comment=None)
    return made, told


def _action(
    found: ForeignKey, event: str, here: Table, bases: Set[str], told: list[NotCarried]
) -> str:
    action: str = getattr(found, event)
    name = here.name.member(found.name)
    words = event.upper().replace("_", " ")
    if action not in _KEPT_ACTIONS:
        told.append(NotCarried("action of foreign key", name, f"MySQL has no {words} {action}"))
        return "NO ACTION"
    if action == "SET NULL" and not all(here.column(c).nullable for c in found.columns):
        reason = f"{words} {action}, and a column takes no NULL"
        told.append(NotCarried("action of foreign key", name, reason))
        return "NO ACTION"
    if action not in ("NO ACTION", "RESTRICT") and bases & set(found.columns):
        reason = f"{words} {action}, and a stored column is generated from this one"
        told.append(NotCarried("action of foreign key", name, reason))
        return "NO ACTION"
    return action


def _family(type_: str) -> str:
    """Return the type as foreign keys compare it: lengths of texts may differ."""
    if type_.startswith(("varchar", "char", "varbinary", "binary")):
        return type_.split("(")[0].removeprefix("var")
    return type_


def supporting(foreign: ForeignKey, here: Table) -> Index | None:
    """Return the index that a foreign key needs, unless one begins with its columns."""
    size = len(foreign.columns)
    begins = [k.columns[:size] for k in here.keys]
    begins += [
        tuple(c.name or "" for c in i.columns[:size])
        for i in here.indexes
        if all(c.prefix is None for c in i.columns[:size])
    ]
    if foreign.columns in begins:
        return None
    columns = tuple(IndexColumn(name=c) for c in foreign.columns)
    return Index(name=foreign.name, unique=False, definition=definition(columns), columns=columns)


def short(comment: str | None) -> str | None:
    """Return a comment of a column or index that the server takes."""
    return comment if comment is not None and len(comment) <= LONGEST_COMMENT else None
