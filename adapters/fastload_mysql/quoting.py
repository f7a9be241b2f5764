"""The one place where names and texts become SQL."""

from __future__ import annotations

from collections.abc import Iterable

from fastload.errors import ConfigError
from fastload.model import QualifiedName

_LONGEST_NAME = 64  # characters, of the first 65536 of Unicode
_LAST_CHARACTER = "\uffff"


def ident(name: str) -> str:
    """Quote a name.

    Raises:
        ConfigError: Neither MySQL nor MariaDB can have this name.
    """
    if not name or "\0" in name or name.endswith(" ") or max(name) > _LAST_CHARACTER:
        raise ConfigError(f"not a name in MySQL: {name!r}")
    if len(name) > _LONGEST_NAME:
        raise ConfigError(
            f"the name {name!r} is longer than {_LONGEST_NAME} characters",
            hint="`rename` gives another name",
        )
    return "`" + name.replace("`", "``") + "`"


def idents(names: Iterable[str]) -> str:
    """Quote names into a comma-separated list."""
    return ", ".join(ident(n) for n in names)


def qualified(name: QualifiedName) -> str:
    """Quote a name with its schema, which is its database."""
    return f"{ident(name.schema)}.{ident(name.name)}"


def literal(text: str) -> str:
    """Quote a text, for sessions without NO_BACKSLASH_ESCAPES: connections see to that."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"
