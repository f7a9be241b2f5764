"""PostgreSQL's own text of what it was given in binary."""

from __future__ import annotations

import random
from decimal import Context, Decimal
from typing import TYPE_CHECKING

import asyncpg
import pyarrow as pa
import pytest
from fastload_postgres.copy_encode import CopyEncoder

from fastload.arrow_input import plan

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Database

pytestmark = pytest.mark.postgres
EXACT = Context(prec=400)
SETUP = "CREATE TYPE mood AS ENUM ('sad', 'glad'); SET timezone = 'UTC'; SET bytea_output = 'hex'"


async def stream(encoder: CopyEncoder, batch: pa.RecordBatch) -> AsyncIterator[bytes]:
    yield encoder.header()
    row = 0
    while row < batch.num_rows:
        data, row = encoder.encode(batch, row, 1 << 16)
        yield data
    yield encoder.trailer()


async def written(
    database: Database, batch: pa.RecordBatch, columns: dict[str, tuple[str, str]]
) -> list[asyncpg.Record]:
    """Write a batch into a table of these types and codecs, and return all rows as text."""
    codecs = [(name, codec) for name, (_, codec) in columns.items()]
    connection = await asyncpg.connect(database.url)
    try:
        await connection.execute(SETUP)
        types = ", ".join(f"{name} {type_}" for name, (type_, _) in columns.items())
        await connection.execute(f"CREATE TABLE t (n serial, {types})")
        made = plan(batch.schema, codecs, CopyEncoder(codecs).check)(batch)
        status = await connection.copy_to_table(
            "t", columns=list(columns), source=stream(CopyEncoder(codecs), made), format="binary"
        )
        assert status == f"COPY {batch.num_rows}"
        texts = ", ".join(f"{name}::text" for name in columns)
        rows: list[asyncpg.Record] = await connection.fetch(f"SELECT {texts} FROM t ORDER BY n")
        return rows
    finally:
        await connection.close()


def counts(type_: pa.DataType, *values: int) -> pa.Array:
    return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


# Type, codec, values, PostgreSQL's text of them.
EXTREMES: list[tuple[str, str, pa.Array, list[str]]] = [
    ("bool", "bool", pa.array([True, False]), ["true", "false"]),
    ("int2", "int2", pa.array([-32768, 32767]), ["-32768", "32767"]),
    ("int4", "int4", pa.array([-(2**31), 2**31 - 1]), ["-2147483648", "2147483647"]),
    ("int8", "int8", pa.array([-(2**63), 2**63 - 1]), [str(-(2**63)), str(2**63 - 1)]),
    ("oid", "oid", pa.array([0, 2**32 - 1], pa.uint32()), ["0", "4294967295"]),
    (
        "float4",
        "float4",
        pa.array([3.4028235e38, 1e-45, float("nan"), float("-inf")], pa.float32()),
        ["3.4028235e+38", "1e-45", "NaN", "-Infinity"],
    ),
    (
        "float8",
        "float8",
        pa.array([1.7976931348623157e308, 5e-324, -0.0, float("inf")]),
        ["1.7976931348623157e+308", "5e-324", "-0", "Infinity"],
    ),
    ("float4", "float4", pa.array([0.1, -0.0]), ["0.1", "-0"]),
    ("text", "text", pa.array(["", "\U0010ffff\x01 \n"]), ["", "\U0010ffff\x01 \n"]),
    ("varchar(3)", "text", pa.array(["a\u00e9z"]), ["a\u00e9z"]),
    ("bytea", "bytea", pa.array([b"", b"\x00\xff"]), ["\\x", "\\x00ff"]),
    ("uuid", "uuid", pa.array([bytes(16), b"\xff" * 16], pa.binary(16)),
     ["00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"]),
    ("json", "json", pa.array(['{"a":  1}']), ['{"a":  1}']),
    ("jsonb", "jsonb", pa.array(['{"a":  1}']), ['{"a": 1}']),
    ("mood", "enum", pa.array(["sad", "glad"]), ["sad", "glad"]),
    ("date", "date", counts(pa.date32(), -2_440_588, 2_145_042_905),
     ["4714-11-24 BC", "5874897-12-31"]),
    ("time", "time", counts(pa.time64("us"), 0, 86_400_000_000), ["00:00:00", "24:00:00"]),
    (
        "timestamp",
        "timestamp",
        counts(pa.timestamp("us"), -210_866_803_200_000_000, 2**63 - 1),
        ["4714-11-24 00:00:00 BC", "294247-01-10 04:00:54.775807"],
    ),
    (
        "timestamp",
        "timestamp",
        counts(pa.timestamp("ms"), 9_224_318_015_999_999),
        ["294276-12-31 23:59:59.999"],
    ),
    (
        "timestamptz",
        "timestamptz",
        counts(pa.timestamp("s", "America/Lima"), -1, 9_224_318_015_999),
        ["1969-12-31 23:59:59+00", "294276-12-31 23:59:59+00"],
    ),
    (
        "interval",
        "interval",
        pa.array([(2**31 - 1, -(2**31), 0), (0, 0, -(2**63) + 808)], pa.month_day_nano_interval()),
        ["178956970 years 7 mons -2147483648 days", "-2562047:47:16.854775"],
    ),
    ("interval", "interval", counts(pa.duration("us"), 2**63 - 1), ["2562047788:00:54.775807"]),
    ("numeric", "numeric", pa.array([-(2**63), 0]), [str(-(2**63)), "0"]),
    ("numeric", "numeric", pa.array([2**64 - 1], pa.uint64()), [str(2**64 - 1)]),
    (
        "numeric",
        "numeric_text",
        pa.array(["NaN", "-inf", "1.10", "-0.0", "1.5e3", "1e-3"]),
        ["NaN", "-Infinity", "1.10", "0.0", "1500", "0.001"],
    ),
    (
        "numeric",
        "numeric_text",
        pa.array(["9" * 131072 + "." + "9" * 16383, "0." + "0" * 16382 + "1"]),
        ["9" * 131072 + "." + "9" * 16383, "0." + "0" * 16382 + "1"],
    ),
    ("int4[]", "int4[]:23", pa.array([[], [None], [1, -2]]), ["{}", "{NULL}", "{1,-2}"]),
    ("text[]", "text[]:25", pa.array([["", None, 'a"b']]), ['{"",NULL,"a\\"b"}']),
    (
        "numeric(5,2)[]",
        "numeric[]:1700",
        pa.array([[Decimal("1.50"), None]], pa.list_(pa.decimal128(5, 2))),
        ["{1.50,NULL}"],
    ),
    (
        "timestamptz[]",
        "timestamptz[]:1184",
        pa.array([[0]], pa.list_(pa.timestamp("ns", "UTC"))),
        ['{"1970-01-01 00:00:00+00"}'],
    ),
    ("jsonb[]", "jsonb[]:3802", pa.array([["1"]]), ["{1}"]),
    ("inet", "raw", pa.array([b"\x02\x20\x00\x04\x7f\x00\x00\x01"]), ["127.0.0.1/32"]),
]  # fmt: skip


