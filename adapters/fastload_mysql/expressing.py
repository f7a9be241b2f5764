"""Expressions of other dialects in MySQL's words."""

from __future__ import annotations

import re
from typing import TypeAlias

from fastload import expressions
from fastload.expressions import Use
from fastload.model import Column, Table
from fastload_mysql.dialect import DIALECT
from fastload_mysql.flavours import Server

Words: TypeAlias = expressions.Translated

_LITERAL = re.compile(
    r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?|'([^'\\]|''|\\.)*'|null|true|false|[xb]'[0-9a-f]*'",
    re.IGNORECASE | re.DOTALL,
)
_NOW = re.compile(r"(?:current_timestamp|now|localtimestamp|localtime)(?:\(\d*\))?", re.IGNORECASE)
_FRACTION = re.compile(r"(?:datetime|timestamp)\((\d)\)")
_UNBOUNDED = re.compile(r"(tiny|medium|long)?(text|blob)|json|geometry|vector")
_TOO_OLD = "this server has no defaults that are expressions"


def in_words(text: str, table: Table, *, read: str, use: Use, into: Column | None = None) -> Words:
    """Return an expression of another dialect's table in MySQL's words, or why there is none.

    ``into`` is the column here whose default it is, or whose values it generates.
    """
    return expressions.translate(
        text,
        read=read,
        write=DIALECT,
        use=use,
        columns={c.name: c for c in table.columns},
        column=into.name if into else None,
        into=into.arrow if into else None,
    )


def default_of(text: str, column: Column, server: Server) -> Words:
    """Return a default in MySQL's words as the server wants it, brackets included.

    An expression stands in brackets, and so does every default of a text without a length.
    """
    bare = unbracketed(text)
    if _is_moment(bare, column):
        # The server refuses a fraction other than the column's.
        fraction = _FRACTION.match(column.type)
        return Words(f"CURRENT_TIMESTAMP({fraction[1]})" if fraction else "CURRENT_TIMESTAMP")
    if _LITERAL.fullmatch(bare) and not _UNBOUNDED.match(column.type):
        return Words(bare)
    if not server.has_expression_defaults:
        return Words(None, _TOO_OLD)
    return Words(f"({bare})")


def is_plain(text: str, column: Column) -> bool:
    """Say whether a default is a literal or the present moment, which every server has."""
    bare = unbracketed(text)
    return _LITERAL.fullmatch(bare) is not None or _is_moment(bare, column)


def _is_moment(bare: str, column: Column) -> bool:
    moment = column.type.startswith(("datetime", "timestamp"))
    return moment and _NOW.fullmatch(bare) is not None


def unbracketed(text: str) -> str:
    """Return the text without brackets around the whole."""
    text = text.strip()
    while text.startswith("(") and _closing(text) == len(text) - 1:
        text = text[1:-1].strip()
    return text


def _closing(text: str) -> int:
    """Return where the bracket that opens the text closes."""
    depth, quote, at = 0, "", 0
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\" and quote == "'":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "'`\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
            if depth == 0:
                return at
        at += 1
    return -1
