"""Bytes of the encoder against bytes written out by hand, and against the decoder."""

from __future__ import annotations

import struct
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal

import pyarrow as pa
import pytest
from fastload_postgres.copy_decode import CopyDecoder
from fastload_postgres.copy_encode import CopyEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.arrow_input import plan
from fastload.errors import EncodeError, SchemaMismatch

EXACT = Context(prec=400)
PRINTABLE = st.characters(exclude_characters="\0", exclude_categories=["Cs"])


def fields(array: pa.Array, codec: str) -> list[bytes | None]:
    """Return the fields that one column makes."""
    batch = pa.record_batch({"c": array})
    columns = [("c", codec)]
    encoder = CopyEncoder(columns)
    made = plan(batch.schema, columns, encoder.check)(batch)
    data, row = encoder.encode(made, 0, 1 << 24)
    assert row == len(array)
    found: list[bytes | None] = []
    at = 0
    while at < len(data):
        count, size = struct.unpack_from(">hi", data, at)
        assert count == 1
        at += 6
        found.append(None if size < 0 else data[at : at + size])
        at += max(size, 0)
    return found


def field(value: object, arrow: pa.DataType, codec: str) -> bytes | None:
    return fields(pa.array([value], arrow), codec)[0]


GOLDEN = [
    (True, pa.bool_(), "bool", "01"),
    (-2, pa.int16(), "int2", "fffe"),
    (70000, pa.int32(), "int4", "00011170"),
    (-1, pa.int64(), "int8", "ffffffffffffffff"),
    (4_000_000_000, pa.uint32(), "oid", "ee6b2800"),
    (1.5, pa.float32(), "float4", "3fc00000"),
    (-0.1, pa.float64(), "float8", "bfb999999999999a"),
    (1.5, pa.float32(), "float8", "3ff8000000000000"),
    (1.5, pa.float64(), "float4", "3fc00000"),
    ("h\u00e9", pa.string(), "text", "68c3a9"),
    ("", pa.large_string(), "text", ""),
    ("{}", pa.string(), "json", "7b7d"),
    ("{}", pa.string(), "jsonb", "017b7d"),
    ("{}", pa.json_(), "jsonb", "017b7d"),
    ("sad", pa.string(), "enum", "736164"),
    (b"\0\xff", pa.binary(), "bytea", "00ff"),
    (b"abc", pa.binary(3), "bytea", "616263"),
    (b"abc", pa.large_binary(), "raw", "616263"),
    (bytes(range(16)), pa.binary(16), "uuid", bytes(range(16)).hex()),
    (bytes(range(16)), pa.uuid(), "uuid", bytes(range(16)).hex()),
    (bytes(range(16)), pa.binary(), "uuid", bytes(range(16)).hex()),
    ("{00010203-0405-0607-0809-0A0b0c0d0e0f}", pa.string(), "uuid", bytes(range(16)).hex()),
    ("0001-0203-0405-0607-0809-0a0b-0c0d-0e0f", pa.string(), "uuid", bytes(range(16)).hex()),
    (date(2000, 1, 2), pa.date32(), "date", "00000001"),
    (date(1999, 12, 31), pa.date64(), "date", "ffffffff"),
    (time(0, 0, 1), pa.time32("s"), "time", "00000000000f4240"),
    (time(0, 0, 1, 1000), pa.time32("ms"), "time", "00000000000f4628"),
    (time(0, 0, 0, 7), pa.time64("us"), "time", "0000000000000007"),
    (7000, pa.time64("ns"), "time", "0000000000000007"),
    (datetime(2000, 1, 1, 0, 0, 1), pa.timestamp("s"), "timestamp", "00000000000f4240"),
    (datetime(1999, 12, 31, 23, 59, 59), pa.timestamp("ms"), "timestamp", "fffffffffff0bdc0"),
    (datetime(2000, 1, 1), pa.timestamp("us"), "timestamp", "0000000000000000"),
    (datetime(2000, 1, 1, 0, 0, 0, 1), pa.timestamp("ns"), "timestamp", "0000000000000001"),
    (
        datetime(2000, 1, 1, tzinfo=UTC),
        pa.timestamp("us", "Asia/Tokyo"),
        "timestamptz",
        "0000000000000000",
    ),
    (
        (3, -4, 5000),
        pa.month_day_nano_interval(),
        "interval",
        "0000000000000005 fffffffc 00000003",
    ),
    (timedelta(seconds=1), pa.duration("s"), "time", "00000000000f4240"),
    (timedelta(seconds=-1), pa.duration("s"), "interval", "fffffffffff0bdc0" + "00" * 8),
    (timedelta(microseconds=5), pa.duration("ns"), "interval", "0000000000000005" + "00" * 8),
    # Groups, weight, sign, scale; then groups of four digits.
    (Decimal("0.00"), pa.decimal128(5, 2), "numeric", "0000 0000 0000 0002"),
    (Decimal("1.00"), pa.decimal128(5, 2), "numeric", "0001 0000 0000 0002 0001"),
    (Decimal("-12345.6"), pa.decimal64(9, 1), "numeric", "0003 0001 4000 0001 0001 0929 1770"),
    (Decimal("0.0001"), pa.decimal32(5, 4), "numeric", "0001 ffff 0000 0004 0001"),
    (Decimal("10000"), pa.decimal256(50, 0), "numeric", "0001 0001 0000 0000 0001"),
    (Decimal("12000"), pa.decimal128(5, -3), "numeric", "0002 0001 0000 0000 000107d0"),
    (-(2**63), pa.int64(), "numeric", "0005 0004 4000 0000 039a 0d2c 0170 1565 16b0"),
    (2**64 - 1, pa.uint64(), "numeric", "0005 0004 0000 0000 0734 1a58 02e1 03bb 064f"),
    ("1.00", pa.string(), "numeric_text", "0001 0000 0000 0002 0001"),
    (" +1e5 ", pa.string(), "numeric_text", "0001 0001 0000 0000 000a"),
    ("-.5", pa.string(), "numeric_text", "0001 ffff 4000 0001 1388"),
    ("NaN", pa.string(), "numeric_text", "0000 0000 c000 0000"),
    ("Infinity", pa.string(), "numeric", "0000 0000 d000 0000"),
    ("-inf", pa.large_string(), "numeric", "0000 0000 f000 0000"),
    ([], pa.list_(pa.int32()), "int4[]:23", "00000000 00000000 00000017"),
    (
        [1, None],
        pa.large_list(pa.int64()),
        "int2[]:21",
        "00000001 00000001 00000015 00000002 00000001 00000002 0001 ffffffff",
    ),
    (
        ["a"],
        pa.list_(pa.string()),
        "text[]:4294967295",
        "00000001 00000000 ffffffff 00000001 00000001 00000001 61",
    ),
]


