"""The decoder against PostgreSQL's own bytes, in any pieces, cut anywhere, and damaged."""

from __future__ import annotations

import asyncio
import struct
from itertools import pairwise

import asyncpg
import pyarrow as pa
import pytest
from fastload_postgres.copy_decode import CopyDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.errors import DecodeError, Unrepresentable
from fastload.kernels.decoder import BlockDecoder

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)

# expression, codec, value
VALUES = [
    ("true", "bool", True),
    ("(-32768)::int2", "int2", -32768),
    ("2147483647", "int4", 2147483647),
    ("(-9223372036854775808)::int8", "int8", -(2**63)),
    ("4294967295::oid", "oid", 2**32 - 1),
    ("'-infinity'::float8", "float8", float("-inf")),
    ("'héllo'::text", "text", "héllo"),
    ("'\\x00ff'::bytea", "bytea", b"\x00\xff"),
    ("'{\"a\": 1}'::jsonb", "jsonb", '{"a": 1}'),
    ("-0.00012::numeric", "numeric_text", "-0.00012"),
    ("'NaN'::numeric", "numeric_text", "NaN"),
    ("123456789012345.000::numeric", "numeric_text", "123456789012345.000"),
    ("ARRAY[1, NULL, 3]", "int4[]", [1, None, 3]),
    ("'{}'::text[]", "text[]", []),
    ("NULL::int", "int4", None),
    ("NULL::numeric", "numeric:5,2", None),
    ("NULL::text[]", "text[]", None),
]
COLUMNS = [(f"c{i}", codec) for i, (_, codec, _) in enumerate(VALUES)]
ROW = "SELECT " + ", ".join(expression for expression, _, _ in VALUES)
# What the Arrow type cannot hold: expression, codec, the value in words.
BEYOND = [
    ("'infinity'::date", "date", "infinity"),
    ("'-infinity'::timestamp", "timestamp", "-infinity"),
    ("'294276-12-31'::timestamptz", "timestamptz", "after 2000-01-01"),
    ("'24:00'::time", "time", "24:00:00"),
    ("'NaN'::numeric(5,2)", "numeric:5,2", "NaN"),
    ("100000::numeric", "numeric:5,2", "100000"),
    ("1.234::numeric", "numeric:5,2", "1.234"),
    ("'{{1,2}}'::int[]", "int4[]", "2 dimensions"),
    ("'[0:1]={1,2}'::int[]", "int4[]", "begins at 0"),
    ("'10000000 hours'::interval", "interval", "microseconds"),
]


async def copied(url: str, query: str) -> bytes:
    connection = await asyncpg.connect(url)
    pieces: list[bytes] = []

    async def keep(piece: bytes) -> None:
        pieces.append(bytes(piece))

    await connection.copy_from_query(query, output=keep, format="binary")
    await connection.close()
    return b"".join(pieces)


def decoded(pieces, columns, **options) -> pa.Table:
    decoder = CopyDecoder(columns, **options)
    batches = []
    for piece in pieces:
        decoder.feed(piece)
        while decoder.full:
            batches.append(pa.record_batch(decoder.take()))
            decoder.feed(b"")
    decoder.finish()
    batches.append(pa.record_batch(decoder.take()))
    for batch in batches:
        batch.validate(full=True)
    return pa.Table.from_batches(batches)


@pytest.fixture(scope="module")
def stream(postgres16):
    return asyncio.run(copied(postgres16.url, f"{ROW} UNION ALL {ROW}"))


def test_values_arrive(stream):
    row = [value for _, _, value in VALUES]
    assert [list(r.values()) for r in decoded([stream], COLUMNS).to_pylist()] == [row, row]


def test_any_cut_in_two_gives_the_same(stream):
    whole = decoded([stream], COLUMNS)
    for at in range(len(stream)):
        assert decoded([stream[:at], stream[at:]], COLUMNS).equals(whole)


@given(cuts=st.lists(st.integers(0, 2000), max_size=40), batch_bytes=st.integers(1, 4000))
@settings(max_examples=60, deadline=None)
def test_any_pieces_and_batches_give_the_same(stream, cuts, batch_bytes):
    edges = sorted({0, len(stream), *(c for c in cuts if c < len(stream))})
    pieces = [stream[a:b] for a, b in pairwise(edges)]
    found = decoded(pieces, COLUMNS, batch_bytes=batch_bytes)
    assert found.combine_chunks().equals(decoded([stream], COLUMNS).combine_chunks())


