"""Rows as an INSERT lists them, against SQL written out by hand."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest
from fastload_mysql.rows_encode import RowsEncoder

from fastload.arrow_input import plan

GOLDEN = [
    (-5, pa.int32(), "long", b"-5"),
    (2**64 - 1, pa.uint64(), "ulonglong", b"18446744073709551615"),
    (True, pa.bool_(), "bool1", b"1"),
    (Decimal("-0.05"), pa.decimal128(5, 2), "decimal:5,2", b"-0.05"),
    (0, pa.int16(), "year", b"'0000'"),
    (-0.0, pa.float64(), "double", b"'-0'"),
    (1e22, pa.float64(), "double", b"'1e22'"),
    (date(2024, 2, 29), pa.date32(), "date", b"'2024-02-29'"),
    ("it's \\ \"\t\n\0", pa.string(), "text", b"'it\\'s \\\\ \"\t\n\0'"),
    ("", pa.string(), "text", b"''"),
    ("'" * 20, pa.string(), "text", b"'" + b"\\'" * 20 + b"'"),
    (b"\xff'\\\0", pa.binary(), "blob", b"_binary'\xff\\'\\\\\0'"),
    (0x275C, pa.int32(), "bit:16", b"_binary'\\'\\\\'"),
    (["a'b", "c\"d\\"], pa.list_(pa.string()), "json", b"'[\"a\\'b\",\"c\\\\\"d\\\\\\\\\"]'"),
    (None, pa.string(), "text", b"NULL"),
    (None, pa.null(), "blob", b"NULL"),
]  # fmt: skip


def encoded(batch: pa.RecordBatch, columns: list[tuple[str, str]], max_bytes: int) -> list[bytes]:
    encoder = RowsEncoder(columns, form="values")
    made, pieces, row = plan(batch.schema, columns, encoder.check)(batch), [], 0
    while row < batch.num_rows:
        piece, row = encoder.encode(made, row, max_bytes)
        pieces.append(piece)
    return pieces


@pytest.mark.parametrize(("value", "arrow", "codec", "text"), GOLDEN)
def test_value_becomes_this_literal(
    value: object, arrow: pa.DataType, codec: str, text: bytes
) -> None:
    batch = pa.record_batch({"c": pa.array([value, value], arrow)})
    assert encoded(batch, [("c", codec)], 1 << 20) == [b"(" + text + b"),(" + text + b")"]


def test_pieces_are_lists_of_their_own_within_their_bytes() -> None:
    texts = ["'" * (i % 40) for i in range(2000)]
    batch = pa.record_batch({"i": range(2000), "s": texts})
    columns = [("i", "longlong"), ("s", "text")]
    (whole,) = encoded(batch, columns, 1 << 20)
    for max_bytes in (100, 999):
        pieces = encoded(batch, columns, max_bytes)
        assert max(map(len, pieces)) <= max_bytes
        assert all(p.startswith(b"(") and p.endswith(b")") for p in pieces)
        assert b",".join(pieces) == whole


def test_what_does_not_fit_becomes_null_where_it_may() -> None:
    columns = [("a", "text:2"), ("b", "tiny")]
    encoder = RowsEncoder(columns, ["a", "b"], form="values")
    batch = pa.record_batch({"a": ["abc", "'"], "b": [1000, 7]})
    assert encoder.encode(batch)[0] == b"(NULL,NULL),('\\'',7)"
    assert encoder.nulled == 2


def test_there_is_no_third_form() -> None:
    with pytest.raises(ValueError, match="no form"):
        RowsEncoder([("a", "tiny")], form="rows")  # type: ignore[arg-type]