@pytest.mark.parametrize(("value", "arrow", "codec", "expected"), GOLDEN)
def test_field_is_as_postgresql_specifies(
    value: object, arrow: pa.DataType, codec: str, expected: str
) -> None:
    storage = arrow.storage_type if isinstance(arrow, pa.BaseExtensionType) else arrow
    array = pa.array([value, None], storage)
    if storage != arrow:
        array = pa.ExtensionArray.from_storage(arrow, array)
    assert fields(array, codec) == [bytes.fromhex(expected), None]


def test_stream_is_signature_rows_trailer() -> None:
    encoder = CopyEncoder([("a", "int2"), ("b", "text")])
    batch = pa.record_batch({"a": pa.array([1, None], pa.int16()), "b": ["x", None]})
    data, row = encoder.encode(batch)
    assert encoder.header() == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    assert data == bytes.fromhex("0002 00000002 0001 00000001 780002 ffffffff ffffffff")
    assert encoder.trailer() == b"\xff\xff"
    assert (row, encoder.rows, encoder.bytes) == (2, 2, len(data))


def test_output_is_bounded_and_whole() -> None:
    texts = ["x" * (i % 50) for i in range(5000)]
    batch = pa.record_batch({"t": texts, "i": pa.array(range(5000), pa.int32())})
    columns = [("t", "text"), ("i", "int4")]
    whole, _ = CopyEncoder(columns).encode(batch, 0, 1 << 24)
    encoder, parts, row = CopyEncoder(columns), [], 0
    while row < 5000:
        part, row = encoder.encode(batch, row, 1000)
        parts.append(part)
    assert max(map(len, parts)) <= 1000
    assert b"".join(parts) == whole
    assert (encoder.rows, encoder.bytes) == (5000, len(whole))


