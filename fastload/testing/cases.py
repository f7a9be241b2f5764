"""Values that have been lost somewhere: per Arrow type the extremes, NULL, and empty.

Every case begins with a value and has a NULL, since a leading NULL hides the mistakes of a wrong
offset. Adapters leave out of ``AdapterSuite.cases`` what their database cannot hold.
"""

from __future__ import annotations

import datetime
import decimal
import math
import uuid
from typing import Any, NamedTuple

import pyarrow as pa


class TypeCase(NamedTuple):
    """A column's worth of values of one Arrow type."""

    name: str
    type: pa.DataType
    values: tuple[Any, ...]

    def column(self) -> pa.Array:
        """Return the values as an array; extension types over their storage."""
        if isinstance(self.type, pa.UuidType):
            return pa.array([v and v.bytes for v in self.values], pa.binary(16)).cast(self.type)
        return pa.array(self.values, self.type)


_UTC = datetime.UTC
_DAY = datetime.date
_MOMENT = datetime.datetime


def _integers(bits: int, *, signed: bool) -> TypeCase:
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    name = f"{'' if signed else 'u'}int{bits}"
    return TypeCase(name, getattr(pa, name)(), (least, None, 0, 1, most))


def _decimals(precision: int, scale: int) -> TypeCase:
    with decimal.localcontext(decimal.Context(prec=76)):
        most = decimal.Decimal(10**precision - 1).scaleb(-scale)
        least_step = decimal.Decimal(1).scaleb(-scale)
        values = (most, None, -most, least_step, -least_step, decimal.Decimal(0))
    kind = pa.decimal128 if precision <= 38 else pa.decimal256
    return TypeCase(f"decimal({precision},{scale})", kind(precision, scale), values)


def _timestamps(unit: str, zone: str | None) -> TypeCase:
    moments = (
        _MOMENT(2024, 2, 29, 23, 59, 59),
        None,
        _MOMENT(1, 1, 1),
        _MOMENT(1969, 12, 31, 23, 59, 59),
        _MOMENT(9999, 12, 31, 23, 59, 59),
    )
    if unit == "ns":
        moments = (*moments[:2], _MOMENT(1678, 1, 1), moments[3], _MOMENT(2262, 1, 1))
    values = tuple(m and m.replace(tzinfo=_UTC if zone else None) for m in moments)
    return TypeCase(f"timestamp {unit} {zone or ''}".strip(), pa.timestamp(unit, zone), values)


CASES: tuple[TypeCase, ...] = (
    TypeCase("bool", pa.bool_(), (True, None, False)),
    *(_integers(bits, signed=True) for bits in (8, 16, 32, 64)),
    *(_integers(bits, signed=False) for bits in (8, 16, 32, 64)),
    TypeCase("float32", pa.float32(), (1.5, None, -0.0, math.inf, -math.inf, math.nan)),
    TypeCase("float64", pa.float64(), (5e-324, None, -0.0, math.inf, -math.inf, math.nan, 0.1)),
    TypeCase("finite float32", pa.float32(), (1.5, None, 3.4028234663852886e38, 1e-45, -0.1)),
    TypeCase("finite float64", pa.float64(), (5e-324, None, 1.7976931348623157e308, 0.1, 1 / 3)),
    _decimals(9, 0),
    _decimals(12, 2),
    _decimals(38, 37),
    _decimals(65, 30),
    _decimals(76, 38),
    TypeCase("string", pa.string(), ("ß", None, "", " ", "a\tb\nc\\", "\U0001f600")),
    TypeCase("large_string", pa.large_string(), ("x", None, "")),
    TypeCase("string_view", pa.string_view(), ("short", None, "longer than twelve bytes", "")),
    TypeCase("dictionary", pa.dictionary(pa.int8(), pa.string()), ("a", None, "b", "a")),
    TypeCase("binary", pa.binary(), (b"\x00\xff", None, b"", b"\\x41")),
    TypeCase("large_binary", pa.large_binary(), (b"x", None, b"")),
    TypeCase("uuid", pa.uuid(), (uuid.UUID(int=1), None, uuid.UUID(int=(1 << 128) - 1))),
    TypeCase("json", pa.json_(), ('{"a": [1, null]}', None, "null", '"ü"')),
    TypeCase("date32", pa.date32(), (_DAY(2024, 2, 29), None, _DAY(1, 1, 1), _DAY(9999, 12, 31))),
    TypeCase("date64", pa.date64(), (_DAY(1970, 1, 1), None, _DAY(1969, 12, 31))),
    TypeCase("time us", pa.time64("us"), (datetime.time(0, 0), None, datetime.time.max)),
    TypeCase("time s", pa.time32("s"), (datetime.time(23, 59, 59), None, datetime.time(0))),
    *(_timestamps(unit, zone) for unit in ("s", "ms", "us", "ns") for zone in (None, "UTC")),
    TypeCase(
        "interval",
        pa.month_day_nano_interval(),
        ((14, -3, 1_000), None, (0, 0, 0), (-1, 31, -86_400_000_000_000)),
    ),
    TypeCase("list of int32", pa.list_(pa.int32()), ([1, None, -(1 << 31)], None, [], [None])),
    TypeCase("list of string", pa.list_(pa.string()), (["a", "", None, 'x"{}\\'], None, [])),
)
