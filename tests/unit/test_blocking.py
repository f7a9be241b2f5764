"""The verbs for scripts: they run a loop of their own, and refuse to stop another's."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pytest

import fastload
from fastload import ConfigError, blocking
from fastload.model import QualifiedName
from fastload.testing.memory import database, forget

NAME = QualifiedName("public", "t")
ROWS = pa.table({"id": [1, 2, 3], "note": ["a", None, "c"]})
URL = "memory://script"


@pytest.fixture(autouse=True)
def there() -> Iterator[None]:
    blocking.write(ROWS, URL, "public.t")
    yield
    forget("script")
    forget("copy")


def test_write_and_read():
    with blocking.read(URL, "public.t") as reading:
        assert reading.schema == ROWS.schema
        assert reading.table() == ROWS


def test_batches_come_in_a_plain_loop_that_may_be_left():
    with blocking.read(URL, "public.t") as reading:
        for batch in reading:
            assert isinstance(batch, pa.RecordBatch)
            break


def test_copy_and_plan():
    planned = blocking.plan(URL, "memory://copy")
    assert [t.source.name for t in planned.tables] == [NAME]
    seen: list[str] = []
    result = blocking.copy(URL, "memory://copy", progress=lambda p: seen.append(p.phase))
    assert result.rows == 3
    assert seen[-1] == "done"
    assert database("copy").tables[NAME].rows == ROWS


def test_errors_come_out_as_themselves():
    with pytest.raises(fastload.TableNotFound), blocking.read(URL, "public.nothing"):
        pass
    with pytest.raises(ConfigError, match="mode='creat'"):
        blocking.copy(URL, "memory://copy", mode="creat")


@pytest.mark.parametrize(
    ("verb", "instead"),
    [
        ("copy", "await fastload.copy(...)"),
        ("plan", "await fastload.plan(...)"),
        ("write", "await fastload.write(...)"),
        ("read", "async with fastload.read(...)"),
    ],
)
async def test_inside_a_running_loop_each_says_what_to_write(verb, instead):
    call = getattr(blocking, verb)
    # A context manager runs when it is entered.
    run = call(URL, "public.t").__enter__ if verb == "read" else partial(call, URL, "memory://copy")
    with pytest.raises(ConfigError, match="inside a running event loop") as caught:
        run()
    assert caught.value.hint == f"write {instead} here"
