"""Columns that get their last names once the rows are in, with all that speaks of them.

MariaDB follows a column's name into checks and expressions by itself; MySQL refuses to rename it
then. So one statement renames the columns and says anew what names them. Servers quote every
column in an expression that they show, and so do translated ones: names are found by that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from fastload.model import Column, Index, Table
from fastload_mysql.clauses import check, column, key_or_index
from fastload_mysql.quoting import ident, qualified

_QUOTED = re.compile(r"'(?:[^'\\]|''|\\.)*'|`(?:[^`]|``)*`", re.DOTALL)


def rename(table: Table, new: Mapping[str, str]) -> str:
    """Return the one statement that renames columns; names may pass from one to another."""
    clauses = [*_dropped(table, new), *_columns(table, new), *_added(table, new)]
    return f"ALTER TABLE {qualified(table.name)} {', '.join(clauses)}"


def _columns(table: Table, new: Mapping[str, str]) -> Iterator[str]:
    for found in table.columns:
        name = new.get(found.name, found.name)
        made = _column(found, new)
        if made is not found:
            whole = column(msgspec.structs.replace(made, name=name))
            yield f"CHANGE COLUMN {ident(found.name)} {whole}"
        elif name != found.name:
            yield f"RENAME COLUMN {ident(found.name)} TO {ident(name)}"


def _column(found: Column, new: Mapping[str, str]) -> Column:
    """Return the column with new names in its expressions; itself where it has none of them."""
    told = (found.generated, found.default)
    made = tuple(t and _said(t, new) for t in told)
    if made == told:
        return found
    extra = dict(found.extra)
    if "definition" in extra:
        extra["definition"] = _said(extra["definition"], new)
    return msgspec.structs.replace(found, generated=made[0], default=made[1], extra=extra)


def _dropped(table: Table, new: Mapping[str, str]) -> Iterator[str]:
    for found in table.checks:
        if _said(found.definition, new) != found.definition:
            clause = check(found, table)
            yield f"DROP {clause[: clause.index(' CHECK')]}"
    for index in table.indexes:
        if _speaks(index, new):
            yield f"DROP INDEX {ident(index.name)}"


def _added(table: Table, new: Mapping[str, str]) -> Iterator[str]:
    for found in table.checks:
        if (definition := _said(found.definition, new)) != found.definition:
            made = msgspec.structs.replace(found, definition=definition)
            yield f"ADD {check(made, table)}"
    for index in table.indexes:
        if _speaks(index, new):
            made_index = msgspec.structs.replace(index, definition=_said(index.definition, new))
            yield f"ADD {key_or_index(made_index)}"


def _speaks(index: Index, new: Mapping[str, str]) -> bool:
    told = [c.expression for c in index.columns if c.expression]
    return any(_said(t, new) != t for t in told)


def _said(text: str, new: Mapping[str, str]) -> str:
    """Return an expression with other names of columns."""
    quoted = {ident(old): ident(name) for old, name in new.items()}
    return _QUOTED.sub(lambda match: quoted.get(match[0], match[0]), text)
