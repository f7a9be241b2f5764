"""What MySQL's encoder refuses: the server would change it and only warn."""

from __future__ import annotations

import struct
from datetime import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from fastload_mysql.rows_encode import RowsEncoder

from fastload.arrow_input import plan
from fastload.errors import EncodeError, Unrepresentable


def encode(array: pa.Array, codec: str) -> bytes:
    columns = [("c", codec)]
    encoder = RowsEncoder(columns)
    batch = pa.record_batch({"c": array})
    return encoder.encode(plan(batch.schema, columns, encoder.check)(batch))[0]


def counts(type_: pa.DataType, *values: int | None) -> pa.Array:
    return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


INTEGERS = {
    "tiny": (-(2**7), 2**7 - 1), "utiny": (0, 2**8 - 1), "bool1": (-(2**7), 2**7 - 1),
    "short": (-(2**15), 2**15 - 1), "ushort": (0, 2**16 - 1),
    "medium": (-(2**23), 2**23 - 1), "umedium": (0, 2**24 - 1),
    "long": (-(2**31), 2**31 - 1), "ulong": (0, 2**32 - 1),
    "longlong": (-(2**63), 2**63 - 1), "ulonglong": (0, 2**64 - 1),
}  # fmt: skip
WIDE = [pa.int64(), pa.uint64(), pa.decimal128(38, 0), pa.decimal256(40, 0)]


def holds(type_: pa.DataType, value: int) -> bool:
    low, high = {"int64": (-(2**63), 2**63 - 1), "uint64": (0, 2**64 - 1)}.get(
        str(type_), (-(10**38) + 1, 10**38 - 1)
    )
    return low <= value <= high


@pytest.mark.parametrize("type_", WIDE, ids=str)
@pytest.mark.parametrize("codec", INTEGERS)
def test_integers_are_taken_to_their_limits_and_no_further(codec: str, type_: pa.DataType) -> None:
    for limit, step in zip(INTEGERS[codec], (-1, 1), strict=True):
        if holds(type_, limit):
            array = pa.array([Decimal(limit) if "decimal" in str(type_) else limit], type_)
            assert encode(array, codec) == b"%d\n" % limit
        beyond = limit + step
        if holds(type_, beyond):
            array = pa.array([Decimal(beyond) if "decimal" in str(type_) else beyond], type_)
            with pytest.raises(EncodeError, match=f"{beyond} is out of range for"):
                encode(array, codec)


# Each second value.
REFUSED = [
    (pa.array([1901, 1900]), "year", "1900 is out of range for year"),
    (pa.array([0, 2156], pa.uint64()), "year", "2156 is out of range for year"),
    (pa.array([7, 8], pa.uint8()), "bit:3", r"8 is out of range for bit\(3\)"),
    (pa.array([0, -1]), "bit:64", "-1 is out of range for bit"),
    (pa.array([1.0, 1e39]), "float", "1e[+]39 is out of range for float"),
    (pa.array([1.0, 1e-60]), "float", "1e-60 is out of range for float"),
    (pa.array([Decimal("999.9"), Decimal("1000.0")]), "decimal:4,1",
     r"1000.0 has more digits before the point than decimal\(4,1\)"),
    (pa.array([99, 100]), "decimal:3,1", "100 has more digits"),
    (pa.array([Decimal("0.10"), Decimal("0.01")]), "decimal:3,1", "0.01 is finer than decimal"),
    (pa.array([Decimal("10"), Decimal("1000")], pa.decimal128(9, -1)), "decimal:3,0",
     "more digits"),
    (pa.array([Decimal(1), Decimal(10**60 + 1)], pa.decimal256(76, 2)), "decimal:60,0",
     "more digits"),
    (counts(pa.timestamp("us"), 0, 1), "datetime:5", "00:00.000001 is finer than datetime"),
    (counts(pa.timestamp("ns"), 0, 1), "datetime:6", "is finer than datetime"),
    (counts(pa.timestamp("ms", "UTC"), 1000, 1001), "timestamp", "is finer than timestamp"),
    (counts(pa.time64("us"), 0, 1), "time:5", "1 microseconds is finer than time"),
    (counts(pa.date64(), 0, 1), "date", "is finer than date"),
    (pa.array(["\u00e9\u00e9", "abc"]), "text:2", "'abc' is longer than the column's 2 characters"),
    (pa.array(["\u00e9", "\u00e9a"]), "text_bytes:2", "longer than the column's 2 bytes"),
    (pa.array(["a b", "a "]), "char:3", "'a ' ends with a space"),
    (pa.array(["a b", "abcd"]), "char:3", "longer than the column's 3 characters"),
    (pa.array([b"ab", b"abc"]), "blob:2", "b'abc' is longer than the column's 2 bytes"),
    (pa.array([b"ab", b"a"]), "binary:2", "b'a' does not have the length of the column, 2 bytes"),
    (pa.array([b"ab", b"abc"]), "binary:2", "does not have the length"),
    (pa.array([bytes(16), b"a"]), "uuid", "b'a' is not a uuid"),
    (pa.array([bytes(6) + b"\x80\0\x81" + bytes(7), bytes(6) + b"\x80\0\x80" + bytes(7)]), "uuid",
     "is out of range for uuid"),
    (pa.array(["0" * 32, "0" * 31]), "uuid_text", "is not a uuid"),
    (pa.array([b"ok", b"a\xff"]).view(pa.string()), "text", "is not UTF-8"),
    (pa.array([[1.0], [2.0, float("nan")]]), "json", "item 1 of the list: nan is no number"),
]  # fmt: skip


