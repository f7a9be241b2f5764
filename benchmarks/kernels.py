"""The kernels alone: ``python -m pytest --benchmark-only benchmarks/kernels.py``.

Columns are made in memory, encoded, and decoded again; no server takes part. Per type and
direction: ns per value, and GB/s of the wire's bytes. The two rows of the load benchmark, narrow
and lineitem, have a limit per row.
"""

from __future__ import annotations

import datetime
import decimal
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastload_mysql.rows_decode import RowsDecoder
from fastload_mysql.rows_encode import RowsEncoder
from fastload_postgres.copy_decode import CopyDecoder
from fastload_postgres.copy_encode import CopyEncoder

from benchmarks import mysql_rows
from fastload.kernels.decoder import BlockDecoder
from fastload.kernels.encoder import BatchEncoder
from fastload.typemap import parse

ROWS = 100_000
_DAY = datetime.date(2024, 1, 1)
_NOON = datetime.datetime(2024, 1, 1, 12)
_WORDS = ["ordinary", "pending foxes", "sleep blithely above", "the", "carefully final deposits"]


def _numbers(bits: int) -> Callable[[int], int]:
    return lambda i: i * 2654435761 % (1 << bits - 1)


def _cents(i: int) -> decimal.Decimal:
    return decimal.Decimal(i * 7919 % 10**9).scaleb(-2)


def _days(i: int) -> datetime.date:
    return _DAY + datetime.timedelta(i % 2500)


def _word(i: int) -> str:
    return _WORDS[i % len(_WORDS)]


# Name: Arrow's type, the decoder's and the encoder's codec, and the value of a row.
TYPES: dict[str, tuple[str, str, str, Callable[[int], Any]]] = {
    "bool": ("bool", "bool", "bool", lambda i: i % 3 == 0),
    "int2": ("int16", "int2", "int2", _numbers(16)),
    "int4": ("int32", "int4", "int4", _numbers(32)),
    "int8": ("int64", "int8", "int8", _numbers(64)),
    "oid": ("uint32", "oid", "oid", _numbers(32)),
    "float4": ("float", "float4", "float4", float),
    "float8": ("double", "float8", "float8", float),
    "numeric(15,2)": ("decimal128(15, 2)", "numeric:15,2", "numeric", _cents),
    "numeric": ("opaque[numeric, PostgreSQL, string]", "numeric_text", "numeric_text",
                lambda i: str(_cents(i))),
    "text": ("string", "text", "text", _word),
    "bytea": ("binary", "bytea", "bytea", lambda i: _word(i).encode()),
    "uuid": ("arrow.uuid", "uuid", "uuid", lambda i: uuid.UUID(int=i * 2**64 + i).bytes),
    "json": ("arrow.json", "json", "json", lambda i: f'{{"n": {i}, "word": "{_word(i)}"}}'),
    "jsonb": ("arrow.json", "jsonb", "jsonb", lambda i: f'{{"n": {i}, "word": "{_word(i)}"}}'),
    "date": ("date32[day]", "date", "date", _days),
    "time": ("time64[us]", "time", "time", lambda i: i * 1000),
    "timestamp": ("timestamp[us]", "timestamp", "timestamp", lambda i: i * 10**9),
    "timestamptz": ("timestamp[us, tz=UTC]", "timestamptz", "timestamptz", lambda i: i * 10**9),
    "interval": ("month_day_nano_interval", "interval", "interval", lambda i: (i, 3, i * 1000)),
    "enum": ("string", "enum", "enum", lambda i: _WORDS[i % 2]),
    "int4[]": ("list<int32>", "int4[]", "int4[]:23", lambda i: [i, None, 7]),
    "text[]": ("list<string>", "text[]", "text[]:25", lambda i: [_word(i), "x"]),
}  # fmt: skip
NARROW = ("int8", "int4", "numeric(15,2)", "text", "timestamptz")
LINEITEM = ("int8", *["int4"] * 3, *["numeric(15,2)"] * 4, *["text"] * 2, *["date"] * 3,
            *["text"] * 3)  # fmt: skip
