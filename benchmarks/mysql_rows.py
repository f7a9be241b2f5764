"""MySQL's binary rows for the kernels' benchmark, encoded in Python before the clock runs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Any

_PIECE_BYTES = 1 << 20
_END = b"\xfe" + bytes(4)

# Codec: the bytes of a value.
_BYTES: dict[str, Callable[[Any], bytes]] = {
    "long": struct.Struct("<i").pack,
    "longlong": struct.Struct("<q").pack,
    "double": struct.Struct("<d").pack,
    "decimal:15,2": lambda v: _sized(str(v).encode()),
    "text": lambda v: _sized(v.encode()),
    "date": lambda v: struct.pack("<BHBB", 4, v.year, v.month, v.day),
    "datetime": lambda v: struct.pack(
        "<BHBBBBBI", 11, v.year, v.month, v.day, v.hour, v.minute, v.second, v.microsecond
    ),
}


def _sized(value: bytes) -> bytes:
    assert len(value) < 0xFB
    return bytes([len(value)]) + value


def pieces(columns: tuple[tuple[str, Callable[[int], Any]], ...], rows: int) -> list[bytes]:
    """Return the packets of rows without NULLs and of their end, a socket's worth in each piece."""
    stream = b"".join(_packets(columns, rows))
    return [stream[at : at + _PIECE_BYTES] for at in range(0, len(stream), _PIECE_BYTES)]


def _packets(columns: tuple[tuple[str, Callable[[int], Any]], ...], rows: int) -> Iterator[bytes]:
    head = bytes(1 + (len(columns) + 9) // 8)
    encoders = [(_BYTES[word], value) for word, value in columns]
    for row in range(rows):
        yield _packet(head + b"".join(encode(value(row)) for encode, value in encoders), row)
    yield _packet(_END, rows)


def _packet(payload: bytes, number: int) -> bytes:
    return len(payload).to_bytes(3, "little") + bytes([number % 256]) + payload
