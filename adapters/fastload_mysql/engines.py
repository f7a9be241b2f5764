"""Storage engines: rows are written exactly once only where they can be rolled back."""

from __future__ import annotations

import re

import msgspec

from fastload.model import Catalog, Index, IndexColumn, NotCarried, Table
from fastload_mysql.quoting import ident, literal, qualified

TRANSACTIONAL = ("INNODB", "ROCKSDB")
_CHOSEN = re.compile(r"\bENGINE\s*=\s*\w+", re.IGNORECASE)
# What of a table's options means the same to InnoDB; others it may refuse.
_KEPT = re.compile(r"\b(?:DEFAULT )?CHARSET=\w+|\bCOLLATE=\w+")
_REASON = "InnoDB instead of {}, whose rows could arrive twice: it has no transactions"


def has_transactions(table: Table) -> bool:
    """Say whether a table's rows can be rolled back; one without an engine has the default."""
    return table.extra.get("engine", "InnoDB").upper() in TRANSACTIONAL


def unsafe(table: Table) -> str | None:
    """Say why rows cannot be written exactly once into a table that is there."""
    if has_transactions(table):
        return None
    alter = f"ALTER TABLE {qualified(table.name)} ENGINE = InnoDB"
    return f"it is {table.extra['engine']}, which has no transactions; {alter} mends it"


def with_transactions(catalog: Catalog) -> Catalog:
    """Return a catalogue of the family with InnoDB for what has no transactions, and told."""
    others = [t for t in catalog.tables if not has_transactions(t)]
    if not others:
        return catalog
    told = [NotCarried("engine", str(t.name), _REASON.format(t.extra["engine"])) for t in others]
    return msgspec.structs.replace(
        catalog,
        tables=tuple(t if has_transactions(t) else _transactional(t) for t in catalog.tables),
        not_carried=(*catalog.not_carried, *told),
    )


def _transactional(table: Table) -> Table:
    options = ["ENGINE=InnoDB", *_KEPT.findall(table.extra.get("options", ""))]
    if table.comment:
        options.append(f"COMMENT={literal(table.comment)}")
    extra = {**table.extra, "engine": "InnoDB", "options": " ".join(options)}
    if "partitioning" in extra:
        extra["partitioning"] = _CHOSEN.sub("ENGINE = InnoDB", extra["partitioning"])
    return msgspec.structs.replace(
        table, indexes=(*table.indexes, *_index_of_counter(table)), extra=extra
    )


def _index_of_counter(table: Table) -> list[Index]:
    """Return the index that InnoDB wants of a column that numbers rows within another's values."""
    counting = next((c.name for c in table.columns if c.identity), None)
    first: set[str | None] = {k.columns[0] for k in table.keys}
    first |= {i.columns[0].name for i in table.indexes if i.columns}
    if counting is None or counting in first:
        return []
    taken = {i.name for i in table.indexes} | {k.name for k in table.keys}
    name = next(n for n in (counting, f"{counting}_counter") if n not in taken)
    definition = f"KEY {ident(name)} ({ident(counting)})"
    column = IndexColumn(name=counting)
    return [Index(name=name, unique=False, definition=definition, columns=(column,))]
