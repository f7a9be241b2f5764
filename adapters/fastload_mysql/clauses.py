"""The parts of a table's statement: columns, keys, indexes, checks and foreign keys."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fastload.model import Check, Column, ForeignKey, Index, IndexColumn, Key, QualifiedName, Table
from fastload_mysql.expressing import unbracketed
from fastload_mysql.quoting import ident, idents, literal, qualified

_NUMBERED = re.compile(r".+(_(?:chk|ibfk)_\d+)", re.DOTALL)
_COLLATE = re.compile(r"DEFAULT CHARSET=\w+ COLLATE=(\w+)")
_NAMED = re.compile(r"CONSTRAINT\s+(?:`(?:[^`]|``)*`|\w+)\s+", re.IGNORECASE)
_WHOLE_INDEX = re.compile(r"(?:UNIQUE |FULLTEXT |SPATIAL |VECTOR )?(?:KEY|INDEX) ", re.IGNORECASE)


def with_table(table: Table) -> list[Key | Index]:
    """Return the keys and indexes that a table is made with."""
    made: list[Key | Index] = [k for k in table.keys if k.primary]
    counting = next((c.name for c in table.columns if c.identity), None)
    if counting is None or any(k.primary and k.columns[0] == counting for k in table.keys):
        return made
    made += [k for k in table.keys if not k.primary and k.columns[0] == counting][:1]
    if not any(not isinstance(k, Index) and k.columns[0] == counting for k in made):
        begins = [i for i in table.indexes if i.columns and i.columns[0].name == counting]
        made += begins[:1]
    return made


def collation_of(table: Table) -> str | None:
    """Return the collation that columns have without a word of their own."""
    match = _COLLATE.search(table.extra.get("options", ""))
    return match[1] if match else None


def key_or_index(found: Key | Index) -> str:
    """Return what makes it, within a table or after ADD."""
    return _index(found) if isinstance(found, Index) else _key(found)


def _key(found: Key) -> str:
    if text := found.extra.get("definition"):
        return text
    name = "PRIMARY KEY" if found.primary else f"UNIQUE KEY {ident(found.name)}"
    return f"{name} ({idents(found.columns)}){_comment(found.comment)}"


def _index(found: Index) -> str:
    if _WHOLE_INDEX.match(found.definition):
        return found.definition
    kind = {"fulltext": "FULLTEXT ", "spatial": "SPATIAL "}.get(found.kind, "")
    unique = "UNIQUE " if found.unique else ""
    comment = _comment(found.comment)
    return f"{kind}{unique}KEY {ident(found.name)} {found.definition}{comment}"


def definition(columns: tuple[IndexColumn, ...]) -> str:
    """Return an index's columns, in brackets."""
    return f"({', '.join(map(_part, columns))})"


def _part(column: IndexColumn) -> str:
    what = f"({unbracketed(column.expression or '')})" if column.name is None else None
    prefix = f"({column.prefix})" if column.prefix is not None else ""
    return (what or ident(column.name or "")) + prefix + (" DESC" if column.descending else "")


def _comment(text: str | None) -> str:
    return f" COMMENT {literal(text)}" if text else ""


def check(found: Check, table: Table) -> str:
    """Return a check with its name; one that the server made up is numbered after its table."""
    clause = _NAMED.sub("", found.definition)
    return f"CONSTRAINT {ident(_numbered(found.name, table.name.name))} {clause}"


def foreign_key(found: ForeignKey, table: QualifiedName) -> str:
    """Return a foreign key of a table with its name."""
    actions = "".join(
        f" ON {event} {action}"
        for event, action in (("DELETE", found.on_delete), ("UPDATE", found.on_update))
        if action != "NO ACTION"
    )
    return (
        f"CONSTRAINT {ident(constraint_name(found, table))} FOREIGN KEY ({idents(found.columns)}) "
        f"REFERENCES {qualified(found.references)} ({idents(found.referenced_columns)}){actions}"
    )


def constraint_name(found: ForeignKey, table: QualifiedName) -> str:
    """Return a foreign key's name; one that the server made up is numbered after its table."""
    return _numbered(found.name, table.name)


def _numbered(name: str, table: str) -> str:
    """Give the table's name to a constraint that has it, as two of a database cannot share one."""
    match = _NUMBERED.fullmatch(name)
    return f"{table[: 64 - len(match[1])]}{match[1]}" if match else name


def column(column: Column, collation: str | None = None) -> str:
    """Return a column as a table of this collation is made with it."""
    if text := column.extra.get("definition"):
        return f"{ident(column.name)} {text}"
    parts = [ident(column.name), column.type]
    if column.collation and column.collation != collation:
        charset = column.extra.get("charset", column.collation.split("_")[0])
        parts.append(f"CHARACTER SET {charset} COLLATE {column.collation}")
    if column.generated is not None:
        kind = column.extra.get("generated", "stored").upper()
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) {kind}")
    else:
        parts += _value(column)
    if "srid" in column.extra:
        parts.append(f"SRID {column.extra['srid']}")
    if "invisible" in column.extra:
        parts.append("INVISIBLE")
    if column.comment:
        parts.append(f"COMMENT {literal(column.comment)}")
    return " ".join(parts)


def _value(column: Column) -> Iterable[str]:
    """Yield what a column that is not generated holds of itself."""
    if not column.nullable:
        yield "NOT NULL"
    elif column.type.startswith("timestamp"):
        yield "NULL"  # older servers take NOT NULL for granted
    if column.identity:
        yield "AUTO_INCREMENT"
    elif column.default is not None:
        yield f"DEFAULT {column.default}"
    if column.on_update is not None:
        yield f"ON UPDATE {column.on_update}"
