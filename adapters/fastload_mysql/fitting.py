"""How values of a source column fit a column that is there."""

from __future__ import annotations

import re

import msgspec

from fastload.errors import UnsupportedType
from fastload.model import Column, Fit
from fastload_mysql.declaring import declare
from fastload_mysql.dialect import DIALECT
from fastload_mysql.flavours import Server
from fastload_mysql.sound_texts import AMBIGUOUS

_MODIFIER = re.compile(r"\((\d+)(?:,\s*(\d+))?\)")
_INTEGERS = (
    "tiny", "utiny", "short", "ushort", "medium", "umedium", "long", "ulong", "longlong",
    "ulonglong",
)  # fmt: skip
_NUMBERS = (*_INTEGERS, "decimal")
_TEXTS = ("text", "text_bytes", "char")
_BYTES = ("blob", "binary")
_INTERVAL_CHARACTERS = 120
_UUID_CHARACTERS = 36
# Words of a source column -> words of target columns that take its native form. What may be out
# of range or too long is refused row by row by the encoder, with table and key.
_TAKEN_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_INTEGERS, (*_NUMBERS, "bool1", "bit", "year")),
    "year": ("year", *_NUMBERS),
    "bool1": ("bool1", "bit", *_INTEGERS),
    "bit": ("bit", *_NUMBERS),
    "decimal": _NUMBERS,
    "float": ("float", "double"),
    "double": ("double", "float"),
    "date": ("date",),
    "datetime": ("datetime",),
    "datetime_utc": ("datetime", "datetime_utc", "timestamp"),
    "timestamp": ("timestamp", "datetime_utc"),
    "time": ("time",),
    "text": (*_TEXTS, "json", "uuid", "uuid_text"),
    "text_bytes": (*_TEXTS, "json", "uuid", "uuid_text"),
    "char": (*_TEXTS, "json", "uuid", "uuid_text"),
    "json": ("json", "text", "text_bytes"),
    "blob": _BYTES,
    "binary": _BYTES,
    "uuid": ("uuid", "uuid_text", "binary", *_TEXTS),
    "uuid_text": ("uuid", "uuid_text", "binary", *_TEXTS),
    "interval": ("interval", *_TEXTS),
    "geometry": ("geometry",),
    "raw": ("raw", "blob"),
}
# Word -> characters of the values written as text.
_LENGTHS = {
    "uuid": _UUID_CHARACTERS,
    "uuid_text": _UUID_CHARACTERS,
    "interval": _INTERVAL_CHARACTERS,
}
_DECIMALS = re.compile(r"list(_view)?<.*decimal")
_DOUBLE_DIGITS = 15  # that any decimal of so many keeps
_UNSPELLED = "spacing, order of members and repeated members"


def fit(source: Column, target: Column, dialect: str, server: Server) -> Fit:
    """Say how values of the source column fit the target column; see the seam."""
    if target.generated is not None:
        return Fit(possible=False, reason="the target generates this column itself")
    own = dialect == DIALECT
    if not own:
        try:
            source = _declared(source, server)
        except UnsupportedType as error:
            return Fit(possible=False, reason=error.message)
    exact = own and _takes_exact(source, target)
    native = _takes_native(source, target)
    if exact and _charset(source) in AMBIGUOUS:
        native = False
    same = own and _is_same(source, target)
    if not (same or exact or native):
        return Fit(possible=False, reason=f"{source.type} is not written into {target.type}")
    loss = None if same else _loss(source, target, server)
    return Fit(same=same, native=native, exact=exact and not loss, loss=loss)


def _declared(source: Column, server: Server) -> Column:
    """Return a column of another dialect as it would be declared here."""
    found = declare(source, server=server)
    extra = {"encode": found.encode, "charset": found.charset or ""}
    return msgspec.structs.replace(source, type=found.type, collation=found.collation, extra=extra)


def word(source: Column, target: Column) -> str:
    """Return the encoder's word for values of the source column in the target column.

    It is the target's own, but for values that its type has another form of: a moment with a
    zone in a column without one, what is written as text, and decimals in MySQL's documents, of
    which all that come as text become doubles. MariaDB's are longtext, and keep every digit.
    """
    own, name = target.extra["encode"], _word(target)
    if name == "datetime" and ", tz=" in source.arrow:
        return own.replace("datetime", "datetime_utc")
    if own == "json" and "json" not in target.extra and _DECIMALS.search(source.arrow):
        return f"json:{_DOUBLE_DIGITS}"
    if name in _TEXTS and source.arrow == "arrow.uuid":
        return "uuid_text"
    if name in _TEXTS and source.arrow == "month_day_nano_interval":
        return "interval"
    return own


def _is_same(source: Column, target: Column) -> bool:
    return source.type == target.type and _charset(source) == _charset(target)


def _charset(column: Column) -> str:
    return column.extra.get("charset") or (column.collation or "").split("_")[0]


def _word(column: Column) -> str:
    return column.extra.get("encode", "").split(":")[0]


def _takes_native(source: Column, target: Column) -> bool:
    there, here = _word(source), _word(target)
    if not (there and here) or here not in _TAKEN_BY.get(there, ()):
        return False
    if _members(target):
        return bool(_members(source)) and _members(source) <= _members(target)
    if there in _LENGTHS and here in (*_TEXTS, "binary"):
        wanted = 16 if here == "binary" else _LENGTHS[there]
        return target.length is None or target.length >= wanted
    return True


def _members(column: Column) -> set[str]:
    """Return the labels of an enum or the members of a set, which the server takes alone."""
    members = column.extra.get("members")
    return set(members.split(",")) if members else set(column.labels)


def _takes_exact(source: Column, target: Column) -> bool:
    """Say whether texts of dates that are none, and the like, go from one to the other.

    Texts go as bytes into a column of their own character set that is as long.
    """
    if "decode_exact" not in source.extra or "encode_exact" not in target.extra:
        return False
    if _word(source) in ("text", "char"):
        same = _charset(source) == _charset(target) and not _members(target)
        return same and source.extra["encode"] == target.extra["encode"]
    return _word(source) == _word(target)


def _loss(source: Column, target: Column, server: Server) -> str | None:
    lost = _lost(source, target, server)
    return f"{lost} ({source.type} into {target.type})" if lost else None


def _lost(source: Column, target: Column, server: Server) -> str | None:
    """Say what the server would change without an error."""
    there, here = _word(source), _word(target)
    if here == "float" and there == "double":
        return "digits beyond the seventh"
    if here == "json" and there in _TEXTS and not server.is_mariadb:
        return _UNSPELLED
    if here in ("datetime", "datetime_utc", "timestamp", "time"):
        fewer = _digits(source) > _digits(target)
        return "fractions of a second" if fewer else None
    if here in _NUMBERS and there in (*_NUMBERS, "float", "double"):
        return "digits after the point" if _scale(source) > _scale(target) else None
    return None


def _scale(column: Column) -> int:
    return _modifier(column)[1] if _word(column) == "decimal" else 0


def _digits(column: Column) -> int:
    return _modifier(column)[0]


def _modifier(column: Column) -> tuple[int, int]:
    match = _MODIFIER.search(column.type)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)
