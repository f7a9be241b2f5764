"""Arrow types as text, and back.

Columns carry their Arrow type as text so that catalogues and plans stay plain data and importing
them does not import Arrow. The spelling is Arrow's own ``str()`` for plain types; extension types
are written ``arrow.uuid``, ``arrow.json`` and ``opaque[type_name, vendor, storage]``.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.model import Column

_DECIMAL = re.compile(r"(decimal(?:32|64|128|256))\((\d+), ?(-?\d+)\)")
_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([^\]]+))?\]")
_TIME = re.compile(r"time(32|64)\[(s|ms|us|ns)\]")
_DURATION = re.compile(r"duration\[(s|ms|us|ns)\]")
_OPAQUE = re.compile(r"opaque\[(.+), ([^,]+), ([^,\]]+)\]", re.DOTALL)
_FIXED = re.compile(r"fixed_size_binary\[(\d+)\]")
_LIST = re.compile(r"(large_list|list)<(?:item: )?(.+)>", re.DOTALL)
_DICTIONARY = re.compile(r"dictionary<values=(.+), indices=(\w+), ordered=([01])>", re.DOTALL)
_NAMED = {"double": "float64", "float": "float32", "halffloat": "float16"}


@functools.lru_cache(maxsize=512)
def parse(text: str) -> pa.DataType:
    """Return the Arrow type that this text spells.

    Raises:
        ValueError: The text is not one of the spellings.
    """
    import pyarrow as pa

    for pattern, build in _BUILDERS:
        if match := pattern.fullmatch(text):
            return build(pa, match)
    if text == "arrow.uuid":
        return pa.uuid()
    if text == "arrow.json":
        return pa.json_()
    if text == "month_day_nano_interval":
        return pa.month_day_nano_interval()
    try:
        return pa.type_for_alias(_NAMED.get(text, text))
    except ValueError:
        raise ValueError(f"not a spelling of an Arrow type: {text!r}") from None


def _timestamp(pa: Any, match: re.Match[str]) -> pa.DataType:
    return pa.timestamp(match[1], tz=match[2])


def _time(pa: Any, match: re.Match[str]) -> pa.DataType:
    return (pa.time32 if match[1] == "32" else pa.time64)(match[2])


def _list(pa: Any, match: re.Match[str]) -> pa.DataType:
    return (pa.large_list if match[1] == "large_list" else pa.list_)(parse(match[2]))


def _dictionary(pa: Any, match: re.Match[str]) -> pa.DataType:
    return pa.dictionary(parse(match[2]), parse(match[1]), ordered=match[3] == "1")


_BUILDERS: tuple[tuple[re.Pattern[str], Any], ...] = (
    (_DECIMAL, lambda pa, m: getattr(pa, m[1])(int(m[2]), int(m[3]))),
    (_TIMESTAMP, _timestamp),
    (_TIME, _time),
    (_DURATION, lambda pa, m: pa.duration(m[1])),
    (_OPAQUE, lambda pa, m: pa.opaque(parse(m[3]), type_name=m[1], vendor_name=m[2])),
    (_FIXED, lambda pa, m: pa.binary(int(m[1]))),
    (_LIST, _list),
    (_DICTIONARY, _dictionary),
)


def spell(type_: pa.DataType) -> str:
    """Return the text that ``parse`` reads back as this type.

    Types that have no such text, as users' streams may bring, are returned as Arrow's ``str``.
    """
    import pyarrow as pa

    if isinstance(type_, pa.OpaqueType):
        return opaque(type_.type_name, type_.vendor_name, spell(type_.storage_type))
    if isinstance(type_, pa.BaseExtensionType):
        return str(type_.extension_name)
    if pa.types.is_large_list(type_):
        return f"large_list<{spell(type_.value_type)}>"
    if pa.types.is_list(type_):
        return f"list<{spell(type_.value_type)}>"
    return str(type_)


def schema_of(columns: Iterable[Column], exact: Collection[str] = ()) -> pa.Schema:
    """Return the schema of these columns, those named in ``exact`` in their exact form."""
    import pyarrow as pa

    return pa.schema(
        [pa.field(c.name, parse((c.name in exact and c.exact) or c.arrow)) for c in columns]
    )


def opaque(type_name: str, vendor: str, storage: str) -> str:
    """Return the spelling of ``arrow.opaque`` over this storage type."""
    return f"opaque[{type_name}, {vendor}, {storage}]"
