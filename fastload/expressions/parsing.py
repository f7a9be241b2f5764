"""From an expression's text to what it means; sqlglot is imported here alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastload.expressions.reading import Reading
from fastload.expressions.term import Refused, Term

if TYPE_CHECKING:
    from fastload.expressions.dialect import Dialect
    from fastload.model import Column


def read(text: str, dialect: Dialect, columns: Mapping[str, Column]) -> Term:
    """Return what a text of this dialect means over a table's columns by name.

    Raises:
        Refused: Not all of it is known to mean the same everywhere.
    """
    return Reading(dialect, columns).term(_parsed(dialect.clean(text.strip()), dialect.grammar))


def _parsed(text: str, grammar: str) -> Any:
    try:
        import sqlglot
    except ImportError:
        raise Refused("sqlglot, which reads expressions, is not installed") from None
    try:
        return sqlglot.parse_one(text, read=grammar, into=sqlglot.exp.Condition)
    except (sqlglot.errors.SqlglotError, RecursionError):
        raise Refused("sqlglot cannot read it as one expression") from None
