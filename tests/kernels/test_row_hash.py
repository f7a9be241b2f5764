"""Row hashes: equal values are equal in any Arrow form, and everything else is told apart."""

from __future__ import annotations

import datetime
import json
import math
import random
import struct
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload import arrow_input
from fastload.errors import EncodeError, SchemaMismatch
from fastload.kernels.row_hash import Buckets, RowHasher, xxh64_of


def hashed(kind: str, *arrays: pa.Array) -> list[int]:
    """Return the hashes of rows of these columns, all of one kind."""
    names = [str(i) for i in range(len(arrays))]
    batch = pa.RecordBatch.from_arrays(list(arrays), names=names)
    columns = [(n, kind) for n in names]
    hasher = RowHasher(columns)
    flat = arrow_input.plan(batch.schema, [(n, kind.split(":")[0]) for n in names], hasher.check)
    rows, _ = hasher.hashes(flat(batch))
    return list(struct.unpack(f"={len(rows) // 8}Q", rows))


def one(kind: str, value: Any, type_: pa.DataType | None = None) -> int:
    array = value if isinstance(value, pa.Array) else pa.array([value], type_)
    return hashed(kind, array)[0]


@pytest.mark.parametrize(
    ("data", "seed", "expected"),
    [
        (b"", 0, 0xEF46DB3751D8E999),
        (b"a", 0, 0xD24EC4F1A98C6E5B),
        (b"abc", 0, 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
    ],
)
def test_xxh64_is_what_others_compute(data, seed, expected):
    assert xxh64_of(data, seed) == expected


SAME: list[tuple[str, list[pa.Array]]] = [
    (
        "number",
        [
            pa.array([7], t)
            for t in (
                pa.int8(), pa.int16(), pa.int32(), pa.int64(),
                pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64(),
            )
        ]
        + [pa.array([Decimal("7.000")], pa.decimal128(12, 3)),
           pa.array([Decimal(7)], pa.decimal256(70, 0)),
           pa.array(["7"]), pa.array(["7.00"]), pa.array(["+007.0"], pa.large_string()),
           pa.array(["7"], pa.string_view()), pa.array(["7"]).dictionary_encode()],
    ),
    ("number", [pa.array([1], pa.int8()), pa.array([True])]),
    ("number", [pa.array([0], pa.int8()), pa.array([False]), pa.array(["-0.00"])]),
    ("number", [pa.array([-(2**63)], pa.int64()), pa.array([str(-(2**63))]),
                pa.array([Decimal(-(2**63))], pa.decimal128(20, 0))]),
    ("number", [pa.array([2**64 - 1], pa.uint64()), pa.array([str(2**64 - 1)]),
                pa.array([Decimal(2**64 - 1)], pa.decimal256(40, 5))]),
    ("number", [pa.array([Decimal("-123456789012345678901234567890.5")], pa.decimal128(38, 2)),
                pa.array([Decimal("-123456789012345678901234567890.5")], pa.decimal256(60, 20)),
                pa.array(["-123456789012345678901234567890.50000"])]),
    ("number", [pa.array(["1" * 90 + ".50"]), pa.array(["0" + "1" * 90 + ".5"])]),
    ("float", [pa.array([0.5], pa.float16()), pa.array([0.5], pa.float32()),
               pa.array([0.5], pa.float64())]),
    ("float", [pa.array([math.nan], pa.float32()), pa.array([math.nan], pa.float64()),
               pa.array([struct.unpack("=d", b"\1\0\0\0\0\0\xf8\xff")[0]], pa.float64())]),
    ("text", [pa.array(["äß"]), pa.array(["äß"], pa.large_string()),
              pa.array(["äß"], pa.string_view()), pa.array(["äß"]).dictionary_encode()]),
    ("text_unpadded", [pa.array(["a"]), pa.array(["a   "])]),
    ("binary", [pa.array([b"\0ab"], pa.binary()), pa.array([b"\0ab"], pa.large_binary()),
                pa.array([b"\0ab"], pa.binary(3)), pa.array([b"\0ab"], pa.binary_view())]),
    ("uuid", [pa.array([uuid.UUID(int=77).bytes], pa.uuid()),
              pa.array([uuid.UUID(int=77).bytes], pa.binary()),
              pa.array([str(uuid.UUID(int=77)).upper()])]),
    ("moment", [pa.array([1_500], pa.timestamp("ms")), pa.array([1_500_000], pa.timestamp("us")),
                pa.array([1_500_000_000], pa.timestamp("ns", tz="UTC"))]),
    ("moment", [pa.array([-3], pa.date32()), pa.array([-3 * 86_400_000], pa.date64()),
                pa.array([-3 * 86_400], pa.timestamp("s")),
                pa.array([-3 * 86_400 * 10**9], pa.timestamp("ns"))]),
    ("moment", [pa.array([1], pa.time32("s")), pa.array([10**6], pa.time64("us")),
                pa.array([10**9], pa.time64("ns")), pa.array([10**6], pa.duration("us"))]),
    ("interval", [pa.array([5], pa.duration("s")), pa.array([5 * 10**9], pa.duration("ns")),
                  pa.array([(0, 0, 5 * 10**9)], pa.month_day_nano_interval())]),
    ("list:number", [pa.array([[1, None]], pa.list_(pa.int8())),
                     pa.array([[1, None]], pa.large_list(pa.decimal128(5, 2)))]),
    ("json", [pa.array(['{"a": 1.0, "b": [true, null, "\\u00e4\\/"]}']),
              pa.array(['{"b":[true,null,"ä/"],"a":10e-1}'], pa.large_string()),
              pa.array(['{"b":[true,null,"ä/"],"a":1}'], pa.json_())]),
    ("json", [pa.array(['"\\ud83d\\ude00\\n"']), pa.array(['"😀\\u000a"'])]),
    ("json", [pa.array(["100"]), pa.array(["1E2"]), pa.array([" 1.00e+2 "])]),
    *((k, [pa.array([None], pa.null()), pa.array([None], t)])
      for k, t in (("number", pa.int8()), ("text", pa.string()), ("moment", pa.date32()))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "arrays"), SAME, ids=[f"{i}-{k}" for i, (k, _) in enumerate(SAME)]
)
def test_equal_values_of_other_arrow_types_hash_alike(kind, arrays):
    assert len({one(kind, a) for a in arrays}) == 1


APART: list[tuple[str, pa.DataType, list[Any]]] = [
    ("number", pa.string(), [None, "0", "1", "-1", "10", "0.1", "0.01", "1" * 80, "1" * 79,
                             "-" + "1" * 80, "NaN", "Infinity", "-Infinity", "", "1e5", "."]),
    ("number", pa.int64(), [None, 0, 1, -1, 2**63 - 1, -(2**63), 2**32, 2**31]),
    ("number", pa.uint64(), [None, 0, 1, 2**63 - 1, 2**63, 2**64 - 1]),
    ("number", pa.decimal128(38, 3), [None, *map(Decimal, ("0", "1", "-1", "0.1", "0.001", "10"))]),
    ("float", pa.float64(), [None, 0.0, -0.0, math.nan, math.inf, -math.inf, 1.0,
                             math.nextafter(1.0, 2), 5e-324]),
    ("text", pa.string(), [None, "", " ", "a", "a ", "A", "ä", "a\u0308", "Ã¤", "NULL", "0"]),
    ("binary", pa.binary(), [None, b"", b"\0", b"\0\0", b"a"]),
    ("moment", pa.timestamp("ns"), [None, 0, 1, -1, 999, 1000, -1000, 3_600 * 10**9]),
    ("interval", pa.month_day_nano_interval(),
     [None, (0, 0, 0), (1, 0, 0), (0, 30, 0), (0, 1, 0), (0, 0, 86_400 * 10**9), (0, -1, 0)]),
    ("list:text", pa.list_(pa.string()), [None, [], [None], [""], ["a"], ["a", None], [None, "a"],
                                          ["a", "b"], ["b", "a"], ["ab"]]),
    ("json", pa.string(),
     [None, "null", "0", "1", "-1", "10", "0.1", "1e-2", '"1"', "true", "false", "[]", "{}",
      '""', "[1]", "[1,2]", "[2,1]", "[[1],2]", '{"a":1}', '{"a":1,"a":1}', '{"a":"1"}',
      '{"a":2,"b":1}', '{"a":1,"b":2}', '{"1":"a"}', '["a",1]', "[1,", "nul", "", "007", "7",
      '{"a":{"b":1}}', '{"a":{},"b":1}', '"a"', '"A"', '"\\ud800"']),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "type_", "values"), APART)
