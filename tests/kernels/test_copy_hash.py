"""Rows of COPY hashed in any pieces; bytes that are no COPY are refused."""

from __future__ import annotations

import random
import struct

import pytest
from fastload_postgres.copy_hash import CopyHasher

from fastload.errors import DecodeError
from fastload.kernels.row_hash import xxh64_of

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"


def row(*fields: bytes | None) -> bytes:
    told = [struct.pack("!i", -1) if f is None else struct.pack("!i", len(f)) + f for f in fields]
    return struct.pack("!h", len(fields)) + b"".join(told)


ROWS = [row(b"a", None), row(), row(b"", b"x" * 500), row(None), row(b"a", None)]


def hashed(data: bytes, piece: int) -> tuple[int, int]:
    hasher = CopyHasher()
    for start in range(0, len(data), piece):
        hasher.feed(data[start : start + piece])
    hasher.finish()
    return hasher.rows, hasher.sum


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 64, 10_000])
def test_sums_do_not_depend_on_the_pieces(piece):
    expected = sum(map(xxh64_of, ROWS)) % 2**64
    assert hashed(HEADER + b"".join(ROWS) + TRAILER, piece) == (5, expected)
    mixed = random.Random(3).sample(ROWS, 5)
    assert hashed(HEADER + b"".join(mixed) + TRAILER, piece) == (5, expected)


def test_a_null_is_no_empty_value_and_fields_do_not_run_together():
    sums = [
        hashed(HEADER + r + TRAILER, 50)
        for r in (row(None), row(b""), row(b"ab", b"c"), row(b"a", b"bc"), row(b"abc"), row())
    ]
    assert len(set(sums)) == len(sums)


@pytest.mark.parametrize(
    "data",
    [b"x" * 30, HEADER + b"\x80\x00", HEADER + b"\0\1\xff\xff\xff\xfe", HEADER[:-1] + b"\xff" * 40],
)
def test_what_is_no_copy_is_refused(data):
    with pytest.raises(DecodeError):
        hashed(data, 10_000)


@pytest.mark.parametrize("data", [b"", HEADER, HEADER + ROWS[0], HEADER + TRAILER + b"x"])
def test_a_copy_that_was_cut_off_is_refused(data):
    with pytest.raises(DecodeError, match="trailer"):
        hashed(data, 10_000)
