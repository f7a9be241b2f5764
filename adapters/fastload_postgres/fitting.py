"""How values of one column fit another."""

from __future__ import annotations

import re

import msgspec

from fastload.errors import UnsupportedType
from fastload.model import Column, Fit
from fastload_postgres.arrow_types import declare
from fastload_postgres.dialect import DIALECT
from fastload_postgres.limits import characters

_ARRAY = re.compile(r"\[\](?::\d+)?$")
_MODIFIER = re.compile(r"\((\d+)(?:,\s*(-?\d+))?\)")
_INTERVAL = re.compile(r"interval ((?:year|month|day|hour|minute|second)(?: to [a-z]+)?)")
_INTEGERS = ("int2", "int4", "int8", "oid")
_WORDS = ("text", "enum", "uuid", "json", "jsonb")
# Codecs of a source column -> codecs of target columns that take its native form. What may be
# out of range is refused row by row by the encoder, with table and key.
_TAKEN_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_INTEGERS, (*_INTEGERS, "numeric", "numeric_text")),
    "float4": ("float4", "float8"),
    "float8": ("float8", "float4"),
    "numeric": ("numeric", "numeric_text"),
    "numeric_text": ("numeric_text", "numeric"),
    "text": _WORDS,
    "enum": ("text", "enum"),
    "uuid": ("uuid",),
    "json": ("json", "jsonb", "text"),
    "jsonb": ("jsonb", "json", "text"),
    "duration": ("interval", "time"),
}
_LOSSES = {
    ("float8", "float4"): "digits beyond the seventh",
    ("json", "jsonb"): "spacing, order of members and repeated members",
    ("text", "jsonb"): "spacing, order of members and repeated members",
}


def fit(source: Column, target: Column, dialect: str) -> Fit:
    """Say how values of the source column fit the target column; see the seam."""
    if target.generated is not None:
        return Fit(possible=False, reason="the target generates this column itself")
    own = dialect == DIALECT
    try:
        exact = _takes_exact(source, target) if own else _takes_foreign_exact(source, target)
        source = source if own else _declared(source)
    except UnsupportedType as error:
        return Fit(possible=False, reason=error.message)
    native = _takes_native(source, target)
    same = own and source.type == target.type
    if not (same or exact or native):
        return Fit(possible=False, reason=f"{source.type} is not written into {target.type}")
    loss = None if same else _loss(source, target)
    return Fit(same=same, native=native, exact=exact and not loss, loss=loss)


def _declared(source: Column) -> Column:
    """Return another dialect's column as PostgreSQL would have it, by its Arrow type alone."""
    type_, forms = declare(source.arrow, table="", column=source.name)
    codecs = forms.codecs()
    if source.arrow == "uint64":
        codecs["encode"] = "int8"  # declared numeric, but a whole number like the others
    if source.arrow.startswith("duration["):
        codecs["encode"] = "duration"
    return msgspec.structs.replace(source, type=type_, extra=codecs)


def _takes_foreign_exact(source: Column, target: Column) -> bool:
    """Say whether the target's column keeps the text or the bytes of another dialect's values."""
    if source.exact is None:
        return False
    _, forms = declare(source.exact, table="", column=source.name)
    return forms.encode is not None and forms.encode == target.extra.get("encode")


def _takes_native(source: Column, target: Column) -> bool:
    there, here = source.extra.get("encode"), target.extra.get("encode")
    if there is None or here is None:
        return False
    if bool(_ARRAY.search(there)) != bool(_ARRAY.search(here)):
        return False
    there, here = _ARRAY.sub("", there), _ARRAY.sub("", here)
    return there == here or here in _TAKEN_BY.get(there, ())


def _takes_exact(source: Column, target: Column) -> bool:
    there, here = source.extra.get("decode_exact"), target.extra.get("encode_exact")
    # A numeric without precision has no other form than its text.
    if there == "numeric_text":
        return there in (here, target.extra.get("encode"))
    if there is None or here is None:
        return False
    return there.startswith("raw:") and here == "raw" and source.extra["oid"] == target.extra["oid"]


def _loss(source: Column, target: Column) -> str | None:
    there, here = _kind(source), _kind(target)
    if target.type.startswith("character(") and not source.type.startswith("character("):
        return f"spaces at the end ({source.type} into {target.type})"
    if (there, here) in _LOSSES:
        return f"{_LOSSES[there, here]} ({source.type} into {target.type})"
    if characters(target) is not None:
        return None  # what is too long is refused row by row, see ``limits``
    narrower = _narrower(there, here, _modifier(source), _modifier(target)) or _fewer_parts(
        source.type, target.type
    )
    return f"{narrower} ({source.type} into {target.type})" if narrower else None


def _kind(column: Column) -> str:
    """Return the codec without its array part; a type that has only an exact form by its name."""
    if column.type.startswith("time") and "with time zone" in column.type:
        return "timestamptz" if column.type.startswith("timestamp") else "timetz"
    return _ARRAY.sub("", column.extra.get("encode") or "")


def _fewer_parts(source: str, target: str) -> str | None:
    """Say that an interval's target has only some of its parts, such as ``interval year``."""
    kept = _INTERVAL.match(target)
    if kept is None or ((had := _INTERVAL.match(source)) and had[1] == kept[1]):
        return None
    return f"all but the {kept[1]} of intervals"


def _narrower(
    there: str, here: str, source: tuple[int, int] | None, target: tuple[int, int] | None
) -> str | None:
    """Say what a smaller modifier cuts off without an error; longer texts are refused anyway."""
    if target is None:
        return None
    if here.startswith("numeric"):
        scale = 0 if there in _INTEGERS else source[1] if source else None
        return "digits after the point" if scale is None or scale > target[1] else None
    if here in ("time", "timetz", "timestamp", "timestamptz", "interval"):
        digits = source[0] if source else 6
        return "fractions of a second" if digits > target[0] else None
    if here == "text" and (source is None or source[0] > target[0]):
        return f"spaces after the first {target[0]} characters"
    return None


def _modifier(column: Column) -> tuple[int, int] | None:
    match = _MODIFIER.search(column.type)
    return (int(match[1]), int(match[2] or 0)) if match else None
