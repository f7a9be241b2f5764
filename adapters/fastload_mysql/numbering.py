"""AUTO_INCREMENT and sequences: which columns count, and where they go on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fastload.model import Column, NotCarried, QualifiedName, Table
from fastload.model import Sequence as SequenceModel
from fastload_mysql.flavours import Server
from fastload_mysql.naming import lowered
from fastload_mysql.quoting import literal, qualified

# MariaDB keeps the ends of its range for itself.
_LEAST, _MOST = -(1 << 63) + 1, (1 << 63) - 2
_INTEGERS = ("tinyint", "smallint", "mediumint", "int", "bigint")


def counting_column(table: Table) -> str | None:
    """Return the column that is AUTO_INCREMENT, if any."""
    return next((c.name for c in table.columns if c.identity), None)


def begins_key(table: Table, column: str) -> bool:
    """Say whether a key or plain index begins with this column."""
    firsts = [k.columns[0] for k in table.keys]
    firsts += [i.columns[0].name or "" for i in table.indexes if i.columns and i.kind == "sorted"]
    return column in firsts


def obstacle(table: Table, column: Column, sequence: SequenceModel | None) -> str | None:
    """Return why a column that counts on its source cannot be AUTO_INCREMENT here."""
    if not column.type.startswith(_INTEGERS):
        return f"AUTO_INCREMENT is not for {column.type}"
    if not begins_key(table, column.name):
        return "AUTO_INCREMENT needs a key that begins with the column"
    if sequence is not None and sequence.increment < 0:
        return "AUTO_INCREMENT counts upwards"
    return None


def told(table: QualifiedName, column: str, sequence: SequenceModel) -> Iterable[NotCarried]:
    """Yield what AUTO_INCREMENT has no words for."""
    if sequence.increment > 1:
        reason = f"AUTO_INCREMENT counts by auto_increment_increment, not by {sequence.increment}"
        yield NotCarried("step of column", table.member(column), reason)
    if sequence.cycle:
        reason = "AUTO_INCREMENT does not begin anew at its end"
        yield NotCarried("cycle of column", table.member(column), reason)


def next_value(sequence: SequenceModel) -> int | None:
    """Return the value that the sequence hands out next; None where that is not known."""
    if sequence.last_value is None:
        return None
    return sequence.last_value + (sequence.increment if sequence.is_called else 0)


def standing(tables: Iterable[QualifiedName]) -> str:
    """Return the query for schema, table, column and next value of AUTO_INCREMENT columns.

    On MySQL 8 and later the session must have information_schema_stats_expiry = 0.
    """
    names = ", ".join(f"({literal(n.schema)}, {literal(n.name)})" for n in tables)
    return (
        "SELECT c.TABLE_SCHEMA, c.TABLE_NAME, c.COLUMN_NAME, t.AUTO_INCREMENT "
        "FROM information_schema.COLUMNS c JOIN information_schema.TABLES t "
        "ON t.TABLE_SCHEMA = c.TABLE_SCHEMA AND t.TABLE_NAME = c.TABLE_NAME "
        f"WHERE (c.TABLE_SCHEMA, c.TABLE_NAME) IN ({names}) "
        "AND c.EXTRA LIKE '%auto_increment%'"
    )


def advances(
    sequences: Sequence[SequenceModel],
    here: Iterable[tuple[str, str, str, int | None]],
    server: Server,
    *,
    keep_higher: bool,
) -> list[str]:
    """Return the statements that set sequences; each is harmless to repeat.

    InnoDB never counts on from below a value that is in the table.

    Args:
        sequences: Under the target's names; those whose value is not known are passed over.
        here: Rows of ``standing`` for their owners' tables.
        server: The target.
        keep_higher: Never set one back behind where it stands here.
    """
    now = {(_stored(QualifiedName(s, t), server), c.lower()): value or 1 for s, t, c, value in here}
    found = []
    for sequence in sequences:
        value = next_value(sequence)
        if value is None:
            continue
        if sequence.owner is None:
            found += _restart(sequence, value, server, keep_higher)
            continue
        table, column = sequence.owner
        stands = now.get((_stored(table, server), column.lower()))
        if stands is not None and value >= 1 and not (keep_higher and stands >= value):
            found.append(f"ALTER TABLE {qualified(table)} AUTO_INCREMENT = {value}")
    return found


def _stored(name: QualifiedName, server: Server) -> QualifiedName:
    return lowered(name) if server.lower_case_table_names else name


def _restart(sequence: SequenceModel, value: int, server: Server, keep_higher: bool) -> list[str]:
    if not server.has_sequences:
        return []
    if keep_higher:  # SETVAL never sets one back
        return [f"SELECT SETVAL({qualified(sequence.name)}, {value}, 0)"]
    return [f"ALTER SEQUENCE {qualified(sequence.name)} RESTART WITH {value}"]


def create(sequence: SequenceModel) -> str:
    """Return the statement that makes a sequence of its own."""
    s = sequence
    return (
        f"CREATE SEQUENCE IF NOT EXISTS {qualified(s.name)} START WITH {s.start} "
        f"INCREMENT BY {s.increment} MINVALUE {max(s.minimum, _LEAST)} "
        f"MAXVALUE {min(s.maximum, _MOST)} "
        f"CACHE {s.cache} {'' if s.cycle else 'NO'}CYCLE"
    )
