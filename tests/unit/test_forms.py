"""Types as text, readings wrapped, progress in figures, results as text and HTML."""

from __future__ import annotations

import pyarrow as pa
import pytest

from fastload import typemap
from fastload.channel import Waits
from fastload.model import Cut, NotCarried, Seal
from fastload.progress import Meter
from fastload.report import CopyResult, TableResult
from fastload.testing.cases import CASES
from fastload.transform import Counted, Renamed

TYPES = [case.type for case in CASES] + [
    pa.decimal32(5, 2),
    pa.decimal64(15, -2),
    pa.float16(),
    pa.binary(16),
    pa.duration("us"),
    pa.large_list(pa.timestamp("ns", "Europe/Berlin")),
    pa.opaque(pa.string(), "numeric", "PostgreSQL"),
    pa.list_(pa.opaque(pa.binary(), "a, b", "PostgreSQL")),
]


@pytest.mark.parametrize("type_", TYPES, ids=str)
def test_types_are_spelled_so_that_they_read_back(type_):
    assert typemap.parse(typemap.spell(type_)) == type_


@pytest.mark.parametrize("text", ["", "int", "decimal128(x, 2)", "timestamp[m]", "list<", "wat"])
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueError, match="not a spelling"):
        typemap.parse(text)


class Batches:
    """A reading of two batches."""

    cut = Cut(visible="x")

    def __init__(self):
        self.data = pa.table({"a": [1, 2, 3], "b": ["x", "y", None]})
        self.schema = self.data.schema

    async def __aiter__(self):
        for batch in (self.data.slice(0, 2), self.data.slice(2)):
            yield batch.to_batches()[0]

    async def seal(self):
        return Seal(rows=3, bytes=10)

    def waits(self):
        return Waits(reader_s=0.5, writer_s=0.25)


async def test_names_change_and_values_do_not():
    reading = Renamed(Batches(), ["one", "b"])
    found = pa.Table.from_batches([batch async for batch in reading])
    assert reading.schema == found.schema
    assert found.to_pydict() == {"one": [1, 2, 3], "b": ["x", "y", None]}
    assert (await reading.seal()).rows == 3


async def test_what_passed_is_counted_and_taken_back():
    meter = Meter()
    meter.begin_copying(tables=1, rows_estimated=3, bytes_estimated=100)
    counted = Counted(Batches(), meter)
    assert sum([batch.num_rows async for batch in counted]) == 3
    await counted.seal()
    told = meter.snapshot()
    assert told.rows == 3
    assert told.bytes > 0
    assert told.waiting == "reader"
    assert told.bottleneck == "target"
    counted.take_back()
    assert (meter.snapshot().rows, meter.snapshot().bytes) == (0, 0)


def test_progress_goes_through_its_phases():
    meter = Meter()
    assert str(meter.snapshot()).startswith("planning")
    meter.begin_copying(tables=2, rows_estimated=200, bytes_estimated=1000)
    meter.begin_table("public.t")
    meter.add(rows=50, bytes=500)
    told = meter.snapshot()
    assert (told.phase, told.fraction, told.current) == ("copying", 0.5, ("public.t",))
    assert "50 %" in str(told)
    meter.end_table("public.t")
    assert meter.snapshot().tables_done == 1
    meter.begin_steps(3)
    meter.end_step()
    assert "step 1 of 3" in str(meter.snapshot())
    meter.finish()
    assert str(meter.snapshot()).startswith("done: ")


def result(**more):
    table = TableResult(name='public.<b>"x"', rows=1, bytes=2, seconds=0.1, route="wire")
    return CopyResult(run="r", tables=(table,), seconds=1.0, consistent=True, **more)


def test_results_are_text_html_and_plain_data():
    left = NotCarried("view", "public.<script>alert(1)</script>", "not carried yet")
    made = result(not_carried=(left,))
    for html in (made._repr_html_(), made.html()):
        assert "<script>alert" not in html
        assert "&lt;b&gt;" in html
    assert made.to_dict()["rows"] == 1
    assert made.to_dict()["not_carried"][0]["kind"] == "view"
    assert "not carried" in str(made)
    told = str(made)
    assert "copied 1 row of 1 table" in told
