"""Comparisons, of values that both servers compare alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastload.expressions.literals import literal
from fastload.expressions.nodes import (
    FROM_LEFT,
    WITHOUT_ORDER,
    check_order,
    listed,
    quantifier,
    shown,
)
from fastload.expressions.term import NUMBERS, Refused, Term, as_number, unlike

if TYPE_CHECKING:
    from fastload.expressions.dialect import Reader
    from fastload.expressions.reading import Reading

_DATES = frozenset({"date", "timestamp"})
_COMPARABLE = NUMBERS | _DATES | {"bool", "text", "timestamptz"}


def comparison(op: str) -> Reader:
    """Return what reads a comparison by this operator into a term."""

    def read(reading: Reading, node: Any) -> Term:
        # Servers take comparisons from left to right, sqlglot some before others.
        check_order(node.expression, WITHOUT_ORDER)
        check_order(node.this, WITHOUT_ORDER - FROM_LEFT)
        array = listed(node.expression)
        if array is not None:
            if (op, quantifier(node.expression)) not in (("eq", "any"), ("ne", "all")):
                raise Refused(f"{shown(node)} is not known to mean the same in both")
            found = one_of(reading, reading.term(node.this), reading.terms(array))
            return found if op == "eq" else Term("not", "bool", (found,))
        return compared(reading, op, reading.term(node.this), reading.term(node.expression))

    return read


def compared(reading: Reading, op: str, left: Term, right: Term) -> Term:
    """Return a comparison, where both servers compare such values alike."""
    left, right = _alike(left, right)
    if "text" in (left.kind, right.kind):
        if op not in ("eq", "ne", "same"):
            raise Refused("which of two texts comes first depends on the collation")
        for term in (left, right):
            check_text(reading, term)
        op += "_text"
    return Term(op, "bool", (left, right))


def _alike(left: Term, right: Term) -> tuple[Term, Term]:
    if "null" in (left.kind, right.kind):
        raise Refused("it compares with NULL, which is never true")
    if left.kind == right.kind and left.kind in _COMPARABLE:
        return left, right
    if {left.kind, right.kind} <= NUMBERS | {"bool"}:
        return as_number(left), as_number(right)
    if {left.kind, right.kind} <= _DATES:
        return left, right
    for here, there in ((left, right), (right, left)):
        if here.op == "text" and there.kind in (*_DATES, "timestamptz"):
            longer = there.kind == "date" and len(here.value) > len("2000-01-01")
            found = literal(here.value, "timestamp" if longer else there.kind)
            return (found, right) if here is left else (left, found)
    raise unlike(left, right)


def check_text(reading: Reading, term: Term) -> None:
    """Refuse a text whose comparisons depend on more than its characters."""
    if term.op == "text":
        return
    if term.op != "column":
        raise Refused("how a computed text is compared depends on its collation")
    reading.dialect.exact_text(reading.column(term.value))


def one_of(reading: Reading, left: Term, choices: list[Term]) -> Term:
    """Return whether a term equals one of some others."""
    if not choices:
        raise Refused("a list that is not written out")
    pairs = [compared(reading, "eq", left, c) for c in choices]
    subjects = {p.args[0] for p in pairs}
    if len(subjects) != 1 or len({p.op for p in pairs}) != 1:
        raise Refused("it compares with a list of several kinds")
    op = "in_text" if pairs[0].op == "eq_text" else "in"
    return Term(op, "bool", (pairs[0].args[0], *(p.args[1] for p in pairs)))


def is_in(reading: Reading, node: Any) -> Term:
    check_order(node.this, WITHOUT_ORDER)
    return one_of(reading, reading.term(node.this), reading.terms(node.expressions))


def between(reading: Reading, node: Any) -> Term:
    for side in (node.this, node.args["low"], node.args["high"]):
        check_order(side, WITHOUT_ORDER)
    middle = reading.term(node.this)
    low = compared(reading, "ge", middle, reading.term(node.args["low"]))
    high = compared(reading, "le", middle, reading.term(node.args["high"]))
    return Term("and", "bool", (low, high))


def nullif(reading: Reading, node: Any) -> Term:
    pair = compared(reading, "eq", reading.term(node.this), reading.term(node.expression))
    left = pair.args[0]
    return left._replace(op="case", args=(pair, Term("null", "null"), left), value="")


def differing(reading: Reading, node: Any) -> Term:
    same = compared(reading, "same", reading.term(node.this), reading.term(node.expression))
    return Term("not", "bool", (same,))
