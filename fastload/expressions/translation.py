"""An expression of one dialect in the words of another, or the reason why it has none there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from fastload import registry
from fastload.expressions.parsing import read as read_term
from fastload.expressions.term import Refused, columns_of
from fastload.expressions.uses import Use, check_use, fitted

if TYPE_CHECKING:
    from fastload.model import Column


class Translated(NamedTuple):
    """The answer: the text, or None and the reason in words.

    Attributes:
        columns: Names of the columns that a translated expression is made of.
    """

    text: str | None
    reason: str | None = None
    columns: frozenset[str] = frozenset()


def translate(
    text: str,
    *,
    read: str,
    write: str,
    use: Use,
    columns: Mapping[str, Column],
    column: str | None = None,
    into: str | None = None,
) -> Translated:
    """Return an expression in another dialect.

    Wherever the source yields a value, the target yields the same. Where the source fails, as on
    an overflow, the target may yield a value. The time of a statement stands for that of its
    transaction, which not all servers keep, and one fresh UUID for another.

    Args:
        text: The expression as the source's catalogue shows it; ``CHECK (...)`` may stand around
            it.
        read: Dialect of the text, by the name that catalogues have for it. Its adapter must offer
            it, as ``fastload.adapter.Expressing`` says; as that of the answer must.
        write: Dialect of the answer.
        use: What it is for; ``unique`` is a key of a unique index.
        columns: The source table's columns by name.
        column: Whose default it is, or whose values it generates.
        into: Arrow type of that column on the target; without it, as on the source.
    """
    if read == write:
        return Translated(text)
    here, there = registry.expressions_of(read), registry.expressions_of(write)
    if here is None or there is None:
        return Translated(None, f"expressions are not translated from {read} to {write}")
    owner = columns.get(column) if column is not None else None
    arrow = into or (owner.arrow if owner else None)
    try:
        term = read_term(text, here, columns)
        check_use(term, use)
        term = fitted(term, use, owner, arrow)
        say = {"default": there.default, "check": there.check}.get(use, there.write)
        return Translated(say(term), columns=columns_of(term))
    except Refused as refused:
        return Translated(None, str(refused))
