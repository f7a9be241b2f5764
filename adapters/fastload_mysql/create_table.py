"""The text of SHOW CREATE TABLE as keys, indexes, references, checks and columns' own texts.

Every line is understood to its end or refused by name: nothing that a server tells is dropped.
"""

from __future__ import annotations

import hashlib

import msgspec

from fastload.model import Check, ForeignKey, Index, Key, QualifiedName
from fastload_mysql.create_column import ColumnText, column_of
from fastload_mysql.create_keys import key_or_index
from fastload_mysql.create_scanner import Cursor, Token, tokens_of

_ACTIONS = (
    ("NO ACTION", ("NO", "ACTION")),
    ("RESTRICT", ("RESTRICT",)),
    ("CASCADE", ("CASCADE",)),
    ("SET NULL", ("SET", "NULL")),
    ("SET DEFAULT", ("SET", "DEFAULT")),
)


class CreateTable(msgspec.Struct, frozen=True, kw_only=True):
    """What SHOW CREATE TABLE tells of a table.

    Attributes:
        options: The text after the closing bracket, without AUTO_INCREMENT.
        partitioning: From ``PARTITION BY`` on; None for a table in one piece.
        periods: Lines of application-time and system-time periods.
        versioned: Whether it keeps the history of its rows.
        fingerprint: Changes with everything in the text but AUTO_INCREMENT.
    """

    columns: tuple[ColumnText, ...]
    keys: tuple[Key, ...]
    indexes: tuple[Index, ...]
    foreign_keys: tuple[ForeignKey, ...]
    checks: tuple[Check, ...]
    periods: tuple[str, ...]
    options: str
    partitioning: str | None
    versioned: bool
    fingerprint: str


def parse(text: str, table: QualifiedName) -> CreateTable:
    """Read the text of SHOW CREATE TABLE.

    Raises:
        SourceError: A line is not understood.
    """
    tokens = tokens_of(text)
    head = Cursor(text, tokens, len(text), table)
    if not head.accept("CREATE", "TABLE") and not head.accept("CREATE", "TEMPORARY", "TABLE"):
        raise head.refusal()
    head.name()
    found = _Lines(table)
    for line in head.lines():
        found.read(line)
    bare = _without_option(text, "AUTO_INCREMENT", head.place)
    options, partitioning, versioned = _tail(text, head)
    return CreateTable(
        columns=tuple(found.columns),
        keys=tuple(_without_periods(k, found.columns) for k in found.keys),
        indexes=tuple(found.indexes),
        foreign_keys=tuple(found.foreign_keys),
        checks=(*found.checks, *_column_checks(found)),
        periods=tuple(found.periods),
        options=options,
        partitioning=partitioning,
        versioned=versioned,
        fingerprint=hashlib.sha256(bare.encode()).hexdigest()[:32],
    )


class _Lines:
    """The lines within the brackets, read one by one."""

    def __init__(self, table: QualifiedName) -> None:
        self.table = table
        self.columns: list[ColumnText] = []
        self.keys: list[Key] = []
        self.indexes: list[Index] = []
        self.foreign_keys: list[ForeignKey] = []
        self.checks: list[Check] = []
        self.periods: list[str] = []

    def read(self, line: Cursor) -> None:
        if line.next.kind == "name":
            self.columns.append(column_of(line))
        elif line.accept("PERIOD", "FOR"):
            line.take("word", "name")
            line.names()
            self.periods.append(line.whole())
        elif not self._constraint(line):
            self._key(line)
        if not line.done:
            raise line.refusal()

    def _constraint(self, line: Cursor) -> bool:
        name = line.name() if line.accept("CONSTRAINT") else ""
        if line.accept("FOREIGN", "KEY"):
            self.foreign_keys.append(_reference(line, name, self.table.schema))
        elif line.accept("CHECK"):
            self.checks.append(_check(line, name))
        elif name:
            raise line.refusal()
        else:
            return False
        return True

    def _key(self, line: Cursor) -> None:
        found = key_or_index(line)
        if isinstance(found, Key):
            self.keys.append(found)
        else:
            self.indexes.append(found)


def _reference(line: Cursor, name: str, schema: str) -> ForeignKey:
    if line.next.kind == "name":
        line.name()
    columns = line.names()
    if not line.accept("REFERENCES"):
        raise line.refusal()
    referenced = line.name()
    if line.accept("."):
        schema, referenced = referenced, line.name()
    referenced_columns = line.names()
    start = line.place
    actions = {"DELETE": "NO ACTION", "UPDATE": "NO ACTION"}
    while line.accept("ON"):
        when = line.take("word").text.upper()
        action = next((a for a, words in _ACTIONS if line.accept(*words)), None)
        if when not in actions or action is None:
            raise line.refusal()
        actions[when] = action
    return ForeignKey(
        name=name,
        columns=columns,
        references=QualifiedName(schema, referenced),
        referenced_columns=referenced_columns,
        actions=line.rest(start),
        on_delete=actions["DELETE"],
        on_update=actions["UPDATE"],
        extra={"definition": line.whole()},
    )


def _check(line: Cursor, name: str) -> Check:
    start = line.place - len("CHECK")
    line.bracketed()
    line.accept("NOT", "ENFORCED")
    return Check(name=name, definition=line.rest(start))


def _without_periods(key: Key, columns: list[ColumnText]) -> Key:
    """Return a key without the end of the row's time, which the server adds to keys itself."""
    ends = {c.name for c in columns if c.period is not None}
    return msgspec.structs.replace(key, columns=tuple(c for c in key.columns if c not in ends))


def _column_checks(found: _Lines) -> list[Check]:
    """Return the checks that stand within columns, under their columns' names if they are free."""
    taken = {c.name for c in found.checks}
    made = []
    for column in found.columns:
        if column.check is None or column.json:
            continue
        name = column.name if column.name not in taken else f"{column.name[:58]}_check"
        made.append(Check(name=name, definition=f"CHECK ({column.check})"))
    return made


def _tail(text: str, head: Cursor) -> tuple[str, str | None, bool]:
    """Take what follows the closing bracket: options, partitioning and versioning."""
    start = head.place
    cut: Token | None = None
    versioned = False
    while not head.done:
        if head.accept("WITH", "SYSTEM", "VERSIONING"):
            versioned = True
            continue
        token = head.next
        if head.accept("PARTITION", "BY"):
            cut = token
            break
        head.take("word", "name", "text", "number", "mark")
    options = _without_option(text[start : cut.start if cut else len(text)], "AUTO_INCREMENT", 0)
    options = options.strip().removesuffix("/*!50100").strip()
    if cut is None:
        return options, None, versioned
    partitioning = text[cut.start :].strip()
    return options, partitioning.removesuffix("*/").strip(), versioned


def _without_option(text: str, option: str, start: int) -> str:
    """Return a text without an option that has a number, searched from a place on."""
    tokens = tokens_of(text[start:])
    for i, token in enumerate(tokens[:-2]):
        if token.kind == "word" and token.text == option and tokens[i + 1].text == "=":
            return text[: start + token.start].rstrip() + text[start + tokens[i + 2].end :]
    return text
