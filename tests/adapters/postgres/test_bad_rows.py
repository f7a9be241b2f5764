"""Rows that cannot be written: the right error, with table, column and key, and nothing left."""

from __future__ import annotations

import datetime
import decimal
import math
import time

import anyio
import pyarrow as pa
import pytest

import fastload
from fastload.errors import (
    ConfigError,
    ConstraintError,
    EncodeError,
    LossyType,
    SchemaMismatch,
    Unrepresentable,
)

TABLE = """
CREATE TABLE t (
  id int PRIMARY KEY, small smallint, price numeric(6,2), name text NOT NULL DEFAULT '',
  code varchar(3), day date, at timestamptz, j jsonb, u uuid, tags text[],
  CHECK (small <> 13))"""


def rows(**columns):
    """Return 50 good rows with other columns beside or instead."""
    count = len(next(iter(columns.values()))) if columns else 3
    base = {"id": pa.array(range(1, count + 1), pa.int32())}
    return pa.table(base | columns)


def column(*values, type):
    return pa.array(values, type)


_INT, _TEXT, _DEC = pa.int64(), pa.string(), pa.decimal128
CASES = {
    "out of range": (
        rows(small=column(1, 40_000, type=_INT)),
        EncodeError,
        {"column": "small", "key": "id=2"},
        "smallint|int2|range",
    ),
    "too many digits": (
        rows(price=column(decimal.Decimal("1.00"), decimal.Decimal("12345.00"), type=_DEC(9, 2))),
        fastload.FastloadError,
        {},
        "overflow|precision|range",
    ),
    "digits after the point": (
        rows(price=column(decimal.Decimal("1.005"), type=_DEC(9, 3))),
        LossyType,
        {"column": "price"},
        "digits after the point",
    ),
    "NUL": (
        rows(name=column("a", "b\0c", type=_TEXT)),
        fastload.FastloadError,
        {"column": "name", "key": "id=2"},
        "zero byte",
    ),
    "invalid UTF-8": (
        rows(name=pa.array([b"ok", b"\xff\xfe"], pa.binary()).cast(_TEXT, safe=False)),
        fastload.FastloadError,
        {"column": "name", "key": "id=2"},
        "UTF-8|UTF8",
    ),
    "too long": (
        rows(code=column("abc", "abcd", type=_TEXT)),
        EncodeError,
        {"column": "code", "key": "id=2"},
        "4 characters is too long",
    ),
    "spaces that would be cut": (
        rows(code=column("äöü", "ab  ", type=pa.large_string())),
        EncodeError,
        {"column": "code", "key": "id=2"},
        "4 characters is too long",
    ),
    "NULL": (
        rows(name=column("a", None, type=_TEXT)),
        ConstraintError,
        {"column": "name"},
        "null",
    ),
    "check": (
        rows(small=column(13, type=pa.int16())),
        ConstraintError,
        {},
        "check constraint",
    ),
    "repeated key": (
        pa.table({"id": column(7, 7, type=pa.int32())}),
        ConstraintError,
        {},
        "duplicate key",
    ),
    "wrong type": (
        rows(day=column("2024-01-01", type=_TEXT)),
        SchemaMismatch,
        {"column": "day"},
        "",
    ),
    "no such column": (
        rows(prize=column(1, type=_INT)),
        SchemaMismatch,
        {"column": "prize"},
        "no column prize",
    ),
    "missing column": (
        pa.table({"small": column(1, type=pa.int16())}),
        SchemaMismatch,
        {"column": "id"},
        "takes no NULL",
    ),
    "not JSON": (
        rows(j=column("{}", "{", type=pa.json_())),
        fastload.FastloadError,
        {},
        "json",
    ),
    "not a UUID": (
        rows(u=column("x", type=_TEXT)),
        fastload.FastloadError,
        {"column": "u"},
        "uuid",
    ),
    "timestamp out of range": (
        rows(at=pa.array([0, 2**62], pa.int64()).view(pa.timestamp("s", "UTC"))),
        fastload.FastloadError,
        {"column": "at", "key": "id=2"},
        "range|overflow",
    ),
}


