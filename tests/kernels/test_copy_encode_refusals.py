"""What the encoder refuses, with the row, the column and the value; and arrays that lie."""

from __future__ import annotations

import struct

import pyarrow as pa
import pytest
from fastload_postgres.copy_encode import CopyEncoder

from fastload.arrow_input import plan
from fastload.errors import EncodeError

GIB = 1 << 30


def refusal(array: pa.Array, codec: str) -> EncodeError:
    """Return the error that writing a column as the second of two ends with."""
    batch = pa.record_batch({"a": pa.nulls(len(array)), "c": array})
    columns = [("a", "text"), ("c", codec)]
    made = plan(batch.schema, columns, CopyEncoder(columns).check)(batch)
    with pytest.raises(EncodeError) as caught:
        CopyEncoder(columns).encode(made, 0, 1 << 24)
    assert (caught.value.column, caught.value.column_index) == ("c", 1)
    return caught.value


def counts(type_: pa.DataType, *values: int | None) -> pa.Array:
    """Return an array of these counts of a temporal type's unit."""
    return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


REFUSED = [
    (pa.array([None, 32768]), "int2", "32768 is out of range for int2"),
    (pa.array([0, -32769]), "int2", "-32769 is out of range for int2"),
    (pa.array([0, 2**31], pa.uint32()), "int4", "2147483648 is out of range for int4"),
    (pa.array([0, 2**63], pa.uint64()), "int8", "9223372036854775808 is out of range for int8"),
    (pa.array([0, 2**64 - 1], pa.uint64()), "int2", "18446744073709551615 is out of range"),
    (pa.array([0, -1], pa.int8()), "oid", "-1 is out of range for oid"),
    (pa.array([0, 2**32]), "oid", "4294967296 is out of range for oid"),
    (pa.array([0.0, 1e39]), "float4", "1e\\+39 is out of range for float4"),
    (pa.array([0.0, 1e-60]), "float4", "1e-60 is out of range for float4"),
    (pa.array(["", "a\0b"]), "text", r"'a\\x00b' holds a zero byte"),
    (pa.array(["", "\0"], pa.large_string()), "json", "holds a zero byte"),
    (pa.array(["", "x" * 99 + "\0"]), "jsonb", f"'{'x' * 59}... holds a zero byte"),
    (pa.array([b"a", b"\xff"]).view(pa.string()), "text", r"b'\\xff' is not UTF-8"),
    (pa.array([b"a", b"\xed\xa0\x80"]).view(pa.string()), "enum", "is not UTF-8"),
    (pa.array([b"a", b"\xc3"]).cast(pa.binary_view()).view(pa.string_view()), "text", "not UTF-8"),
    (pa.array(["0" * 32, "0" * 31]), "uuid", "is not a uuid"),
    (pa.array(["0" * 32, "0" * 33]), "uuid", "is not a uuid"),
    (pa.array(["0" * 32, "0-" + "0" * 31]), "uuid", "is not a uuid"),
    (pa.array(["0" * 32, "{" + "0" * 32]), "uuid", "is not a uuid"),
    (pa.array(["0" * 32, "g" * 32]), "uuid", "is not a uuid"),
    (pa.array([bytes(16), bytes(15)]), "uuid", "is not a uuid"),
    (counts(pa.date32(), 0, -2_440_589), "date", "4714-11-23 BC is out of range"),
    (counts(pa.date32(), 0, 2_145_042_906), "date", "5874898-01-01 is out of range"),
    (counts(pa.date64(), 0, 1), "date", "1970-01-01 00:00:00.001 is finer than date"),
    (counts(pa.date64(), 0, 2**63 - 1), "date", "is out of range for date"),
    (
        counts(pa.time64("us"), 0, 86_400_000_001),
        "time",
        "86400000001 microseconds is out of range",
    ),
    (counts(pa.time32("s"), 0, -1), "time", "-1 seconds is out of range"),
    (counts(pa.time64("ns"), 0, 1), "time", "1 nanoseconds is finer than time, which has microsec"),
    (counts(pa.timestamp("ns"), 0, -1), "timestamp", "1969-12-31 23:59:59.999999999 is finer than"),
    (counts(pa.timestamp("ms"), None, 9_224_318_016_000_000), "timestamp", "is out of range"),
    (counts(pa.timestamp("us"), 0, -210_866_803_200_000_001), "timestamp", "is out of range"),
    (counts(pa.timestamp("s"), 0, 9_224_318_016_000), "timestamp", "is out of range"),
    (counts(pa.timestamp("ms", "UTC"), 0, -(2**63)), "timestamptz", "is out of range"),
    (counts(pa.duration("ms"), 0, -1), "time", "-1 milliseconds is out of range"),
    (counts(pa.duration("s"), 0, 86_401), "time", "86401 seconds is out of range"),
    (counts(pa.duration("ns"), 0, 1001), "interval", "1001 nanoseconds is finer than interval"),
    (counts(pa.duration("s"), 0, 2**62), "interval", "4611686018427387904 seconds is out of range"),
    (
        pa.array([None, (1, 2, 999)], pa.month_day_nano_interval()),
        "interval",
        "1 months 2 days 999 nanoseconds is finer than interval",
    ),
    (pa.array(["1", ""]), "numeric_text", "'' is not a number"),
    (pa.array(["1", "1 2"]), "numeric_text", "'1 2' is not a number"),
    (pa.array(["1", "1e"]), "numeric_text", "'1e' is not a number"),
    (pa.array(["1", "1.2.3"]), "numeric_text", "'1.2.3' is not a number"),
    (pa.array(["1", "."]), "numeric_text", "'.' is not a number"),
    (pa.array(["1", "-NaN"]), "numeric_text", "'-NaN' is not a number"),
    (pa.array(["1", "0x1f"]), "numeric_text", "'0x1f' is not a number"),
    (pa.array(["1", "1e131072"]), "numeric_text", "more digits than numeric holds"),
    (pa.array(["1", "9" * 131073]), "numeric_text", "more digits than numeric holds"),
    (pa.array(["1", "1e-16384"]), "numeric_text", "more digits than numeric holds"),
    (pa.array(["1", "1e999999999999999999999"]), "numeric_text", "more digits than numeric holds"),
    (pa.array([[1], [1, None, 70000]]), "int2[]:21", "item 2 of the list: 70000 is out of range"),
    (pa.array([["a"], ["b", "\0"]]), "text[]:25", r"item 1 of the list: '\\x00' holds a zero byte"),
]