# MySQL's codecs for the values of the same rows.
MYSQL_TYPES: dict[str, tuple[str, Callable[[int], Any]]] = {
    "bigint": ("longlong", _numbers(64)),
    "int": ("long", _numbers(32)),
    "double": ("double", float),
    "decimal(15,2)": ("decimal:15,2", _cents),
    "varchar(20)": ("text", lambda i: _word(i)[:20]),
    "varchar(44)": ("text", _word),
    "date": ("date", _days),
    "datetime(6)": ("datetime", lambda i: _NOON + datetime.timedelta(seconds=i, microseconds=i)),
}
MYSQL_NARROW = ("bigint", "int", "double", "datetime(6)", "varchar(20)")
MYSQL_LINEITEM = ("bigint", *["int"] * 3, *["decimal(15,2)"] * 4, *["varchar(44)"] * 2,
                  *["date"] * 3, *["varchar(44)"] * 3)  # fmt: skip
# Arrow's type and the encoder's codec for them, and for others that only the encoder measures.
MYSQL_FORMS: dict[str, tuple[str, str, Callable[[int], Any]]] = {
    "bigint": ("int64", "longlong", _numbers(64)),
    "int": ("int32", "long", _numbers(32)),
    "float": ("float", "float", lambda i: i / 7),
    "double": ("double", "double", float),
    "double of many digits": ("double", "double", lambda i: i / 7),
    "decimal(15,2)": ("decimal128(15, 2)", "decimal:15,2", _cents),
    "varchar(20)": ("string", "text:20", lambda i: _word(i)[:20]),
    "varchar(44)": ("string", "text:44", _word),
    "escaped text": ("string", "text", lambda i: _word(i) + "\n"),
    "blob": ("binary", "blob", lambda i: _word(i).encode()),
    "bit(64)": ("uint64", "bit:64", lambda i: i),
    "date": ("date32[day]", "date", _days),
    "datetime(6)": ("timestamp[us]", "datetime:6",
                    lambda i: _NOON + datetime.timedelta(seconds=i, microseconds=i)),
    "time(6)": ("duration[us]", "time:6", lambda i: datetime.timedelta(microseconds=i)),
    "uuid": ("fixed_size_binary[16]", "uuid", lambda i: uuid.UUID(int=i * 2**64 + i).bytes),
    "uuid_text": ("fixed_size_binary[16]", "uuid_text",
                  lambda i: uuid.UUID(int=i * 2**64 + i).bytes),
    "int[]": ("list<int32>", "json", lambda i: [i, None, 7]),
}  # fmt: skip
MYSQL_SHAPES = {"narrow": (MYSQL_NARROW, 100), "lineitem": (MYSQL_LINEITEM, 350)}
MYSQL_ENCODED_SHAPES = {"narrow": (MYSQL_NARROW, 100), "lineitem": (MYSQL_LINEITEM, 350)}
ROW_SHAPES = {"narrow": (NARROW, 60, 80), "lineitem": (LINEITEM, 200, 250)}


def _column(name: str) -> pa.Array:
    arrow, _, _, value = TYPES[name]
    type_ = parse(arrow)
    storage = type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_
    return pa.array([value(i) for i in range(ROWS)], storage)


def _encoder(names: tuple[str, ...]) -> CopyEncoder:
    return CopyEncoder([(f"c{i}", TYPES[name][2]) for i, name in enumerate(names)])


def _batch(names: tuple[str, ...]) -> pa.RecordBatch:
    made = {name: _column(name) for name in set(names)}
    return pa.record_batch({f"c{i}": made[name] for i, name in enumerate(names)})


def _mysql_batch(names: tuple[str, ...]) -> pa.RecordBatch:
    made = {}
    for name in set(names):
        arrow, _, value = MYSQL_FORMS[name]
        made[name] = pa.array([value(i) for i in range(ROWS)], parse(arrow))
    return pa.record_batch({f"c{i}": made[name] for i, name in enumerate(names)})


def _mysql_encoded(names: tuple[str, ...], batch: pa.RecordBatch) -> list[bytes]:
    codecs = [(f"c{i}", MYSQL_FORMS[name][1]) for i, name in enumerate(names)]
    return _pieces(RowsEncoder(codecs), batch)


def _encoded(names: tuple[str, ...], batch: pa.RecordBatch) -> list[bytes]:
    return _pieces(_encoder(names), batch)


def _pieces(encoder: BatchEncoder, batch: pa.RecordBatch) -> list[bytes]:
    pieces, row = [], 0
    while row < batch.num_rows:
        piece, row = encoder.encode(batch, row, 1 << 20)
        pieces.append(piece)
    return pieces


