"""Expressions between MySQL and MariaDB: one set of words, of which some mean something else.

Both take most of each other's text, and compute other bits, digits and texts of it without a word.
So it is read by the same list as for other families, and kept only where all of it is known to
mean the same in both. A text that is kept is kept as it is, which its collation is part of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from fastload.expressions import Translated, Use
from fastload.expressions.comparisons import check_text
from fastload.expressions.parsing import read
from fastload.expressions.term import Refused, Term, columns_of, combined, every, kind_of, text
from fastload.expressions.uses import check_use, fitted
from fastload_mysql.expression_dialect import EXPRESSIONS

if TYPE_CHECKING:
    from fastload.expressions import Dialect
    from fastload.expressions.reading import Reading
    from fastload.model import Column


# MySQL 9 shows 'a\\b' as 'a\b', which MariaDB reads as a backspace, and \' for a quotation mark.
_SPELLED_ALIKE = re.compile(r"[ !#-&(-\[\]-~]*")


def keep(
    text: str,
    *,
    use: Use,
    columns: Mapping[str, Column],
    here: Mapping[str, Column],
    column: str | None = None,
) -> Translated:
    """Return an expression of the other flavour as it is, or why it is not kept.

    Args:
        text: The expression as the source's catalogue shows it.
        use: What it is for.
        columns: The source table's columns by name.
        here: The same columns as the target has them.
        column: Whose default it is, or whose values it generates.
    """
    owner = columns.get(column) if column is not None else None
    arrow = here[column].arrow if column is not None else None
    try:
        term = read(text, _both(here, trusted=use != "check"), columns)
        if use != "default" or not columns_of(term):
            check_use(term, use)
        _check_literals(term)
        fitted(term, use, owner, arrow)
        return Translated(text, columns=columns_of(term))
    except Refused as refused:
        return Translated(None, str(refused))


def _both(here: Mapping[str, Column], *, trusted: bool) -> Dialect:
    """Return how an expression of one flavour is read for the other.

    Args:
        here: The other flavour's columns by name.
        trusted: Whether it makes values that have to be the same ones: texts that are compared
            by another collation there are then refused. A check may compare by it, as the column
            itself does from then on.
    """
    return EXPRESSIONS._replace(
        readers={**EXPRESSIONS.readers, **_READERS},
        functions={**EXPRESSIONS.functions, "json_array": _empty("[]")},
        kind=_kind(here, trusted=trusted),
        exact_text=_exact_text(here, trusted=trusted),
        text_bytes=_same_bytes(here),
    )


def _check_literals(term: Term) -> None:
    """Refuse texts whose spelling in a catalogue is not the one that the other flavour reads."""
    for part in every(term):
        if part.op == "text" and not _SPELLED_ALIKE.fullmatch(part.value):
            raise Refused("a literal with quotation marks, backslashes or letters beyond ASCII")


def _kind(here: Mapping[str, Column], *, trusted: bool) -> Callable[[Column], str]:
    def kind(column: Column) -> str:
        """Say ``other`` also of what the other flavour has in another type."""
        other = here.get(column.name)
        if other is None or kind_of(other.arrow) != kind_of(column.arrow):
            return "other"
        # Whether spaces at its end are there depends on sql_mode: MariaDB stores no such value.
        if trusted and column.padded:
            return "other"
        return EXPRESSIONS.kind(column)

    return kind


def _exact_text(here: Mapping[str, Column], *, trusted: bool) -> Callable[[Column], None]:
    charsets: set[str | None] = set()

    def check(column: Column) -> None:
        other = here[column.name].collation
        if trusted and column.collation != other:
            raise Refused(f"texts are compared by {other}, and not by {column.collation}")
        charsets.add(column.extra.get("charset"))
        if len(charsets) > 1:
            raise Refused("which collation compares texts of several character sets differs")

    return check


def _same_bytes(here: Mapping[str, Column]) -> Callable[[Column], None]:
    def check(column: Column) -> None:
        charset, other = (str(c.extra.get("charset")) for c in (column, here[column.name]))
        if charset.replace("utf8mb3", "utf8") != other.replace("utf8mb3", "utf8"):
            raise Refused("its length in bytes is that of another character set")

    return check


def _product(reading: Reading, node: Any) -> Term:
    left, right = reading.operand(node.this), reading.operand(node.expression)
    return combined("mul", left, right)


def _like(reading: Reading, node: Any) -> Term:
    found, pattern = reading.term(node.this), reading.term(node.expression)
    if found.kind != "text" or pattern.op != "text" or "\\" in pattern.value:
        raise Refused("a pattern that is not a literal without backslashes")
    check_text(reading, found)
    return Term("like", "bool", (found, pattern))


def _empty(value: str) -> Callable[[Reading, Any], Term]:
    def read(reading: Reading, node: Any) -> Term:
        if node.expressions:
            raise Refused("a document, which both spell in their own way")
        return text(value)

    return read


_READERS = {"JSONObject": _empty("{}"), "Like": _like, "Mul": _product}
