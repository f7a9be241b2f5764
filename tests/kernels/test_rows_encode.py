"""The text of MySQL's encoder against text written out by hand, and against Python's own."""

from __future__ import annotations

import json
import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from fastload_mysql.rows_encode import RowsEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.arrow_input import plan
from fastload.errors import SchemaMismatch

EXACT = Context(prec=400)
UNESCAPED = {b"\\t": b"\t", b"\\n": b"\n", b"\\\\": b"\\"}


def encoded(array: pa.Array, codec: str, max_bytes: int = 1 << 24) -> bytes:
    columns = [("c", codec)]
    encoder = RowsEncoder(columns)
    batch = pa.record_batch({"c": array})
    made = plan(batch.schema, columns, encoder.check)(batch)
    pieces, row = [], 0
    while row < len(array):
        piece, row = encoder.encode(made, row, max_bytes)
        pieces.append(piece)
    assert (encoder.rows, encoder.bytes) == (len(array), sum(map(len, pieces)))
    return b"".join(pieces)


def field(value: object, arrow: pa.DataType, codec: str) -> bytes:
    text = encoded(pa.array([value], arrow), codec)
    assert text.endswith(b"\n")
    return text[:-1]


def read_field(text: bytes) -> bytes | None:
    """Return what the server makes of a field."""
    if text == b"\\N":
        return None
    out, at = b"", 0
    while at < len(text):
        size = 2 if text[at : at + 1] == b"\\" else 1
        out += UNESCAPED.get(text[at : at + size], text[at : at + size])
        at += size
    return out


