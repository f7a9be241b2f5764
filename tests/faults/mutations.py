"""Bytes of two wire formats, damaged by somebody who knows where lengths stand."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

_LENGTHS = (-(2**31), -2, -1, 0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 255, 65535, 65536, 2**24, 2**31 - 1)
_COUNTS = (-32768, -2, -1, 0, 1, 2, 127, 32767)
_PREFIXES = (0, 1, 2, 3, 4, 7, 8, 11, 12, 13, 127, 250, 251, 252, 253, 254, 255)
_COPY_HEADER = 19
# How likely a row is damaged: rows that are whole reach what stands behind the first refusal.
_OFTEN = (0.02, 0.1, 0.6)
_TIMES = (1, 1, 1, 1, 1, 1, 1, 10)

Fields = list[bytes | None]
Dice = random.Random


def bytes_damaged(data: bytes, dice: Dice) -> bytes:
    """Change, drop, double or move some bytes."""
    damaged = bytearray(data)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(damaged) + 1)
        size = dice.choice((1, 1, 2, 4, 8, 50))
        change = dice.randrange(5)
        if change == 0 and at < len(damaged):
            damaged[at] = dice.randrange(256)
        elif change == 1:
            del damaged[at : at + size]
        elif change == 2:
            damaged[at:at] = dice.randbytes(size)
        elif change == 3:
            damaged[at:at] = damaged[at : at + size]
        else:
            damaged[at : at + 1] = bytes([dice.choice((0, 1, 127, 128, 254, 255))])
    return bytes(damaged[: dice.randrange(len(damaged) + 1)] if dice.random() < 0.1 else damaged)


def copy_rows(stream: bytes) -> list[Fields]:
    """Return the fields of a binary COPY's rows."""
    at, rows = _COPY_HEADER, []
    while (count := struct.unpack_from("!h", stream, at)[0]) >= 0:
        at, fields = at + 2, []
        for _ in range(count):
            size = struct.unpack_from("!i", stream, at)[0]
            fields.append(None if size < 0 else stream[at + 4 : at + 4 + size])
            at += 4 + max(size, 0)
        rows.append(fields)
    return rows


def copy_damaged(stream: bytes, dice: Dice) -> bytes:
    """Damage rows of a binary COPY: their counts, lengths, values, or which value stands where."""
    rows = [list(fields) for fields in copy_rows(stream)]
    made = bytearray(stream[:_COPY_HEADER])
    if dice.random() < 0.03:
        made[15:19] = struct.pack("!i", dice.choice(_LENGTHS))
    often = dice.choice(_OFTEN)
    for fields in rows * dice.choice(_TIMES):
        made += _copy_row(_values_damaged(fields, dice, often), dice, often)
    if dice.random() < 0.95:
        made += b"\xff\xff"
    return bytes(made)


def _copy_row(fields: Fields, dice: Dice, often: float) -> bytes:
    wrong = dice.random() < often / 10
    made = [struct.pack("!h", dice.choice(_COUNTS) if wrong else len(fields))]
    for value in fields:
        size = -1 if value is None else len(value)
        if dice.random() < often / 50:
            size = dice.choice((*_LENGTHS, size + 1, size - 1))
        made += [struct.pack("!i", size), value or b""]
    return b"".join(made)


def _values_damaged(fields: Fields, dice: Dice, often: float) -> Fields:
    damaged = list(fields)
    while dice.random() < often:
        at, other = dice.randrange(len(damaged)), dice.randrange(len(damaged))
        value = damaged[at] or b""
        changes: tuple[Callable[[], bytes | None], ...] = (
            lambda: None,
            lambda value=value: bytes_damaged(value, dice),
            lambda value=value: value[: dice.randrange(len(value) + 1)],
            lambda other=other: damaged[other],
            lambda value=value: _number_damaged(value, dice),
            lambda value=value: value + dice.randbytes(dice.choice((1, 2, 4, 8, 300))),
        )
        damaged[at] = dice.choice(changes)()
    return damaged


def _number_damaged(value: bytes, dice: Dice) -> bytes:
    """Put a number at the edge of its range where one may stand, as inside arrays."""
    damaged, width = bytearray(value), dice.choice((2, 4, 8))
    if len(damaged) < width:
        return value
    at = dice.randrange(0, len(damaged) - width + 1, 2)
    edge = dice.choice((0, 1, -1, -2, (1 << 8 * width - 1) - 1, -(1 << 8 * width - 1)))
    damaged[at : at + width] = edge.to_bytes(width, "big", signed=True)
    return bytes(damaged)


def packets_of(stream: bytes) -> list[bytes]:
    """Return the payloads of MySQL's packets."""
    at, payloads = 0, []
    while at < len(stream):
        size = int.from_bytes(stream[at : at + 3], "little")
        payloads.append(stream[at + 4 : at + 4 + size])
        at += 4 + size
    return payloads


def packets_damaged(stream: bytes, dice: Dice) -> bytes:
    """Damage packets of rows: their order, lengths, numbers, bitmaps, and prefixes of values."""
    *rows, end = packets_of(stream)
    often = dice.choice(_OFTEN)
    rows = [_payload_damaged(row, dice, often) for row in rows * dice.choice(_TIMES)]
    if dice.random() < often / 5:
        dice.shuffle(rows)
    payloads = [*rows, end] if dice.random() < 0.95 else rows
    made, number = bytearray(), 0
    for payload in payloads:
        size = len(payload)
        if dice.random() < often / 50:
            size = dice.choice((0, 1, size + 1, max(0, size - 1), 2**24 - 1))
        if dice.random() < often / 50:
            number = dice.randrange(256)
        made += size.to_bytes(3, "little") + bytes([number % 256]) + payload
        number += 1
    return bytes(made)


def _payload_damaged(payload: bytes, dice: Dice, often: float) -> bytes:
    damaged = bytearray(payload)
    while damaged and dice.random() < often:
        at = dice.randrange(len(damaged))
        change = dice.randrange(4)
        if change == 0:
            damaged[at] = dice.choice(_PREFIXES)
        elif change == 1:
            damaged[dice.randrange(min(6, len(damaged)))] = dice.randrange(256)  # the NULLs
        elif change == 2:
            damaged = damaged[:at]
        else:
            damaged = bytearray(bytes_damaged(bytes(damaged), dice))
    return bytes(damaged)
