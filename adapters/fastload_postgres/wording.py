"""A table's expressions in PostgreSQL's words, and what of the table cannot be said."""

from __future__ import annotations

import msgspec

from fastload.expressions import Translated, Use, translate
from fastload.model import Column, NotCarried, Table
from fastload.naming import column_of
from fastload_postgres.declaration import can_be_enum
from fastload_postgres.dialect import DIALECT

# How Arrow has labels: what texts can do, and an enum here cannot, is not said of it.
_ENUM = "dictionary<values=string, indices=int32, ordered=0>"


class Wording:
    """What the parts of one table are translated with.

    Attributes:
        table: As its own database declares it, under the target's name.
        left: What cannot be carried, in the order in which it was met.
    """

    def __init__(self, table: Table, read: str) -> None:
        self.table = table
        self.left: list[NotCarried] = []
        self._read = read
        self._columns = {c.name: _as_enum(c) if can_be_enum(c) else c for c in table.columns}

    def tell(self, kind: str, name: str | None, reason: str) -> None:
        """Say that a part of the table, or something about all of it, is not carried."""
        whole = str(self.table.name)
        self.left.append(
            NotCarried(kind, whole if name is None else column_of(whole, name), reason)
        )

    def say(self, text: str, use: Use, kind: str, name: str) -> str | None:
        """Return what an index or check of this name computes; or tell that it has no words."""
        return self._said(text, use, kind, name).text

    def say_of_column(self, text: str, use: Use, kind: str, column: str, into: str) -> Translated:
        """Return a column's default or what computes it; ``into`` is its Arrow type here."""
        return self._said(text, use, kind, column, column=column, into=into)

    def _said(
        self,
        text: str,
        use: Use,
        kind: str,
        name: str,
        *,
        column: str | None = None,
        into: str | None = None,
    ) -> Translated:
        found = translate(
            text,
            read=self._read,
            write=DIALECT,
            use=use,
            columns=self._columns,
            column=column,
            into=into,
        )
        if found.text is None:
            self.tell(kind, name, found.reason or "its expression has no exact translation")
        return found


def _as_enum(column: Column) -> Column:
    return msgspec.structs.replace(column, arrow=_ENUM)