@pytest.mark.parametrize("version", ["source", "target"])
@pytest.mark.parametrize(("type_", "codec", "array", "texts"), EXTREMES)
async def test_extremes_arrive(
    version: str,
    type_: str,
    codec: str,
    array: pa.Array,
    texts: list[str],
    request: pytest.FixtureRequest,
) -> None:
    with_null = pa.concat_arrays([array, pa.nulls(1, array.type)])
    rows = await written(
        request.getfixturevalue(version), pa.record_batch({"c": with_null}), {"c": (type_, codec)}
    )
    assert [r["c"] for r in rows] == [*texts, None]


DECIMALS = [
    pa.decimal32(9, 4),
    pa.decimal64(18, 1),
    pa.decimal128(12, 2),
    pa.decimal128(38, 0),
    pa.decimal128(38, 38),
    pa.decimal128(20, -3),
    pa.decimal256(76, 5),
    pa.decimal256(76, 76),
    pa.decimal256(40, -10),
]


def unscaled_values(type_: pa.DataType, seed: int) -> list[int]:
    """Return integers of every number of digits, some with many zeros at the end."""
    dice = random.Random(seed)
    found = [0, 1, -1, 10**type_.precision - 1, 1 - 10**type_.precision]
    for _ in range(500):
        value = dice.randrange(10 ** dice.randint(1, type_.precision))
        value -= value % 10 ** dice.choice([0, 0, dice.randint(0, type_.precision)])
        found.append(dice.choice([1, -1]) * value)
    return found


@pytest.mark.parametrize("type_", DECIMALS, ids=str)
async def test_decimals_equal_what_the_server_reads_from_text(
    type_: pa.DataType, target: Database
) -> None:
    values = unscaled_values(type_, seed=7)
    raw = b"".join(v.to_bytes(type_.byte_width, "little", signed=True) for v in values)
    array = pa.Array.from_buffers(type_, len(values), [None, pa.py_buffer(raw)])
    texts = [format(EXACT.scaleb(Decimal(v), -type_.scale), "f") for v in values]
    batch = pa.record_batch({"d": array, "s": texts, "x": texts})
    columns = {"d": ("numeric", "numeric"), "s": ("numeric", "numeric_text"), "x": ("text", "text")}
    rows = await written(target, batch, columns)
    assert [(r["d"], r["s"]) for r in rows] == [(t, t) for t in (plain(x) for x in texts)]
    assert (
        target.psql(
            "SELECT count(*) FROM t WHERE numeric_send(d) <> numeric_send(x::numeric) "
            "OR numeric_send(s) <> numeric_send(x::numeric)"
        )
        == "0"
    )


def plain(text: str) -> str:
    """Return the text without a negative zero's sign, which numeric does not have."""
    return text.removeprefix("-") if not text.strip("-0.") else text


async def test_spellings_equal_what_the_server_reads_from_text(target: Database) -> None:
    dice = random.Random(11)
    texts = [".5", "5.", "1e10", "-0", "0.000", "1E+3", " 7 ", "\t-7\n", "0e-5", "00012.50"]
    for _ in range(3000):
        digits = "".join(dice.choice("0000123456789") for _ in range(dice.randint(1, 40)))
        text = dice.choice(["", "-", "+"]) + digits
        if dice.random() < 0.7:
            point = dice.randint(1, len(text))
            text = f"{text[:point]}.{text[point:]}" if text[:point].strip("+-") else text
        if dice.random() < 0.3:
            text += f"e{dice.randint(-40, 40)}"
        texts.append(text)
    columns = {"s": ("numeric", "numeric_text"), "x": ("text", "text")}
    await written(target, pa.record_batch({"s": texts, "x": texts}), columns)
    assert (
        target.psql("SELECT x FROM t WHERE numeric_send(s) <> numeric_send(x::numeric) LIMIT 3")
        == ""
    )
