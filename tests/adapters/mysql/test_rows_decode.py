"""The decoder against rows encoded from the protocol's description, cut anywhere, and damaged."""

from __future__ import annotations

import datetime
import decimal
import math
import struct
import uuid
from itertools import pairwise

import pyarrow as pa
import pytest
from fastload_mysql.rows_decode import RowsDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from fastload.errors import DecodeError, SourceError, Unrepresentable

UTC = datetime.UTC
MOST_PAYLOAD = 0xFFFFFF
FIXED = {
    "tiny": "b", "utiny": "B", "bool1": "b", "short": "h", "ushort": "H", "year": "H",
    "long": "i", "ulong": "I", "longlong": "q", "ulonglong": "Q", "float": "f", "double": "d",
}  # fmt: skip
EOF_PACKET = b"\xfe" + struct.pack("<HH", 3, 0x22)
OK_PACKET = b"\xfe\x00\x00" + struct.pack("<HH", 0x22, 3)


def lenenc(number: int) -> bytes:
    if number < 0xFB:
        return bytes([number])
    for mark, size in ((0xFC, 2), (0xFD, 3), (0xFE, 8)):
        if number < 1 << 8 * size:
            return bytes([mark]) + number.to_bytes(size, "little")
    raise AssertionError


def date_bytes(value: datetime.date) -> bytes:
    return struct.pack("<HBB", value.year, value.month, value.day)


def datetime_bytes(value: datetime.datetime) -> bytes:
    sent = date_bytes(value)
    if value.time() != datetime.time():
        sent += bytes([value.hour, value.minute, value.second])
    return sent + struct.pack("<I", value.microsecond) if value.microsecond else sent


def time_bytes(value: datetime.timedelta) -> bytes:
    if not value:
        return b""
    size = abs(value)
    hours, rest = divmod(size.seconds, 3600)
    sent = struct.pack("<BI3B", value.days < 0, size.days, hours, *divmod(rest, 60))
    return sent + struct.pack("<I", size.microseconds) if size.microseconds else sent


def value_bytes(word: str, value) -> bytes:
    """Encode one value that is not NULL; bytes stand for themselves."""
    if word in FIXED:
        return struct.pack("<" + FIXED[word], value)
    if isinstance(value, bytes):
        sent = value
    elif word == "date":
        sent = date_bytes(value)
    elif word in ("datetime", "timestamp"):
        sent = datetime_bytes(value)
    elif word == "time":
        sent = time_bytes(value)
    elif word in ("bit", "bit1"):
        sent = value.to_bytes(8 if word == "bit" else 1, "big")
    elif word == "uuid":
        sent = str(value).encode()
    else:
        sent = (f"{value:f}" if isinstance(value, decimal.Decimal) else value).encode()
    return lenenc(len(sent)) + sent


