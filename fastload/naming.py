r"""Names of tables and columns as text: one spelling, which is printed, and one reading of it.

Parts are joined by dots. A part that could be misread stands in double quotes, in which a quote
is doubled, and a backslash begins an escape: ``\\``, ``\n``, ``\r``, ``\t``, ``\xhh``, ``\uhhhh``,
``\Uhhhhhhhh``. Elsewhere every character means itself.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from fastload.errors import ConfigError
from fastload.wording import shows

_MISREAD = frozenset('."*?=,')
_QUOTED = re.compile(r'"((?:[^"\\]|""|\\.)+)"', re.DOTALL)
_ESCAPE = re.compile(
    r'""|\\(?:x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\\nrt]|(.))', re.DOTALL
)
_SHORT = {'""': '"', "\\\\": "\\", "\\n": "\n", "\\r": "\r", "\\t": "\t"}


class Part(NamedTuple):
    """A part of a name; in what stood in quotes, no character is a wildcard."""

    text: str
    quoted: bool


def spelled(*parts: str) -> str:
    """Return the name of these parts as it is printed; empty ones are left out."""
    return ".".join(map(_spelled_part, filter(None, parts)))


def column_of(table: str, column: str) -> str:
    """Return the name of a column of a table whose name is spelled already."""
    return f"{table}.{spelled(column)}"


def option(name: str, key: str, value: str) -> str:
    """Return a Python option for one spelled name, such as ``types={'public.t.c': 'text'}``."""
    return f"{name}={{{key!r}: {value!r}}}"


def parsed(text: str) -> tuple[str, ...]:
    """Return the parts of a name.

    Raises:
        ConfigError: It is none.
    """
    return tuple(part.text for part in parts_of(text))


@lru_cache(1024)
def parts_of(text: str) -> tuple[Part, ...]:
    """Return the parts of a name or pattern.

    Raises:
        ConfigError: It is none.
    """
    parts, rest = split(text)
    if rest:
        raise _no_name(text)
    return parts


def split(text: str, stop: str = "") -> tuple[tuple[Part, ...], str]:
    """Return the parts of the name that the text begins with, and what follows it.

    Args:
        text: The name, or more.
        stop: A character that ends the name, unless it stands in quotes.

    Raises:
        ConfigError: No name is there.
    """
    bare = re.compile(rf"[^.{re.escape(stop)}]+")
    parts, at = [], 0
    while True:
        quoted = text.startswith('"', at)
        found = (_QUOTED if quoted else bare).match(text, at)
        if not found:
            raise _no_name(text)
        parts.append(Part(_unquoted(found[1], text) if quoted else found[0], quoted))
        at = found.end()
        if text[at : at + 1] != ".":
            break
        at += 1
    if at < len(text) and text[at] != stop:
        raise _no_name(text)
    return tuple(parts), text[at:]


def _spelled_part(part: str) -> str:
    if _MISREAD.isdisjoint(part) and part == part.strip() and all(map(shows, part)):
        return part
    inside = part.replace("\\", "\\\\").replace('"', '""')
    return '"' + "".join(c if shows(c) else ascii(c)[1:-1] for c in inside) + '"'


def _unquoted(inside: str, text: str) -> str:
    def meant(found: re.Match[str]) -> str:
        if found[1] is not None:
            raise _no_name(text)
        code = found[0][2:]
        return _SHORT.get(found[0]) or _character(code, text)

    return _ESCAPE.sub(meant, inside)


def _character(code: str, text: str) -> str:
    try:
        return chr(int(code, 16))
    except (ValueError, OverflowError):
        raise _no_name(text) from None


def _no_name(text: str) -> ConfigError:
    return ConfigError(
        f"{text!r} is not a name",
        hint='write schema.table; a part that holds a dot or a quote in "double quotes", where a '
        "quote and a backslash are written twice",
    )