@pytest.mark.parametrize(("array", "codec", "message"), REFUSED)
def test_value_is_refused_with_its_place(array: pa.Array, codec: str, message: str) -> None:
    error = refusal(array, codec)
    assert error.row == 1
    with pytest.raises(EncodeError, match=message):
        raise error


def test_row_counts_within_the_batch_whatever_came_before() -> None:
    batch = pa.record_batch({"i": [1, 2, 3, 4, 5, 70000]})
    encoder = CopyEncoder([("i", "int2")])
    _, row = encoder.encode(batch, 0, 24)
    assert row == 3
    with pytest.raises(EncodeError) as caught:
        encoder.encode(batch, row)
    assert caught.value.row == 5


def test_only_bytes_that_are_not_null_are_looked_at() -> None:
    raw = pa.array([b"\xff\0", b"ok"])
    array = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), *raw.buffers()[1:]], null_count=1
    )
    data, _ = CopyEncoder([("t", "text")]).encode(pa.record_batch({"t": array}))
    assert data == bytes.fromhex("0001 ffffffff 0001 00000002 6f6b")


def test_valid_utf8_split_between_values_is_refused() -> None:
    array = pa.array([b"\xc3", b"\xa9"]).view(pa.string())
    assert refusal(array, "text").row == 0


def damaged(
    type_: pa.DataType, offsets: list[int], values: pa.Array | bytes, *, wide: bool = False
) -> pa.RecordBatch:
    """Return a batch of one column, whose offsets change once pyarrow has looked at them."""
    code = f"={len(offsets)}{'q' if wide else 'i'}"
    memory = bytearray(struct.calcsize(code))
    buffers = [None, pa.py_buffer(memory)]
    if isinstance(values, bytes):
        array = pa.Array.from_buffers(type_, len(offsets) - 1, [*buffers, pa.py_buffer(values)])
    else:
        array = pa.Array.from_buffers(type_, len(offsets) - 1, buffers, children=[values])
    batch = pa.record_batch({"c": array})
    struct.pack_into(code, memory, 0, *offsets)
    return batch


@pytest.mark.parametrize(
    ("offsets", "row"), [([0, -1, 3], 0), ([0, 3, 2, 3], 1), ([-5, 0, 3], 0), ([0, 9, 3], 0)]
)
@pytest.mark.parametrize("large", [False, True])
def test_offsets_that_run_wild_are_refused(offsets: list[int], row: int, large: bool) -> None:
    types = (pa.large_binary(), pa.large_string()) if large else (pa.binary(), pa.string())
    for codec, type_ in zip(("bytea", "text"), types, strict=True):
        batch = damaged(type_, offsets, b"abc", wide=large)
        with pytest.raises(EncodeError, match="offsets of the Arrow array") as caught:
            CopyEncoder([("c", codec)]).encode(batch)
        assert (caught.value.row, caught.value.column) == (row, "c")


@pytest.mark.parametrize("offsets", [[0, 4], [-1, 2], [2, 1]])
def test_lists_beyond_their_items_are_refused(offsets: list[int]) -> None:
    batch = damaged(pa.list_(pa.int64()), offsets, pa.array([1, 2, 3]))
    with pytest.raises(EncodeError, match="offsets of the Arrow array"):
        CopyEncoder([("c", "int8[]:20")]).encode(batch)


def dictionary_beyond_its_values() -> pa.RecordBatch:
    array = pa.DictionaryArray.from_arrays(pa.array([7], pa.int8()), ["a"], safe=False)
    return pa.record_batch({"c": array})


@pytest.mark.parametrize(
    "batch", [damaged(pa.string(), [0, 9], b"abc"), dictionary_beyond_its_values()]
)
def test_damaged_arrays_do_not_pass_the_normaliser(batch: pa.RecordBatch) -> None:
    columns = [("c", "text")]
    with pytest.raises(EncodeError, match="the Arrow data cannot be read"):
        plan(batch.schema, columns, CopyEncoder(columns).check)(batch)


@pytest.mark.parametrize("codec", ["bytea", "raw"])
def test_field_longer_than_the_server_takes_is_refused_unread(codec: str) -> None:
    batch = damaged(pa.large_binary(), [0, GIB], b"abc", wide=True)
    with pytest.raises(EncodeError, match="longer than the server takes"):
        CopyEncoder([("c", codec)]).encode(batch)


def test_error_says_what_and_where_and_what_to_do() -> None:
    assert str(refusal(counts(pa.timestamp("ns"), 1), "timestamp")) == (
        "1970-01-01 00:00:00.000000001 is finer than timestamp, which has microseconds\n"
        "  where: target, column c\n"
        "  hint: round the column first"
    )
