"""PostgreSQL's types and their forms: codec words for the kernels, and Arrow spellings."""

from __future__ import annotations

import msgspec

from fastload.typemap import opaque

VENDOR = "PostgreSQL"
BINARY = "postgresql.copy.binary"
TEXT = "postgresql.copy.text"
_FIRST_USER_OID = 16384
_MAX_DECIMAL256 = 76
NUMERIC = 1700

# Built-in scalars with a native Arrow form: oid -> (codec, Arrow spelling, whether some values
# have no native form and then travel as bytes).
_SCALARS: dict[int, tuple[str, str, bool]] = {
    16: ("bool", "bool", False),
    17: ("bytea", "binary", False),
    19: ("text", "string", False),
    20: ("int8", "int64", False),
    21: ("int2", "int16", False),
    23: ("int4", "int32", False),
    25: ("text", "string", False),
    26: ("oid", "uint32", False),
    114: ("json", "arrow.json", False),
    700: ("float4", "float", False),
    701: ("float8", "double", False),
    1042: ("text", "string", False),
    1043: ("text", "string", False),
    1082: ("date", "date32[day]", True),
    1083: ("time", "time64[us]", True),
    1114: ("timestamp", "timestamp[us]", True),
    1184: ("timestamptz", "timestamp[us, tz=UTC]", True),
    1186: ("interval", "month_day_nano_interval", True),
    2950: ("uuid", "arrow.uuid", False),
    3802: ("jsonb", "arrow.json", False),
}
# Types whose binary form is an object id, which means something else on another server.
_OBJECT_IDS = frozenset(
    {24, 2202, 2203, 2204, 2205, 2206, 3734, 3769, 4089, 4096, 4191}
    | {1008, 2207, 2208, 2209, 2210, 2211, 3735, 3770, 4090, 4097, 4192}
)


class Forms(msgspec.Struct, frozen=True, kw_only=True):
    """How values of a type are read and written.

    Attributes:
        arrow: Native Arrow form.
        exact: Exact Arrow form, or None.
        decode, decode_exact: Codec words of the decoder.
        encode, encode_exact: Codec words of the encoder; None where COPY cannot take the form.
        cast: Whether the native form is read as ``::text``.
        wires: Wires in which the bytes mean the same on another server.
    """

    arrow: str
    decode: str
    exact: str | None = None
    decode_exact: str | None = None
    encode: str | None = None
    encode_exact: str | None = None
    cast: bool = False
    wires: tuple[str, ...] = (BINARY, TEXT)

    def codecs(self) -> dict[str, str]:
        """Return the codec words there are, by name."""
        found = {
            "decode": self.decode,
            "decode_exact": self.decode_exact,
            "encode": self.encode,
            "encode_exact": self.encode_exact,
        }
        return {k: v for k, v in found.items() if v is not None}


class TypeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalogue says of a column's base type.

    Attributes:
        kind: ``pg_type.typtype``; ``element_kind`` likewise for an array's element.
        binary: Whether it has binary input and output.
    """

    oid: int
    name: str
    kind: str = "b"
    typmod: int = -1
    element: int = 0
    element_kind: str = ""
    binary: bool = True


def forms(facts: TypeFacts) -> Forms:
    """Return the forms of a type."""
    if facts.kind == "e":
        return Forms(arrow="string", decode="enum", encode="enum")
    if facts.element:
        return _array(facts)
    # A range's binary form is its bounds', so that only user types make it differ elsewhere.
    plain = facts.kind == "b" or (facts.kind in "rm" and facts.oid < _FIRST_USER_OID)
    if not plain or facts.oid in _OBJECT_IDS or not facts.binary:
        return _as_text(facts, exact=False)
    if facts.oid == NUMERIC:
        return numeric(facts.typmod)
    if facts.oid in _SCALARS:
        return _scalar(facts)
    if facts.name == "citext":
        return Forms(arrow="string", decode="text", encode="text")
    return _as_text(facts, exact=True)


def _scalar(facts: TypeFacts) -> Forms:
    codec, arrow, has_exact = _SCALARS[facts.oid]
    if not has_exact:
        return Forms(arrow=arrow, decode=codec, encode=codec)
    return Forms(
        arrow=arrow,
        decode=codec,
        encode=codec,
        exact=opaque(facts.name, VENDOR, "binary"),
        decode_exact=f"raw:{facts.name}",
        encode_exact="raw",
    )


def numeric(typmod: int) -> Forms:
    """Return the forms of a numeric: text without a modifier, or beyond decimal256."""
    text = Forms(
        arrow=opaque("numeric", VENDOR, "string"), decode="numeric_text", encode="numeric_text"
    )
    if typmod < 0:
        return text
    precision, scale = precision_and_scale(typmod)
    if not 0 <= scale <= precision <= _MAX_DECIMAL256:
        return text
    width = 128 if precision <= 38 else 256
    return Forms(
        arrow=f"decimal{width}({precision}, {scale})",
        decode=f"numeric:{precision},{scale}",
        encode="numeric",
        exact=text.arrow,
        decode_exact=text.decode,
        encode_exact=text.encode,
    )


def precision_and_scale(typmod: int) -> tuple[int, int]:
    """Return what a numeric's modifier says; the scale is a signed 11-bit number since 15."""
    scale = (typmod - 4) & 0x7FF
    return ((typmod - 4) >> 16) & 0xFFFF, scale - 2048 if scale > 1023 else scale


def _array(facts: TypeFacts) -> Forms:
    if facts.element_kind == "e":
        return Forms(
            arrow="list<string>", decode="enum[]", encode=f"enum[]:{facts.element}", wires=(TEXT,)
        )
    known = facts.element in _SCALARS or facts.element == NUMERIC
    if not known:
        built_in = facts.element < _FIRST_USER_OID and facts.oid not in _OBJECT_IDS
        return _as_text(facts, exact=built_in and facts.binary)
    inner = forms(
        TypeFacts(oid=facts.element, name=facts.name.removeprefix("_"), typmod=facts.typmod)
    )
    return Forms(
        arrow=f"list<{inner.arrow}>",
        decode=f"{inner.decode}[]",
        encode=f"{inner.encode}[]:{facts.element}",
        exact=opaque(facts.name, VENDOR, "binary"),
        decode_exact=f"raw:{facts.name}",
        encode_exact="raw",
    )


def _as_text(facts: TypeFacts, *, exact: bool) -> Forms:
    return Forms(
        arrow=opaque(facts.name, VENDOR, "string"),
        decode=f"opaque_text:{facts.name}",
        cast=True,
        exact=opaque(facts.name, VENDOR, "binary") if exact else None,
        decode_exact=f"raw:{facts.name}" if exact else None,
        encode_exact="raw" if exact else None,
        wires=(BINARY, TEXT) if exact else (TEXT,),
    )