def row_payload(words, values) -> bytes:
    bitmap = 0
    sent = b""
    for i, (word, value) in enumerate(zip(words, values, strict=True)):
        if value is None:
            bitmap |= 4 << i
        else:
            sent += value_bytes(word, value)
    return b"\0" + bitmap.to_bytes((len(words) + 9) // 8, "little") + sent


def packets(payloads, sequence: int = 0) -> bytes:
    """Number payloads and put their headers before them; long ones make several packets."""
    sent = []
    for payload in payloads:
        for at in range(0, len(payload) + 1, MOST_PAYLOAD):
            piece = payload[at : at + MOST_PAYLOAD]
            sent += [len(piece).to_bytes(3, "little"), bytes([sequence % 256]), piece]
            sequence += 1
    return b"".join(sent)


def stream_of(words, rows, end: bytes = EOF_PACKET, sequence: int = 0) -> bytes:
    return packets([*(row_payload(words, row) for row in rows), end], sequence)


def columns_of(words):
    return [(f"c{i}", word) for i, word in enumerate(words)]


def decoded(pieces, words, **options) -> pa.Table:
    decoder = RowsDecoder(columns_of(words), **options)
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
    assert sum(batch.num_rows for batch in batches) == decoder.rows
    return pa.Table.from_batches(batches)


def values_of(table: pa.Table) -> list[list]:
    return [list(row.values()) for row in table.to_pylist()]


def integers(bits: int, *, signed: bool = True):
    least = -(1 << bits - 1) if signed else 0
    return st.integers(least, least + (1 << bits) - 1)


def decimals(precision: int, scale: int):
    most = 10**precision - 1

    def exact(unscaled: int) -> decimal.Decimal:
        text = str(abs(unscaled)).zfill(scale + 1)
        whole, fraction = (text[:-scale], text[-scale:]) if scale else (text, "")
        return decimal.Decimal(f"{'-' * (unscaled < 0)}{whole}.{fraction}")

    return st.integers(-most, most).map(exact)


MOST_TIME = datetime.timedelta(hours=838, minutes=59, seconds=59, microseconds=999999)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)
# Codec: its Arrow type and the values it carries.
VALUES = {
    "tiny": ("int8", integers(8)),
    "utiny": ("uint8", integers(8, signed=False)),
    "bool1": ("bool", st.booleans()),
    "short": ("int16", integers(16)),
    "ushort": ("uint16", integers(16, signed=False)),
    "year": ("uint16", st.just(0) | st.integers(1901, 2155)),
    "long": ("int32", integers(32)),
    "ulong": ("uint32", integers(32, signed=False)),
    "longlong": ("int64", integers(64)),
    "ulonglong": ("uint64", integers(64, signed=False)),
    "float": ("float", st.floats(width=32, allow_nan=False)),
    "double": ("double", st.floats(allow_nan=False)),
    "decimal:1,0": ("decimal128(1, 0)", decimals(1, 0)),
    "decimal:15,2": ("decimal128(15, 2)", decimals(15, 2)),
    "decimal:18,18": ("decimal128(18, 18)", decimals(18, 18)),
    "decimal:19,0": ("decimal128(19, 0)", decimals(19, 0)),
    "decimal:38,10": ("decimal128(38, 10)", decimals(38, 10)),
    "decimal:65,30": ("decimal256(65, 30)", decimals(65, 30)),
    "date": ("date32[day]", st.dates()),
    "datetime": ("timestamp[us]", st.datetimes()),
    "timestamp": ("timestamp[us, tz=UTC]", st.datetimes(timezones=st.just(UTC))),
    "time": ("duration[us]", st.timedeltas(-MOST_TIME, MOST_TIME)),
    "text": ("string", TEXTS),
    "json": ("extension<arrow.json>", st.just('{"a": [1]}')),
    "opaque_text:date": ("string", TEXTS),
    "blob": ("binary", st.binary(max_size=300)),
    "raw:datetime": ("binary", st.binary(max_size=11)),
    "bit": ("uint64", integers(64, signed=False)),
    "bit1": ("bool", st.booleans()),
    "uuid": ("extension<arrow.uuid>", st.uuids()),
}  # fmt: skip
ROW_WORDS = tuple(VALUES)
ROW = (
    -128, 255, True, -32768, 65535, 2155, -(2**31), 2**32 - 1, -(2**63), 2**64 - 1, -0.5,
    math.inf, decimal.Decimal("-9"), decimal.Decimal("-1234567890123.45"),
    decimal.Decimal("0.123456789012345678"), decimal.Decimal("9999999999999999999"),
    decimal.Decimal("-1234567890123456789012345678.0123456789"),
    decimal.Decimal(-(10**65) + 1).scaleb(-30, decimal.Context(prec=65)),
    datetime.date(9999, 12, 31),
    datetime.datetime(1000, 1, 1, 0, 0, 0, 1), datetime.datetime(2024, 2, 29, tzinfo=UTC),
    -MOST_TIME, "héllo", '{"a": 1}', "2020-00-10", b"\x00\xff", b"\xe4\x07\x00\x0a", 2**64 - 1,
    True, uuid.UUID("01234567-89ab-cdef-fedc-ba9876543210"),
)  # fmt: skip
NO_ROW = (None,) * len(ROW)
STREAM = stream_of(ROW_WORDS, [ROW, NO_ROW, ROW])