def test_other_values_hash_otherwise(kind, type_, values):
    assert len(set(hashed(kind, pa.array(values, type_)))) == len(values)


def test_columns_have_places():
    a, b = pa.array(["ab", "x"]), pa.array(["c", None])
    assert not set(hashed("text", a, b)) & set(hashed("text", b, a))
    # Nothing flows from one column into the next.
    assert one("text", "a") != one("text", "")
    left = hashed("text", pa.array(["ab"]), pa.array(["c"]))
    assert left != hashed("text", pa.array(["a"]), pa.array(["bc"]))


NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, places=4, min_value=-(10**20), max_value=10**20
)
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1) | st.none(),
        st.text(max_size=40) | st.none(),
        st.floats(allow_nan=False) | st.none(),
        NUMBERS | st.none(),
        st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2260, 1, 1)) | st.none(),
    ),
    min_size=1,
    max_size=30,
)
KINDS = ["number", "text", "float", "number", "moment"]
FIRST = [pa.int64(), pa.string(), pa.float64(), pa.decimal128(38, 6), pa.timestamp("us")]
OTHER = [pa.decimal128(20, 0), pa.large_string(), pa.float64(), pa.decimal256(60, 10),
         pa.timestamp("ns", tz="UTC")]  # fmt: skip


def batch_of(rows: list[tuple[Any, ...]], types: list[pa.DataType]) -> pa.RecordBatch:
    def fitted(value: Any, t: pa.DataType) -> Any:
        if isinstance(value, int) and pa.types.is_decimal(t):
            return Decimal(value)
        if isinstance(value, datetime.datetime) and t.unit == "ns":
            delta = value - datetime.datetime(1970, 1, 1)
            micros = (delta.days * 86_400 + delta.seconds) * 10**6 + delta.microseconds
            return pa.scalar(micros * 1000, pa.int64()).cast(t)
        return value

    arrays = [pa.array([fitted(row[i], t) for row in rows], t) for i, t in enumerate(types)]
    return pa.RecordBatch.from_arrays(arrays, names=list("abcde"))


