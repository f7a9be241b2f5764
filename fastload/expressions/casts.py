"""Casts that yield the same value everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastload.expressions.literals import literal
from fastload.expressions.term import MOST_DIGITS, MOST_SCALE, Refused, Term, as_number

if TYPE_CHECKING:
    from fastload.expressions.reading import Reading

_TEXTS = frozenset({"TEXT", "VARCHAR", "CHAR", "BPCHAR"})
_INTEGERS = {"TINYINT": 2, "SMALLINT": 4, "INT": 9, "BIGINT": 18}
_KINDS = {
    **dict.fromkeys(_INTEGERS, "integer"),
    "DECIMAL": "decimal",
    "DOUBLE": "float",
    "FLOAT": "single",
    "BOOLEAN": "bool",
    "DATE": "date",
    "DATETIME": "timestamp",
    "TIMESTAMP": "timestamp",
    "TIMESTAMPNTZ": "timestamp",
    "TIMESTAMPTZ": "timestamptz",
    "JSON": "json",
    "JSONB": "json",
    "UUID": "uuid",
    "TIME": "time",
}


def cast(reading: Reading, term: Term, to: str, modifiers: list[str]) -> Term:
    """Return a term cast to a type, named as sqlglot does.

    Raises:
        Refused: Servers may differ in the value.
    """
    if term.kind == "null":
        return term
    if to in _TEXTS:
        return _to_text(term, to, modifiers)
    kind = _KINDS.get(to)
    if kind == "timestamp":
        modifiers = _digits_of_second(reading, term, modifiers)
    if term.op == "text":
        return _of_literal(term, to, kind, modifiers)
    if kind == "integer":
        return _to_integer(reading, term, to)
    if kind == "decimal":
        return _to_decimal(reading, term, modifiers)
    if modifiers:
        raise Refused(f"a cast to {to.lower()}({', '.join(modifiers)})")
    return _to_other(term, to, kind)


def _digits_of_second(reading: Reading, term: Term, modifiers: list[str]) -> list[str]:
    """Refuse a cast that rounds to fewer digits: without any, some servers do so."""
    if not modifiers and _digits_there(term) > reading.dialect.timestamp_digits:
        raise Refused("a cast that rounds to fewer digits of a second")
    return [] if modifiers == ["6"] or term.kind == "date" else modifiers


def _digits_there(term: Term) -> int:
    """Return how many digits of a second a term may have."""
    if term.op == "text":
        return len(term.value.partition(".")[2])
    if term.op == "now" and term.value.isdecimal():
        return int(term.value)
    return 6 if term.kind == "timestamp" or term.op == "now" else 0


def _of_literal(term: Term, to: str, kind: str | None, modifiers: list[str]) -> Term:
    if to == "USERDEFINED" and not modifiers:
        return term  # a label of an enumerated type, which its column checks
    if kind is None or modifiers:
        raise Refused(f"a literal cast to {to.lower()}")
    if kind in ("json", "uuid", "time"):
        return literal(term.value, kind)._replace(kind=kind)
    if kind == "single":
        raise Refused("a literal rounded to single precision")
    found = literal(term.value, kind)
    return found._replace(kind="float") if kind == "float" else found


def _to_text(term: Term, to: str, modifiers: list[str]) -> Term:
    if term.kind == "bool":
        raise Refused("the text of true and false is 1 and 0 on some servers")
    if modifiers and not (term.op == "text" and len(term.value) <= int(modifiers[0])):
        raise Refused("a cast to text of limited length")
    if to in ("CHAR", "BPCHAR") and term.value.endswith(" "):
        raise Refused("spaces at the end of a text of fixed length")
    if term.kind == "text":
        return term
    if term.kind in ("integer", "unsigned") or (term.kind == "decimal" and term.op == "column"):
        return Term("to_text", "text", (term,))
    raise Refused(f"the text of a value of kind {term.kind} is not spelled alike")


def _to_integer(reading: Reading, term: Term, to: str) -> Term:
    term = as_number(term)
    if term.kind == "integer":
        return _within(reading, term, _INTEGERS[to]) if to != "BIGINT" else term
    if term.kind not in ("decimal", "unsigned"):
        raise Refused("a float is rounded to a whole number differently")
    _within(reading, term, _INTEGERS[to])
    if term.kind == "unsigned":
        return term._replace(kind="integer")
    return Term("to_integer", "integer", (term,), digits=(term.digits[0] + 1, 0))


def _within(reading: Reading, term: Term, whole: int) -> Term:
    """Refuse what may be too large, where that yields a value and not an error."""
    if reading.dialect.clamps_casts and term.digits[0] > whole:
        raise Refused("a cast beyond the range: the nearest value there, an error elsewhere")
    return term


def _to_decimal(reading: Reading, term: Term, modifiers: list[str]) -> Term:
    term = as_number(term)
    if term.kind not in ("integer", "unsigned", "decimal"):
        raise Refused("a float has other digits as a decimal number")
    if not modifiers:
        if usual := reading.dialect.decimal_digits:
            modifiers = [str(n) for n in usual]
        elif term.kind == "decimal":
            return term
        else:
            modifiers = ["20", "0"]
    precision, scale = int(modifiers[0]), int(modifiers[1]) if len(modifiers) > 1 else 0
    if precision > MOST_DIGITS or not 0 <= scale <= MOST_SCALE:
        raise Refused("a decimal number with more digits than some servers keep")
    carried = 1 if term.digits[1] > scale else 0
    _within(reading, term._replace(digits=(term.digits[0] + carried, 0)), precision - scale)
    digits = (precision - scale, scale)
    return Term("to_decimal", "decimal", (term,), f"{precision}, {scale}", digits)


def _to_other(term: Term, to: str, kind: str | None) -> Term:
    if term.kind == kind:
        return term
    pair = (term.kind, kind)
    if kind == "float" and term.kind in ("integer", "unsigned", "decimal", "single"):
        return term._replace(kind="float") if term.op == "number" else _float(term)
    if pair in (("timestamp", "date"), ("date", "timestamp")) or (
        term.op == "now" and kind in ("date", "timestamp")
    ):
        if term.op == "now":
            return Term("today", "date") if kind == "date" else term._replace(kind="timestamp")
        return Term(f"to_{kind}", str(kind), (term,))
    raise Refused(f"a cast of a value of kind {term.kind} to {to.lower()}")


def _float(term: Term) -> Term:
    return Term("to_float", "float", (term,))
