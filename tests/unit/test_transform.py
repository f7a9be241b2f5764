"""Readings wrapped: what the meter is told, and columns under other names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest

from fastload.channel import Waits
from fastload.model import Cut, Seal
from fastload.progress import Meter
from fastload.transform import Counted, Renamed


class Items:
    """A reading of given items, which says how long either side has waited."""

    def __init__(self, items: Iterable[Any], schema: Any, rows: int) -> None:
        self._items = list(items)
        self._rows = rows
        self.waited = Waits()
        self.schema = schema
        self.cut = Cut(visible="now")

    async def __aiter__(self):
        for item in self._items:
            self.waited = Waits(self.waited.reader_s + 1, self.waited.writer_s + 2)
            yield item

    async def seal(self) -> Seal:
        return Seal(rows=self._rows, bytes=7)

    def waits(self) -> Waits:
        return self.waited


BATCHES = [
    pa.record_batch({"a": [1, 2], "b": ["x", None]}),
    pa.record_batch({"a": [3], "b": ["z"]}),
]


def arrow() -> Items:
    return Items(BATCHES, BATCHES[0].schema, 3)


async def test_batches_are_counted_as_they_pass():
    meter = Meter()
    reading = Counted(arrow(), meter)
    seen = []
    async for batch in reading:
        seen.append(batch)
        assert meter.snapshot().rows == sum(b.num_rows for b in seen)
    assert seen == BATCHES
    assert await reading.seal() == Seal(rows=3, bytes=7)
    told = meter.snapshot()
    assert (told.rows, told.bytes) == (3, sum(b.nbytes for b in BATCHES))


async def test_rows_on_the_wire_are_counted_when_the_source_tells_them():
    meter = Meter()
    reading = Counted(Items([b"12345", b"67"], "copy.binary", 40), meter)
    assert [item async for item in reading] == [b"12345", b"67"]
    assert (meter.snapshot().rows, meter.snapshot().bytes) == (0, 7)
    await reading.seal()
    assert (meter.snapshot().rows, meter.snapshot().bytes) == (40, 7)


@pytest.mark.parametrize("sealed", [False, True])
async def test_taking_back_undoes_exactly_what_was_counted(sealed):
    meter = Meter()
    meter.add(rows=100, bytes=1000)
    reading = Counted(arrow(), meter)
    async for _ in reading:
        pass
    if sealed:
        await reading.seal()
    reading.take_back()
    reading.take_back()
    assert (meter.snapshot().rows, meter.snapshot().bytes) == (100, 1000)


async def test_waits_are_told_once():
    told: list[Waits] = []

    class Listening(Meter):
        def add_waits(self, waits: Waits) -> None:
            told.append(waits)

    reading = Counted(arrow(), Listening())
    async for _ in reading:
        pass
    await reading.seal()
    assert Waits(sum(w.reader_s for w in told), sum(w.writer_s for w in told)) == Waits(2.0, 4.0)


async def test_a_counted_reading_is_otherwise_the_same():
    inner = arrow()
    reading = Counted(inner, Meter())
    assert (reading.schema, reading.cut, reading.waits()) == (
        inner.schema,
        inner.cut,
        inner.waited,
    )


async def test_columns_come_under_new_names_and_keep_values_and_facts():
    schema = pa.schema([pa.field("a", pa.int64(), False, {"k": "v"}), pa.field("b", pa.string())])
    batches = [b.cast(schema) for b in BATCHES]
    reading = Renamed(Items(batches, schema, 3), ["b", "ä.b"])
    assert reading.schema.names == ["b", "ä.b"]
    assert reading.schema.field(0).metadata == {b"k": b"v"}
    assert not reading.schema.field(0).nullable
    got = [batch async for batch in reading]
    assert [b.schema.names for b in got] == [["b", "ä.b"]] * 2
    assert [b.column(0) for b in got] == [b.column(0) for b in batches]
    assert (await reading.seal()).rows == 3


async def test_names_must_be_as_many_as_columns():
    with pytest.raises(ValueError, match="shorter"):
        _ = Renamed(arrow(), ["only"]).schema
