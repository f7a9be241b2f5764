"""How terms are said in words that MySQL and MariaDB both have."""

from __future__ import annotations

from fastload.expressions.term import Term
from fastload.expressions.writing import Writing


def _text(term: Term) -> str:
    """Say a literal; one with a backslash in digits, as its meaning depends on sql_mode.

    MariaDB 10.11 loses the quotes of ``_utf8mb4 0x...`` when it stores that as a default.
    """
    if "\\" in term.value:
        return f"CONVERT(0x{term.value.encode().hex()} USING utf8mb4)"
    return "'" + term.value.replace("'", "''") + "'"


def _name(term: Term) -> str:
    return "`" + term.value.replace("`", "``") + "`"


def _in_text(term: Term) -> str:
    first, *others = (f"CAST({write(a)} AS BINARY)" for a in term.args)
    return f"({first} IN ({', '.join(others)}))"


def _number(term: Term) -> str:
    value = term.value
    if term.kind == "float" and "e" not in value.lower():
        value += "e0"
    return f"({value})" if value.startswith("-") else value


write: Writing = Writing(
    {
        "bool_to_integer": "CAST({} AS SIGNED)",
        "eq_text": "(CAST({} AS BINARY) = CAST({} AS BINARY))",
        "ne_text": "(CAST({} AS BINARY) <> CAST({} AS BINARY))",
        "quotient": "({} DIV {})",
        "ratio": "({} / {})",
        "same": "({} <=> {})",
        "same_text": "(CAST({} AS BINARY) <=> CAST({} AS BINARY))",
        "to_float": "CAST({} AS DOUBLE)",
        "to_integer": "CAST({} AS SIGNED)",
        "to_text": "CAST({} AS CHAR)",
        "to_timestamp": "CAST({} AS DATETIME)",
        "today": "CURRENT_DATE",
        "utc_now": "UTC_TIMESTAMP(6)",
    },
    {
        "bool": lambda term: "TRUE" if term.value == "1" else "FALSE",
        "bytes": lambda term: f"X'{term.value}'",
        "column": _name,
        "concat": lambda term: f"CONCAT({write.listed(term.args)})",
        "date": lambda term: f"DATE '{term.value}'",
        "in_text": _in_text,
        "now": lambda term: f"CURRENT_TIMESTAMP({term.value})",
        "number": _number,
        "part": lambda term: f"EXTRACT({term.value} FROM {write(term.args[0])})",
        "text": _text,
        "timestamp": lambda term: f"TIMESTAMP '{term.value}'",
    },
)


def default(term: Term) -> str:
    """Say a default; in parentheses, columns of every type take it, long texts too."""
    if term.op == "number":
        return term.value
    return write(term) if term.op in ("null", "bool", "now") else f"({write(term)})"


def check(term: Term) -> str:
    """Say a check, which must be of boolean type in MySQL's own sense."""
    said = write(term)
    return f"({said} <> FALSE)" if term.op in ("column", "case", "coalesce", "bool") else said
