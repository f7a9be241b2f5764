"""The one place where names and texts become SQL."""

from __future__ import annotations

from collections.abc import Iterable

from fastload.errors import ConfigError
from fastload.model import QualifiedName

DEFAULT_SCHEMA = "public"
LONGEST_NAME_BYTES = 63  # PostgreSQL cuts longer ones silently


def ident(name: str) -> str:
    """Quote a name.

    Raises:
        ConfigError: PostgreSQL cannot have this name.
    """
    if not name or "\0" in name:
        raise ConfigError(f"not a name: {name!r}")
    if len(name.encode("utf-8", "surrogatepass")) > LONGEST_NAME_BYTES:
        raise ConfigError(
            f"the name {name!r} is longer than {LONGEST_NAME_BYTES} bytes",
            hint="PostgreSQL would cut it silently; `rename` gives another name",
        )
    return '"' + name.replace('"', '""') + '"'


def idents(names: Iterable[str]) -> str:
    """Quote names into a comma-separated list."""
    return ", ".join(ident(n) for n in names)


def qualified(name: QualifiedName) -> str:
    """Quote a name with its schema."""
    return f"{ident(name.schema)}.{ident(name.name)}"


def literal(text: str) -> str:
    """Quote a text so that it means itself whatever standard_conforming_strings says."""
    if "\0" in text:
        raise ConfigError("PostgreSQL has no text with a zero byte")
    quoted = text.replace("'", "''")
    return f" E'{quoted.replace(chr(92), chr(92) * 2)}'" if "\\" in text else f"'{quoted}'"