def test_row_longer_than_the_bound_comes_alone() -> None:
    batch = pa.record_batch({"t": ["a", "b" * 100_000, "c"]})
    encoder = CopyEncoder([("t", "text")])
    sizes, row = [], 0
    while row < 3:
        data, row = encoder.encode(batch, row, 64)
        sizes.append(len(data))
    assert sizes == [7, 100_006, 7]


def test_batch_without_rows_makes_no_bytes() -> None:
    batch = pa.record_batch({"a": pa.array([], pa.string()), "b": pa.array([], pa.null())})
    assert CopyEncoder([("a", "text"), ("b", "int4")]).encode(batch) == (b"", 0)


def test_sliced_struct_array_is_read_from_its_offset() -> None:
    array = pa.StructArray.from_arrays(
        [pa.array([1, 2, None, 4], pa.int32()), pa.array(["a", None, "cc", "d"])], ["i", "t"]
    )
    columns = [("i", "int4"), ("t", "text")]
    data, row = CopyEncoder(columns).encode(array[1:3])
    assert row == 2
    assert data == bytes.fromhex("0002 00000004 00000002 ffffffff 0002 ffffffff 00000002 6363")


def test_values_that_do_not_fit_become_null_where_wanted() -> None:
    encoder = CopyEncoder([("i", "int2"), ("l", "text[]:25")], nulls_instead={"i", "l"})
    batch = pa.record_batch({"i": [1, 70000], "l": [["a\0"], None]})
    data, _ = encoder.encode(batch)
    assert data == bytes.fromhex(
        "0002 00000002 0001"
        "00000018 00000001 00000001 00000019 00000001 00000001 ffffffff"
        "0002 ffffffff ffffffff"
    )
    assert encoder.nulled == 2


def test_same_encoder_takes_batches_of_other_forms() -> None:
    encoder = CopyEncoder([("c", "int4")])
    narrow = pa.record_batch({"c": pa.array([1], pa.int8())})
    wide = pa.record_batch({"c": pa.array([1], pa.uint64())})
    assert encoder.encode(narrow) == encoder.encode(wide) == encoder.encode(narrow)


def test_other_columns_are_refused() -> None:
    with pytest.raises(SchemaMismatch, match="the batch has the columns b; the target takes a"):
        CopyEncoder([("a", "int4")]).encode(pa.record_batch({"b": [1]}))


def test_null_rows_of_a_struct_are_refused() -> None:
    array = pa.array([{"a": 1}, None])
    with pytest.raises(SchemaMismatch, match="rows that are null"):
        CopyEncoder([("a", "int8")]).encode(array)


def test_unknown_codec_is_refused() -> None:
    with pytest.raises(ValueError, match="no codec 'int3'"):
        CopyEncoder([("a", "int3")])
    with pytest.raises(ValueError, match=r"no codec 'int4\[\]'"):
        CopyEncoder([("a", "int4[]")])


def test_failed_batch_leaves_the_encoder_usable() -> None:
    encoder = CopyEncoder([("t", "text")])
    with pytest.raises(EncodeError):
        encoder.encode(pa.record_batch({"t": ["a", "\0"]}))
    assert encoder.encode(pa.record_batch({"t": ["a"]}))[1] == 1
    assert encoder.rows == 1


def read_numeric(data: bytes) -> tuple[Decimal, int]:
    """Return the value and the scale, as numeric_recv reads them."""
    count, weight, sign, scale = struct.unpack_from(">HhHH", data)
    groups = struct.unpack_from(f">{count}h", data, 8)
    assert len(data) == 8 + 2 * count
    assert all(0 <= g <= 9999 for g in groups)
    assert not groups or (groups[0] and groups[-1])
    assert sign in (0, 0x4000)
    value = Decimal(0)
    for i, group in enumerate(groups):
        value = EXACT.add(value, EXACT.scaleb(Decimal(group), 4 * (weight - i)))
    return (EXACT.minus(value) if sign else value), scale


