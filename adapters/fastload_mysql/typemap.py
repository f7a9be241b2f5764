"""MySQL's and MariaDB's types and their forms: codec words for the kernels, and Arrow spellings."""

from __future__ import annotations

import re

import msgspec

from fastload.errors import UnsupportedType
from fastload.naming import column_of, option
from fastload.typemap import opaque
from fastload_mysql.create_scanner import unquoted

VENDOR = "MySQL"
BOOLEAN = "boolean"

_TYPE = re.compile(r"(\w+)\s*(?:\((.*)\))?\s*(.*)", re.DOTALL)
_LABEL = re.compile(r"'(?:[^'\\]|''|\\.)*'", re.DOTALL)
_CAST = "CAST({} AS CHAR)"
_AS_BYTES = "binary"

# Name: the codec of signed and of unsigned values in both directions, and Arrow's spellings. The
# wire has mediumint as wide as int.
_INTEGERS: dict[str, tuple[str, str, str, str]] = {
    "tinyint": ("tiny", "tiny", "int8", "uint8"),
    "smallint": ("short", "short", "int16", "uint16"),
    "mediumint": ("long", "medium", "int32", "uint32"),
    "int": ("long", "long", "int32", "uint32"),
    "bigint": ("longlong", "longlong", "int64", "uint64"),
}
# Most characters, or bytes, of the types without a number of their own.
_TEXTS = {"tinytext": 255, "text": 65_535, "mediumtext": (1 << 24) - 1, "longtext": (1 << 32) - 1}
_BLOBS = {name.replace("text", "blob"): most for name, most in _TEXTS.items()}
GEOMETRIES = frozenset(
    {"geometry", "point", "linestring", "polygon", "multipoint", "multilinestring"}
    | {"multipolygon", "geometrycollection", "geomcollection"}
)
# Arrow's form, and the most characters of the server's own text.
_MOMENTS = {
    "date": ("date32[day]", 10),
    "datetime": ("timestamp[us]", 26),
    "timestamp": ("timestamp[us, tz=UTC]", 26),
    "time": ("duration[us]", 17),
}
_INET = {"inet4": 15, "inet6": 45}


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """How values of a type are read and written.

    Attributes:
        arrow: Native Arrow form.
        exact: Exact Arrow form, or None.
        decode, decode_exact: Codec words of ``RowsDecoder``.
        encode, encode_exact: Codec words of ``RowsEncoder``.
        cast, cast_exact: What to read, with ``{}`` for the column; None reads it bare.
        length: Most characters of a text, or bytes of a binary, that the type declares.
        labels: Those of an enum.
        members: Those of a set.
    """

    arrow: str
    decode: str
    encode: str
    exact: str | None = None
    decode_exact: str | None = None
    encode_exact: str | None = None
    cast: str | None = None
    cast_exact: str | None = None
    length: int | None = None
    labels: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


class ColumnFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue says of a column's type.

    Attributes:
        type: As ``COLUMN_TYPE`` has it.
        json: Whether it is MariaDB's JSON, which is a longtext with a check.
        table, column: For the error.
    """

    type: str
    json: bool = False
    table: str | None = None
    column: str | None = None

    @property
    def base(self) -> str:
        """The type's name without modifiers."""
        return _split(self.type)[0]

    @property
    def modifiers(self) -> tuple[int, ...]:
        """The numbers between the brackets."""
        inner = _split(self.type)[1]
        return tuple(map(int, inner.split(","))) if re.fullmatch(r"[\d, ]+", inner) else ()

    @property
    def unsigned(self) -> bool:
        """Whether no value is below zero; zerofill says so too."""
        rest = _split(self.type)[2].split()
        return "unsigned" in rest or "zerofill" in rest


def _split(type_: str) -> tuple[str, str, str]:
    match = _TYPE.fullmatch(type_.strip())
    if match is None:
        return type_, "", ""
    return match[1].lower(), match[2] or "", match[3].lower()