def sum_of(batch: pa.RecordBatch) -> tuple[int, int]:
    buckets = Buckets(4)
    RowHasher(list(zip("abcde", KINDS, strict=True)), key=[0]).add(batch, buckets)
    return buckets.rows, buckets.sum


@settings(max_examples=150, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_sums_do_not_depend_on_order_slices_or_types(rows, shuffler):
    whole = sum_of(batch_of(rows, FIRST))
    mixed = list(rows)
    shuffler.shuffle(mixed)
    assert sum_of(batch_of(mixed, OTHER)) == whole
    padded = batch_of([rows[-1], *rows, rows[0]], FIRST)
    assert sum_of(padded.slice(1, len(rows))) == whole
    cut = shuffler.randrange(len(rows) + 1)
    parts = [sum_of(padded.slice(1, cut)), sum_of(padded.slice(1 + cut, len(rows) - cut))]
    assert parts[0][0] + parts[1][0] == whole[0]
    assert (parts[0][1] + parts[1][1]) % 2**64 == whole[1]


CHANGES = {
    0: lambda v: v ^ 1 if v is not None else 0,
    1: lambda v: v + " " if v is not None else "",
    2: lambda v: struct.unpack("=d", struct.pack("=q", struct.unpack("=q", struct.pack("=d", v))[0] ^ 1))[0] if v is not None else 0.0,  # noqa: E501
    3: lambda v: -v if v else Decimal("0.0001"),
    4: lambda v: v + datetime.timedelta(microseconds=1) if v else datetime.datetime(1970, 1, 1),
}  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(ROWS, st.randoms(use_true_random=False))
def test_any_change_changes_the_sum(rows, chooser):
    whole = sum_of(batch_of(rows, FIRST))
    row, column = chooser.randrange(len(rows)), chooser.randrange(5)
    changed = [list(r) for r in rows]
    changed[row][column] = CHANGES[column](changed[row][column])
    assert sum_of(batch_of(changed, FIRST)) != whole


def test_what_xor_and_crc_do_not_see_is_seen():
    """A column shifted by a row, pairs that cancel, values swapped between rows."""
    numbers = list(range(1000))
    shifted = numbers[1:] + numbers[:1]
    texts = [f"{n:05}" for n in numbers]

    def total(a: list[Any], b: list[Any]) -> int:
        return sum(hashed("number", pa.array(a), pa.array([int(t) for t in b]))) % 2**64

    assert total(numbers, texts) != total(numbers, [texts[i] for i in shifted])
    assert sum(hashed("text", pa.array(list("abbc")))) != sum(
        hashed("text", pa.array(list("addc")))
    )


def test_buckets_tell_where_rows_differ_and_pick_finds_them():
    random.seed(5)
    rows = [(i, f"t{i}") for i in range(2000)]
    other = [r for r in rows if r[0] != 1234]
    other[77] = (77, "t78")
    columns = [("id", "number"), ("t", "text")]

    def read(some: list[tuple[int, str]]) -> tuple[RowHasher, pa.RecordBatch, Buckets]:
        random.shuffle(some)
        batch = pa.RecordBatch.from_pydict({"id": [r[0] for r in some], "t": [r[1] for r in some]})
        hasher, buckets = RowHasher(columns, key=[0]), Buckets(10)
        for start in range(0, len(some), 300):
            part = Buckets(10)
            hasher.add(batch.slice(start, 300), part)
            buckets.merge(part)
        return hasher, batch, buckets

    hasher, batch, here = read(rows)
    _, there_batch, there = read(other)
    differing = here.differing(there)
    assert len(differing) == 2
    assert sum(a - b for _, a, b in differing) == 1
    wanted = bytearray(1024)
    for bucket, _, _ in differing:
        wanted[bucket] = 1
    for some, own in ((batch, 1), (there_batch, 2)):
        places = struct.unpack(
            f"={sum(d[own] for d in differing)}q", hasher.pick(some, bytes(wanted))
        )
        ids = {some.column(0)[p].as_py() for p in places}
        assert 77 in ids
        assert (1234 in ids) == (own == 1)
        assert len(ids) < 20


def test_types_that_are_not_of_a_kind_are_refused():
    for kind, array in (
        ("number", pa.array([1.5])),
        ("float", pa.array([1])),
        ("text", pa.array([b"x"])),
        ("moment", pa.array([1])),
        ("list:text", pa.array([[1]])),
        ("unknown", pa.array([1])),
    ):
        with pytest.raises(EncodeError):
            hashed(kind, array)
    with pytest.raises(SchemaMismatch):
        RowHasher([("a", "text")]).hashes(pa.RecordBatch.from_pydict({"b": ["x"]}))
    with pytest.raises(ValueError, match="power of two"):
        RowHasher([("a", "text")]).pick(pa.RecordBatch.from_pydict({"a": ["x"]}), b"\1\1\1")
    with pytest.raises(ValueError, match="buckets"):
        Buckets(3).merge(Buckets(4))
    with pytest.raises(ValueError, match="bits"):
        Buckets(40)


def test_offsets_that_run_wild_are_refused():
    offsets = pa.py_buffer(struct.pack("=3i", 0, 1_000_000, 4))
    array = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abcd")])
    batch = pa.RecordBatch.from_arrays([array], names=["a"])
    with pytest.raises(EncodeError, match="outside"):
        RowHasher([("a", "text")]).hashes(batch)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8)
        | st.decimals(allow_nan=False, allow_infinity=False, places=3).map(float),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
        max_leaves=20,
    )
)  # fmt: skip
def test_json_is_what_it_says_however_it_is_written(value):
    plain = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    spaced = json.dumps(value, ensure_ascii=True, indent=2, sort_keys=True)
    assert one("json", plain.encode("utf-8", "surrogatepass").decode(errors="ignore")) == one(
        "json", spaced
    )


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_json_that_is_none_is_read_within_its_bounds(data):
    array = pa.array([data], pa.binary()).view(pa.string())
    batch = pa.RecordBatch.from_arrays([array], names=["0"])
    rows, _ = RowHasher([("0", "json")]).hashes(batch)
    assert len(rows) == 8


def test_deep_json_ends():
    assert one("json", "[" * 100_000) != one("json", "[" * 100_001)
