"""How keys of each type are told, written and guessed.

Only a guess is needed between two keys. Order is the server's: a guess is looked up under the
column's own collation, and the key that is found there is what bounds a partition.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import NamedTuple

from fastload.model import Column
from fastload_mysql import key_moments, key_texts
from fastload_mysql.key_texts import evenly

Guesses = Callable[[str, str, int], list[str]]


class KeySpace(NamedTuple):
    """How keys of one column are told, written and guessed.

    Attributes:
        tell: SQL for a key as text that says all of it, around the column's name.
        literal: SQL for a key given as that text, in the column's own type.
        guesses: Texts for ``guess``, up to so many and about evenly between two keys.
        guess: SQL for such a text.
    """

    tell: str
    literal: Callable[[str], str]
    guesses: Guesses
    guess: Callable[[str], str]


def space_of(column: Column) -> KeySpace | None:
    """Return the space of a column's keys; None for types whose order is not known here."""
    if column.labels or "members" in column.extra or "retyped" in column.extra:
        return None  # sorted by number, or by values of another type than what is read
    codec = column.extra["decode"]
    if codec in ("text", "checked_text"):
        return _text(column)
    return _SPACES.get(codec.partition(":")[0]) or _SPACES.get(codec)


def known_space(column: Column) -> KeySpace:
    """Return the space of a column that has one."""
    space = space_of(column)
    assert space is not None
    return space


def _text(column: Column) -> KeySpace | None:
    """Compare texts in the column's own character set: its index is of no use for any other."""
    charset, collation = column.extra.get("charset"), column.collation
    if charset is None or collation is None:
        return None
    if "_nopad_" in collation and column.type.startswith("char"):
        return None  # MariaDB's indexes pad what its comparisons do not: a tab is before nothing
    guesses = key_texts.guesses(charset, folded=not collation.endswith("_bin"))
    return KeySpace(
        "HEX({})",
        lambda text: f"_{charset} X'{text}' COLLATE {collation}",
        guesses,
        lambda text: f"CONVERT(_utf8mb4 X'{text}' USING {charset}) COLLATE {collation}",
    )


def _integers(low: str, high: str, count: int) -> list[str]:
    return [str(n) for n in evenly(int(low), int(high), count)]


def _decimals(low: str, high: str, count: int) -> list[str]:
    """Count in the last digit, of which all keys of a column have equally many."""
    scale = len(low.partition(".")[2])
    numbers = evenly(int(low.replace(".", "")), int(high.replace(".", "")), count)
    return [_pointed(n, scale) for n in numbers]


def _pointed(number: int, scale: int) -> str:
    if not scale:
        return str(number)
    digits = str(abs(number)).zfill(scale + 1)
    return f"{'-' if number < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"


def _addresses(low: str, high: str, count: int) -> list[str]:
    ends = [ipaddress.ip_address(text) for text in (low, high)]
    kind = type(ends[0])
    return [str(kind(n)) for n in evenly(int(ends[0]), int(ends[1]), count)]


# MariaDB sorts an UUID by its groups from the last to the first.
_GROUPS = (8, 4, 4, 4, 12)


def _uuids(low: str, high: str, count: int) -> list[str]:
    ends = [int("".join(reversed(text.split("-"))), 16) for text in (low, high)]
    version = low[14]
    return [_uuid(f"{n:032x}", version) for n in evenly(ends[0], ends[1], count)]


def _uuid(digits: str, version: str) -> str:
    """Spell a number as an UUID; one of another version may be sorted in another way."""
    groups = []
    for width in reversed(_GROUPS):
        groups.append(digits[:width])
        digits = digits[width:]
    groups[2] = version + groups[2][1:]
    return "-".join(reversed(groups))


def _quoted(text: str) -> str:
    return f"'{text}'"


def _hex(text: str) -> str:
    return f"X'{text}'"


_INTEGER = KeySpace("{}", str, _integers, str)
_TEXT = "CAST({} AS CHAR)"
_ADDRESS = KeySpace(_TEXT, _quoted, _addresses, _quoted)
_MOMENT = KeySpace(_TEXT, _quoted, key_moments.datetimes, _quoted)
_SPACES = {
    **dict.fromkeys(("tiny", "utiny", "short", "ushort", "year", "long", "ulong"), _INTEGER),
    **dict.fromkeys(("longlong", "ulonglong"), _INTEGER),
    "decimal": KeySpace(_TEXT, str, _decimals, str),
    "date": KeySpace(_TEXT, _quoted, key_moments.dates, _quoted),
    "datetime": _MOMENT,
    "timestamp": _MOMENT,
    "blob": KeySpace("HEX({})", _hex, key_texts.byte_guesses, _hex),
    "uuid": KeySpace(_TEXT, _quoted, _uuids, _quoted),
    "opaque_text:inet4": _ADDRESS,
    "opaque_text:inet6": _ADDRESS,
}