@pytest.mark.parametrize("word", VALUES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_values_arrive(word, data):
    _, values = VALUES[word]
    rows = [[v] for v in data.draw(st.lists(st.none() | values, max_size=30))]
    found = decoded([stream_of([word], rows)], [word], batch_bytes=data.draw(st.integers(1, 500)))
    assert values_of(found) == rows


@pytest.mark.parametrize("word", VALUES)
def test_types_are_native(word):
    found = decoded([stream_of([word], [])], [word]).schema.field(0)
    assert str(found.type) == VALUES[word][0] or "opaque" in str(found.type)
    if "decimal" not in word and ":" in word:
        assert word.partition(":")[2] in f"{found.type}{found.metadata}"


@given(cuts=st.lists(st.integers(0, 3000), max_size=40), batch_bytes=st.integers(1, 4000))
@settings(max_examples=60, deadline=None)
def test_any_pieces_and_batches_give_the_same(cuts, batch_bytes):
    edges = sorted({0, len(STREAM), *(c for c in cuts if c < len(STREAM))})
    pieces = [STREAM[a:b] for a, b in pairwise(edges)]
    found = decoded(pieces, ROW_WORDS, batch_bytes=batch_bytes)
    assert values_of(found) == [list(ROW), list(NO_ROW), list(ROW)]


def test_any_cut_in_two_gives_the_same():
    whole = decoded([STREAM], ROW_WORDS)
    for at in range(len(STREAM)):
        assert decoded([STREAM[:at], STREAM[at:]], ROW_WORDS).equals(whole)


def test_single_bytes_give_the_same():
    pieces = [STREAM[i : i + 1] for i in range(len(STREAM))]
    assert decoded(pieces, ROW_WORDS).equals(decoded([STREAM], ROW_WORDS))


def test_rows_cut_off_anywhere_are_refused():
    for size in range(len(STREAM)):
        with pytest.raises(DecodeError):
            decoded([STREAM[:size]], ROW_WORDS)


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_damage_is_refused_or_harmless(data):
    damaged = bytearray(STREAM)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    pieces = [bytes(damaged)]
    if data.draw(st.booleans()):
        pieces = [bytes([byte]) for byte in damaged]
    try:
        decoded(pieces, ROW_WORDS, nulls_instead=data.draw(st.sampled_from([[], ["c18"]])))
    except (DecodeError, Unrepresentable, SourceError):
        return


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=500, deadline=None)
def test_random_rows_are_refused_or_decoded(noise, framed):
    stream = packets([b"\0" + noise, EOF_PACKET]) if framed else noise
    try:
        decoded([stream], ["text", "date", "decimal:10,2", "tiny", "blob"])
    except (DecodeError, Unrepresentable, SourceError):
        return


@pytest.mark.parametrize("null", range(20))
@pytest.mark.parametrize("count", [1, 6, 7, 14, 20])
def test_every_bit_of_the_null_bitmap_is_its_own_column(count, null):
    words, row = ["tiny"] * count, list(range(count))
    if null < count:
        row[null] = None
    assert values_of(decoded([stream_of(words, [row])], words)) == [row]


def test_blocks_and_batches_of_many_rows_keep_their_order():
    words = ["long", "text", "datetime", "decimal:10,2", "bool1"]
    day = datetime.datetime(2024, 1, 1)
    rows = [
        [None if i % 7 == 0 else i, "x" * (i % 300), day + datetime.timedelta(seconds=i),
         decimal.Decimal(i).scaleb(-2), None if i % 5 == 0 else i % 2 == 0]
        for i in range(5000)
    ]  # fmt: skip
    found = decoded([stream_of(words, rows)], words, batch_bytes=10_000)
    assert values_of(found) == rows
    assert found.column(0).num_chunks > 20


