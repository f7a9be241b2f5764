"""MySQL's packets but for the rows: framing, numbers of any length, and what a payload says.

Sources: MySQL Internals, "MySQL Packets", "Protocol::ColumnDefinition41", "OK_Packet",
"ERR_Packet", "EOF_Packet" and "COM_STMT_PREPARE Response"; MariaDB Knowledge Base, "0-packet".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

COM_QUIT = b"\x01"
COM_QUERY = b"\x03"
COM_STMT_PREPARE = b"\x16"
COM_STMT_EXECUTE = b"\x17"
COM_STMT_CLOSE = b"\x19"
COM_RESET_CONNECTION = b"\x1f"
HEADER = 4
MOST_PAYLOAD = 0xFFFFFF  # such a packet goes on in the next one
OK, FILE_REQUEST, EOF, ERROR = 0x00, 0xFB, 0xFE, 0xFF
IN_TRANSACTION = 0x0001  # a bit of the status

_UNSIGNED, _NOT_NULL = 0x20, 0x01


class Malformed(EOFError):
    """A packet is not what the protocol says here; the connection is of no use any more."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a result, as the server describes it.

    Attributes:
        type_code: As in ``pymysql.constants.FIELD_TYPE``.
        charset: Id of the collation that the values are sent in; 63 is binary.
        length: Most bytes of a value as text.
        flags: As in ``pymysql.constants.FLAG``.
        decimals: Digits behind the point, also of seconds; 31 where it varies.
    """

    name: str
    type_code: int
    charset: int
    length: int
    flags: int
    decimals: int

    @property
    def unsigned(self) -> bool:
        """Whether the values are never negative."""
        return bool(self.flags & _UNSIGNED)

    @property
    def not_null(self) -> bool:
        """Whether no value is NULL."""
        return bool(self.flags & _NOT_NULL)


@dataclass(frozen=True, slots=True)
class Done:
    """An OK packet.

    Attributes:
        warnings: How many; the server stops counting at 65535.
        info: What the server says, as ``Records: 1  Deleted: 0  Skipped: 0  Warnings: 0``; some
            put its length before it.
    """

    affected_rows: int
    status: int
    warnings: int
    info: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a server made of a statement."""

    number: int
    columns: int
    parameters: int


def framed(payload: bytes, sequence: int = 0) -> bytes:
    """Return a payload as packets; one of a full packet's size is followed by an empty one."""
    if len(payload) < MOST_PAYLOAD:
        return header(len(payload), sequence) + payload
    parts = []
    for number, at in enumerate(range(0, len(payload) + 1, MOST_PAYLOAD), sequence):
        part = payload[at : at + MOST_PAYLOAD]
        parts += [header(len(part), number), part]
    return b"".join(parts)


def header(size: int, sequence: int) -> bytes:
    """Return what stands before a payload of this size."""
    return struct.pack("<I", size | (sequence & 0xFF) << 24)


def _unpack(form: str, payload: bytes, at: int = 0) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, payload, at)
    except struct.error as error:
        raise Malformed("a packet is too short") from error


def read_number(payload: bytes, at: int) -> tuple[int, int]:
    """Return a length-encoded integer and the place behind it."""
    if at >= len(payload):
        raise Malformed("a packet is too short")
    first = payload[at]
    if first < 0xFB:
        return first, at + 1
    size = {0xFC: 2, 0xFD: 3, 0xFE: 8}.get(first)
    if size is None or at + 1 + size > len(payload):
        raise Malformed("a number is cut off or none")
    return int.from_bytes(payload[at + 1 : at + 1 + size], "little"), at + 1 + size


def read_text(payload: bytes, at: int) -> tuple[bytes, int]:
    """Return a length-encoded string and the place behind it."""
    size, at = read_number(payload, at)
    if at + size > len(payload):
        raise Malformed("a text is cut off")
    return payload[at : at + size], at + size


def read_error(payload: bytes) -> tuple[int, str]:
    """Return number and message of an ERR packet."""
    (number,) = _unpack("<H", payload, 1)
    text = payload[9:] if payload[3:4] == b"#" else payload[3:]
    return number, text.decode(errors="replace")


def read_done(payload: bytes) -> Done:
    """Return what an OK packet says."""
    affected_rows, at = read_number(payload, 1)
    _, at = read_number(payload, at)
    status, warnings = _unpack("<HH", payload, at)
    return Done(affected_rows, status, warnings, payload[at + 4 :].decode(errors="replace"))


def read_prepared(payload: bytes) -> Prepared:
    """Return what COM_STMT_PREPARE was answered with."""
    _, number, columns, parameters = _unpack("<BIHH", payload)
    return Prepared(number, columns, parameters)


def read_column(payload: bytes) -> Column:
    """Return the column that a packet defines."""
    at = 0
    for _ in range(4):  # catalogue, schema, table and the table's own name
        _, at = read_text(payload, at)
    name, at = read_text(payload, at)
    _, at = read_text(payload, at)
    _, at = read_number(payload, at)
    charset, length, type_code, flags, decimals = _unpack("<HIBHB", payload, at)
    return Column(name.decode(errors="replace"), type_code, charset, length, flags, decimals)


def is_eof(payload: bytes) -> bool:
    """Say whether this ends a list of columns or rows."""
    return payload[:1] == b"\xfe" and len(payload) < 9