@pytest.mark.parametrize(("data", "error", "where", "told"), CASES.values(), ids=CASES.keys())
async def test_bad_rows_are_refused_and_leave_nothing(target, data, error, where, told):
    target.psql(f"{TABLE}; INSERT INTO t (id) VALUES (-1)")
    with pytest.raises(error, match=f"(?i){told}") as caught:
        await fastload.write(data, target.url, "public.t", mode="append")
    assert caught.value.table == "public.t"
    for attribute, value in where.items():
        assert getattr(caught.value, attribute) == value
    assert target.psql("SELECT id FROM t") == "-1"
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


async def test_good_rows_beside_a_later_bad_batch_are_rolled_back(target):
    target.psql(TABLE)
    good = pa.record_batch({"id": pa.array(range(100_000), pa.int64())})
    bad = pa.record_batch({"id": pa.array([2**40], pa.int64())})
    stream = pa.RecordBatchReader.from_batches(good.schema, [good, bad])
    with pytest.raises(EncodeError) as caught:
        await fastload.write(stream, target.url, "public.t", mode="append")
    assert (caught.value.column, caught.value.key) == ("id", f"id={2**40}")
    assert target.psql("SELECT count(*) FROM t") == "0"


async def test_a_row_refused_by_the_server_and_one_by_the_encoder(target):
    """The second comes when the server has ended the COPY, and nothing waits for it."""
    target.psql(TABLE)
    schema = pa.schema([("id", pa.int64()), ("small", pa.int64())])

    def batches():
        yield pa.record_batch([[1], [13]], schema=schema)
        for first in range(10, 200_000, 20_000):
            numbers = range(first, first + 20_000)
            yield pa.record_batch([numbers, [1] * 20_000], schema=schema)
            time.sleep(0.02)
        yield pa.record_batch([[2], [40_000]], schema=schema)

    stream = pa.RecordBatchReader.from_batches(schema, batches())
    with anyio.fail_after(30), pytest.raises(fastload.TargetError):
        await fastload.write(stream, target.url, "public.t", mode="append")
    assert target.psql("SELECT count(*) FROM t") == "0"


async def test_what_is_no_arrow_says_what_is(target):
    with pytest.raises(ConfigError, match="no Arrow stream") as caught:
        await fastload.write([{"id": 1}], target.url, "public.t")
    assert "__arrow_c_stream__" in caught.value.hint


UNREPRESENTABLE = {
    "date": ("'infinity'::date", "infinity"),
    "timestamptz": ("'-infinity'::timestamptz", "-infinity"),
    "numeric(8,2)": ("'NaN'::numeric", "NaN"),
    "interval": ("'178000000 years 2 days 2562048 hours'::interval", "microseconds has no place"),
    "time": ("'24:00:00'::time", "24:00"),
}


@pytest.mark.parametrize("type_", UNREPRESENTABLE)
async def test_a_value_arrow_has_no_form_for_is_named_or_null(source, type_):
    value, told = UNREPRESENTABLE[type_]
    source.psql(
        f"CREATE TABLE odd (id int PRIMARY KEY, v {type_}); "
        f"INSERT INTO odd VALUES (1, NULL), (42, {value})"
    )
    with pytest.raises(Unrepresentable, match=told) as caught:
        async with fastload.read(source.url, "odd") as reading:
            await reading.table()
    assert (caught.value.table, caught.value.column, caught.value.key) == (
        "public.odd",
        "v",
        "id=42",
    )
    async with fastload.read(source.url, "odd", on_unrepresentable={"v": "null"}) as reading:
        assert (await reading.table())["v"].null_count == 2


async def test_extreme_floats_and_moments_come_back(source):
    source.psql(
        """CREATE TABLE e (f float8, at timestamp);
        INSERT INTO e VALUES ('NaN', '0001-01-01'), ('-infinity', '9999-12-31 23:59:59.999999')"""
    )
    async with fastload.read(source.url, "e", parallel=1) as reading:
        found = await reading.table()
    assert math.isnan(found["f"][0].as_py())
    assert found["at"].to_pylist() == [datetime.datetime.min, datetime.datetime.max]