@pytest.mark.parametrize("extra", [-9, -6, -5, -4, 0, 1])
@pytest.mark.parametrize("packets_filled", [1, 2])
@pytest.mark.parametrize("chunk_bytes", [1 << 16, 9_000_001, 1 << 30])
def test_rows_longer_than_a_packet(chunk_bytes, packets_filled, extra):
    """Around the sizes at which the last packet is full, or empty."""
    words = ["long", "blob", "tiny"]
    blob = b"abcdefghijklm" * (packets_filled * MOST_PAYLOAD // 13 + 1)
    blob = blob[: packets_filled * MOST_PAYLOAD + extra - 6]
    rows = [[1, b"before", 2], [3, blob, -4], [5, b"after", 6], [7, None, None]]
    stream = stream_of(words, rows, sequence=250)
    pieces = [stream[at : at + chunk_bytes] for at in range(0, len(stream), chunk_bytes)]
    assert values_of(decoded(pieces, words, sequence=250)) == rows


def test_a_gap_within_a_long_row_is_refused_at_its_offset():
    stream = bytearray(stream_of(["blob"], [[bytes(2 * MOST_PAYLOAD)]]))
    header = MOST_PAYLOAD + 4
    assert stream[header + 3] == 1
    stream[header + 3] = 2
    for pieces in ([bytes(stream)], [bytes(stream[:header]), bytes(stream[header:])]):
        with pytest.raises(DecodeError, match="another number") as caught:
            decoded(pieces, ["blob"])
        assert caught.value.offset == header


def test_a_fault_far_into_a_long_row_has_its_offset_in_the_stream():
    payload = row_payload(["blob", "date"], [bytes(2 * MOST_PAYLOAD), b"\xe4\x07\x0d\x01"])
    with pytest.raises(DecodeError, match="month") as caught:
        decoded([packets([payload, EOF_PACKET])], ["blob", "date"])
    # Three headers; the field begins with its length.
    assert caught.value.offset == 3 * 4 + len(payload) - 5
    assert caught.value.column_index == 1


@pytest.mark.parametrize("end", [EOF_PACKET, OK_PACKET, OK_PACKET + b"\x00info"])
def test_both_ends_tell_warnings_and_status(end):
    decoder = RowsDecoder([("x", "long")])
    decoder.feed(stream_of(["long"], [[1], [2]], end))
    decoder.finish()
    assert (decoder.ended, decoder.warnings, decoder.status) == (True, 3, 0x22)
    assert (decoder.rows, decoder.rows_held, decoder.error) == (2, 2, None)


def test_an_ok_packet_with_long_counts():
    end = b"\xfe\xfc\x00\x01\xfe" + bytes(8) + struct.pack("<HH", 2, 1)
    decoder = RowsDecoder([("x", "long")])
    decoder.feed(packets([end]))
    assert (decoder.warnings, decoder.status) == (1, 2)


def test_an_error_among_the_rows_ends_them():
    message = "Query execution was interrupted"
    end = b"\xff" + struct.pack("<H", 1317) + b"#70100" + message.encode()
    stream = stream_of(["long"], [[1], [2]], end)
    for pieces in ([stream], [stream[i : i + 1] for i in range(len(stream))]):
        decoder = RowsDecoder([("x", "long")])
        for piece in pieces:
            decoder.feed(piece)
        assert (decoder.ended, decoder.error) == (True, (1317, "70100", message))
        assert pa.record_batch(decoder.take()).to_pylist() == [{"x": 1}, {"x": 2}]
        with pytest.raises(SourceError, match=message):
            decoder.finish()


def test_an_error_without_state():
    decoder = RowsDecoder([("x", "long")])
    decoder.feed(packets([b"\xff" + struct.pack("<H", 2013) + b"lost \xff"]))
    assert decoder.error == (2013, "HY000", "lost \ufffd")


@pytest.mark.parametrize(
    "end",
    [b"\xfe", b"\xfe\0\0\0", b"\xfe\0\0\0\0\0", b"\xfe\xfb" + bytes(8), b"\xff", b"\xff\0",
     b"\xff\0\0#70", b"\xfe\xfe" + bytes(9), b"\x01", b"\xfd" + bytes(5)],
)  # fmt: skip
def test_a_malformed_end_is_refused(end):
    decoder = RowsDecoder([("x", "long")])
    with pytest.raises(DecodeError) as caught:
        decoder.feed(stream_of(["long"], [[1]], end))
    assert caught.value.offset in (10, 14)
    with pytest.raises(DecodeError):
        decoder.finish()


def test_bytes_after_the_end_are_refused():
    decoder = RowsDecoder([("x", "long")])
    decoder.feed(packets([EOF_PACKET]))
    with pytest.raises(DecodeError, match="follow") as caught:
        decoder.feed(b"\0")
    assert caught.value.offset == 9


@pytest.mark.parametrize("changed", [0, 1, 2])
def test_a_gap_in_the_sequence_is_refused(changed):
    stream = bytearray(stream_of(["long"], [[1], [2]], sequence=254))
    at = 10 * changed
    stream[at + 3] ^= 1
    with pytest.raises(DecodeError, match="another number") as caught:
        decoded([bytes(stream)], ["long"], sequence=254)
    assert (caught.value.offset, caught.value.column_index) == (at, -1)


def test_the_sequence_wraps_around():
    rows = [[i] for i in range(700)]
    assert values_of(decoded([stream_of(["long"], rows, sequence=77)], ["long"])) == rows


def datetimes(*fields: int) -> bytes:
    return struct.pack({3: "<HBB", 6: "<H5B", 7: "<H5BI"}[len(fields)], *fields)


ZERO = "0000-00-00"
# What Arrow cannot hold: codec, value, the value in words.
BEYOND = [
    ("date", b"", ZERO),
    ("date", datetimes(0, 0, 0), ZERO),
    ("date", datetimes(2020, 0, 10), "2020-00-10"),
    ("date", datetimes(2020, 2, 0), "2020-02-00"),
    ("date", datetimes(2023, 2, 29), "2023-02-29"),
    ("date", datetimes(2020, 4, 31), "2020-04-31"),
    ("date", datetimes(2020, 4, 30, 1, 0, 0), "2020-04-30 01:00:00"),
    ("datetime", b"", f"{ZERO} 00:00:00"),
    ("timestamp", b"", f"{ZERO} 00:00:00"),
    ("datetime", datetimes(2020, 0, 10, 1, 2, 3), "2020-00-10 01:02:03"),
    ("datetime", datetimes(1900, 2, 29, 1, 2, 3, 45), "1900-02-29 01:02:03.000045"),
    ("bool1", 2, "2"),
    ("bool1", -1, "-1"),
    ("decimal:5,2", "1000.00", "1000.00"),
    ("decimal:5,2", "0.001", "0.001"),
    ("decimal:19,2", "-100000000000000000.00", "-100000000000000000.00"),
    ("decimal:19,2", "0.001", "0.001"),
]


@pytest.mark.parametrize(("word", "value", "words"), BEYOND)
def test_what_arrow_cannot_hold_is_named_or_becomes_null(word, value, words):
    row = [7, None, value]
    stream = stream_of(["tiny", "text", word], [[1, "é", None], row])
    columns = [("a", "tiny"), ("b", "text"), ("x", word)]
    decoder = RowsDecoder(columns)
    with pytest.raises(Unrepresentable, match="no place") as caught:
        decoder.feed(stream)
    assert (caught.value.value, caught.value.row) == (words, 1)
    assert (caught.value.column, caught.value.column_index) == ("x", 2)
    assert decoder.failed_row == row_payload(["tiny", "text", word], row)
    with pytest.raises(Unrepresentable):
        decoder.take()
    decoder = RowsDecoder(columns, nulls_instead=["x"])
    decoder.feed(stream)
    decoder.finish()
    assert pa.record_batch(decoder.take()).column(2).null_count == 2


UUID = "01234567-89ab-cdef-fedc-ba9876543210"


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("date", datetimes(2020, 13, 1)), ("date", datetimes(2020, 1, 32)),
        ("date", datetimes(10000, 1, 1)), ("date", b"\0"), ("date", b"\0" * 3),
        ("date", b"\0" * 12), ("datetime", datetimes(2020, 1, 1, 24, 0, 0)),
        ("datetime", datetimes(2020, 1, 1, 0, 60, 0)),
        ("datetime", datetimes(2020, 1, 1, 0, 0, 60)),
        ("datetime", datetimes(2020, 1, 1, 0, 0, 0, 1_000_000)),
        ("datetime", datetimes(2020, 1, 1, 255, 0, 0)), ("datetime", b"\0" * 8),
        ("time", b"\2" + bytes(7)), ("time", b"\0\x23" + bytes(6)), ("time", b"\0" * 9),
        ("time", b"\0\x22\0\0\0\x17\0\0"), ("time", b"\0\xff\xff\xff\xff\0\0\0"),
        ("time", b"\xff" * 12), ("bit", b""), ("bit", b"\0" * 9),
        ("bit1", b""), ("bit1", b"\2"), ("bit1", b"\0\1"), ("uuid", b""), ("uuid", UUID[:-1]),
        ("uuid", f"{UUID}0"), ("uuid", UUID.replace("-", "a")), ("uuid", f"{UUID[:-1]}g"),
        ("uuid", UUID.replace("c", "\x7f")), ("uuid", UUID.replace("f-f", "ff-")),
        ("uuid", b"\xff" * 36), ("uuid", UUID.replace("-", "")),
        ("decimal:5,2", ""), ("decimal:5,2", "."), ("decimal:5,2", "-"), ("decimal:5,2", "1e2"),
        ("decimal:5,2", "--1"), ("decimal:5,2", "1.2.3"), ("decimal:5,2", "99999x"),
        ("decimal:40,2", "x"), ("decimal:40,2", " 1"), ("decimal:5,2", "1" * 251),
        ("text", b"\xff"), ("text", b"\xc3"), ("json", b"\xed\xa0\x80"),
    ],
)  # fmt: skip
def test_what_no_server_sends_is_refused_where_it_stands(word, value):
    words = ["tiny", word]
    for options in ({}, {"nulls_instead": ["c1"]}):
        with pytest.raises(DecodeError) as caught:
            decoded([stream_of(words, [[1, None], [1, value]])], words, **options)
        # The first row takes seven bytes; the field follows header, bitmap and one byte.
        assert 14 <= caught.value.offset <= 24
        assert (caught.value.column_index, caught.value.column) == (1, "c1")


