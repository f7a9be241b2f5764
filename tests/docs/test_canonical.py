"""The page about canonical values says what the hash does."""

from __future__ import annotations

import datetime
import re
from pathlib import Path

import pyarrow as pa
import pytest

import fastload
from fastload.model import Column
from fastload.typemap import schema_of
from fastload.verification.hashing import hashing, numbers
from fastload.verification.pairs import kind_of

PAGE = Path(fastload.__file__).parents[1] / "docs" / "reference" / "canonical.md"
_CELL = re.compile(r"`(.*)`")


def lines():
    """Return the cells of each line, and whether both columns are of one dialect."""
    general, own = PAGE.read_text().split("## One type of one dialect")
    for text, is_own in ((general, False), (own, True)):
        for line in text.splitlines():
            if line.endswith(("| equal |", "| different |")):
                yield (is_own, *(c.strip() for c in line.strip("|").split("|")))


def hash_of(cell: str, column: Column, kind: str) -> int:
    schema = schema_of([column], ())
    type_ = schema.field(0).type
    storage = type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_
    match = _CELL.fullmatch(cell)
    values = pa.array([match[1] if match else None])
    if pa.types.is_time(storage) and match:
        values = pa.array([datetime.time.fromisoformat(match[1])])
    if pa.types.is_boolean(storage):
        values = values.cast(pa.int8())
    if pa.types.is_timestamp(storage) and storage.tz:
        values = values.cast(pa.timestamp(storage.unit))
    values = values.cast(storage)
    if storage is not type_:
        values = pa.ExtensionArray.from_storage(type_, values)
    tool = hashing(schema, [(column.name, kind)])
    batch = pa.record_batch([values], schema=schema)
    return numbers(tool.hasher.hashes(tool.flat(batch))[0])[0]


@pytest.mark.parametrize("cells", list(lines()), ids=str)
def test_a_line_of_the_page_is_true(cells):
    own, kind, one, one_type, other, other_type, verdict = cells
    here, there = (
        Column(name="c", type=t.strip("`"), arrow=t.strip("`")) for t in (one_type, other_type)
    )
    found = kind_of(here, there, own=own)
    assert found == kind
    equal = hash_of(one, here, kind) == hash_of(other, there, kind)
    assert equal == (verdict == "equal")
    for cell in (one, other):
        assert cell == "NULL" or _CELL.fullmatch(cell)


def test_a_row_is_its_values_in_their_places():
    def row(*values: str | None) -> int:
        names = [f"c{i}" for i in range(len(values))]
        batch = pa.record_batch([pa.array([v], pa.string()) for v in values], names)
        tool = hashing(batch.schema, [(n, "text") for n in names])
        return numbers(tool.hasher.hashes(tool.flat(batch))[0])[0]

    rows = [("ab", "c"), ("a", "bc"), ("bc", "a"), ("abc", ""), ("abc", None), (None, "abc")]
    assert len({row(*values) for values in rows}) == len(rows)
