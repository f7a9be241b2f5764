"""How terms are said in PostgreSQL's words."""

from __future__ import annotations

from typing import Any

from fastload.expressions.term import NUMBERS, Refused, Term
from fastload.expressions.writing import Writing

_UNITS = {"0": "second", "3": "milliseconds"}


def _text(term: Term) -> str:
    quoted = term.value.replace("'", "''")
    if "\\" not in quoted:
        return f"'{quoted}'"
    escaped = quoted.replace("\\", "\\\\")
    return f"E'{escaped}'"


def _name(term: Term) -> str:
    return '"' + term.value.replace('"', '""') + '"'


def _computed(operator: str) -> Any:
    """Return the words of an operation whose operands have room for what others compute."""

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
        raise Refused(f"the time with {term.value} digits, which PostgreSQL would round")
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


def default(term: Term) -> str:
    """Say a default; a number stands without a cast, as the column gives it its type."""
    return term.value if term.op == "number" and term.kind in NUMBERS else write(term)
