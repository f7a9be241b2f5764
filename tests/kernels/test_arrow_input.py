"""Every layout Arrow has for a column makes the bytes that its plain layout makes."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from fastload_postgres.copy_encode import CopyEncoder
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.arrow_input import Normaliser, plan
from fastload.errors import EncodeError, SchemaMismatch
from fastload.typemap import parse

TEXTS = ["a", None, "", "longer than a view holds inline", "a"]
NUMBERS = [[1, None], None, [], [3], [4, 5, 6]]


def planned(schema: pa.Schema, columns: list[tuple[str, str]]) -> Normaliser:
    return plan(schema, columns, CopyEncoder(columns).check)


def encoded(array: pa.Array, codec: str) -> bytes:
    batch = pa.record_batch({"c": array})
    columns = [("c", codec)]
    data, row = CopyEncoder(columns).encode(planned(batch.schema, columns)(batch), 0, 1 << 24)
    assert row == len(array)
    return data


def layouts_of_texts(values: list[str | None]) -> list[pa.Array]:
    plain = pa.array(values, pa.string())
    indices = [pa.int8(), pa.uint16(), pa.int64()]
    return [
        plain,
        plain.cast(pa.large_string()),
        plain.cast(pa.string_view()),
        pc.run_end_encode(plain),
        *(plain.dictionary_encode().cast(pa.dictionary(i, pa.string())) for i in indices),
        plain.cast(pa.large_string()).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int32()), plain),
    ]


def layouts_of_lists(values: list[list[int | None] | None]) -> list[pa.Array]:
    plain = pa.array(values, pa.list_(pa.int32()))
    items = plain.values
    offsets = plain.offsets
    nested = [items.dictionary_encode(), pc.run_end_encode(items)]
    return [
        plain,
        plain.cast(pa.large_list(pa.int32())),
        pa.array(values, pa.list_view(pa.int32())),
        pa.array(values, pa.large_list_view(pa.int32())),
        pa.array(values, pa.list_(pa.uint8() if plain_bytes(values) else pa.int64())),
        *(pa.ListArray.from_arrays(offsets, n, mask=plain.is_null()) for n in nested),
    ]


def plain_bytes(values: list[list[int | None] | None]) -> bool:
    return all(i is None or 0 <= i < 256 for v in values if v for i in v)


@given(st.lists(st.none() | st.sampled_from(["", "a", "\u00e9", "x" * 40])), st.data())
@settings(max_examples=60, deadline=None)
def test_every_layout_of_texts_makes_the_same_bytes(
    values: list[str | None], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    expected = encoded(pa.array(values[start:stop], pa.string()), "text")
    for array in layouts_of_texts(values):
        assert encoded(array[start:stop], "text") == expected, array.type


@given(st.lists(st.none() | st.lists(st.none() | st.integers(-300, 300), max_size=4)), st.data())
@settings(max_examples=60, deadline=None)
def test_every_layout_of_lists_makes_the_same_bytes(
    values: list[list[int | None] | None], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    expected = encoded(pa.array(values[start:stop], pa.list_(pa.int32())), "int4[]:23")
    for array in layouts_of_lists(values):
        assert encoded(array[start:stop], "int4[]:23") == expected, array.type


def test_lists_of_fixed_size_are_lists() -> None:
    values = [[1, 2], None, [3, None]]
    array = pa.array(values, pa.list_(pa.int32(), 2))
    assert encoded(array, "int4[]:23") == encoded(pa.array(values), "int4[]:23")
    assert encoded(array[1:], "int4[]:23") == encoded(pa.array(values[1:]), "int4[]:23")


def test_list_views_in_any_order_keep_their_order() -> None:
    array = pa.ListViewArray.from_arrays(
        pa.array([2, 0, 1], pa.int32()), pa.array([1, 2, 2], pa.int32()), pa.array([1, 2, 3])
    )
    assert encoded(array, "int8[]:20") == encoded(pa.array([[3], [1, 2], [2, 3]]), "int8[]:20")


def test_lists_of_texts_in_other_layouts_are_lists_of_texts() -> None:
    plain = pa.array([["a", None], ["b" * 30]])
    for items in (pa.string_view(), pa.large_string()):
        array = pa.array(plain.to_pylist(), pa.list_(items))
        assert encoded(array, "text[]:25") == encoded(plain, "text[]:25")


def test_chunks_of_a_table_make_the_bytes_of_one() -> None:
    table = pa.table({"c": pa.chunked_array([["a", None], [], ["b"]])})
    columns = [("c", "text")]
    canonical, encoder = planned(table.schema, columns), CopyEncoder(columns)
    parts = [encoder.encode(canonical(b))[0] for b in table.to_batches()]
    assert b"".join(parts) == encoded(pa.array(["a", None, "b"]), "text")


@pytest.mark.parametrize(
    ("array", "codec", "plain"),
    [
        (pa.array([1.5, None], pa.float16()), "float4", pa.array([1.5, None], pa.float32())),
        (pa.array([1.5, None], pa.float16()), "float8", pa.array([1.5, None])),
        (pa.array([None]), "date", pa.array([None], pa.date32())),
        (pa.array([b"ab"], pa.binary_view()), "bytea", pa.array([b"ab"])),
        (pa.array([True, None]).dictionary_encode(), "bool", pa.array([True, None])),
    ],
)
def test_other_forms_are_brought_without_loss(array: pa.Array, codec: str, plain: pa.Array) -> None:
    assert encoded(array, codec) == encoded(plain, codec)


@pytest.mark.parametrize(
    ("type_", "storage", "codec"),
    [
        ("arrow.uuid", [bytes(16), None], "uuid"),
        ("arrow.json", ["{}", None], "json"),
        ("arrow.json", ["{}", None], "text"),
        ("opaque[numeric, PostgreSQL, string]", ["1.50", "NaN"], "numeric_text"),
        ("opaque[inet, PostgreSQL, binary]", [b"\x02", None], "raw"),
    ],
)
def test_extensions_are_written_as_they_are_stored(
    type_: str, storage: list[bytes | str | None], codec: str
) -> None:
    extension = parse(type_)
    plain = pa.array(storage, extension.storage_type)
    array = pa.ExtensionArray.from_storage(extension, plain)
    assert encoded(array, codec) == encoded(plain, codec)
    listed = pa.ListArray.from_arrays([0, len(plain)], array)
    if codec != "raw":
        assert encoded(listed, f"{codec}[]:1") == encoded(
            pa.ListArray.from_arrays([0, len(plain)], plain), f"{codec}[]:1"
        )


WRONG = [
    (pa.string(), "int4"),
    (pa.string(), "bytea"),
    (pa.string(), "date"),
    (pa.binary(), "text"),
    (pa.int64(), "float8"),
    (pa.int64(), "text"),
    (pa.int32(), "bool"),
    (pa.bool_(), "int4"),
    (pa.float64(), "numeric"),
    (pa.float64(), "int8"),
    (pa.decimal128(5, 0), "int4"),
    (pa.timestamp("us"), "date"),
    (pa.date32(), "timestamp"),
    (pa.binary(15), "uuid"),
    (pa.uuid(), "bytea"),
    (pa.uuid(), "text"),
    (pa.json_(), "uuid"),
    (pa.struct([("a", pa.int32())]), "text"),
    (pa.map_(pa.string(), pa.string()), "json"),
    (pa.int32(), "int4[]:23"),
    (pa.list_(pa.int32()), "int4"),
    (pa.list_(pa.list_(pa.int32())), "int4[]:23"),
    (pa.list_(pa.list_view(pa.int32())), "int4[]:23"),
    (pa.list_(pa.string()), "int4[]:23"),
    (pa.dictionary(pa.int8(), pa.string()), "int4"),
]


@pytest.mark.parametrize(("type_", "codec"), WRONG, ids=str)
def test_wrong_pairing_is_refused_before_any_row(type_: pa.DataType, codec: str) -> None:
    schema = pa.schema({"a": pa.int32(), "c": type_})
    with pytest.raises(EncodeError) as caught:
        planned(schema, [("a", "int4"), ("c", codec)])
    error = caught.value
    assert (error.column, error.column_index, error.row) == ("c", 1, -1)
    assert error.message == f"Arrow's {type_} is not written into {codec.split(':')[0]}"
    assert error.hint


@pytest.mark.parametrize(
    ("type_", "codec", "hint"),
    [
        (pa.timestamp("us"), "timestamptz", "the values say no time zone"),
        (pa.timestamp("us", "UTC"), "timestamp", "the values are instants"),
    ],
)
def test_time_zones_are_neither_made_up_nor_dropped(
    type_: pa.DataType, codec: str, hint: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        planned(pa.schema({"c": type_}), [("c", codec)])
    assert caught.value.hint
    assert caught.value.hint.startswith(hint)


def test_columns_are_matched_by_name() -> None:
    batch = pa.record_batch({"b": ["x"], "a": [1]})
    columns = [("a", "int8"), ("b", "text")]
    made = planned(batch.schema, columns)(batch)
    assert made.schema.names == ["a", "b"]
    assert made.to_pydict() == {"a": [1], "b": ["x"]}


def test_all_columns_that_do_not_match_are_listed() -> None:
    schema = pa.schema([("a", pa.int8()), ("x", pa.int8()), ("y", pa.int8()), ("y", pa.int8())])
    with pytest.raises(SchemaMismatch) as caught:
        planned(schema, [("a", "int4"), ("b", "int4"), ("c", "int4")])
    assert caught.value.message == (
        "the columns do not match (missing: b, c; not in the target: x, y, y; more than once: y)"
    )


def test_batch_of_another_schema_is_refused() -> None:
    normaliser = planned(pa.schema({"a": pa.int32()}), [("a", "int4")])
    with pytest.raises(SchemaMismatch, match="another schema"):
        normaliser(pa.record_batch({"a": pa.array([1], pa.int64())}))


def test_plain_columns_are_not_copied() -> None:
    array = pa.array([Decimal("1.5")], pa.decimal128(5, 1))
    batch = pa.record_batch({"d": array})
    made = planned(batch.schema, [("d", "numeric")])(batch)
    assert made.column(0).buffers()[1].address == array.buffers()[1].address