@pytest.mark.parametrize(("array", "codec", "message"), REFUSED)
def test_value_is_refused_with_its_place(array: pa.Array, codec: str, message: str) -> None:
    with pytest.raises((EncodeError, Unrepresentable), match=message) as caught:
        encode(array, codec)
    error = caught.value
    assert (error.row, error.column, error.column_index, error.side) == (1, "c", 0, "target")
    assert encode(array[:1], codec).endswith(b"\n")


# Each second value, which the target's type has no form for.
UNREPRESENTABLE = [
    (pa.array([1.0, float("nan")]), "double", "nan is no number that double holds"),
    (pa.array([1.0, float("inf")]), "float", "inf is no number that float holds"),
    (pa.array([1.0, float("-inf")], pa.float32()), "double", "-inf is no number"),
    (counts(pa.date32(), -719_162, -719_163), "date", "0001-12-31 BC is out of range"),
    (counts(pa.date32(), 2_932_896, 2_932_897), "date", "is out of range for date"),
    (counts(pa.timestamp("s"), 253_402_300_799, 253_402_300_800), "datetime", "out of range"),
    (counts(pa.timestamp("us"), -62_135_596_800_000_000, -62_135_596_800_000_001), "datetime:6",
     "out of range"),
    (counts(pa.timestamp("us", "UTC"), 10**6, 10**6 - 1), "timestamp:6",
     r"1970-01-01 00:00:00.999999 is out of range for timestamp\(6\)"),
    (counts(pa.timestamp("s", "UTC"), 2**31 - 1, 2**31), "timestamp",
     "2038-01-19 03:14:08 is out of range"),
    (counts(pa.duration("s"), -3_020_399, -3_020_400), "time", "-3020400 seconds is out of range"),
    (counts(pa.duration("us"), 3_020_399_999_999, 3_020_400_000_000), "time:6", "out of range"),
    (counts(pa.timestamp("ms"), 0, -(2**63)), "datetime:3", "out of range"),
]  # fmt: skip


@pytest.mark.parametrize(("array", "codec", "message"), UNREPRESENTABLE)
def test_value_without_a_form_is_unrepresentable(array: pa.Array, codec: str, message: str) -> None:
    with pytest.raises(Unrepresentable, match=message) as caught:
        encode(array, codec)
    assert (caught.value.row, caught.value.column, caught.value.column_index) == (1, "c", 0)
    assert encode(array[:1], codec).endswith(b"\n")


@pytest.mark.parametrize(("array", "codec", "message"), UNREPRESENTABLE)
def test_value_without_a_form_becomes_null_where_that_is_asked_for(
    array: pa.Array, codec: str, message: str
) -> None:
    encoder = RowsEncoder([("c", codec)], nulls_instead=["c"])
    data, _ = encoder.encode(pa.record_batch({"c": array}))
    assert (data.count(b"\n"), data[-3:], encoder.nulled) == (2, b"\\N\n", 1)


def test_an_item_without_a_form_becomes_null_where_that_is_asked_for() -> None:
    encoder = RowsEncoder([("c", "json")], ["c"])
    data, _ = encoder.encode(pa.record_batch({"c": pa.array([[1.5, float("inf")]])}))
    assert (data, encoder.nulled) == (b"[1.5,null]\n", 1)


