"""The parts of LOAD DATA that say how RowsEncoder's text is read.

The file is ``CHARACTER SET binary``: bytes go into columns as they are, and no byte is looked at as
part of a character. That is right for blobs, bits and geometry, and fast and right for texts in
columns of UTF-8, for which the encoder has checked every byte. Texts of other columns go through a
variable, which CONVERT says is UTF-8: the server then converts them into the column's own set.

Measured on MariaDB 10.11 and MySQL 9.7, with columns of utf8mb4, utf8mb3, utf16, utf32, latin1 and
gbk: exact on both. ``CHARACTER SET utf8mb4`` is exact for texts, but MySQL ends the statement at
the first blob that is not UTF-8 (1300), which would need UNHEX and files twice as large. A variable
costs 0.3 to 1.5 µs for each text (300 000 rows of four), so that the fast way is worth a look at
the column's set. Without CONVERT, bytes in a column of utf16, latin1 or gbk become other characters
with no warning at all.

What servers do not keep, whatever is loaded: MariaDB has no negative zero, and MySQL's time ends at
838:59:59.000000, and says so with a warning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastload_mysql.quoting import ident

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHARACTER_SET = "binary"
FORMAT = "FIELDS TERMINATED BY '\\t' ENCLOSED BY '' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n'"
# What the session must have: other modes read texts or moments in another way.
TIME_ZONE = "+00:00"

_TEXTS = frozenset({"text", "text_bytes", "char", "interval", "uuid_text"})
# MySQL makes no JSON of bytes; what an opaque type makes of them is its own affair.
_ALWAYS_CONVERTED = frozenset({"json", "opaque_text"})
_UTF8 = frozenset({"utf8mb4", "utf8mb3", "utf8"})


def load_columns(
    columns: Sequence[tuple[str, str]], character_sets: Mapping[str, str] | None = None
) -> tuple[str, str]:
    """Return the list of columns, in parentheses, and the SET clause, which may be empty.

    Args:
        columns: Name and codec of each column, as RowsEncoder takes them.
        character_sets: The character set of columns that have one; any is right for those that
            are not named, more slowly.
    """
    sets = character_sets or {}
    fields, clauses = [], []
    for index, (name, word) in enumerate(columns):
        if _is_converted(word, sets.get(name)):
            fields.append(f"@c{index}")
            clauses.append(f"{ident(name)} = CONVERT(@c{index} USING utf8mb4)")
        else:
            fields.append(ident(name))
    return f"({', '.join(fields)})", f"SET {', '.join(clauses)}" if clauses else ""


def load_statement(
    file: str,
    table: str,
    columns: Sequence[tuple[str, str]],
    character_sets: Mapping[str, str] | None = None,
) -> str:
    """Return the whole statement; file and table are quoted already."""
    fields, clause = load_columns(columns, character_sets)
    return (
        f"LOAD DATA LOCAL INFILE {file} INTO TABLE {table} CHARACTER SET {CHARACTER_SET} "
        f"{FORMAT} {fields} {clause}"
    ).rstrip()


def _is_converted(word: str, character_set: str | None) -> bool:
    name = word.partition(":")[0]
    if name in _ALWAYS_CONVERTED:
        return True
    return name in _TEXTS and (character_set or "").lower() not in _UTF8
