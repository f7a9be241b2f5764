"""Texts of literals as values of a kind, checked so that every server reads the same value."""

from __future__ import annotations

import datetime
import json
import re
import uuid

from fastload.expressions.term import Refused, Term, number, text, truth

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(r"[+-]?\d+")
_EXACT = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
_TIME = re.compile(r"\d\d:\d\d:\d\d(\.\d{1,6})?")


def literal(value: str, kind: str) -> Term:
    """Return what stands in the text as a value of this kind.

    Raises:
        Refused: It is none, or none that every server reads alike.
    """
    read = _READ.get(kind)
    if read is None:
        raise Refused(f"a literal for a column of kind {kind} is not known to mean the same")
    return read(value)


def assigned(term: Term, kind: str) -> Term:
    """Return a literal as the column of this kind takes it."""
    if term.op == "null":
        return term
    if term.op == "bits":
        if kind in ("integer", "unsigned", "bool"):
            return literal(str(int(term.value, 2)), kind)
        raise Refused("bits for a column that is no number")
    if term.op == "bytes":
        if kind == "binary":
            return term
        raise Refused("a literal of bytes for a column that holds none")
    if term.op == "bool":
        if kind not in ("bool", "integer", "unsigned"):
            raise Refused("true or false for a column of another kind")
        return literal(term.value, kind)
    if term.op == "number" and kind not in (
        "integer", "unsigned", "decimal", "single", "float", "bool"
    ):  # fmt: skip
        raise Refused(f"a number for a column of kind {kind}")
    if term.op in ("date", "timestamp") and term.kind != kind:
        raise Refused(f"a {term.kind} for a column of kind {kind}")
    return literal(term.value, kind)


def _matching(pattern: re.Pattern[str], value: str, what: str) -> str:
    if not pattern.fullmatch(value):
        raise Refused(f"the literal {value!r} is not {what}")
    return value.lstrip("+")


def _integer(value: str) -> Term:
    if _EXACT.fullmatch(value) and set(value.partition(".")[2]) <= {"0"}:
        value = value.partition(".")[0]
    return number(str(int(_matching(_INTEGER, value, "a whole number"))))


def _decimal(value: str) -> Term:
    return number(_pointed(_matching(_EXACT, value, "a decimal number")))


def _float(value: str) -> Term:
    return number(_pointed(_matching(_NUMBER, value, "a number")))


def _pointed(value: str) -> str:
    """Write a digit on both sides of the point."""
    sign, value = ("-", value[1:]) if value[0] == "-" else ("", value)
    value = "0" + value if value[0] == "." else value
    return sign + re.sub(r"\.(?!\d)", "", value)


def _bool(value: str) -> Term:
    known = {"0": False, "1": True, "f": False, "t": True, "false": False, "true": True}
    if value.lower() not in known:
        raise Refused(f"the literal {value!r} is neither true nor false")
    return truth(known[value.lower()])


def _text(value: str) -> Term:
    if "\0" in value:
        raise Refused("a literal with a zero character, which not every server has")
    return text(value)


def _date(value: str) -> Term:
    return Term("date", "date", value=_calendar(_DATE, value, datetime.date.fromisoformat))


def _timestamp(value: str) -> Term:
    if _DATE.fullmatch(value):
        value += " 00:00:00"
    found = _calendar(_TIMESTAMP, value, lambda v: datetime.datetime.fromisoformat(v[:19]))
    return Term("timestamp", "timestamp", value=found)


def _calendar(pattern: re.Pattern[str], value: str, check: object) -> str:
    reason = f"the literal {value!r} is not a date that every server has"
    if not pattern.fullmatch(value):
        raise Refused(reason)
    try:
        check(value)  # type: ignore[operator]
    except ValueError:
        raise Refused(reason) from None
    return value


def _instant(value: str) -> Term:
    raise Refused("a literal point in time depends on the time zone of the session")


def _time(value: str) -> Term:
    found = _matching(_TIME, value, "a time of day")
    try:
        datetime.time.fromisoformat(found[:8])
    except ValueError:
        raise Refused(f"the literal {value!r} is not a time of day") from None
    return text(found)


def _json(value: str) -> Term:
    try:
        json.loads(value, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise Refused("a default that is not JSON") from None
    return _text(value)


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _uuid(value: str) -> Term:
    try:
        return text(str(uuid.UUID(value)))
    except ValueError:
        raise Refused(f"the literal {value!r} is not a UUID") from None


_READ = {
    "integer": _integer,
    "unsigned": _integer,
    "decimal": _decimal,
    "single": _float,
    "float": _float,
    "bool": _bool,
    "text": _text,
    "enum": _text,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _instant,
    "time": _time,
    "json": _json,
    "uuid": _uuid,
}