UNFIT = [
    (pa.string(), "long"), (pa.float64(), "long"), (pa.decimal128(5, 1), "long"),
    (pa.int64(), "double"), (pa.int64(), "text"), (pa.binary(), "text"), (pa.string(), "blob"),
    (pa.bool_(), "year"), (pa.timestamp("us"), "timestamp"),
    (pa.timestamp("us", "UTC"), "datetime"),
    (pa.timestamp("us"), "date"), (pa.date32(), "datetime"), (pa.binary(3), "binary:4"),
    (pa.binary(3), "blob:2"), (pa.binary(3), "uuid"), (pa.uuid(), "text"), (pa.json_(), "long"),
    (pa.list_(pa.int32()), "text:5"), (pa.list_(pa.binary()), "json"),
    (pa.list_(pa.list_(pa.int32())), "json"), (pa.list_(pa.int32()), "long"),
    (pa.struct([("a", pa.int32())]), "json"), (pa.month_day_nano_interval(), "time"),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "codec"), UNFIT, ids=str)
def test_type_that_the_codec_does_not_take_is_refused_before_any_row(
    type_: pa.DataType, codec: str
) -> None:
    columns = [("a", "long"), ("c", codec)]
    with pytest.raises(EncodeError, match="is not written into") as caught:
        plan(pa.schema({"a": pa.int32(), "c": type_}), columns, RowsEncoder(columns).check)
    assert (caught.value.column, caught.value.column_index) == ("c", 1)


WORDS = [
    "", "int", "decimal", "decimal:5", "decimal:66,0", "decimal:2,3", "bit", "bit:0", "bit:65",
    "datetime:7", "binary", "char", "text:x", "text:-1", "long:3", "date:1", "time:1,2",
]  # fmt: skip


@pytest.mark.parametrize("word", WORDS)
def test_words_that_are_no_codec_are_refused(word: str) -> None:
    with pytest.raises(ValueError, match="codec"):
        RowsEncoder([("c", word)])


def test_a_row_needs_a_column() -> None:
    with pytest.raises(ValueError, match="without columns"):
        RowsEncoder([])


def test_error_says_what_and_where_and_what_to_do() -> None:
    array = pa.array([datetime(1970, 1, 1, 0, 0, 0, 1)])
    with pytest.raises(EncodeError) as caught:
        encode(array, "datetime:3")
    assert str(caught.value) == (
        "1970-01-01 00:00:00.000001 is finer than datetime(3)\n"
        "  where: target, column c\n"
        "  hint: round the column first"
    )


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
@pytest.mark.parametrize(
    ("type_", "codec"),
    [(pa.string(), "text"), (pa.string(), "char:2"), (pa.binary(), "blob"), (pa.binary(), "uuid"),
     (pa.string(), "uuid_text"), (pa.large_string(), "json"), (pa.large_binary(), "binary:2")],
    ids=str,
)  # fmt: skip
def test_offsets_that_run_wild_are_refused(
    offsets: list[int], row: int, type_: pa.DataType, codec: str
) -> None:
    batch = damaged(type_, offsets, b"abc", wide="large" in str(type_))
    with pytest.raises(EncodeError) as caught:
        RowsEncoder([("c", codec)]).encode(batch)
    # A value before the damage may be no uuid, or none of the column's length.
    assert caught.value.row <= row
    assert caught.value.column == "c"


@pytest.mark.parametrize("offsets", [[0, 4], [-1, 2], [2, 1]])
@pytest.mark.parametrize("items", [pa.array([1, 2, 3]), pa.array(["a", "b", "c"])], ids=str)
def test_lists_beyond_their_items_are_refused(offsets: list[int], items: pa.Array) -> None:
    batch = damaged(pa.list_(items.type), offsets, items)
    with pytest.raises(EncodeError, match="offsets of the Arrow array"):
        RowsEncoder([("c", "json")]).encode(batch)


def test_value_longer_than_any_server_takes_is_refused_unread() -> None:
    batch = damaged(pa.large_binary(), [0, 1 << 30], b"abc", wide=True)
    with pytest.raises(EncodeError, match="longer than the server takes"):
        RowsEncoder([("c", "blob")]).encode(batch)