def _decoded(names: tuple[str, ...], pieces: list[bytes]) -> int:
    return _drained(CopyDecoder([(f"c{i}", TYPES[n][1]) for i, n in enumerate(names)]), pieces)


def _mysql_decoded(names: tuple[str, ...], pieces: list[bytes]) -> int:
    words = [(f"c{i}", MYSQL_TYPES[name][0]) for i, name in enumerate(names)]
    return _drained(RowsDecoder(words), pieces)


def _drained(decoder: BlockDecoder, pieces: list[bytes]) -> int:
    rows = 0
    for piece in pieces:
        decoder.feed(piece)
        while decoder.full:
            rows += decoder.take().num_rows
            decoder.feed(b"")
    return rows + decoder.take().num_rows


def _tell(benchmark: Any, values: int, size_bytes: int) -> float:
    """Note the median per value, and return it in nanoseconds."""
    seconds = float(np.median(benchmark.stats.stats.data))
    nanoseconds = 1e9 * seconds / values
    benchmark.extra_info["ns"] = round(nanoseconds, 2)
    benchmark.extra_info["GB/s"] = round(size_bytes / seconds / 1e9, 3)
    print(f"\n{benchmark.name}: {nanoseconds:.1f} ns, {size_bytes / seconds / 1e9:.2f} GB/s")
    return nanoseconds


@pytest.mark.parametrize("name", TYPES)
def test_encode_value(benchmark: Any, name: str) -> None:
    batch = _batch((name,))
    pieces = benchmark(_encoded, (name,), batch)
    _tell(benchmark, ROWS, sum(map(len, pieces)))


@pytest.mark.parametrize("name", TYPES)
def test_decode_value(benchmark: Any, name: str) -> None:
    pieces = [_encoder((name,)).header(), *_encoded((name,), _batch((name,)))]
    assert benchmark(_decoded, (name,), pieces) == ROWS
    _tell(benchmark, ROWS, sum(map(len, pieces)))


@pytest.mark.parametrize("shape", ROW_SHAPES)
def test_encode_row(benchmark: Any, shape: str) -> None:
    names, _, limit_ns = ROW_SHAPES[shape]
    batch = _batch(names)
    pieces = benchmark(_encoded, names, batch)
    assert _tell(benchmark, ROWS, sum(map(len, pieces))) <= limit_ns


@pytest.mark.parametrize("shape", ROW_SHAPES)
def test_decode_row(benchmark: Any, shape: str) -> None:
    names, limit_ns, _ = ROW_SHAPES[shape]
    pieces = [_encoder(names).header(), *_encoded(names, _batch(names))]
    assert benchmark(_decoded, names, pieces) == ROWS
    assert _tell(benchmark, ROWS, sum(map(len, pieces))) <= limit_ns


@pytest.mark.parametrize("name", MYSQL_TYPES)
def test_decode_mysql_value(benchmark: Any, name: str) -> None:
    pieces = mysql_rows.pieces((MYSQL_TYPES[name],), ROWS)
    assert benchmark(_mysql_decoded, (name,), pieces) == ROWS
    _tell(benchmark, ROWS, sum(map(len, pieces)))


@pytest.mark.parametrize("shape", MYSQL_SHAPES)
def test_decode_mysql_row(benchmark: Any, shape: str) -> None:
    names, limit_ns = MYSQL_SHAPES[shape]
    pieces = mysql_rows.pieces(tuple(MYSQL_TYPES[name] for name in names), ROWS)
    assert benchmark(_mysql_decoded, names, pieces) == ROWS
    assert _tell(benchmark, ROWS, sum(map(len, pieces))) <= limit_ns


@pytest.mark.parametrize("name", MYSQL_FORMS)
def test_encode_mysql_value(benchmark: Any, name: str) -> None:
    batch = _mysql_batch((name,))
    pieces = benchmark(_mysql_encoded, (name,), batch)
    _tell(benchmark, ROWS, sum(map(len, pieces)))


@pytest.mark.parametrize("shape", MYSQL_ENCODED_SHAPES)
def test_encode_mysql_row(benchmark: Any, shape: str) -> None:
    names, limit_ns = MYSQL_ENCODED_SHAPES[shape]
    batch = _mysql_batch(names)
    pieces = benchmark(_mysql_encoded, names, batch)
    assert _tell(benchmark, ROWS, sum(map(len, pieces))) <= limit_ns
