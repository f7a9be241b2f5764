"""What the words of MySQL and MariaDB mean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fastload.expressions.arithmetic import quotient
from fastload.expressions.functions import byte_length, extremes, joined
from fastload.expressions.literals import literal
from fastload.expressions.reading import Reading, cast_of
from fastload.expressions.term import Refused, Term, kind_of, text

if TYPE_CHECKING:
    from fastload.expressions.dialect import Reader
    from fastload.model import Column

_CHECK = re.compile(r"CHECK\s*\((.*)\)([^)]*)", re.DOTALL | re.IGNORECASE)
_QUOTED = re.compile(r"""'(?:[^'\\]|\\.|'')*'|`(?:[^`]|``)*`""", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "Z": "\x1a"}
_SAME_ESCAPES = frozenset("\\'\"ntr")
# Collations that compare every character, and spaces at the end too.
_EXACT = re.compile(r"\w+_(0900|nopad)_bin")


def clean(text: str) -> str:
    r"""Return SQL from a catalogue's text, where MySQL shows ``_utf8mb4\'x\'`` for a literal.

    Of a clause such as ``CHECK ((`a` > 0))`` that is what is checked.
    """
    if match := _CHECK.fullmatch(text):
        text = match[1]
        if "NOT ENFORCED" in match[2].upper():
            # Elsewhere one that is not validated refuses what is written from now on.
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


def kind(column: Column) -> str:
    """Say ``other`` of years, which equal two digits, and of numbers whose texts differ."""
    own = column.type.startswith(("year", "bit")) or "zerofill" in column.type
    return "other" if own else kind_of(column.arrow)


def exact_text(column: Column) -> None:
    if not _EXACT.fullmatch(column.collation or ""):
        raise Refused(
            f"texts are compared by the collation {column.collation or 'of the column'}, "
            "and other databases compare every character"
        )


def text_bytes(column: Column) -> None:
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


def _cast(reading: Reading, node: Any) -> Term:
    if node.to.this.name != "TIMESTAMPTZ":
        return cast_of(reading, node)
    # So sqlglot reads TIMESTAMP '...'; there is no cast to such a type.
    inner = reading.term(node.this)
    if inner.op != "text":
        raise Refused("a point in time that is not a literal")
    return literal(inner.value, "timestamp")


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


_TIMES = ("CurrentTimestamp", "Localtimestamp", "Localtime")
READERS: Mapping[str, Reader] = {
    **dict.fromkeys(_TIMES, _now),
    "BitString": _bits,
    "Cast": _cast,
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
}
FUNCTIONS: Mapping[str, Reader] = {
    "now": _function_now,
    "octet_length": lambda reading, node: byte_length(reading, node.expressions[0]),
    "uuid": _uuid,
}
