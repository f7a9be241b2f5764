"""What columns take of the 3,072 bytes of an index and the 65,535 of a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from fastload.model import Column, Table

INDEX_BYTES = 3072
ROW_BYTES = 65_535
MOST_PARTS = 16

_CHARACTER_BYTES = {"utf8mb4": 4, "utf8mb3": 3, "utf8": 3}
_INTEGERS = {"tinyint": 1, "smallint": 2, "mediumint": 3, "int": 4, "bigint": 8}
_OTHERS = {"float": 4, "double": 8, "date": 3, "time": 6, "datetime": 8, "timestamp": 7, "year": 1}
_DIGIT_BYTES = (0, 1, 1, 2, 2, 3, 3, 4, 4)
_TYPE = re.compile(r"([a-z0-9]+)(?:\((\d+)(?:,(\d+))?\))?")
_LONG = re.compile(r"(?:tiny|medium|long)?(text|blob)")
_UNINDEXED = re.compile(r"json|geometry|vector")


def is_long(type_: str) -> bool:
    """Say whether an index over this type needs a prefix."""
    return bool(_LONG.match(type_))


def is_indexed(type_: str) -> bool:
    """Say whether a plain index can be over this type at all."""
    return not _UNINDEXED.match(type_)


def unit_bytes(column: Column) -> int:
    """Return the bytes of one character; 1 for bytes."""
    if not column.collation:
        return 1
    return _CHARACTER_BYTES.get(column.collation.split("_")[0], 1)


def width_bytes(column: Column) -> int:
    """Return the most bytes that a column of a limited type takes in an index."""
    match = _TYPE.match(column.type)
    if match is None or column.type.startswith(("enum", "set")):
        return 8
    name, size, fraction = match[1], int(match[2] or 0), int(match[3] or 0)
    if name in ("varchar", "char", "varbinary", "binary"):
        return size * unit_bytes(column)
    if name == "decimal":
        return _decimal_bytes(size - fraction) + _decimal_bytes(fraction)
    return _INTEGERS.get(name) or _OTHERS.get(name) or 16


def _decimal_bytes(digits: int) -> int:
    return digits // 9 * 4 + _DIGIT_BYTES[digits % 9]


def row_bytes(columns: Iterable[Column]) -> int:
    """Return what a row counts for, long texts and binaries left out but for their pointers."""
    return sum((12 if is_long(c.type) else width_bytes(c) + 2) + 1 for c in columns)


def key_room(
    table: Table,
    declared: Callable[[Column], Column],
    references: Sequence[Sequence[str]] = (),
    *,
    part_bytes: int = INDEX_BYTES,
) -> dict[str, int]:
    """Return the characters or bytes that keys leave to each of their columns of any length.

    Args:
        table: As its source describes it.
        declared: Declares a column here as it would be outside of all keys.
        references: Further sets of columns that other tables refer to.
        part_bytes: The most of one column that this server indexes.
    """
    columns = {c.name: declared(c) for c in table.columns}
    room: dict[str, int] = {}
    for names in _whole_keys(table, references):
        there = [columns[n] for n in names if n in columns]
        for name, most in shared_room(there, part_bytes).items():
            room[name] = min(most, room.get(name, most))
    return room


def _whole_keys(table: Table, references: Sequence[Sequence[str]]) -> Iterable[Sequence[str]]:
    """Yield the columns of what cannot do with the first characters alone."""
    yield from (k.columns for k in table.keys)
    yield from (f.columns for f in table.foreign_keys)
    yield from references
    for index in table.indexes:
        if index.unique and index.where is None:
            yield [c.name for c in index.columns if c.name is not None]


def shared_room(columns: Sequence[Column], part_bytes: int) -> Mapping[str, int]:
    """Return the characters or bytes that one index has for each text and binary in it.

    Short ones have what they need; the others share what is left.
    """
    flexible = {c.name: c for c in columns if _is_flexible(c)}
    left = INDEX_BYTES - sum(width_bytes(c) for c in columns if c.name not in flexible)
    room: dict[str, int] = {}
    waiting = sorted(flexible.values(), key=_need_bytes)
    while waiting:
        share = min(part_bytes, left // len(waiting))
        column = waiting.pop(0)
        taken = min(_need_bytes(column), share)
        room[column.name] = taken // unit_bytes(column)
        left -= taken
    return room


def _is_flexible(column: Column) -> bool:
    return is_long(column.type) or column.type.startswith(("varchar", "varbinary"))


def _need_bytes(column: Column) -> int:
    return 1 << 32 if is_long(column.type) else width_bytes(column)
