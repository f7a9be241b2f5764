"""Partitions cover a table once, whatever the boundaries, and their number is bounded."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload import partition
from fastload.model import (
    Extent,
    KeyRange,
    NullKeys,
    PhysicalRange,
    QualifiedName,
    Whole,
)

NAME = QualifiedName("public", "t")
KEYS = st.text("abc", max_size=3)
COMPOSITE = st.tuples(KEYS, KEYS)
MIB, GIB, TIB = 1 << 20, 1 << 30, 1 << 40


def holds(extent: Extent, key: tuple[str | None, ...]) -> bool:
    """Say whether a row with this key is in the extent, as a server compares rows."""
    match extent:
        case Whole():
            return True
        case NullKeys():
            return None in key
        case KeyRange(lower=lower, upper=upper):
            if None in key:
                return False
            return (lower is None or lower <= key) and (upper is None or key < upper)
    raise AssertionError(extent)


@given(
    boundaries=st.lists(COMPOSITE, max_size=12).map(sorted),
    rows=st.lists(st.tuples(st.none() | KEYS, st.none() | KEYS), max_size=40),
)
def test_key_ranges_cover_every_row_once(boundaries, rows):
    """Boundaries as they come: ascending, some of them twice, some that no row has."""
    parts = partition.key_ranges(
        NAME, ("a", "b"), boundaries, rows=len(rows), size_bytes=0, nulls=True
    )
    for row in rows:
        assert sum(holds(p.extent, row) for p in parts) == 1
    assert [p.index for p in parts] == list(range(len(parts)))


@given(boundaries=st.lists(KEYS.map(lambda k: (k,)), max_size=12).map(sorted), row=KEYS)
def test_key_ranges_of_a_column_without_nulls(boundaries, row):
    parts = partition.key_ranges(NAME, ("a",), boundaries, rows=0, size_bytes=0)
    assert sum(holds(p.extent, (row,)) for p in parts) == 1
    assert not any(isinstance(p.extent, NullKeys) for p in parts)


def test_no_boundaries_make_one_partition():
    assert partition.key_ranges(NAME, ("a",), [], rows=5, size_bytes=9) == partition.whole(
        NAME, 5, 9
    )


def test_no_boundaries_leave_nulls_to_a_partition_of_their_own():
    extents = [
        p.extent for p in partition.key_ranges(NAME, ("a",), [], rows=5, size_bytes=9, nulls=True)
    ]
    assert extents == [KeyRange(columns=("a",)), NullKeys(columns=("a",))]


@given(pages=st.integers(0, 5000), want=st.integers(0, 300))
def test_page_ranges_cover_every_page_once_and_evenly(pages, want):
    extents = [p.extent for p in partition.page_ranges(NAME, pages, want, rows=10, size_bytes=10)]
    assert 1 <= len(extents) <= max(1, want)
    if len(extents) == 1:
        assert extents == [Whole()]
        return
    ranges = [e for e in extents if isinstance(e, PhysicalRange)]
    assert ranges[0].first == 0
    assert ranges[-1].end is None
    assert [e.end for e in ranges[:-1]] == [e.first for e in ranges[1:]]
    sizes = [(pages if e.end is None else e.end) - e.first for e in ranges]
    assert max(sizes) - min(sizes) <= 1


@given(
    table=st.integers(0, 20 * TIB),
    more=st.integers(0, TIB),
    others=st.integers(0, 20 * TIB),
    lanes=st.integers(1, 256),
)
def test_wanted_is_bounded_and_grows_with_the_table(table, more, others, lanes):
    total = table + more + others
    want = partition.wanted(table, total, lanes)
    assert 1 <= want <= partition.MOST
    assert want <= partition.wanted(table + more, total, lanes)
    # None below the smallest that is worth its fixed cost, but for two halves of a small one.
    assert want <= 2 or table / want > partition.SMALLEST_BYTES / 2
    assert want == partition.MOST or table / want <= 2 * partition.LARGEST_BYTES


@pytest.mark.parametrize(
    ("table", "total", "lanes", "want"),
    [
        (0, 0, 2, 1),
        (20 * MIB, 20 * MIB, 2, 1),
        (25 * MIB, 25 * MIB, 2, 2),
        (25 * MIB, 25 * MIB, 1, 1),
        (GIB, GIB, 1, 1),
        (3 * GIB, 3 * GIB, 1, 3),
        (GIB, GIB, 2, 8),
        (GIB, 8 * GIB, 2, 1),
        (100 * GIB, 100 * GIB, 4, 100),
        (100 * TIB, 100 * TIB, 4, partition.MOST),
    ],
)
def test_wanted(table, total, lanes, want):
    assert partition.wanted(table, total, lanes) == want


@given(keys=st.lists(st.integers(0, 60), max_size=80), want=st.integers(1, 20))
def test_quantiles_ascend_and_are_keys_of_the_sample(keys, want):
    sample = [(f"{key:03}",) for key in sorted(keys)]
    found = partition.quantiles(sample, want)
    assert found == sorted(set(found))
    assert len(found) <= want - 1
    assert set(found) <= set(sample[1:])
    assert sample[:1] != found[:1] or not found


@given(want=st.integers(1, 50), sparse=st.integers(1, 400), dense=st.integers(1, 400))
def test_quantiles_are_even_however_sparse_the_keys(want, sparse, dense):
    """Half of the keys near 0, half near 6e17: the width of the gap counts for nothing."""
    keys = [*range(dense), *(6 * 10**17 + i for i in range(sparse))]
    sample = [(f"{key:019}",) for key in keys]
    edges = [(), *partition.quantiles(sample, want), ("9",)]
    sizes = [sum(a <= k < b for k in sample) for a, b in pairwise(edges)]
    assert max(sizes) <= -(-len(sample) // want)


def test_the_work_grows_with_the_boundaries_and_not_with_the_keys():
    parts = partition.key_ranges(
        NAME, ("a",), [(f"{i:09}",) for i in range(partition.MOST)], rows=10**12, size_bytes=10**15
    )
    assert len(parts) == partition.MOST + 1