def forms(facts: ColumnFacts) -> Forms:
    """Return the forms of a type.

    Raises:
        UnsupportedType: It is none that fastload knows.
    """
    base = facts.base
    if base in _INTEGERS:
        return _integer(facts)
    if base in _MOMENTS:
        return _moment(facts)
    if base in _TEXTS or base in ("char", "varchar", "json"):
        return _text(facts)
    if base in _BLOBS or base in ("binary", "varbinary"):
        return _bytes(facts)
    if base in ("enum", "set"):
        return _labelled(facts)
    if base in ("decimal", "bit"):
        return _decimal(facts) if base == "decimal" else _bit(facts)
    if base in GEOMETRIES:
        return Forms(
            arrow=opaque("geometry", VENDOR, _AS_BYTES), decode="raw:geometry", encode="geometry"
        )
    if base in _INET:
        arrow = opaque(base, VENDOR, "string")
        return Forms(arrow=arrow, decode=f"opaque_text:{base}", encode=f"text:{_INET[base]}")
    if base in _PLAIN:
        return _PLAIN[base]
    raise UnsupportedType(
        f"fastload does not know the type {facts.type}",
        side="source",
        table=facts.table,
        column=facts.column,
        hint=option("types", column_of(facts.table or "", facts.column or ""), "char")
        + " reads it as the server's text",
    )


_PLAIN = {
    BOOLEAN: Forms(arrow="bool", decode="bool1", encode="bool1"),
    "float": Forms(arrow="float", decode="float", encode="float"),
    "double": Forms(arrow="double", decode="double", encode="double"),
    "year": Forms(arrow="uint16", decode="year", encode="year"),
    "uuid": Forms(arrow="arrow.uuid", decode="uuid", encode="uuid"),
    "vector": Forms(arrow=opaque("vector", VENDOR, _AS_BYTES), decode="raw:vector", encode="raw"),
}


def _integer(facts: ColumnFacts) -> Forms:
    decode, encode, signed, unsigned = _INTEGERS[facts.base]
    if facts.unsigned:
        return Forms(arrow=unsigned, decode=f"u{decode}", encode=f"u{encode}")
    return Forms(arrow=signed, decode=decode, encode=encode)


def _decimal(facts: ColumnFacts) -> Forms:
    precision, scale = (*(facts.modifiers or (10,)), 0)[:2]
    width = 128 if precision <= 38 else 256
    word = f"decimal:{precision},{scale}"
    return Forms(arrow=f"decimal{width}({precision}, {scale})", decode=word, encode=word)


def _bit(facts: ColumnFacts) -> Forms:
    bits = facts.modifiers[0] if facts.modifiers else 1
    if bits == 1:
        return Forms(arrow="bool", decode="bit1", encode="bit:1")
    return Forms(arrow="uint64", decode="bit", encode=f"bit:{bits}")


def _moment(facts: ColumnFacts) -> Forms:
    base = facts.base
    arrow, most = _MOMENTS[base]
    fraction = facts.modifiers[0] if facts.modifiers else 0
    return Forms(
        arrow=arrow,
        decode=base,
        encode=base if base == "date" else f"{base}:{fraction}",
        exact=opaque(base, VENDOR, "string"),
        decode_exact=f"opaque_text:{base}",
        encode_exact=f"text:{most}",
        cast_exact=_CAST,
    )


def _text(facts: ColumnFacts) -> Forms:
    if facts.json or facts.base == "json":
        return Forms(arrow="arrow.json", decode="json", encode="json")
    if facts.base in _TEXTS:
        return Forms(arrow="string", decode="text", encode=f"text:{_TEXTS[facts.base]}")
    length = facts.modifiers[0] if facts.modifiers else 1
    word = "char" if facts.base == "char" else "text"
    return Forms(arrow="string", decode="text", encode=f"{word}:{length}", length=length)


def _bytes(facts: ColumnFacts) -> Forms:
    if facts.base in _BLOBS:
        return Forms(arrow="binary", decode="blob", encode=f"blob:{_BLOBS[facts.base]}")
    length = facts.modifiers[0] if facts.modifiers else 1
    word = "binary" if facts.base == "binary" else "blob"
    return Forms(arrow="binary", decode="blob", encode=f"{word}:{length}", length=length)


def _labelled(facts: ColumnFacts) -> Forms:
    found = tuple(unquoted(label) for label in _LABEL.findall(_split(facts.type)[1]))
    if facts.base == "enum":
        most = max(map(len, found), default=0)
        return Forms(arrow="string", decode="text", encode=f"text:{most}", labels=found)
    most = sum(map(len, found)) + len(found) - 1
    return Forms(arrow="string", decode="text", encode=f"text:{most}", members=found)
