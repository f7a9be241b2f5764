"""Statements that mend single rows, with every value as a literal.

Values are encoded as INSERTs of rows encode them, which is exact. What is not plain text is then
written in hexadecimal digits, so that neither a client's line breaks, its character set nor
NO_BACKSLASH_ESCAPES changes it on its way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from fastload.adapter import Reading
from fastload.model import TablePlan
from fastload_mysql.driver import SQL_MODE
from fastload_mysql.encoded import Encoded
from fastload_mysql.load_statement import TIME_ZONE
from fastload_mysql.quoting import ident, idents, literal, qualified
from fastload_mysql.writing import codecs_of

# Below every max_allowed_packet in use; nobody edits a statement that is longer.
MOST_BYTES = 1 << 20
_VALUE = re.compile(rb"(_binary)?'((?:[^'\\]|\\.)*)'|([^,()']+)", re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)


async def repair_statements(
    change: str, table: TablePlan, rows: Reading, columns: Sequence[str]
) -> list[str | None]:
    """Return a statement for each row; see the seam."""
    codecs = codecs_of(table)
    encoded = Encoded(rows, table, codecs, form="values")
    found: list[str | None] = []
    async for _, made in encoded.batches():
        for row in range(made.num_rows):
            if made.slice(row, 1).nbytes > MOST_BYTES:
                found.append(None)
                continue
            data, _ = encoded.rows(made, row, 1)
            values = dict(_values(data, codecs))
            statement = _statement(change, table, columns, values)
            exact = change == "insert" or not _compared_otherwise(table, dict(codecs))
            fits = exact and len(statement.encode()) <= MOST_BYTES
            found.append(statement if fits else None)
    return found


def repair_file(statements: Sequence[str], notes: Sequence[str]) -> str:
    """Return the statements as one transaction; see the seam."""
    lines = [
        "-- mariadb --default-character-set=utf8mb4 < repair.sql, or the same with mysql",
        *(f"-- {note}" for note in notes),
        "SET NAMES utf8mb4;",
        f"SET time_zone = '{TIME_ZONE}', sql_mode = '{SQL_MODE['target']}';",
        "START TRANSACTION;",
        *(f"{s};" for s in statements),
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def _statement(
    change: str, table: TablePlan, columns: Sequence[str], values: dict[str, str]
) -> str:
    name = qualified(table.target.name)
    key = " AND ".join(_equations(table.merge_by, values))
    if change == "delete":
        return f"DELETE FROM {name} WHERE {key}"
    if change == "update":
        # An UPDATE would set them to its own time.
        kept = [c.name for c in table.target.columns if c.on_update and c.name not in columns]
        equations = [*_equations(columns, values), *(f"{ident(c)} = {ident(c)}" for c in kept)]
        return f"UPDATE {name} SET {', '.join(equations)} WHERE {key}"
    listed = ", ".join(values[c] for c in table.target_columns)
    return f"INSERT INTO {name} ({idents(table.target_columns)}) VALUES ({listed})"


def _equations(columns: Iterable[str], values: dict[str, str]) -> list[str]:
    return [f"{ident(c)} = {values[c]}" for c in columns]


def _values(data: bytes, codecs: Sequence[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """Yield each column of one encoded row with its literal."""
    found = _VALUE.finditer(data)
    for (column, codec), value in zip(codecs, found, strict=True):
        binary, quoted, bare = value.groups()
        if bare is not None:
            yield column, bare.decode("ascii")
        else:
            plain = _ESCAPED.sub(rb"\1", quoted)
            yield column, _literal(plain, codec.partition(":")[0], binary is not None)


def _literal(value: bytes, codec: str, binary: bool) -> str:
    if codec == "bit":
        # A number or bytes, as its place asks for; only bytes would not compare with a column.
        return f"0x{value.hex()}"
    if binary:
        return f"_binary x'{value.hex()}'"
    text = value.decode()
    if text.isprintable() and "\\" not in text:
        return literal(text)
    return f"_utf8mb4 x'{value.hex()}'"


def _compared_otherwise(table: TablePlan, codecs: dict[str, str]) -> bool:
    """Say whether no literal equals a column of the key: a float is compared as a double."""
    return any(codecs[c] == "float" for c in table.merge_by)