@pytest.mark.parametrize(
    "field",
    [b"\xfb", b"\xff", b"\xfc", b"\xfc\x01", b"\xfd\0\0", b"\xfe" + bytes(7), b"\x02a", b"",
     b"\xfc\x02\0a", b"\xfe" + b"\xff" * 8 + b"a", b"\xfe" + bytes(7) + b"\x80", b"\x01ab"],
)  # fmt: skip
@pytest.mark.parametrize("word", ["text", "blob", "decimal:5,2", "date", "bit", "bit1", "uuid"])
def test_lengths_that_do_not_fit_are_refused(word, field):
    with pytest.raises(DecodeError):
        decoded([packets([b"\0\0" + field, EOF_PACKET])], [word])


@pytest.mark.parametrize("head", [b"\xfc\x03\0", b"\xfd\x03\0\0", b"\xfe\x03" + bytes(7)])
def test_lengths_may_take_more_bytes_than_they_need(head):
    found = decoded([packets([b"\0\0" + head + b"abc", EOF_PACKET])], ["text"])
    assert values_of(found) == [["abc"]]


@pytest.mark.parametrize("word", VALUES)
def test_a_row_with_too_few_or_too_many_bytes_is_refused(word):
    payload = row_payload([word], [ROW[ROW_WORDS.index(word)]])
    for broken in (payload[:-1], payload + b"\0", payload[:1]):
        with pytest.raises(DecodeError):
            decoded([packets([broken, EOF_PACKET])], [word])


