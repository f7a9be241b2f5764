"""Values between two keys, to try as boundaries: arithmetic over texts that the server gave.

Only a guess is needed here. Order is the server's: a candidate is looked up under the column's
own collation, and the key that is found there is what bounds a partition.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from typing import NamedTuple

from fastload.model import Column

_DIGITS = 12
_DAY = datetime.date(1, 1, 1)
_SECOND = datetime.datetime(1, 1, 1)


class KeySpace(NamedTuple):
    """How keys of one type are told, written and put between two others.

    Attributes:
        text: SQL for a key as text, around the column's name.
        literal: SQL for a key given as that text.
        middle: A text about half way between two.
    """

    text: str
    literal: Callable[[str], str]
    middle: Callable[[str, str], str]


def space_of(column: Column) -> KeySpace | None:
    """Return the space of a column's keys; None for types whose order is not known here."""
    if column.labels or "members" in column.extra:
        return None  # sorted by number
    codec = column.extra["decode"].partition(":")[0]
    if codec == "text" and not (column.collation or "").endswith("_bin"):
        return _FOLDED
    return _SPACES.get(codec)


def known_space(column: Column) -> KeySpace:
    """Return the space of a column that has one."""
    space = space_of(column)
    assert space is not None
    return space


def quoted(text: str) -> str:
    """Return a text literal that no sql_mode reads otherwise."""
    return f"_utf8mb4 X'{text.encode().hex()}'" if text else "_utf8mb4''"


def _as_text(text: str) -> str:
    return f"'{text}'"


def _as_bytes(text: str) -> str:
    return f"X'{text}'"


def _middle_integer(low: str, high: str) -> str:
    return str((int(low) + int(high) + 1) // 2)


def _middle_decimal(low: str, high: str) -> str:
    return f"{(Decimal(low) + Decimal(high)) / 2:f}"


def _middle_date(low: str, high: str) -> str:
    ends = [(datetime.date.fromisoformat(t) - _DAY).days for t in (low, high)]
    return (_DAY + datetime.timedelta(days=(sum(ends) + 1) // 2)).isoformat()


def _middle_datetime(low: str, high: str) -> str:
    ends = [datetime.datetime.fromisoformat(t) - _SECOND for t in (low, high)]
    return (_SECOND + (ends[0] + ends[1]) / 2).isoformat(" ")


def _middle_bytes(low: str, high: str) -> str:
    numbers = [int(t[: 2 * _DIGITS].ljust(2 * _DIGITS, "0"), 16) for t in (low, high)]
    return f"{sum(numbers) // 2:0{2 * _DIGITS}x}"


def _middle_text(low: str, high: str) -> str:
    """Return a text between two, in the characters that either has after what they share."""
    same = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), None)
    if same is None:
        same = min(len(low), len(high))
    tails = [text[same : same + _DIGITS] for text in (low, high)]
    codes = [ord(c) for tail in tails for c in tail] or [ord("a")]
    least, most = min(*codes, ord("0")), max(*codes, ord("z"))
    base = most - least + 2
    numbers = [_number(tail, least, base) for tail in tails]
    return low[:same] + _word(sum(numbers) // 2, least, base)


def _number(text: str, least: int, base: int) -> int:
    """Read a text as a fraction's digits; the end of a text is below every character."""
    number = 0
    for i in range(_DIGITS):
        number = number * base + (ord(text[i]) - least + 1 if i < len(text) else 0)
    return number


def _word(number: int, least: int, base: int) -> str:
    digits = []
    for _ in range(_DIGITS):
        number, digit = divmod(number, base)
        digits.append(digit)
    kept = digits[::-1]
    # Surrogates are no characters of their own.
    codes = [least + d - 1 if d else least for d in kept]
    return "".join(chr(0xD7FF if 0xD800 <= c <= 0xDFFF else c) for c in codes)


_INTEGER = KeySpace("{}", str, _middle_integer)
_TEXT = KeySpace("CONVERT({} USING utf8mb4)", quoted, _middle_text)
# Where A and a are one letter, guesses are made among small ones.
_FOLDED = KeySpace(_TEXT.text, quoted, lambda low, high: _middle_text(low.lower(), high.lower()))
_BYTES = KeySpace("HEX({})", _as_bytes, _middle_bytes)
_SPACES = {
    **dict.fromkeys(("tiny", "utiny", "short", "ushort", "year", "long", "ulong"), _INTEGER),
    **dict.fromkeys(("longlong", "ulonglong"), _INTEGER),
    "decimal": KeySpace("{}", str, _middle_decimal),
    "date": KeySpace("{}", _as_text, _middle_date),
    "datetime": KeySpace("{}", _as_text, _middle_datetime),
    "text": _TEXT,
    "blob": _BYTES,
}
