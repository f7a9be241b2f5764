"""What the words of MySQL and MariaDB mean, and how terms are said in words that both have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from fastload.expressions.arithmetic import quotient
from fastload.expressions.dialect import Dialect
from fastload.expressions.functions import byte_length, extremes, joined
from fastload.expressions.term import Refused, Term, kind_of, text
from fastload.expressions.writing import Writing

if TYPE_CHECKING:
    from fastload.expressions.reading import Reading
    from fastload.model import Column

_CHECK = re.compile(r"CHECK\s*\((.*)\)([^)]*)", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "Z": "\x1a"}
_SAME_ESCAPES = frozenset("\\'\"ntr")
# Collations that compare every character, and spaces at the end too.
_EXACT = re.compile(r"\w+_(0900|nopad)_bin")


def _clean(text: str) -> str:
    r"""Return SQL from a catalogue's text, where MySQL shows ``_utf8mb4\'x\'`` for a literal.

    Of a clause such as ``CHECK ((`a` > 0))`` that is what is checked.
    """
    if match := _CHECK.fullmatch(text):
        text = match[1]
        if "NOT ENFORCED" in match[2].upper():
            # PostgreSQL's NOT VALID would refuse what is written from now on.
            raise Refused("it is not enforced on the source")
    if "?" in text:
        raise Refused(
            "a question mark, which may stand for a character beyond those of three bytes: "
            "information_schema shows no others"
        )
    if "\\" in _QUOTED.sub("", text):
        text = _ESCAPE.sub(lambda m: _ESCAPED.get(m[1], m[1]), text)
    around = _QUOTED.sub("", text)
    if re.search(r"[\\\"#']|/\*|--\s", around):
        raise Refused("its quotation marks are not those of a catalogue")
    if re.search(r"!(?!=)", around):
        # MariaDB shows !(a) = 0 for (not a) = 0, which sqlglot reads as not (a = 0).
        raise Refused("the operator !, which comes before others here and after them there")
    for quoted in _QUOTED.findall(text):
        if quoted[0] == "'" and set(_ESCAPE.findall(quoted)) - _SAME_ESCAPES:
            raise Refused("a literal with a character that is escaped differently")
    return text


def _kind(column: Column) -> str:
    """Say ``other`` of years, which equal two digits, and of numbers whose texts differ."""
    own = column.type.startswith(("year", "bit")) or "zerofill" in column.type
    return "other" if own else kind_of(column.arrow)


def _exact_text(column: Column) -> None:
    if not _EXACT.fullmatch(column.collation or ""):
        raise Refused(
            f"texts are compared by the collation {column.collation or 'of the column'}, "
            "and PostgreSQL compares every character"
        )


def _text_bytes(column: Column) -> None:
    if not (column.collation or "").startswith(("utf8", "ascii")):
        raise Refused("its length in bytes is that of another character set")


def _introduced(reading: Reading, node: Any) -> Term:
    charset = str(node.this).lower()
    literal = reading.term(node.expression)
    if literal.op != "text" or not (charset.startswith("_utf8") or literal.value.isascii()):
        raise Refused(f"a literal of the character set {charset.lstrip('_')}")
    return text(literal.value)


def _now(reading: Reading, node: Any) -> Term:
    digits = reading.term(node.this).value if node.this is not None else "0"
    return Term("now", "timestamptz", value=digits or "0")


def _function_now(reading: Reading, node: Any) -> Term:
    digits = reading.term(node.expressions[0]).value if node.expressions else "0"
    return Term("now", "timestamptz", value=digits)


def _bits(reading: Reading, node: Any) -> Term:
    return Term("bits", "bits", value=str(node.this))


def _bytes(reading: Reading, node: Any) -> Term:
    return Term("bytes", "binary", value=str(node.this))


def _uuid(reading: Reading, node: Any) -> Term:
    return Term("uuid", "uuid")


def _division(reading: Reading, node: Any) -> Term:
    raise Refused("a division, which both compute to a different number of digits")


def _pattern(reading: Reading, node: Any) -> Term:
    raise Refused("a pattern, which is compared by the collation")


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


def _default(term: Term) -> str:
    """Say a default; in parentheses, columns of every type take it, long texts too."""
    if term.op == "number":
        return term.value
    return write(term) if term.op in ("null", "bool", "now") else f"({write(term)})"


def _check(term: Term) -> str:
    """Say a check, which must be of boolean type in MySQL's own sense."""
    said = write(term)
    return f"({said} <> FALSE)" if term.op in ("column", "case", "coalesce", "bool") else said


_TIMES = ("CurrentTimestamp", "Localtimestamp", "Localtime")
DIALECT = Dialect(
    name="mysql",
    clean=_clean,
    readers={
        **dict.fromkeys(_TIMES, _now),
        "BitString": _bits,
        "Concat": lambda reading, node: joined(reading, node.expressions),
        "Div": _division,
        "Greatest": extremes("greatest", ignores_null=False),
        "HexString": _bytes,
        "IntDiv": quotient,
        "Introducer": _introduced,
        "Least": extremes("least", ignores_null=False),
        "Like": _pattern,
        "RegexpLike": _pattern,
        "Uuid": _uuid,
    },
    functions={
        "now": _function_now,
        "octet_length": lambda reading, node: byte_length(reading, node.expressions[0]),
        "uuid": _uuid,
    },
    kind=_kind,
    exact_text=_exact_text,
    text_bytes=_text_bytes,
    clamps=True,
    folds=True,
    write=write,
    default=_default,
    check=_check,
)
