"""A column's line of SHOW CREATE TABLE."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from fastload_mysql.create_scanner import Cursor, unquoted
from fastload_mysql.quoting import ident


class ColumnText(msgspec.Struct, frozen=True, kw_only=True):
    """What a column's line tells.

    Attributes:
        definition: The line after the name, without the check.
        default: The expression as it stands; None for NULL too.
        generated: Expression of a generated column, without the brackets around it.
        stored: Whether the generated values are stored.
        check: Condition of a check that stands in the line.
        json: Whether that check is the one of MariaDB's JSON.
        period: ``"START"`` or ``"END"`` for the times that a versioned table keeps.
        srid: The one reference system of the column's geometries.
    """

    name: str
    type: str
    definition: str
    default: str | None = None
    on_update: str | None = None
    generated: str | None = None
    stored: bool = False
    auto_increment: bool = False
    invisible: bool = False
    check: str | None = None
    json: bool = False
    period: str | None = None
    srid: str | None = None
    comment: str | None = None


@dataclass(slots=True)
class _Found:
    default: str | None = None
    on_update: str | None = None
    generated: str | None = None
    stored: bool = False
    auto_increment: bool = False
    invisible: bool = False
    check: str | None = None
    check_place: tuple[int, int] | None = None
    period: str | None = None
    srid: str | None = None
    comment: str | None = None


def column_of(line: Cursor) -> ColumnText:
    """Take a column's line."""
    name = line.name()
    start = line.place
    type_ = _type(line)
    found = _Found()
    while not line.done:
        known = _BY_WORD.get(line.next.text.upper(), ())
        next((take for words, take in known if line.accept(*words)), _assignment)(line, found)
    json = found.check == f"json_valid({ident(name)})" and type_ == "longtext"
    if found.check_place is None or json:
        definition = line.rest(start)
    else:
        first, last = found.check_place
        definition = f"{line.between(start, first)} {line.rest(last)}".strip()
    return ColumnText(
        name=name,
        type=type_,
        definition=definition,
        default=found.default,
        on_update=found.on_update,
        generated=found.generated,
        stored=found.stored,
        auto_increment=found.auto_increment,
        invisible=found.invisible,
        check=found.check,
        json=json,
        period=found.period,
        srid=found.srid,
        comment=found.comment,
    )


def _type(line: Cursor) -> str:
    start = line.take("word").start
    if line.next.text == "(":
        line.brackets()
    while line.accept("UNSIGNED") or line.accept("ZEROFILL"):
        pass
    return line.since(start)


def _nothing(line: Cursor, found: _Found) -> None:
    """Take a word that the catalogue's own columns tell, or only the definition."""


def _one(line: Cursor, found: _Found) -> None:
    line.accept("=")
    line.take("word", "text", "number")


def _generated(line: Cursor, found: _Found) -> None:
    found.generated = line.bracketed()
    if line.accept("STORED") or line.accept("PERSISTENT"):
        found.stored = True
    elif not line.accept("VIRTUAL"):
        raise line.refusal()


def _period(line: Cursor, found: _Found) -> None:
    found.period = line.take("word").text.upper()
    found.generated = f"ROW {found.period}"


def _default(line: Cursor, found: _Found) -> None:
    if not line.accept("NULL"):
        found.default = _value(line)


def _on_update(line: Cursor, found: _Found) -> None:
    found.on_update = _value(line)


def _value(line: Cursor) -> str:
    """Take an expression: a number, a text, a call, or anything between brackets."""
    start = line.next.start
    if line.next.text == "(":
        line.brackets()
        return line.since(start)
    if not line.accept("-"):
        line.accept("+")
    if line.take("word", "text", "number").kind != "word":
        return line.since(start)
    if line.next.kind == "text":
        line.take("text")
    elif line.next.text == "(":
        line.brackets()
    return line.since(start)


def _auto_increment(line: Cursor, found: _Found) -> None:
    found.auto_increment = True


def _invisible(line: Cursor, found: _Found) -> None:
    found.invisible = True


def _srid(line: Cursor, found: _Found) -> None:
    line.accept("=")
    found.srid = line.take("number").text


def _comment(line: Cursor, found: _Found) -> None:
    found.comment = unquoted(line.take("text").text)


def _check(line: Cursor, found: _Found) -> None:
    start = line.place - len("CHECK")
    found.check = line.bracketed()
    found.check_place = (start, line.place)


def _assignment(line: Cursor, found: _Found) -> None:
    """Take an attribute of the engine's own, such as ``COMPRESSION=zlib``."""
    line.take("word", "name")
    if not line.accept("="):
        raise line.refusal()
    line.take("word", "text", "number")


# Longer phrases before those that they begin with.
_ATTRIBUTES: tuple[tuple[tuple[str, ...], Callable[[Cursor, _Found], None]], ...] = (
    (("NOT", "NULL"), _nothing),
    (("NULL",), _nothing),
    (("DEFAULT",), _default),
    (("ON", "UPDATE"), _on_update),
    (("AUTO_INCREMENT",), _auto_increment),
    (("COMMENT",), _comment),
    (("CHARACTER", "SET"), _one),
    (("COLLATE",), _one),
    (("GENERATED", "ALWAYS", "AS", "ROW"), _period),
    (("GENERATED", "ALWAYS", "AS"), _generated),
    (("INVISIBLE",), _invisible),
    (("CHECK",), _check),
    (("SRID",), _srid),
    (("REF_SYSTEM_ID",), _srid),
    (("COMPRESSED",), _nothing),
    (("WITHOUT", "SYSTEM", "VERSIONING"), _nothing),
    (("WITH", "SYSTEM", "VERSIONING"), _nothing),
    (("COLUMN_FORMAT",), _one),
    (("STORAGE",), _one),
    (("NOT", "SECONDARY"), _nothing),
    (("ENGINE_ATTRIBUTE",), _one),
    (("SECONDARY_ENGINE_ATTRIBUTE",), _one),
)
_BY_WORD = {
    first: tuple((words, take) for words, take in _ATTRIBUTES if words[0] == first)
    for first in {words[0] for words, _ in _ATTRIBUTES}
}
