"""Partition arithmetic: whatever the boundaries, every key is in one range."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fastload import partition
from fastload.model import KeyRange, NullKeys, PhysicalRange, QualifiedName, Whole

T = QualifiedName("public", "t")
KEYS = st.tuples(st.text("abc", max_size=2), st.text("ab", max_size=1))
SIZES = st.integers(0, 10**13)


def holds(extent, key):
    if isinstance(extent, Whole):
        return True
    low = extent.lower is None or key >= extent.lower
    return low and (extent.upper is None or key < extent.upper)


@given(boundaries=st.lists(KEYS, max_size=8).map(sorted), key=KEYS)
def test_every_key_is_in_one_range(boundaries, key):
    parts = partition.key_ranges(T, ("a", "b"), boundaries, rows=100, size_bytes=100)
    assert sum(holds(p.extent, key) for p in parts) == 1
    assert [p.index for p in parts] == list(range(len(parts)))
    assert len(parts) <= len(boundaries) + 1


@given(boundaries=st.lists(KEYS, max_size=5).map(sorted))
def test_rows_with_null_keys_are_the_last_partition(boundaries):
    parts = partition.key_ranges(T, ("a",), boundaries, rows=9, size_bytes=9, nulls=True)
    assert isinstance(parts[-1].extent, NullKeys)
    assert all(isinstance(p.extent, KeyRange) for p in parts[:-1])


@given(pages=st.integers(0, 10**6), want=st.integers(1, 300), page=st.integers(0, 2 * 10**6))
def test_every_page_is_in_one_range(pages, want, page):
    parts = partition.page_ranges(T, pages, want, rows=1, size_bytes=1)

    def has(extent):
        if isinstance(extent, Whole):
            return True
        assert isinstance(extent, PhysicalRange)
        return extent.first <= page and (extent.end is None or page < extent.end)

    assert sum(has(p.extent) for p in parts) == 1
    assert 1 <= len(parts) <= want


@given(table=SIZES, others=SIZES, lanes=st.integers(1, 256))
def test_partitions_are_neither_too_small_nor_too_large(table, others, lanes):
    count = partition.wanted(table, table + others, lanes)
    assert 1 <= count <= partition.MOST
    if count > 2:
        assert table // count >= partition.SMALLEST_BYTES // 2
    if count < partition.MOST:
        assert table / count <= 2 * partition.LARGEST_BYTES
    assert partition.wanted(table * 2, table * 2 + others, lanes) >= count or lanes > 1


@given(count=st.integers(0, 500), want=st.integers(1, 40))
def test_quantiles_cut_a_sample_into_equal_parts(count, want):
    ordered = [(f"{i:05}",) for i in range(count)]
    cuts = partition.quantiles(ordered, want)
    assert len(cuts) <= want - 1
    edges = [0, *(ordered.index(c) for c in cuts), count]
    sizes = [b - a for a, b in pairwise(edges)]
    assert not cuts or max(sizes) <= -(-count // want) + 1


def test_a_key_that_fills_several_parts_bounds_once():
    ordered = [("a",)] * 10 + [("b",)] * 80 + [("c",)] * 10
    assert partition.quantiles(ordered, 10) == [("b",), ("c",)]
