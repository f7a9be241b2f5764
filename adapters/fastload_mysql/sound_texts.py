"""Texts that a server would send as others, marked in the SELECT instead.

Many character sets keep bytes that no character of Unicode stands for: servers send a question mark
for each, without a warning (and U+FFFD for those of tis620). What has more of those as Unicode than
in its own set is sent as the byte FF, which is in no UTF-8, and its own bytes. Likewise for an
enum's error value where the enum has an empty label: both are the empty text.

Which sets: each of MariaDB 10.11 and MySQL 9.7 was asked for every text of one and of two bytes.
Those with two codes for one character are copied as bytes between columns of one set.

Measured, 262 144 texts of 20 characters: 0.2 to 0.3 µs for each on MariaDB, up to 0.8 on MySQL.
"""

from __future__ import annotations

import msgspec

from fastload.typemap import opaque
from fastload_mysql.typemap import VENDOR, ColumnFacts, Forms

# Every byte of these is a character of Unicode, or refused when it is written.
_WHOLE = frozenset(
    {"utf8mb4", "utf8mb3", "utf8", "ucs2", "utf16", "utf16le", "utf32", "binary", "latin1"}
    | {"latin2", "latin5", "latin7", "macce", "macroman", "cp850", "cp852", "cp866", "keybcs2"}
    | {"koi8r", "koi8u"}
)
# Some characters of these have two codes, of which one would become the other.
AMBIGUOUS = frozenset({"armscii8", "big5", "cp932", "eucjpms", "sjis", "ujis"})

_SOUND = (
    "IF(LOCATE('?', CAST(CONVERT({0} USING utf8mb4) AS BINARY)) = 0 OR "
    "CHAR_LENGTH(REPLACE(CONVERT({0} USING utf8mb4), '?', '')) = "
    "CHAR_LENGTH(REPLACE({0}, '?', '')), CAST(CONVERT({0} USING utf8mb4) AS BINARY), "
    "CONCAT(X'FF', CAST({0} AS BINARY)))"
)
_SOUND_THAI = (
    "IF(CHAR_LENGTH(REPLACE(REPLACE(CONVERT({0} USING utf8mb4), '?', ''), _utf8mb4 X'EFBFBD', ''))"
    " = CHAR_LENGTH(REPLACE({0}, '?', '')), CAST(CONVERT({0} USING utf8mb4) AS BINARY), "
    "CONCAT(X'FF', CAST({0} AS BINARY)))"
)
_LABEL = "IF({0} + 0 = 0, X'FF', CAST(CONVERT({0} USING utf8mb4) AS BINARY))"
_WORDS = {"text": "checked_text", "json": "checked_json"}


def sound(found: Forms, facts: ColumnFacts, charset: str | None) -> Forms:
    """Return the forms of a column that send no text for another one.

    Args:
        found: Those of its type, or of the type that it is read as.
        facts: Of the column.
        charset: Its character set.
    """
    word = _WORDS.get(found.decode)
    if word is None or charset is None:
        return found
    if facts.base == "enum" and "" in found.labels:
        return msgspec.structs.replace(found, decode=word, cast=_LABEL)
    if charset in _WHOLE:
        return found
    template = _SOUND_THAI if charset == "tis620" else _SOUND
    return msgspec.structs.replace(found, decode=word, cast=template)


def with_bytes(found: Forms, facts: ColumnFacts, charset: str | None) -> Forms:
    """Return the forms with the exact one of a text in such a set: its bytes."""
    if found.decode != "checked_text" or facts.base in ("enum", "set"):
        return found
    return msgspec.structs.replace(
        found,
        exact=opaque(str(charset), VENDOR, "binary"),
        decode_exact=f"raw:{charset}",
        encode_exact="raw",
        cast_exact="CAST({} AS BINARY)",
    )
