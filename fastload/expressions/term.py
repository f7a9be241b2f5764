"""What an expression means, free of any dialect: a tree of terms, each of a known kind.

A dialect's reader makes a term only of what it knows the exact meaning of, and a dialect's writer
says a term only where it has words that mean exactly that; whatever stands in between is Refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Beyond these some servers cut off digits, and others never do.
MOST_DIGITS = 65
MOST_SCALE = 30
_INTEGER_DIGITS = {"int8": 3, "int16": 5, "int32": 10, "uint8": 3, "uint16": 5, "uint32": 10}
_DECIMAL = re.compile(r"decimal\d*\((\d+), ?(-?\d+)\)")
_KINDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), kind)
    for pattern, kind in (
        (r"int\d+", "integer"),
        (r"uint\d+", "unsigned"),
        (_DECIMAL.pattern, "decimal"),
        (r"float|float32", "single"),
        (r"double|float64", "float"),
        (r"bool", "bool"),
        (r"(large_)?string|string_view", "text"),
        (r"(large_)?binary|binary_view|fixed_size_binary\[\d+\]", "binary"),
        (r"date32(\[day\])?", "date"),
        (r"timestamp\[\w+\]", "timestamp"),
        (r"timestamp\[\w+, tz=.+\]", "timestamptz"),
        (r"time(32|64)\[\w+\]", "time"),
        (r"dictionary<values=(large_)?string, .*", "enum"),
        (r"arrow\.uuid", "uuid"),
        (r"arrow\.json", "json"),
    )
)
NUMBERS = frozenset({"integer", "unsigned", "decimal", "single", "float"})
EXACT_NUMBERS = frozenset({"integer", "unsigned", "decimal"})
LITERALS = frozenset({"text", "number", "bool", "null", "bits", "bytes", "date", "timestamp"})
# What differs from one evaluation to the next: only a default may hold it.
FRESH = frozenset({"now", "utc_now", "today", "uuid"})


class Refused(Exception):  # an answer, not a failure
    """An expression, or a part of it, has no exact translation; its text is the reason."""


class Term(NamedTuple):
    """One operation, column or literal.

    Attributes:
        op: Name of the operation, or ``column``, or the kind of literal.
        kind: Kind of what it yields.
        value: Name of the column, text of the literal, or what else the operation needs.
        digits: For exact numbers, how many there can be before and after the point.
    """

    op: str
    kind: str
    args: tuple[Term, ...] = ()
    value: str = ""
    digits: tuple[int, int] = (0, 0)


def kind_of(arrow: str) -> str:
    """Return the kind of values of an Arrow type, ``other`` for what has no operations here."""
    return next((kind for pattern, kind in _KINDS if pattern.fullmatch(arrow)), "other")


def digits_of(arrow: str) -> tuple[int, int]:
    """Return how many digits an Arrow type has before and after the point."""
    if match := _DECIMAL.fullmatch(arrow):
        return int(match[1]) - int(match[2]), max(int(match[2]), 0)
    return _INTEGER_DIGITS.get(arrow, 20), 0


def every(term: Term) -> Iterator[Term]:
    """Yield the term and all below it."""
    yield term
    for arg in term.args:
        yield from every(arg)


def columns_of(term: Term) -> frozenset[str]:
    """Return the names of the columns that it is made of."""
    return frozenset(t.value for t in every(term) if t.op == "column")


def text(value: str) -> Term:
    """Return a literal of characters."""
    return Term("text", "text", value=value)


def number(value: str) -> Term:
    """Return a literal number: a float where it has an exponent, else exact."""
    if "e" in value.lower():
        return Term("number", "float", value=value)
    whole, _, fraction = value.lstrip("-").partition(".")
    small = not fraction and -(2**63) <= int(whole or 0) * (-1 if value[0] == "-" else 1) < 2**63
    kind = "integer" if small and "." not in value else "decimal"
    return Term("number", kind, value=value, digits=(len(whole), len(fraction)))


def truth(value: bool) -> Term:
    """Return a literal truth value."""
    return Term("bool", "bool", value="1" if value else "0")


def as_number(term: Term) -> Term:
    """Return a term as a number; of a truth value that is 1 or 0."""
    if term.kind == "bool":
        return Term("bool_to_integer", "integer", (term,), digits=(1, 0))
    if term.kind not in NUMBERS:
        raise Refused(f"it computes with {_spoken(term.kind)}")
    return term


def as_bool(term: Term) -> Term:
    """Return a term as a truth value; of a number that is whether it differs from 0."""
    if term.kind in ("bool", "null"):
        return term
    if term.kind not in EXACT_NUMBERS:
        raise Refused(f"it takes {_spoken(term.kind)} for true or false")
    return Term("ne", "bool", (term, number("0")))


def combined(op: str, left: Term, right: Term) -> Term:
    """Return a sum, difference or product, as long as all its digits are kept everywhere."""
    kinds = {left.kind, right.kind}
    if kinds & {"single", "float"}:
        return Term(op, "float", (left, right))
    (whole, scale), (whole2, scale2) = left.digits, right.digits
    digits = (max(whole, whole2) + 1, max(scale, scale2))
    if op == "mul":
        digits = (whole + whole2, scale + scale2)
    exact = kinds <= {"integer", "unsigned"}
    if not exact and (sum(digits) > MOST_DIGITS or digits[1] > MOST_SCALE):
        raise Refused("the result may have more digits than one of the two keeps")
    kind = "decimal" if not exact else "unsigned" if "unsigned" in kinds else "integer"
    return Term(op, kind, (left, right), digits=digits)


def one_kind(terms: list[Term]) -> tuple[list[Term], Term]:
    """Return the alternatives of one expression in one kind, and a term that has it."""
    kinds = {t.kind for t in terms} - {"null"}
    if "bool" in kinds and kinds & NUMBERS:
        terms = [t if t.kind == "null" else as_number(t) for t in terms]
        kinds = {t.kind for t in terms} - {"null"}
    if not kinds:
        return terms, terms[0]
    if len(kinds) > 1 and not kinds <= NUMBERS:
        raise Refused(f"it yields {' or '.join(sorted(map(_spoken, kinds)))}")
    if len(kinds) > 1 and "single" in kinds:
        raise Refused("it yields float or another number")
    order = ("float", "decimal", "unsigned", "integer")
    kind = next((k for k in order if k in kinds), next(iter(kinds)))
    if kind == "float" and len(kinds) > 1:
        raise Refused("it yields float or another number")
    digits = (max(t.digits[0] for t in terms), max(t.digits[1] for t in terms))
    return terms, Term("", kind, digits=digits)


def _spoken(kind: str) -> str:
    words = {"bool": "true or false", "null": "NULL", "other": "a type that it knows no more of"}
    return words.get(kind, kind)


def unlike(left: Term, right: Term) -> Refused:
    """Return the refusal of a comparison between kinds."""
    return Refused(f"it compares {_spoken(left.kind)} with {_spoken(right.kind)}")
