"""How values of a source column fit a column that is there."""

from __future__ import annotations

import re

import msgspec

from fastload.errors import UnsupportedType
from fastload.model import Column, Fit
from fastload_mysql.declaring import declare
from fastload_mysql.flavours import DIALECT, Server

_MODIFIER = re.compile(r"\((\d+)(?:,\s*(\d+))?\)")
_INTEGERS = (
    "tiny", "utiny", "short", "ushort", "medium", "umedium", "long", "ulong", "longlong",
    "ulonglong",
)  # fmt: skip
_NUMBERS = (*_INTEGERS, "decimal")
_TEXTS = ("text", "char")
_BYTES = ("blob", "binary")
# Words of a source column -> words of target columns that take its native form. What may be out
# of range or too long is refused row by row by the encoder, with table and key.
_TAKEN_BY: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_INTEGERS, _NUMBERS),
    "year": ("year", *_NUMBERS),
    "bool1": ("bool1", "tiny", "utiny", "bit"),
    "bit": ("bit",),
    "decimal": _NUMBERS,
    "float": ("float", "double"),
    "double": ("double", "float"),
    "date": ("date",),
    "datetime": ("datetime",),
    "timestamp": ("timestamp",),
    "time": ("time",),
    "text": (*_TEXTS, "json", "uuid"),
    "char": (*_TEXTS, "json", "uuid"),
    "json": ("json", *_TEXTS),
    "blob": _BYTES,
    "binary": _BYTES,
    "uuid": ("uuid", *_TEXTS),
    "interval": ("interval",),
    "geometry": ("geometry",),
    "raw": ("raw",),
}
_UNSPELLED = "spacing, order of members and repeated members"


def fit(source: Column, target: Column, dialect: str, server: Server) -> Fit:
    """Say how values of the source column fit the target column; see the seam."""
    if target.generated is not None:
        return Fit(possible=False, reason="the target generates this column itself")
    own = dialect == DIALECT
    if not own:
        try:
            source = _declared(source, target, server)
        except UnsupportedType as error:
            return Fit(possible=False, reason=error.message)
    exact = own and _takes_exact(source, target)
    native = _takes_native(source, target)
    same = own and _is_same(source, target)
    if not (same or exact or native):
        return Fit(possible=False, reason=f"{source.type} is not written into {target.type}")
    loss = None if same else _loss(source, target, server)
    return Fit(same=same, native=native, exact=exact and not loss, loss=loss)


def _declared(source: Column, target: Column, server: Server) -> Column:
    """Return a column of another dialect as it would be declared here."""
    found = declare(source, server=server)
    if "tz=" in source.arrow and _word(target) == "timestamp":
        type_, word = found.type.replace("datetime", "timestamp"), found.encode
        found = msgspec.structs.replace(
            found, type=type_, encode=word.replace("datetime", "timestamp")
        )
    extra = {"encode": found.encode, "charset": found.charset or ""}
    return msgspec.structs.replace(source, type=found.type, collation=found.collation, extra=extra)


def _is_same(source: Column, target: Column) -> bool:
    return source.type == target.type and _charset(source) == _charset(target)


def _charset(column: Column) -> str:
    return column.extra.get("charset") or (column.collation or "").split("_")[0]


def _word(column: Column) -> str:
    return column.extra.get("encode", "").split(":")[0]


def _takes_native(source: Column, target: Column) -> bool:
    there, here = _word(source), _word(target)
    return bool(there and here) and here in _TAKEN_BY.get(there, ())


def _takes_exact(source: Column, target: Column) -> bool:
    """Say whether texts of dates that are none, and the like, go from one to the other."""
    if "decode_exact" not in source.extra or "encode_exact" not in target.extra:
        return False
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
    if here == "char" and there != "char" and target.type.startswith("char"):
        return "spaces at the end"
    if here == "binary" and not _is_as_long(source, target):
        return "their length: shorter values are filled with zero bytes"
    if here in ("datetime", "timestamp", "time"):
        fewer = _digits(source) > _digits(target)
        return "fractions of a second" if fewer else None
    if here in _NUMBERS and there in (*_NUMBERS, "float", "double"):
        return "digits after the point" if _scale(source) > _scale(target) else None
    return None


def _is_as_long(source: Column, target: Column) -> bool:
    return _word(source) == "binary" and _modifier(source) == _modifier(target)


def _scale(column: Column) -> int:
    return _modifier(column)[1] if _word(column) == "decimal" else 0


def _digits(column: Column) -> int:
    return _modifier(column)[0]


def _modifier(column: Column) -> tuple[int, int]:
    match = _MODIFIER.search(column.type)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)
