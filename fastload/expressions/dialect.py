"""What a dialect brings: how it reads its own words, and how it says terms in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fastload.expressions.term import Term

if TYPE_CHECKING:
    from fastload.expressions.reading import Reading
    from fastload.model import Column

Reader = Callable[["Reading", Any], Term]
Writer = Callable[[Term], str]


class Dialect(NamedTuple):
    """One family of servers.

    Attributes:
        name: As sqlglot calls it.
        clean: From the text of a catalogue to an expression in SQL.
        readers: By the name of sqlglot's node, before those that all families share.
        functions: By the lower-case name of a function that sqlglot does not know.
        kind: Kind of a column's values; ``other`` where its type has operations of its own.
        exact_text: Raises Refused where texts are not compared character by character.
        text_bytes: Raises Refused where a text's bytes are not its UTF-8.
        clamps: Whether a cast beyond the range yields the nearest value, not an error.
        folds: Whether names of columns are found in any case.
        write: Say a term.
        default: Say a term as a column's default.
        check: Say a term as a check.
    """

    name: str
    clean: Callable[[str], str]
    readers: Mapping[str, Reader]
    functions: Mapping[str, Reader]
    kind: Callable[[Column], str]
    exact_text: Callable[[Column], None]
    text_bytes: Callable[[Column], None]
    clamps: bool
    folds: bool
    write: Writer
    default: Writer
    check: Writer
