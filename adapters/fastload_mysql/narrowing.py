"""Keys and indexes of newer servers on one that indexes fewer bytes of a column."""

from __future__ import annotations

import msgspec

from fastload.model import Index, IndexColumn, NotCarried, Table
from fastload_mysql.clauses import definition
from fastload_mysql.flavours import Server
from fastload_mysql.widths import INDEX_BYTES, is_long, unit_bytes, width_bytes


def narrowed(table: Table, server: Server, left: list[NotCarried]) -> Table:
    """Return the table with what the server can index, and add what that changes to ``left``."""
    most = server.index_part_bytes
    if most >= INDEX_BYTES:
        return table
    wide = {c.name for c in table.columns if not is_long(c.type) and width_bytes(c) > most}

    def kept(kind: str, name: str, columns: tuple[str, ...]) -> bool:
        found = sorted(wide & set(columns))
        if found:
            reason = f"this server indexes {most} bytes of a column, and {found[0]} may have more"
            left.append(NotCarried(kind, table.name.member(name), reason))
        return not found

    return msgspec.structs.replace(
        table,
        keys=tuple(k for k in table.keys if kept("key", k.name, k.columns)),
        foreign_keys=tuple(f for f in table.foreign_keys if kept("foreign key", f.name, f.columns)),
        indexes=tuple(i for i in (_index(table, i, most, left) for i in table.indexes) if i),
    )


def _index(table: Table, index: Index, most: int, left: list[NotCarried]) -> Index | None:
    """Index the beginnings of what is too long; under a unique index that would refuse rows."""
    if index.kind in ("fulltext", "spatial"):
        return index
    columns = tuple(_part(table, c, most) for c in index.columns)
    if columns == index.columns:
        return index
    name = table.name.member(index.name)
    if index.unique:
        reason = f"this server indexes {most} bytes of a column"
        left.append(NotCarried("unique index", name, reason))
        return None
    cut = next(c for c, before in zip(columns, index.columns, strict=True) if c != before)
    reason = f"only the first {cut.prefix} of {cut.name} are indexed"
    left.append(NotCarried("width of index", name, reason))
    return msgspec.structs.replace(index, columns=columns, definition=definition(columns))


def _part(table: Table, part: IndexColumn, most: int) -> IndexColumn:
    if part.name is None:
        return part
    column = table.column(part.name)
    unit = unit_bytes(column)
    taken = part.prefix * unit if part.prefix is not None else width_bytes(column)
    return part if taken <= most else msgspec.structs.replace(part, prefix=most // unit)
