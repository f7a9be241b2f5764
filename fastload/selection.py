"""Which tables a selection means, and the help when it means none."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from fastload.adapter import Selection
from fastload.config import CopyOptions
from fastload.errors import TableNotFound
from fastload.model import NotCarried, QualifiedName, Table
from fastload.naming import Part, parts_of


class Relation(Protocol):
    """What a database has that can be read like a table."""

    @property
    def name(self) -> QualifiedName:
        """Its name."""

    @property
    def plain(self) -> bool:
        """Whether patterns mean it; others are meant by their names alone."""


R = TypeVar("R", bound=Relation)


def selection_of(options: CopyOptions) -> Selection:
    """Return what the options select."""
    return Selection(
        tables=options.tables,
        names=options.names,
        exclude=options.exclude,
        types=options.types,
    )


def choose(relations: Sequence[R], select: Selection) -> list[R]:
    """Return the relations that the selection means, in their order.

    Raises:
        TableNotFound: A name without wildcards matches nothing.
    """
    names = [r.name for r in relations]
    for wanted in select.tables or ():
        if not _is_pattern(wanted) and not any(_matches(n, wanted) for n in names):
            raise _not_found(wanted, names)
    for exact in select.names:
        if exact not in names:
            raise _not_found(str(exact), names)
    chosen = [r for r in relations if _wanted(r, select)]
    if select.tables and not chosen and not select.names:
        raise _not_found(select.tables[0], names)
    return chosen


def without_unselected(tables: Sequence[Table]) -> tuple[list[Table], list[NotCarried]]:
    """Return tables without the foreign keys to others, and a line for each of those."""
    selected = {t.name for t in tables}
    kept, dropped = [], []
    for table in tables:
        good = tuple(f for f in table.foreign_keys if f.references in selected)
        dropped += [
            NotCarried("foreign key", table.name.member(f.name), f"{f.references} is not selected")
            for f in table.foreign_keys
            if f not in good
        ]
        kept.append(msgspec.structs.replace(table, foreign_keys=good))
    return kept, dropped


def _wanted(relation: Relation, select: Selection) -> bool:
    if any(_matches(relation.name, pattern) for pattern in select.exclude):
        return False
    if relation.name in select.names:
        return True
    if select.tables is None:
        return not select.names and relation.plain
    return any(
        _matches(relation.name, pattern) and (relation.plain or not _is_pattern(pattern))
        for pattern in select.tables
    )


def _matches(name: QualifiedName, pattern: str) -> bool:
    parts = parts_of(pattern)
    meant = (name.name,) if len(parts) == 1 else (name.schema, name.name)
    return all(map(_means, parts, meant))


def _means(part: Part, text: str) -> bool:
    # Only * and ? are wildcards; a bracket is part of a name.
    return part.text == text or (
        _is_wild(part) and fnmatch.fnmatchcase(text, part.text.replace("[", "[[]"))
    )


def _is_pattern(text: str) -> bool:
    return any(map(_is_wild, parts_of(text)))


def _is_wild(part: Part) -> bool:
    return not part.quoted and ("*" in part.text or "?" in part.text)


def _not_found(wanted: str, names: Sequence[QualifiedName]) -> TableNotFound:
    full = difflib.get_close_matches(wanted, [str(n) for n in names], 3, 0.4)
    bare = {n.name: str(n) for n in names}
    last = difflib.get_close_matches(parts_of(wanted)[-1].text, list(bare), 3, 0.4)
    near = list(dict.fromkeys([*(bare[n] for n in last), *full]))[:3]
    return TableNotFound(
        f"no table matches {wanted!r}",
        side="source",
        table=wanted,
        hint=f"did you mean {', '.join(near)}?" if near else "the database has no table like it",
    )