def test_an_empty_packet_is_refused():
    with pytest.raises(DecodeError, match="empty"):
        decoded([packets([b"", EOF_PACKET])], ["long"])


def test_fields_longer_than_allowed_are_refused():
    with pytest.raises(DecodeError, match="length"):
        decoded([stream_of(["text"], [["abcd"]])], ["text"], max_field_bytes=3)


@pytest.mark.parametrize("text", ["5", "+5", "005.00", "5.", "5.0", "05.000"])
@pytest.mark.parametrize("word", ["decimal:5,2", "decimal:30,2", "decimal:60,2"])
def test_decimals_in_other_words(word, text):
    found = decoded([stream_of([word], [[text], [f"-{text.lstrip('+')}"], [".5"]])], [word])
    assert [str(v) for [v] in values_of(found)] == ["5.00", "-5.00", "0.50"]


def test_uuids_in_capitals():
    found = decoded([stream_of(["uuid"], [[UUID.upper()], [None], [UUID]])], ["uuid"])
    assert values_of(found) == [[uuid.UUID(UUID)], [None], [uuid.UUID(UUID)]]


def test_years_before_the_calendar():
    """Python has no year 0, Arrow has."""
    stream = stream_of(["date"], [[datetimes(0, 1, 1)], [datetimes(0, 12, 31)]])
    days = decoded([stream], ["date"]).column(0).cast("int32").to_pylist()
    assert days == [-719528, -719163]


def test_every_day_of_four_centuries():
    first = datetime.date(1800, 1, 1)
    rows = [[first + datetime.timedelta(i)] for i in range(146098)]
    assert decoded([stream_of(["date"], rows)], ["date"]).column(0).to_pylist() == [
        day for [day] in rows
    ]


def test_midnight_sent_in_full():
    rows = [[datetimes(2020, 1, 1, 0, 0, 0)], [datetimes(2020, 1, 1, 0, 0, 0, 0)]]
    found = decoded([stream_of(["datetime"], rows)], ["datetime"])
    assert values_of(found) == 2 * [[datetime.datetime(2020, 1, 1)]]
    assert values_of(decoded([stream_of(["date"], rows)], ["date"])) == 2 * [
        [datetime.date(2020, 1, 1)]
    ]


@pytest.mark.parametrize("word", ["no", "decimal:0,0", "decimal:77,2", "decimal:5,6", "text[]"])
def test_unknown_words_are_refused(word):
    with pytest.raises(ValueError, match="no "):
        RowsDecoder([("x", word)])


def test_batches_outlive_their_decoder():
    decoder = RowsDecoder([("a", "text"), ("b", "decimal:40,2")])
    decoder.feed(stream_of(["text", "decimal:40,2"], [["kept", "1.50"]] * 300))
    batch = decoder.take()
    del decoder
    taken = [pa.record_batch(batch) for _ in range(3)]
    del batch
    assert taken[0].column(0).slice(299).to_pylist() == ["kept"]
    assert taken[0].equals(taken[2])