UUID_1 = UUID("00010203-0405-0607-0809-0a5c0c0d0e0f")  # with what is escaped
GOLDEN = [
    (-128, pa.int8(), "tiny", b"-128"),
    (255, pa.uint8(), "utiny", b"255"),
    (-1, pa.int64(), "short", b"-1"),
    (65535, pa.int64(), "ushort", b"65535"),
    (-(2**23), pa.int32(), "medium", b"-8388608"),
    (2**24 - 1, pa.uint64(), "umedium", b"16777215"),
    (0, pa.int32(), "long", b"0"),
    (2**32 - 1, pa.uint32(), "ulong", b"4294967295"),
    (-(2**63), pa.int64(), "longlong", b"-9223372036854775808"),
    (2**64 - 1, pa.uint64(), "ulonglong", b"18446744073709551615"),
    (True, pa.bool_(), "tiny", b"1"),
    (False, pa.bool_(), "bool1", b"0"),
    (-5, pa.int8(), "bool1", b"-5"),
    (Decimal(-(2**63)), pa.decimal128(38, 0), "longlong", b"-9223372036854775808"),
    (Decimal(2**64 - 1), pa.decimal256(76, 0), "ulonglong", b"18446744073709551615"),
    (0, pa.int16(), "year", b"0000"),
    (2155, pa.uint16(), "year", b"2155"),
    (1.5, pa.float32(), "float", b"1.5"),
    (0.1, pa.float32(), "float", b"0.1"),
    (0.1, pa.float64(), "float", b"0.1"),
    (0.1, pa.float32(), "double", b"0.10000000149011612"),
    (0.1, pa.float64(), "double", b"0.1"),
    (-0.0, pa.float64(), "double", b"-0"),
    (1e15, pa.float64(), "double", b"1000000000000000"),
    (1e22, pa.float64(), "double", b"1e22"),
    (-1.5e-7, pa.float64(), "double", b"-1.5e-7"),
    (0.000025, pa.float64(), "double", b"0.000025"),
    (1234.5678, pa.float64(), "double", b"1234.5678"),
    (5e-324, pa.float64(), "double", b"5e-324"),
    (Decimal("1.50"), pa.decimal128(5, 2), "decimal:5,2", b"1.50"),
    (Decimal("-0.05"), pa.decimal32(5, 2), "decimal:5,2", b"-0.05"),
    (Decimal("999.9"), pa.decimal64(5, 1), "decimal:5,2", b"999.9"),
    (Decimal("7.100"), pa.decimal128(9, 3), "decimal:5,1", b"7.1"),
    (Decimal("0.00"), pa.decimal128(9, 2), "decimal:2,2", b"0"),
    (Decimal("12e2"), pa.decimal128(9, -2), "decimal:5,0", b"1200"),
    (Decimal("9" * 65), pa.decimal256(76, 0), "decimal:65,0", b"9" * 65),
    (-42, pa.int8(), "decimal:3,1", b"-42"),
    (date(1, 1, 1), pa.date32(), "date", b"0001-01-01"),
    (date(2024, 2, 29), pa.date64(), "date", b"2024-02-29"),
    (date(9999, 12, 31), pa.date32(), "date", b"9999-12-31"),
    (datetime(1969, 12, 31, 23, 59, 59), pa.timestamp("s"), "datetime", b"1969-12-31 23:59:59"),
    (
        datetime(1, 1, 1, 0, 0, 0, 1),
        pa.timestamp("us"),
        "datetime:6",
        b"0001-01-01 00:00:00.000001",
    ),
    (
        datetime(2024, 1, 2, 3, 4, 5, 60000),
        pa.timestamp("ns"),
        "datetime:3",
        b"2024-01-02 03:04:05.060",
    ),
    (
        datetime(2024, 1, 2, tzinfo=UTC),
        pa.timestamp("ms", "Asia/Tokyo"),
        "timestamp",
        b"2024-01-02 00:00:00",
    ),
    (
        datetime(1900, 1, 1, tzinfo=UTC),
        pa.timestamp("s", "UTC"),
        "datetime_utc:0",
        b"1900-01-01 00:00:00",
    ),
    (time(23, 59, 59, 5), pa.time64("us"), "time:6", b"23:59:59.000005"),
    (time(1, 2, 3), pa.time32("s"), "time", b"01:02:03"),
    (-timedelta(seconds=1, milliseconds=500), pa.duration("ms"), "time:1", b"-00:00:01.5"),
    (timedelta(hours=838, minutes=59), pa.duration("s"), "time", b"838:59:00"),
    (5, pa.uint8(), "bit:3", b"\x05"),
    (True, pa.bool_(), "bit:1", b"\x01"),
    (2**64 - 1, pa.uint64(), "bit:64", b"\xff" * 8),
    (0x095C0A, pa.int32(), "bit:24", b"\\t\\\\\\n"),
    ("h\u00e9", pa.string(), "text:2", b"h\xc3\xa9"),
    ("", pa.large_string(), "text", b""),
    ("\0\t\n\r\\\x1a'\"N", pa.string(), "text", b"\0\\t\\n\r\\\\\x1a'\"N"),
    ("\\N", pa.string(), "text", b"\\\\N"),
    ("a b", pa.string(), "char:3", b"a b"),
    ('{"a": "\\n"}', pa.json_(), "json", b'{"a": "\\\\n"}'),
    ("a ", pa.string(), "opaque_text", b"a "),
    (b"\0\xff\t", pa.binary(), "blob:3", b"\0\xff\\t"),
    (b"abc", pa.large_binary(), "binary:3", b"abc"),
    (b"a\\c", pa.binary(3), "binary:3", b"a\\\\c"),
    (b"abc", pa.binary(3), "raw", b"abc"),
    (b"\n", pa.binary(), "geometry", b"\\n"),
    (UUID_1.bytes, pa.uuid(), "uuid", b"\0\1\2\3\4\5\6\7\x08\\t\\n\\\\\x0c\r\x0e\x0f"),
    (UUID_1.bytes, pa.uuid(), "uuid_text", str(UUID_1).encode()),
    (UUID_1.bytes, pa.uuid(), "binary:16", b"\0\1\2\3\4\5\6\7\x08\\t\\n\\\\\x0c\r\x0e\x0f"),
    (UUID_1.bytes, pa.binary(), "uuid_text", str(UUID_1).encode()),
    ("{" + UUID_1.hex.upper() + "}", pa.string(), "uuid_text", str(UUID_1).encode()),
    ((14, -3, 5_400_000_000_000), pa.month_day_nano_interval(), "interval", b"P1Y2M-3DT1H30M"),
    ((-14, 0, -90_500_000_000), pa.month_day_nano_interval(), "interval", b"P-1Y-2MT-1M-30.5S"),
    ((0, 0, 1), pa.month_day_nano_interval(), "interval", b"PT0.000000001S"),
    ((0, 0, 0), pa.month_day_nano_interval(), "interval", b"PT0S"),
    ((0, 5, 0), pa.month_day_nano_interval(), "interval", b"P5D"),
    ([1, None, -3], pa.list_(pa.int32()), "json", b"[1,null,-3]"),
    ([], pa.large_list(pa.int32()), "json", b"[]"),
    ([True, False], pa.list_(pa.bool_()), "json", b"[true,false]"),
    ([0.5, 1e300], pa.list_(pa.float64()), "text", b"[0.5,1e300]"),
    ([2**64 - 1], pa.list_(pa.uint64()), "json", b"[18446744073709551615]"),
    ([Decimal("1.20")], pa.list_(pa.decimal128(5, 2)), "json", b"[1.20]"),
    ([date(2024, 1, 1)], pa.list_(pa.date32()), "json", b'["2024-01-01"]'),
    ([None], pa.list_(pa.null()), "json", b"[null]"),
    (['a"\\\n', "\u00e9"], pa.list_(pa.string()), "json",
     b'["a\\\\"\\\\\\\\\\\\u000a","\xc3\xa9"]'),
    (None, pa.string(), "text", b"\\N"),
    (None, pa.null(), "long", b"\\N"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "arrow", "codec", "text"), GOLDEN)
def test_value_becomes_this_text(
    value: object, arrow: pa.DataType, codec: str, text: bytes
) -> None:
    assert field(value, arrow, codec) == text


def test_fields_end_with_tabs_and_rows_with_newlines() -> None:
    batch = pa.record_batch({"a": [1, None], "b": ["x", ""]})
    data, row = RowsEncoder([("a", "long"), ("b", "text")]).encode(batch)
    assert (data, row) == (b"1\tx\n\\N\t\n", 2)


