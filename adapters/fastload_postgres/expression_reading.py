"""What PostgreSQL's words mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fastload.expressions.arithmetic import quotient
from fastload.expressions.functions import byte_length, extremes, joined
from fastload.expressions.literals import literal
from fastload.expressions.term import Refused, Term, kind_of, text

if TYPE_CHECKING:
    from fastload.expressions.dialect import Reader
    from fastload.expressions.reading import Reading
    from fastload.model import Column

_CHECK = re.compile(r"CHECK \((.*)\)((?: [A-Z]+)*)", re.DOTALL)
_DETERMINISTIC = re.compile(r'(pg_catalog\.)?"?(C|POSIX|ucs_basic|default|unicode)"?')
_PLAIN = re.compile(r"(text|character varying|varchar)\b")


def clean(shown: str) -> str:
    """Return what is checked, from a clause such as ``CHECK ((a > 0))``."""
    match = _CHECK.fullmatch(shown)
    if match is None:
        return shown
    if "NOT" in match[2].replace("NO INHERIT", ""):
        raise Refused(f"rows may be there that it refuses:{match[2]}")
    return match[1]


def kind(column: Column) -> str:
    """Say ``other`` of texts that compare in a way of their own, or are filled up with spaces."""
    kind = kind_of(column.arrow)
    return "other" if kind == "text" and not _PLAIN.match(column.type) else kind


def exact_text(column: Column) -> None:
    if column.collation and not _DETERMINISTIC.fullmatch(column.collation):
        raise Refused(f"texts are compared by the collation {column.collation}")


def text_bytes(column: Column) -> None:
    """The server's encoding is that of the whole database, which is read as UTF-8 or refused."""


def _literal(reading: Reading, node: Any) -> Term:
    """Read a literal; a number with an exponent is exact here, and a float elsewhere."""
    if node.is_string:
        return text(node.this)
    exact = Decimal(node.this)
    if not -30 <= exact.adjusted() <= 30:
        raise Refused("a number with more digits than some servers keep")
    return literal(f"{exact:f}", "decimal")


def _now(reading: Reading, node: Any) -> Term:
    if node.this is not None and str(node.this) != "6":
        raise Refused("PostgreSQL rounds the time to these digits, and others cut it off")
    kind = "timestamp" if type(node).__name__ == "Localtimestamp" else "timestamptz"
    return Term("now", kind, value="6")


def _function_now(reading: Reading, node: Any) -> Term:
    return Term("now", "timestamptz", value="6")


def _at_time_zone(reading: Reading, node: Any) -> Term:
    zone = reading.term(node.args["zone"])
    if reading.term(node.this).op != "now" or zone.op != "text" or zone.value.upper() != "UTC":
        raise Refused("a time zone")
    return Term("utc_now", "timestamp", value="6")


def _timezone(reading: Reading, node: Any) -> Term:
    zone, moment = reading.terms(node.expressions)
    if moment.op != "now" or zone.op != "text" or zone.value.upper() != "UTC":
        raise Refused("a time zone")
    return Term("utc_now", "timestamp", value="6")


def _division(reading: Reading, node: Any) -> Term:
    left, right = reading.operand(node.this), reading.operand(node.expression)
    if "float" in (left.kind, right.kind) and right.op == "number" and float(right.value):
        return Term("ratio", "float", (left, right))
    return quotient(reading, node)


def _function_joined(reading: Reading, node: Any) -> Term:
    terms = joined(reading, node.expressions).args
    empty = Term("text", "text")
    return Term(
        "concat",
        "text",
        tuple(t if t.op == "text" else Term("coalesce", "text", (t, empty)) for t in terms),
    )


def _like(reading: Reading, node: Any) -> Term:
    raise Refused("a pattern, which others compare by a collation")


def _fresh_uuid(reading: Reading, node: Any) -> Term:
    raise Refused("a random UUID; those of others can be guessed")


def _sequence(reading: Reading, node: Any) -> Term:
    raise Refused("the next value of a sequence")


READERS: Mapping[str, Reader] = {
    "AtTimeZone": _at_time_zone,
    "Concat": _function_joined,
    "CurrentTimestamp": _now,
    "DPipe": lambda reading, node: joined(reading, [node.this, node.expression]),
    "Div": _division,
    "Greatest": extremes("greatest", ignores_null=True),
    "ILike": _like,
    "Least": extremes("least", ignores_null=True),
    "Like": _like,
    "Literal": _literal,
    "Localtimestamp": _now,
    "Uuid": _fresh_uuid,
}
FUNCTIONS: Mapping[str, Reader] = {
    "gen_random_uuid": _fresh_uuid,
    "nextval": _sequence,
    "octet_length": lambda reading, node: byte_length(reading, node.expressions[0]),
    "statement_timestamp": _function_now,
    "timezone": _timezone,
    "transaction_timestamp": _function_now,
    "uuid_generate_v4": _fresh_uuid,
}
