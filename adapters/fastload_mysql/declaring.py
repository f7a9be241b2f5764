"""How a column of another database is declared here, and which word of the encoder writes it."""

from __future__ import annotations

import re

import msgspec

from fastload.errors import UnsupportedType
from fastload.model import Column
from fastload.naming import column_of, option
from fastload_mysql.flavours import Server
from fastload_mysql.quoting import literal

_LONGEST_BYTES = (1 << 32) - 1  # of a longtext or longblob
_LONGEST_VARCHAR = 16_383  # characters of up to four bytes in a row of 65,535 bytes
_LONGEST_VARBINARY = 65_533
_LONGEST_BINARY = 255
_MOST_LABELS = 65_535
_LONGEST_LABEL = 255
_MOST_DIGITS = 65
_MOST_FRACTION_DIGITS = 30
_INTERVAL_CHARACTERS = 120  # as ISO 8601 writes the longest
_NOT_ITS_TEXT = (
    "json keeps documents and not their text: spacing, order of members, repeated members and "
    "digits beyond a double's go; the type 'text' in `types` keeps them"
)

NO_NEGATIVE_ZERO = "MariaDB has no negative zero: -0.0 becomes 0"
FLOATS = ("halffloat", "float", "float16", "float32", "double", "float64")
_NO_JSON = "made as longtext: this server has no type for documents"

# Items of lists that JSON has a form for.
_ITEM = (
    r"bool|u?int\d+|halffloat|float|double|decimal\d+\(.+\)|string|large_string|"
    r"(date|time|timestamp|duration)\d*\[.+\]"
)
# Arrow spelling -> MySQL type and the encoder's word.
_PLAIN: tuple[tuple[str, str, str], ...] = (
    (r"bool", "tinyint(1)", "bool1"),
    (r"int8", "tinyint", "tiny"),
    (r"int16", "smallint", "short"),
    (r"int32", "int", "long"),
    (r"int64", "bigint", "longlong"),
    (r"uint8", "tinyint unsigned", "utiny"),
    (r"uint16", "smallint unsigned", "ushort"),
    (r"uint32", "int unsigned", "ulong"),
    (r"uint64", "bigint unsigned", "ulonglong"),
    (r"halffloat|float|float16|float32", "float", "float"),
    (r"double|float64", "double", "double"),
    (r"date32\[day\]|date64\[ms\]", "date", "date"),
    (r"time32\[s\]", "time", "time:0"),
    (r"time32\[ms\]", "time(3)", "time:3"),
    (r"time64\[(us|ns)\]|duration\[.+\]", "time(6)", "time:6"),
    (r"timestamp\[s\]", "datetime", "datetime:0"),
    (r"timestamp\[ms\]", "datetime(3)", "datetime:3"),
    (r"timestamp\[(us|ns)\]", "datetime(6)", "datetime:6"),
    (r"timestamp\[s, tz=.+\]", "datetime", "datetime_utc:0"),
    (r"timestamp\[ms, tz=.+\]", "datetime(3)", "datetime_utc:3"),
    (r"timestamp\[(us|ns), tz=.+\]", "datetime(6)", "datetime_utc:6"),
    (r"arrow\.json", "json", "json"),
    (rf"(large_list|list|list_view|fixed_size_list)<(\w+: )?({_ITEM})>(\[\d+\])?", "json", "json"),
)
_DECIMAL = re.compile(r"decimal\d+\((\d+), ?(-?\d+)\)")
_TEXT_NUMBER = re.compile(r"opaque\[(numeric|decimal), [^,]+, string\]")
_OPAQUE = re.compile(r"opaque\[(.+), [^,]+, \w+\]", re.DOTALL)
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=\w+, ordered=\d>")
_TEXT = re.compile(r"string|large_string|string_view|utf8|null|opaque\[.+, string\]", re.DOTALL)
_BYTES = re.compile(r"binary|large_binary|binary_view|opaque\[.+, binary\]", re.DOTALL)
_FIXED_BYTES = re.compile(r"fixed_size_binary\[(\d+)\]")


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """A column's declaration here.

    Attributes:
        encode: Word of the encoder.
        note: What the plan says of it, as what and why; None where there is nothing to say.
    """

    type: str
    encode: str
    charset: str | None = None
    collation: str | None = None
    note: tuple[str, str] | None = None