@st.composite
def decimals(draw: st.DrawFn) -> tuple[pa.DataType, int]:
    """Draw a decimal type, and an integer that it can hold."""
    make, most = draw(
        st.sampled_from(
            [(pa.decimal32, 9), (pa.decimal64, 18), (pa.decimal128, 38), (pa.decimal256, 76)]
        )
    )
    precision = draw(st.integers(1, most))
    scale = draw(st.integers(-20, precision))
    digits = draw(st.integers(0, precision))
    unscaled = draw(st.integers(-(10**digits) + 1, 10**digits - 1))
    zeros = draw(st.integers(0, digits))
    return make(precision, scale), unscaled - unscaled % 10**zeros if unscaled > 0 else unscaled


@given(decimals())
@settings(max_examples=500, deadline=None)
def test_decimals_of_every_width_are_exact(drawn: tuple[pa.DataType, int]) -> None:
    type_, unscaled = drawn
    raw = unscaled.to_bytes(type_.byte_width, "little", signed=True)
    array = pa.Array.from_buffers(type_, 1, [None, pa.py_buffer(raw)])
    (data,) = fields(array, "numeric")
    assert data is not None
    expected = EXACT.scaleb(Decimal(unscaled), -type_.scale)
    assert read_numeric(data) == (expected, max(type_.scale, 0))


@given(
    st.sampled_from(["", "-", "+"]),
    st.text("0123456789", max_size=40),
    st.text("0123456789", max_size=40),
    st.none() | st.integers(-60, 60),
)
@settings(max_examples=500, deadline=None)
def test_numeric_texts_are_exact(sign: str, whole: str, part: str, exponent: int | None) -> None:
    if not whole + part:
        whole = "0"
    text = f"{sign}{whole}.{part}" + (f"e{exponent:+}" if exponent is not None else "")
    data = field(text, pa.string(), "numeric_text")
    assert data is not None
    scale = max(len(part) - (exponent or 0), 0)
    assert read_numeric(data) == (EXACT.create_decimal(text), scale)


TRIPS = [
    ("bool", "bool", pa.bool_(), st.booleans()),
    ("int2", "int2", pa.int16(), st.integers(-(2**15), 2**15 - 1)),
    ("int4", "int4", pa.int32(), st.integers(-(2**31), 2**31 - 1)),
    ("int8", "int8", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    ("float8", "float8", pa.float64(), st.floats(allow_nan=False)),
    ("text", "text", pa.string(), st.text(PRINTABLE, max_size=30)),
    ("bytea", "bytea", pa.binary(), st.binary(max_size=80)),
    ("date", "date", pa.date32(), st.dates()),
    ("timestamp", "timestamp", pa.timestamp("us"), st.datetimes()),
    ("numeric:38,9", "numeric", pa.decimal128(38, 9), st.decimals(-(10**25), 10**25, places=9)),
    ("int4[]", "int4[]:23", pa.list_(pa.int32()), st.lists(st.none() | st.integers(-9, 9))),
    (
        "text[]",
        "text[]:25",
        pa.list_(pa.string()),
        st.lists(st.none() | st.sampled_from("a\u00e9")),
    ),
]


@pytest.mark.parametrize(("read", "written", "arrow", "values"), TRIPS)
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_decoder_reads_back_any_slice(
    read: str,
    written: str,
    arrow: pa.DataType,
    values: st.SearchStrategy[object],
    data: st.DataObject,
) -> None:
    given_values = data.draw(st.lists(st.none() | values, max_size=40))
    start = data.draw(st.integers(0, len(given_values)))
    length = data.draw(st.integers(0, len(given_values) - start))
    array = pa.array(given_values, arrow)[start : start + length]
    encoder, decoder = CopyEncoder([("c", written)]), CopyDecoder([("c", read)])
    batch = pa.record_batch({"c": array})
    stream, _ = encoder.encode(batch, 0, 1 << 24)
    decoder.feed(encoder.header() + stream + encoder.trailer())
    decoder.finish()
    made = pa.record_batch(decoder.take()).column(0)
    assert made.to_pylist() == array.to_pylist()


@given(st.lists(st.none() | st.text(PRINTABLE, max_size=40), min_size=1, max_size=60))
@settings(max_examples=100, deadline=None)
def test_texts_of_any_length_are_copied_whole(texts: list[str | None]) -> None:
    assert fields(pa.array(texts, pa.string()), "text") == [
        None if t is None else t.encode() for t in texts
    ]
