"""A small message that claims to be large is refused before any memory is taken for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIMITED = """
import resource, struct
import pyarrow as pa
from fastload.errors import DecodeError
from fastload_mysql.rows_decode import RowsDecoder
from fastload_postgres.copy_decode import CopyDecoder
from fastload_postgres.copy_hash import CopyHasher

HEADER = b"PGCOPY\\n\\xff\\r\\n\\0" + bytes(8)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (128 << 20), used + (128 << 20)))

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10

def refused(decoder, message):
    before = peak()
    try:
        decoder.feed(message)
        decoder.finish()
    except DecodeError:
        assert peak() - before < 16 << 20, "memory was taken"
        return
    raise SystemExit(f"{message!r} was taken for whole by {decoder!r}")

CLAIMS = (0x7FFFFFFF, 0x7FFFFFFE, 0x3FFFFFFF)
"""
COPY = """
for claim in CLAIMS:
    field = struct.pack(">hi", 1, claim) + b"xx"
    for word in ("text", "bytea", "raw:bytea", "int4", "int4[]", "numeric_text"):
        refused(CopyDecoder([("c", word)]), HEADER + field)
    # Inside of a field whose own length is true: items and dimensions of an array.
    array = struct.pack(">iiiii", 1, 0, 23, claim, 1)
    refused(CopyDecoder([("c", "int4[]")]), HEADER + struct.pack(">hi", 1, len(array)) + array)
    item = struct.pack(">iiiiii", 1, 0, 25, 1, 1, claim)
    refused(CopyDecoder([("c", "text[]")]), HEADER + struct.pack(">hi", 1, len(item)) + item)
    refused(CopyHasher(), HEADER + field)
    refused(CopyHasher(), HEADER[:-4] + struct.pack(">i", claim) + b"xx")
"""
ROWS = """
for claim in CLAIMS:
    for size in (b"\\xfe" + struct.pack("<Q", claim), b"\\xfe" + struct.pack("<Q", 1 << 63)):
        # A first field of this length would be the end of the rows.
        payload = b"\\x01a" + size + b"xx"
        packet = len(payload).to_bytes(3, "little") + b"\\0" + payload
        for word in ("text", "raw:geometry", "long", "decimal:10,2"):
            refused(RowsDecoder([("a", "text"), ("c", word)]), packet)
# The largest packet that a header can claim, of which nothing comes.
refused(RowsDecoder([("c", "long")]), b"\\xff\\xff\\xff\\0\\x01")
"""


@pytest.mark.parametrize("claims", [COPY, ROWS], ids=["copy", "rows"])
def test_a_claim_of_two_gigabytes_costs_nothing(claims):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED + claims], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr
