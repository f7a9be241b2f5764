"""The lines of SHOW CREATE TABLE that are keys and indexes."""

from __future__ import annotations

from fastload.model import Index, IndexColumn, Key
from fastload_mysql.create_scanner import Cursor, unquoted

_OWN_KINDS = ("fulltext", "spatial", "vector")
_KINDS = (
    ("primary", ("PRIMARY", "KEY")),
    ("unique", ("UNIQUE", "KEY")),
    ("fulltext", ("FULLTEXT", "KEY")),
    ("spatial", ("SPATIAL", "KEY")),
    ("vector", ("VECTOR", "KEY")),
    ("plain", ("KEY",)),
)


def key_or_index(line: Cursor) -> Key | Index:
    """Take a line; a Key is over whole columns, and in order unless it is the primary one."""
    kind = next((k for k, words in _KINDS if line.accept(*words)), None)
    if kind is None:
        raise line.refusal()
    name = "PRIMARY" if kind == "primary" else line.name()
    parts, whole_rows = _index_columns(line)
    comment, extra = _key_options(line)
    bare = whole_rows and all(p.name is not None and p.prefix is None for p in parts)
    descending = any(p.descending for p in parts)
    if bare and (kind == "primary" or (kind == "unique" and not descending)):
        if descending:
            extra["descending"] = ",".join("yes" if p.descending else "no" for p in parts)
        return Key(
            name=name,
            columns=tuple(p.name or "" for p in parts),
            primary=kind == "primary",
            comment=comment,
            extra={**extra, "definition": line.whole()},
        )
    own_kind = kind if kind in _OWN_KINDS else "sorted"
    return Index(
        name=name,
        unique=kind in ("primary", "unique"),
        definition=line.whole(),
        columns=parts if whole_rows else (),
        kind=own_kind if whole_rows else "without overlaps",
        comment=comment,
        extra=extra,
    )


def _index_columns(line: Cursor) -> tuple[tuple[IndexColumn, ...], bool]:
    """Take the parts of an index; and whether no two rows of a period may overlap instead."""
    columns, whole_rows = [], True
    for part in line.parts():
        name = expression = prefix = None
        if part.next.kind == "name":
            name = part.name()
            if part.next.text == "(":
                prefix = int(part.bracketed())
        else:
            expression = part.bracketed()
        descending = part.accept("DESC")
        if not descending:
            part.accept("ASC")
        if part.accept("WITHOUT", "OVERLAPS"):
            whole_rows = False
        if not part.done:
            raise part.refusal()
        columns.append(
            IndexColumn(name=name, expression=expression, descending=descending, prefix=prefix)
        )
    return tuple(columns), whole_rows


def _key_options(line: Cursor) -> tuple[str | None, dict[str, str]]:
    comment, extra = None, {}
    while not line.done:
        if line.accept("COMMENT"):
            comment = unquoted(line.take("text").text)
        elif line.accept("INVISIBLE") or line.accept("IGNORED"):
            extra["invisible"] = "yes"
        elif line.accept("USING"):
            extra["using"] = line.take("word").text
        elif line.accept("WITH", "PARSER"):
            extra["parser"] = line.name()
        else:
            _assignment(line)
    return comment, extra


def _assignment(line: Cursor) -> None:
    """Take an option of the engine's own, such as ``KEY_BLOCK_SIZE=8``; definitions have it."""
    line.take("word", "name")
    line.accept("=")
    line.take("word", "text", "number")