def test_a_stream_cut_off_anywhere_is_refused(stream):
    for size in range(len(stream)):
        with pytest.raises(DecodeError):
            decoded([stream[:size]], COLUMNS)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_damage_is_refused_or_harmless(stream, data):
    damaged = bytearray(stream)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    try:
        decoded([bytes(damaged)], COLUMNS)
    except (DecodeError, Unrepresentable):
        return


@pytest.mark.parametrize(("expression", "codec", "words"), BEYOND)
async def test_what_arrow_cannot_hold_is_named_or_becomes_null(
    postgres16, expression, codec, words
):
    stream = await copied(postgres16.url, f"SELECT NULL UNION ALL SELECT {expression}")
    with pytest.raises(Unrepresentable, match="no place") as caught:
        decoded([stream], [("x", codec)])
    assert words in caught.value.value
    assert (caught.value.row, caught.value.column) == (1, "x")
    found = decoded([stream], [("x", codec)], nulls_instead=["x"])
    assert found.to_pylist() == [{"x": None}, {"x": None}]


@pytest.mark.parametrize("sign", [0xC000, 0xD000, 0xF000])
@pytest.mark.parametrize("scale", [-1, -188, -32768])
def test_a_special_numeric_with_a_negative_scale_is_refused(sign, scale):
    """The room for its text would be reserved by it."""
    numeric = struct.pack(">hhHh", 0, 0, sign, scale)
    row = struct.pack(">hi", 1, len(numeric)) + numeric
    with pytest.raises(DecodeError, match="no server sends"):
        CopyDecoder([("x", "numeric_text")]).feed(HEADER + row)


def test_lists_beyond_a_block_keep_their_nulls():
    """Items have blocks of their own, whose nulls must not be lost between the modules."""
    items = [None if i % 3 else i for i in range(600)]
    wire = b"".join(b"\xff" * 4 if item is None else struct.pack(">ii", 4, item) for item in items)
    array = struct.pack(">iiIii", 1, 1, 23, len(items), 1) + wire
    row = struct.pack(">hi", 1, len(array)) + array
    found = decoded([HEADER + 3 * row + b"\xff\xff"], [("x", "int4[]")])
    assert found.to_pylist() == 3 * [{"x": items}]


def test_fields_must_have_room_for_every_type():
    with pytest.raises(ValueError, match="fields of 4 bytes"):
        CopyDecoder([("x", "numeric_text")], max_field_bytes=4)


def test_a_class_without_a_format_decodes_nothing():
    decoder = BlockDecoder()
    assert decoder.feed(b"bytes") == 0
    assert pa.record_batch(decoder.take()).num_columns == 0


@pytest.mark.parametrize("piece_bytes", [1, 7, 1 << 20])
def test_values_without_a_form_are_noted_by_the_row_of_their_batch(piece_bytes):
    days = [1, 2**31 - 1, None, 5, -(2**31)] * 400
    rows = [
        struct.pack(">hi", 2, 4)
        + struct.pack(">i", n)
        + (struct.pack(">i", -1) if day is None else struct.pack(">ii", 4, day))
        for n, day in enumerate(days)
    ]
    stream = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"".join(rows) + struct.pack(">h", -1)
    decoder = CopyDecoder([("n", "int4"), ("day", "date")], batch_bytes=1000, noted=["day"])
    found, batches = [], 0

    def take():
        nonlocal batches
        batch = pa.record_batch(decoder.take())
        for row, column, value in decoder.take_notes():
            assert column == 1
            assert batch.column(1)[row].as_py() is None
            found.append((batch.column(0)[row].as_py(), value))
        batches += 1

    for at in range(0, len(stream), piece_bytes):
        decoder.feed(stream[at : at + piece_bytes])
        while decoder.full:
            take()
            decoder.feed(b"")
    decoder.finish()
    take()
    assert batches > 3
    told = {2**31 - 1: "infinity", -(2**31): "-infinity"}
    assert found == [(n, told[day]) for n, day in enumerate(days) if day in told]
    assert decoder.nulled == len(found)
    assert decoder.take_notes() == []