def test_rows_are_cut_by_bytes_and_nothing_else_changes() -> None:
    array = pa.array([f"{i}\t" * (i % 50) for i in range(3000)])
    whole = encoded(array, "text")
    for max_bytes in (1, 100, 5000):
        assert encoded(array, "text", max_bytes) == whole


def test_a_row_longer_than_asked_for_comes_alone() -> None:
    array = pa.array(["\n" * 200_000, "x"])
    encoder = RowsEncoder([("c", "text")])
    data, row = encoder.encode(pa.record_batch({"c": array}), 0, 10)
    assert (data, row) == (b"\\n" * 200_000 + b"\n", 1)


def test_every_slice_of_a_batch_makes_its_own_rows() -> None:
    array = pa.array(["a", None, "\u00e9\t", "d" * 40, ""])
    flags = pa.array([True, None, False, True, True])
    for start in range(5):
        rows = encoded(array[start:], "text").split(b"\n")[:-1]
        assert [read_field(r) for r in rows] == [
            None if v is None else v.encode() for v in array.to_pylist()[start:]
        ]
        bits = encoded(flags[start:], "bool1").split()
        assert bits == [b"\\N" if v is None else b"%d" % v for v in flags.to_pylist()[start:]]


@given(st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))))
@settings(max_examples=100, deadline=None)
def test_texts_read_back(values: list[str | None]) -> None:
    rows = encoded(pa.array(values, pa.string()), "text").split(b"\n")[:-1]
    assert [read_field(r) for r in rows] == [None if v is None else v.encode() for v in values]


@given(st.lists(st.binary() | st.text("\t\n\\a").map(str.encode)))
@settings(max_examples=100, deadline=None)
def test_bytes_read_back(values: list[bytes]) -> None:
    rows = encoded(pa.array(values, pa.binary()), "blob").split(b"\n")[:-1]
    assert [read_field(r) for r in rows] == values


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.none(), max_size=5))
@settings(max_examples=100, deadline=None)
def test_lists_of_texts_read_back(values: list[str | None]) -> None:
    text = read_field(field(values, pa.list_(pa.string()), "json"))
    assert text is not None
    assert json.loads(text) == values


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False)))
@settings(max_examples=300, deadline=None)
def test_doubles_are_as_short_as_python_writes_them(values: list[float]) -> None:
    for value, text in zip(values, encoded(pa.array(values), "double").split(), strict=True):
        assert struct.pack("=d", float(text)) == struct.pack("=d", value)
        assert Decimal(text.decode()) == Decimal(repr(value))


def test_powers_of_two_read_back() -> None:
    values = [2.0**n for n in range(-1074, 1024)]
    texts = encoded(pa.array(values), "double").split()
    assert [float(t) for t in texts] == values
    assert [Decimal(t.decode()) for t in texts] == [Decimal(repr(v)) for v in values]


@given(st.lists(st.integers(0, 2**32 - 1)))
@settings(max_examples=300, deadline=None)
def test_floats_read_back_through_doubles(bits: list[int]) -> None:
    floats = np.array([*bits, 0x7F7FFFFF, 1, 0x00800000], np.uint32).view(np.float32)
    floats = floats[np.isfinite(floats)]
    texts = encoded(pa.array(floats), "float").split()
    doubles = np.array([float(t) for t in texts])
    assert np.abs(doubles).max() <= float(np.finfo(np.float32).max)
    assert (doubles.astype(np.float32).view(np.uint32) == floats.view(np.uint32)).all()


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_decimals_read_back(data: st.DataObject) -> None:
    precision = data.draw(st.integers(1, 65))
    scale = data.draw(st.integers(0, min(precision, 30)))
    unscaled = data.draw(st.lists(st.integers(1 - 10**precision, 10**precision - 1)))
    values = [EXACT.scaleb(Decimal(v), -scale) for v in unscaled]
    array = pa.array(values, pa.decimal256(76, scale))
    texts = encoded(array, f"decimal:{precision},{scale}").split()
    assert [Decimal(t.decode()) for t in texts] == values
    assert all(t != b"-0" and b"E" not in t for t in texts)


@given(st.lists(st.datetimes()))
@settings(max_examples=200, deadline=None)
def test_moments_read_back(values: list[datetime]) -> None:
    rows = encoded(pa.array(values, pa.timestamp("us")), "datetime:6").decode().splitlines()
    assert [datetime.fromisoformat(r) for r in rows] == values


@given(st.lists(st.dates()))
@settings(max_examples=200, deadline=None)
def test_dates_read_back(values: list[date]) -> None:
    rows = encoded(pa.array(values, pa.date32()), "date").decode().split()
    assert [date.fromisoformat(r) for r in rows] == values


def test_batches_of_one_schema_follow_each_other() -> None:
    encoder = RowsEncoder([("c", "text")])
    first, second = pa.record_batch({"c": ["a"]}), pa.record_batch({"c": ["\t"]})
    assert encoder.encode(first)[0] + encoder.encode(second)[0] == b"a\n\\t\n"
    assert encoder.rows == 2


def test_other_columns_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="the target takes c"):
        RowsEncoder([("c", "text")]).encode(pa.record_batch({"d": ["a"]}))
