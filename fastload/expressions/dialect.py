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
    """One family of servers, as its adapter describes it.

    Attributes:
        grammar: As sqlglot calls what reads it.
        clean: From the text of a catalogue to an expression in SQL.
        readers: By the name of sqlglot's node, before those that all families share.
        functions: By the lower-case name of a function that sqlglot does not know.
        kind: Kind of a column's values; ``other`` where its type has operations of its own.
        exact_text: Raises Refused where texts are not compared character by character.
        text_bytes: Raises Refused where a text's bytes are not its UTF-8.
        folds_names: Whether names of columns are found in any case.
        clamps_casts: Whether a cast beyond the range yields the nearest value, not an error.
        timestamp_digits: Digits of a second that a cast to a timestamp keeps if it names none.
        decimal_digits: Precision and scale of a cast to a decimal number that names none; None
            keeps all.
        underflows_to_zero: Whether a product of floats too small for one is 0, not an error.
        widens_singles: Whether floats of single precision are computed with in double.
        write: Say a term.
        default: Say a term as a column's default.
        check: Say a term as a check.
    """

    grammar: str
    clean: Callable[[str], str]
    readers: Mapping[str, Reader]
    functions: Mapping[str, Reader]
    kind: Callable[[Column], str]
    exact_text: Callable[[Column], None]
    text_bytes: Callable[[Column], None]
    folds_names: bool
    clamps_casts: bool
    timestamp_digits: int
    decimal_digits: tuple[int, int] | None
    underflows_to_zero: bool
    widens_singles: bool
    write: Writer
    default: Writer
    check: Writer
