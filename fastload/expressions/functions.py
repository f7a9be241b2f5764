"""Functions and CASE, as far as both servers have them with one meaning."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fastload.expressions.casts import cast
from fastload.expressions.comparisons import compared
from fastload.expressions.term import EXACT_NUMBERS, Refused, Term, one_kind

if TYPE_CHECKING:
    from fastload.expressions.dialect import Reader
    from fastload.expressions.reading import Reading

_DATES = frozenset({"date", "timestamp"})
_PARTS = {
    "date": ("year", "month", "day"),
    "timestamp": ("year", "month", "day", "hour", "minute"),
}


def coalesce(reading: Reading, node: Any) -> Term:
    terms, like = one_kind(reading.terms([node.this, *node.expressions]))
    if any(t.kind == "null" for t in terms):
        raise Refused("COALESCE of a literal NULL")
    return like._replace(op="coalesce", args=tuple(terms))


def case(reading: Reading, node: Any) -> Term:
    subject = reading.term(node.this) if node.this else None
    conditions = []
    for branch in node.args["ifs"]:
        if subject is None:
            conditions.append(reading.bool(branch.this))
        else:
            conditions.append(compared(reading, "eq", subject, reading.term(branch.this)))
    values = [branch.args["true"] for branch in node.args["ifs"]]
    return _branches(reading, conditions, values, node.args.get("default"))


def either(reading: Reading, node: Any) -> Term:
    return _branches(
        reading, [reading.bool(node.this)], [node.args["true"]], node.args.get("false")
    )


def _branches(reading: Reading, conditions: list[Term], values: list[Any], last: Any) -> Term:
    found = [*reading.terms(values), reading.term(last) if last else Term("null", "null")]
    found, like = one_kind(found)
    pairs = [t for pair in zip(conditions, found[:-1], strict=True) for t in pair]
    return like._replace(op="case", args=(*pairs, found[-1]), value="")


def length(reading: Reading, node: Any) -> Term:
    inner = reading.term(node.this)
    if inner.kind == "binary":
        return Term("byte_length", "integer", (inner,), digits=(10, 0))
    if node.args.get("binary"):
        return byte_length(reading, node.this)
    if inner.kind != "text":
        raise Refused("the length of what is not text")
    return Term("char_length", "integer", (inner,), digits=(10, 0))


def byte_length(reading: Reading, node: Any) -> Term:
    """Return the length in bytes of what a node means, where its bytes are the same everywhere."""
    inner = reading.term(node)
    if inner.op not in ("column", "text") or inner.kind not in ("text", "binary"):
        raise Refused("the bytes of a computed text")
    if inner.kind == "text" and inner.op == "column":
        reading.dialect.text_bytes(reading.column(inner.value))
    op = "byte_length" if inner.kind == "binary" else "text_byte_length"
    return Term(op, "integer", (inner,), digits=(10, 0))


def letters(op: str) -> Reader:
    def read(reading: Reading, node: Any) -> Term:
        inner = reading.term(node.this)
        if inner.kind != "text":
            raise Refused(f"{op} of what is not text")
        return Term(op, "text", (inner,))

    return read


def extremes(op: str, *, ignores_null: bool) -> Reader:
    """Return a reader of GREATEST or LEAST; servers differ in what a NULL among them does."""

    def read(reading: Reading, node: Any) -> Term:
        terms, like = one_kind(reading.terms([node.this, *node.expressions]))
        if like.kind not in EXACT_NUMBERS | _DATES:
            raise Refused("which of these values comes first may differ")
        nullable = [t for t in terms if not _never_null(reading, t)]
        if nullable and ignores_null:
            raise Refused("it passes over NULL, which others do not")
        found = like._replace(op=op, args=tuple(terms))
        for term in reversed(nullable):
            null = Term("is_null", "bool", (term,))
            found = like._replace(op="case", args=(null, Term("null", "null"), found))
        return found

    return read


def _never_null(reading: Reading, term: Term) -> bool:
    if term.op == "column":
        return not reading.column(term.value).nullable
    return term.op in ("number", "text", "date", "timestamp")


def joined(reading: Reading, nodes: list[Any]) -> Term:
    """Return texts one after the other; NULL if any is."""
    terms = [cast(reading, t, "TEXT", []) for t in reading.terms(nodes)]
    return Term("concat", "text", tuple(terms))


def part_of(op: str) -> Callable[[Reading, Any], Term]:
    def read(reading: Reading, node: Any) -> Term:
        inner = node.this
        if type(inner).__name__ == "TsOrDsToDate":
            inner = inner.this
        return part(reading, op, inner)

    return read


def part(reading: Reading, name: str, node: Any) -> Term:
    """Return the year, month, ... of a date or a timestamp without zone."""
    inner = reading.term(node)
    if name not in _PARTS.get(inner.kind, ()):
        raise Refused(f"the {name} of a value of kind {inner.kind}")
    return Term("part", "integer", (inner,), value=name.upper(), digits=(4, 0))


def extract(reading: Reading, node: Any) -> Term:
    return part(reading, str(node.this).lower(), node.expression)