def declare(
    column: Column, *, server: Server, table: str = "", longest: int | None = None
) -> Declared:
    """Return how this column of another dialect is declared.

    Args:
        column: With the facts that all databases share.
        server: The server that is to have it.
        table: For the error.
        longest: Most characters, or bytes of a binary, that the keys over it leave room for.

    Raises:
        UnsupportedType: There is no type that holds its values.
    """
    arrow = column.arrow
    if match := _DICTIONARY.fullmatch(arrow):
        arrow = match[1]
    if match := _DECIMAL.fullmatch(arrow):
        return _decimal(column, int(match[1]), int(match[2]), table)
    if _TEXT_NUMBER.fullmatch(arrow):
        raise _no_decimal(column, "takes numbers of any length", table)
    if column.labels:
        return _enum(column, server, longest)
    if arrow == "arrow.uuid":
        return _uuid(server)
    if arrow == "month_day_nano_interval":
        found = _ascii(f"varchar({_INTERVAL_CHARACTERS})", "interval", server)
        return msgspec.structs.replace(found, note=_kept("interval", "text, as ISO 8601 has it"))
    if _TEXT.fullmatch(arrow):
        return _told(_text(column.length, server, longest), arrow, "text")
    if match := _FIXED_BYTES.fullmatch(arrow):
        return _fixed_bytes(int(match[1]), longest)
    if _BYTES.fullmatch(arrow):
        found = _bytes(column.length, longest)
        return _told(found, arrow, "bytes, in the source's own form")
    found = _plain(column, arrow, server, table)
    if found.type == "json" and not server.has_json:
        longtext = _collated("longtext", "json", server, None)
        return msgspec.structs.replace(longtext, note=("type of column", _NO_JSON))
    return found


def _told(found: Declared, arrow: str, form: str) -> Declared:
    """Return the declaration with what becomes of a type that is the source's own."""
    own = _OPAQUE.match(arrow)
    if own is None or found.note is not None:
        return found
    return msgspec.structs.replace(found, note=_kept(own[1], form))


def _kept(type_: str, form: str) -> tuple[str, str]:
    return "type of column", f"{type_} is kept as {form}"


def _plain(column: Column, arrow: str, server: Server, table: str) -> Declared:
    for pattern, type_, word in _PLAIN:
        if re.fullmatch(pattern, arrow, re.DOTALL):
            return Declared(type=type_, encode=word, note=_note(arrow, server))
    raise UnsupportedType(
        f"MySQL has no type for Arrow's {arrow}",
        side="target",
        table=table or None,
        column=column.name,
        hint="cast the column first, or name a type: "
        + option("types", column_of(table, column.name), "text"),
    )


def _note(arrow: str, server: Server) -> tuple[str, str] | None:
    if arrow.startswith("timestamp[") and "tz=" in arrow:
        return (
            "time zone of column",
            "datetime holds it as UTC, since the type timestamp ends in 2038",
        )
    if arrow == "arrow.json" and not server.is_mariadb:
        return "spelling of column", _NOT_ITS_TEXT
    if server.is_mariadb and arrow in FLOATS:
        return "sign of zero in column", NO_NEGATIVE_ZERO
    if "list" in arrow.split("<")[0]:
        return "array type of column", "made as json"
    return None


