"""PostgreSQL's types for what other databases describe as Arrow types."""

from __future__ import annotations

import re

from fastload.errors import UnsupportedType
from fastload.naming import column_of, option
from fastload_postgres.typemap import NUMERIC, VENDOR, Forms, TypeFacts, forms, numeric

# Arrow spelling of other dialects -> PostgreSQL type.
_DECLARED: tuple[tuple[str, str], ...] = (
    (r"bool", "boolean"),
    (r"int8|int16|uint8", "smallint"),
    (r"int32|uint16", "integer"),
    (r"int64|uint32", "bigint"),
    (r"uint64", "numeric(20,0)"),
    (r"halffloat|float|float16|float32", "real"),
    (r"double|float64", "double precision"),
    (r"string|large_string|string_view|utf8|null", "text"),
    (r"binary|large_binary|binary_view|fixed_size_binary\[\d+\]", "bytea"),
    (r"date32\[day\]|date64\[ms\]", "date"),
    (r"time32\[(s|ms)\]|time64\[(us|ns)\]", "time without time zone"),
    (r"timestamp\[(s|ms|us|ns)\]", "timestamp without time zone"),
    (r"timestamp\[(s|ms|us|ns), tz=.+\]", "timestamp with time zone"),
    (r"duration\[.+\]|month_day_nano_interval", "interval"),
    (r"arrow\.uuid", "uuid"),
    (r"arrow\.json", "json"),
    # What only its own database knows travels as the text or the bytes that it is kept in there.
    (rf"opaque\[.+, (?!{VENDOR},)[^,]+, (large_)?string\]", "text"),
    (rf"opaque\[.+, (?!{VENDOR},)[^,]+, (large_)?binary\]", "bytea"),
)
_DECIMAL = re.compile(r"decimal\d+\((\d+), ?(-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=\w+, ordered=\d>")
_LIST = re.compile(r"(?:large_list|list|list_view|fixed_size_list)<(?:\w+: )?(.+?)>(?:\[\d+\])?")
_OIDS = {
    "boolean": 16, "smallint": 21, "integer": 23, "bigint": 20, "real": 700,
    "double precision": 701, "text": 25, "bytea": 17, "date": 1082,
    "time without time zone": 1083, "timestamp without time zone": 1114,
    "timestamp with time zone": 1184, "interval": 1186, "uuid": 2950, "json": 114,
}  # fmt: skip


def declare(arrow: str, *, table: str, column: str) -> tuple[str, Forms]:
    """Return the PostgreSQL type for an Arrow type of another dialect, and its forms.

    Raises:
        UnsupportedType: There is none.
    """
    if match := _DECIMAL.fullmatch(arrow):
        precision, scale = int(match[1]), int(match[2])
        if 0 <= scale <= precision:
            return f"numeric({precision},{scale})", numeric(((precision << 16) | scale) + 4)
        return "numeric", numeric(-1)
    if match := _DICTIONARY.fullmatch(arrow):
        return declare(match[1], table=table, column=column)
    if match := _LIST.fullmatch(arrow):
        return _declare_list(match[1], table, column)
    for pattern, name in _DECLARED:
        if re.fullmatch(pattern, arrow):
            return name, _forms_of(name)
    raise UnsupportedType(
        f"PostgreSQL has no type for Arrow's {arrow}",
        side="target",
        table=table,
        column=column,
        hint="cast the column first, or name a type: "
        + option("types", column_of(table, column), "text"),
    )


def _forms_of(name: str) -> Forms:
    if name == "numeric(20,0)":
        return numeric((20 << 16) + 4)
    return forms(TypeFacts(oid=_OIDS[name], name=name.split()[0]))


def _declare_list(item: str, table: str, column: str) -> tuple[str, Forms]:
    name, inner = declare(item, table=table, column=column)
    if name.endswith("[]"):
        raise UnsupportedType(
            "lists of lists are not written yet",
            side="target",
            table=table,
            column=column,
            hint="flatten the column, or make it text",
        )
    element = _OIDS.get(name, NUMERIC)
    return f"{name}[]", Forms(
        arrow=f"list<{inner.arrow}>",
        decode=f"{inner.decode}[]",
        encode=f"{inner.encode}[]:{element}",
    )
