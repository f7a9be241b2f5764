"""Statements that mend single rows, with every value as a literal that the server itself has made.

The rows go into a temporary table of the target's own column types, which is rolled back, and the
server writes them out: ``%L`` of its ``format`` is the text that the type's output function makes,
quoted, and a type reads its own text back as the same value. No literal is made here.
"""

from __future__ import annotations

from collections.abc import Sequence

from fastload.adapter import Reading
from fastload.model import TablePlan
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import ident, idents, literal, qualified
from fastload_postgres.writing import STAGING, Layouts, explained, stage_rows

# psql reads a statement of a megabyte as it reads others; nobody edits one that is longer.
MOST_BYTES = 1 << 20
# What output functions go by; the file says the same to those that read.
_SPELLING = {
    "datestyle": "ISO, YMD",
    "intervalstyle": "postgres",
    "timezone": "UTC",
    "extra_float_digits": "3",
    "bytea_output": "hex",
    "xmloption": "content",
}


async def repair_statements(
    connection: Connection,
    change: str,
    table: TablePlan,
    rows: Reading,
    columns: Sequence[str],
    layouts: Layouts,
) -> list[str | None]:
    """Return a statement for each row; see the seam."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(";".join(f"SET LOCAL {s}" for s in _settings()))
        with explained(table):
            await stage_rows(connection, table, rows, layouts)
        found = await connection.fetch(
            f"SELECT CASE WHEN octet_length(s) <= {MOST_BYTES} THEN s END "
            f"FROM (SELECT {_spelled(change, table, columns)} AS s "
            f"FROM pg_temp.{ident(STAGING)}) AS statements"
        )
    finally:
        await transaction.rollback()
    return [row[0] for row in found]


def repair_file(statements: Sequence[str], notes: Sequence[str]) -> str:
    """Return the statements as one transaction; see the seam."""
    lines = [
        "-- psql -X -v ON_ERROR_STOP=1 -f repair.sql",
        *(f"-- {note}" for note in notes),
        "BEGIN;",
        "SET LOCAL client_encoding = 'UTF8';",
        "SET LOCAL standard_conforming_strings = on;",
        *(f"SET LOCAL {s};" for s in _settings()),
        *(f"{s};" for s in statements),
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def _settings() -> list[str]:
    return [f"{name} = '{value}'" for name, value in _SPELLING.items()]


def _spelled(change: str, table: TablePlan, columns: Sequence[str]) -> str:
    """Return the expression that makes a statement of a staged row."""
    name = qualified(table.target.name)
    key = _joined(" AND ", [(f"{ident(c)} = ", c) for c in table.merge_by])
    if change == "delete":
        return f"{literal(f'DELETE FROM {name} WHERE ')} || {key}"
    if change == "update":
        changes = _joined(", ", [(f"{ident(c)} = ", c) for c in columns])
        return f"{literal(f'UPDATE {name} SET ')} || {changes} || ' WHERE ' || {key}"
    into = f"INSERT INTO {name} ({idents(table.target_columns)}) OVERRIDING SYSTEM VALUE VALUES ("
    values = _joined(", ", [("", c) for c in table.target_columns])
    return f"{literal(into)} || {values} || ')'"


def _joined(separator: str, parts: Sequence[tuple[str, str]]) -> str:
    """Return the expression of texts, each with its column's value behind it."""
    between = f" || {literal(separator)} || "
    return between.join(f"{literal(t)} || format('%L', {ident(c)})" for t, c in parts)