def _decimal(column: Column, precision: int, scale: int, table: str) -> Declared:
    # A scale may be negative, or beyond the precision, in PostgreSQL.
    digits, fraction = max(precision, scale, precision - scale), max(scale, 0)
    if digits > _MOST_DIGITS or fraction > _MOST_FRACTION_DIGITS:
        raise _no_decimal(column, f"has {digits} digits, {fraction} of them a fraction", table)
    return Declared(type=f"decimal({digits},{fraction})", encode=f"decimal:{digits},{fraction}")


def _no_decimal(column: Column, what: str, table: str) -> UnsupportedType:
    return UnsupportedType(
        f"{column.type} {what}, and decimal has up to {_MOST_DIGITS} digits, "
        f"{_MOST_FRACTION_DIGITS} of them a fraction",
        side="target",
        table=table or None,
        column=column.name,
        hint=option("types", column_of(table, column.name), "numeric(38,10)")
        + " casts it on the source, to what its values need; 'text' keeps every digit",
    )


def _enum(column: Column, server: Server, longest: int | None) -> Declared:
    """Declare an enumerated type, unless labels would change: spaces at their ends are dropped."""
    labels = column.labels
    kept = all(x == x.rstrip(" ") and len(x) <= _LONGEST_LABEL for x in labels)
    most = max(map(len, labels))
    if not kept or len(labels) > _MOST_LABELS:
        text = _text(most, server, longest)
        note = ("labels of column", "enum drops spaces at the end and takes 255 characters")
        return msgspec.structs.replace(text, note=note)
    return Declared(
        type=f"enum({','.join(map(literal, labels))})",
        encode=f"text:{most}",
        charset="utf8mb4",
        collation=server.binary_collation,
    )


def _uuid(server: Server) -> Declared:
    """Declare a UUID.

    As text where there is no type for it: the application's SQL goes on to compare it with
    literals, in capitals too, for which the collation goes without case.
    """
    if server.has_uuid:
        return Declared(type="uuid", encode="uuid")
    return Declared(
        type="char(36)",
        encode="uuid_text",
        charset="ascii",
        collation="ascii_general_ci",
        note=_kept("uuid", "text"),
    )


def _ascii(type_: str, word: str, server: Server) -> Declared:
    collation = "ascii_nopad_bin" if server.is_mariadb else "ascii_bin"
    return Declared(type=type_, encode=word, charset="ascii", collation=collation)


def _text(length: int | None, server: Server, longest: int | None) -> Declared:
    room = _LONGEST_VARCHAR if longest is None else longest
    note = None
    if longest is not None and (length is None or length > longest):
        note = _cut_note(longest, "characters")
        length = longest
    if length is None or length > room:
        if length is not None:
            note = "length of column", f"made as longtext, which takes more than {length}"
        return _collated("longtext", f"text:{_LONGEST_BYTES}", server, note)
    return _collated(f"varchar({length})", f"text:{length}", server, note)


def _collated(type_: str, word: str, server: Server, note: tuple[str, str] | None) -> Declared:
    return Declared(
        type=type_, encode=word, charset="utf8mb4", collation=server.binary_collation, note=note
    )


def _cut_note(longest: int, unit: str) -> tuple[str, str]:
    return (
        "length of column",
        f"a key over it leaves room for {longest} {unit}: longer values are refused by row",
    )


def _fixed_bytes(length: int, longest: int | None) -> Declared:
    if length <= min(_LONGEST_BINARY, longest or _LONGEST_BINARY):
        return Declared(type=f"binary({length})", encode=f"binary:{length}")
    return _bytes(length, longest)


def _bytes(length: int | None, longest: int | None) -> Declared:
    if longest is not None:
        note = _cut_note(longest, "bytes") if length is None or length > longest else None
        most = longest if length is None else min(length, longest)
        return Declared(type=f"varbinary({most})", encode=f"blob:{most}", note=note)
    if length is None or length > _LONGEST_VARBINARY:
        return Declared(type="longblob", encode=f"blob:{_LONGEST_BYTES}")
    return Declared(type=f"varbinary({length})", encode=f"blob:{length}")
