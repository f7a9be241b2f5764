"""Texts and bytes between two, as guesses for boundaries.

Servers tell keys as hexadecimal digits of their bytes. What two keys begin with alike is left
aside, and some characters after it are read as the digits of a number.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from itertools import takewhile

_DIGITS = 12
_BYTES = 8
_UNICODE = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "ucs2": "utf-16-be",
    "utf16": "utf-16-be",
    "utf16le": "utf-16-le",
    "utf32": "utf-32-be",
}
_PYTHONS = {
    "latin2": "iso8859_2",
    "latin5": "iso8859_9",
    "latin7": "iso8859_13",
    "greek": "iso8859_7",
    "hebrew": "iso8859_8",
    "koi8r": "koi8_r",
    "koi8u": "koi8_u",
    "tis620": "tis_620",
    "macroman": "mac_roman",
    "macce": "mac_latin2",
    "ujis": "euc_jp",
    "eucjpms": "euc_jp",
    "euckr": "euc_kr",
    "sjis": "shift_jis",
}
_SAME = ("cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "cp932")
_ASIAN = ("big5", "gbk", "gb2312", "gb18030")
_CODECS = {**_UNICODE, **_PYTHONS, **{name: name for name in (*_SAME, *_ASIAN)}}


def evenly(low: int, high: int, count: int) -> list[int]:
    """Return up to so many numbers above the lower and up to the higher of two."""
    low, high = min(low, high), max(low, high)
    steps = (low + (high - low) * i // count for i in range(1, count + 1))
    return [n for n in dict.fromkeys(steps) if n != low]


def byte_guesses(low: str, high: str, count: int) -> list[str]:
    """Return up to so many bytes between two, all in hexadecimal digits."""
    ends = [bytes.fromhex(text) for text in (low, high)]
    same = _alike(ends[0], ends[1])
    numbers = [
        int.from_bytes(end[same : same + _BYTES].ljust(_BYTES, b"\0"), "big") for end in ends
    ]
    return [
        (ends[0][:same] + n.to_bytes(_BYTES, "big")).hex()
        for n in evenly(numbers[0], numbers[1], count)
    ]


def guesses(charset: str, *, folded: bool) -> Callable[[str, str, int], list[str]]:
    """Return what guesses texts between two keys: both as bytes of ``charset``, they as UTF-8.

    Args:
        charset: The server's name of it.
        folded: Whether accents and case count last or not at all: guesses are made without them.
    """
    codec = _CODECS.get(charset, "latin-1")

    def between(low: str, high: str, count: int) -> list[str]:
        ends = [bytes.fromhex(text).decode(codec, "replace") for text in (low, high)]
        if folded:
            ends = [_folded(end) for end in ends]
        found = _texts(ends[0], ends[1], count)
        return [text.encode().hex() for text in found if text]

    return between


def _folded(text: str) -> str:
    return "".join(unicodedata.normalize("NFD", c)[0] for c in text.lower())


def _alike(one: bytes | str, other: bytes | str) -> int:
    pairs: zip[tuple[object, object]] = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _texts(low: str, high: str, count: int) -> list[str]:
    """Return texts between two, in the characters that either has after what they share."""
    same = _alike(low, high)
    tails = [text[same : same + _DIGITS] for text in (low, high)]
    codes = [ord(c) for tail in tails for c in tail]
    least, most = min([*codes, ord("0")]), max([*codes, ord("z")])
    base = most - least + 2
    numbers = [_number(tail, least, base) for tail in tails]
    return [low[:same] + _word(n, least, base) for n in evenly(numbers[0], numbers[1], count)]


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
    # It ends where a digit is the end of a text; spaces there would count for nothing.
    kept = list(takewhile(bool, reversed(digits)))
    return "".join(_character(least + d - 1) for d in kept)


def _character(code: int) -> str:
    # Surrogates are no characters of their own.
    return chr(0xD7FF if 0xD800 <= code <= 0xDFFF else code)
