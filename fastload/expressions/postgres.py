"""What PostgreSQL's words mean, and how it says terms."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fastload.expressions.arithmetic import quotient
from fastload.expressions.dialect import Dialect
from fastload.expressions.functions import byte_length, extremes, joined
from fastload.expressions.literals import literal
from fastload.expressions.term import NUMBERS, Refused, Term, kind_of, text
from fastload.expressions.writing import Writing

if TYPE_CHECKING:
    from fastload.expressions.reading import Reading
    from fastload.model import Column

_CHECK = re.compile(r"CHECK \((.*)\)((?: [A-Z]+)*)", re.DOTALL)
_DETERMINISTIC = re.compile(r'(pg_catalog\.)?"?(C|POSIX|ucs_basic|default|unicode)"?')
_PLAIN = re.compile(r"(text|character varying|varchar)\b")
_UNITS = {"0": "second", "3": "milliseconds"}


def _clean(shown: str) -> str:
    """Return what is checked, from a clause such as ``CHECK ((a > 0))``."""
    match = _CHECK.fullmatch(shown)
    if match is None:
        return shown
    if "NOT" in match[2].replace("NO INHERIT", ""):
        raise Refused(f"rows may be there that it refuses:{match[2]}")
    return match[1]


def _kind(column: Column) -> str:
    """Say ``other`` of texts that compare in a way of their own, or are filled up with spaces."""
    kind = kind_of(column.arrow)
    return "other" if kind == "text" and not _PLAIN.match(column.type) else kind


def _exact_text(column: Column) -> None:
    if column.collation and not _DETERMINISTIC.fullmatch(column.collation):
        raise Refused(f"texts are compared by the collation {column.collation}")


def _text_bytes(column: Column) -> None:
    """The server's encoding is that of the whole database, which is read as UTF-8 or refused."""


def _literal(reading: Reading, node: Any) -> Term:
    """Read a literal; a number with an exponent is exact here, and a float elsewhere."""
    if node.is_string:
        return text(node.this)
    exact = Decimal(node.this)
    if not -30 <= exact.adjusted() <= 30:
        raise Refused("a number with more digits than MySQL keeps")
    return literal(f"{exact:f}", "decimal")


def _now(reading: Reading, node: Any) -> Term:
    if node.this is not None and str(node.this) != "6":
        raise Refused("PostgreSQL rounds the time to these digits, MySQL cuts it off")
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
    raise Refused("a pattern, which MySQL compares by the collation")


def _fresh_uuid(reading: Reading, node: Any) -> Term:
    raise Refused("a random UUID; MySQL's uuid() can be guessed")


def _sequence(reading: Reading, node: Any) -> Term:
    raise Refused("the next value of a sequence")


def _text(term: Term) -> str:
    quoted = term.value.replace("'", "''")
    if "\\" not in quoted:
        return f"'{quoted}'"
    escaped = quoted.replace("\\", "\\\\")
    return f"E'{escaped}'"


def _name(term: Term) -> str:
    return '"' + term.value.replace('"', '""') + '"'


def _computed(operator: str) -> Any:
    """Return the words of an operation whose operands have room for what MySQL computes."""

    def write(term: Term) -> str:
        left, right = (_roomy(a, term.kind) for a in term.args)
        return f"({left} {operator} {right})"

    return write


def _roomy(term: Term, kind: str) -> str:
    if kind == "unsigned":
        return f"CAST({write(term)} AS numeric)"
    if term.op in ("column", "number", "bool_to_integer") and term.kind == "integer":
        return f"CAST({write(term)} AS bigint)"
    if term.kind == "single" or (kind == "float" and term.kind != "float"):
        return f"CAST({write(term)} AS double precision)"
    return write(term)


def _quotient(term: Term) -> str:
    """Say a division of whole numbers; of numeric, which unsigned ones become, it is DIV."""
    left, right = (_roomy(a, term.kind) for a in term.args)
    return f"DIV({left}, {right})" if term.kind == "unsigned" else f"({left} / {right})"


def _absolute(term: Term) -> str:
    return f"ABS({_roomy(term.args[0], term.kind)})"


def _negated(term: Term) -> str:
    return f"(- {_roomy(term.args[0], term.kind)})"


def _float_or_exact(term: Term) -> str:
    value = f"({term.value})" if term.value.startswith("-") else term.value
    return f"CAST('{term.value}' AS double precision)" if term.kind == "float" else value


def _time(term: Term) -> str:
    if term.value == "6":
        return "statement_timestamp()"
    if term.value not in _UNITS:
        raise Refused(f"the time with {term.value} digits: PostgreSQL would round it, MySQL cuts")
    return f"date_trunc('{_UNITS[term.value]}', statement_timestamp())"


def _part(term: Term) -> str:
    return f"CAST(EXTRACT({term.value} FROM {write(term.args[0])}) AS integer)"


def _concat(term: Term) -> str:
    return "(" + " || ".join(map(write, term.args)) + ")"


def _text_list(term: Term) -> str:
    return f"({write(term.args[0])} IN ({write.listed(term.args[1:])}))"


write: Writing = Writing(
    {
        "eq_text": "({} = {})",
        "ne_text": "({} <> {})",
        "same": "({} IS NOT DISTINCT FROM {})",
        "same_text": "({} IS NOT DISTINCT FROM {})",
        "to_float": "CAST({} AS double precision)",
        "to_integer": "CAST({} AS bigint)",
        "to_text": "CAST({} AS text)",
        "to_timestamp": "CAST({} AS timestamp)",
        "today": "CAST(statement_timestamp() AS date)",
        "uuid": "gen_random_uuid()",
        "uuid_text": "CAST(gen_random_uuid() AS text)",
    },
    {
        "abs": _absolute,
        "add": _computed("+"),
        "bool": lambda term: "TRUE" if term.value == "1" else "FALSE",
        "bytes": lambda term: f"'\\x{term.value}'::bytea",
        "column": _name,
        "concat": _concat,
        "date": lambda term: f"DATE '{term.value}'",
        "in_text": _text_list,
        "mul": _computed("*"),
        "neg": _negated,
        "now": _time,
        "number": _float_or_exact,
        "part": _part,
        "quotient": _quotient,
        "remainder": _computed("%"),
        "sub": _computed("-"),
        "text": _text,
        "timestamp": lambda term: f"TIMESTAMP '{term.value}'",
    },
)


def _default(term: Term) -> str:
    """Say a default; a number stands without a cast, as the column gives it its type."""
    return term.value if term.op == "number" and term.kind in NUMBERS else write(term)


DIALECT = Dialect(
    name="postgres",
    clean=_clean,
    readers={
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
    },
    functions={
        "gen_random_uuid": _fresh_uuid,
        "nextval": _sequence,
        "octet_length": lambda reading, node: byte_length(reading, node.expressions[0]),
        "statement_timestamp": _function_now,
        "timezone": _timezone,
        "transaction_timestamp": _function_now,
        "uuid_generate_v4": _fresh_uuid,
    },
    kind=_kind,
    exact_text=_exact_text,
    text_bytes=_text_bytes,
    clamps=False,
    folds=False,
    write=write,
    default=_default,
    check=write,
)
