"""A caller's Arrow stream as a source: one table, read once, cut by bytes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import ReadSpec, Selection
from fastload.errors import ConfigError, SourceError
from fastload.model import Partition, QualifiedName
from fastload.stream import StreamReading, StreamSource

NAME = QualifiedName("public", "t")


class OnlyStream:
    """A frame of another library: nothing but the Arrow protocol."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


async def spec(source: StreamSource, batch_bytes: int) -> ReadSpec:
    table = (await source.catalog(Selection())).tables[0]
    return ReadSpec(table=table, columns=("a",), batch_bytes=batch_bytes)


async def batches_of(data: Any, batch_bytes: int) -> tuple[list[pa.RecordBatch], StreamReading]:
    source = StreamSource(data, NAME)
    part = Partition(table=NAME, index=0)
    async with source.open(part, source, await spec(source, batch_bytes)) as reading:
        return [batch async for batch in reading], reading


@given(
    rows=st.integers(0, 400),
    given_rows=st.integers(1, 100),
    batch_bytes=st.integers(1, 2000),
)
async def test_batches_are_cut_by_bytes_and_keep_every_row(rows, given_rows, batch_bytes):
    table = pa.table({"a": pa.array(range(rows), pa.int64())})
    batches, reading = await batches_of(
        pa.RecordBatchReader.from_batches(table.schema, table.to_batches(given_rows)), batch_bytes
    )
    assert pa.Table.from_batches(batches, table.schema).to_pydict() == table.to_pydict()
    assert all(b.num_rows == 1 or b.nbytes <= batch_bytes for b in batches)
    seal = await reading.seal()
    assert (seal.rows, seal.bytes) == (rows, sum(b.nbytes for b in batches))


async def test_anything_with_the_protocol_is_a_stream():
    table = pa.table({"a": [1, 2]})
    for data in (table, OnlyStream(table), table.to_reader(), table.to_batches()[0]):
        batches, _ = await batches_of(data, 1000)
        assert sum(b.num_rows for b in batches) == 2


@pytest.mark.parametrize("data", [None, [1, 2], {"a": [1]}, "select 1"])
def test_what_is_no_stream_is_named(data):
    with pytest.raises(ConfigError, match=f"builtins.{type(data).__name__} is no") as caught:
        StreamSource(data, NAME)
    assert "__arrow_c_stream__" in caught.value.hint


def test_columns_of_one_name_are_refused():
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ConfigError, match="several columns named a"):
        StreamSource(twice, NAME)


async def test_a_stream_is_described_as_one_table():
    schema = pa.schema([pa.field("a", pa.int32(), False), pa.field("u", pa.uuid())])
    source = StreamSource(schema.empty_table(), NAME)
    catalog = await source.catalog(Selection())
    assert [t.name for t in catalog.tables] == [NAME]
    told = [(c.name, c.arrow, c.nullable) for c in catalog.tables[0].columns]
    assert told == [("a", "int32", False), ("u", "arrow.uuid", True)]


async def test_no_seal_before_the_last_batch():
    source = StreamSource(pa.table({"a": [1]}), NAME)
    part = Partition(table=NAME, index=0)
    async with source.open(part, source, await spec(source, 10)) as reading:
        with pytest.raises(SourceError, match="before its last batch"):
            await reading.seal()


async def test_an_error_of_the_callers_stream_comes_out():
    def broken():
        yield pa.record_batch({"a": [1]})
        raise OSError("disk gone")

    data = pa.RecordBatchReader.from_batches(pa.schema([("a", pa.int64())]), broken())
    with pytest.raises(OSError, match="disk gone"):
        await batches_of(data, 10)
