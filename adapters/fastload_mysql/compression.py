"""A connection's bytes under zlib, between the socket and whoever reads and writes packets.

For servers far away: on one machine, compressing costs more than it saves. Frames are numbered in
place of the packets in them, whose numbers mean nothing then.

Sources: MySQL Internals, "Compressed Packet"; MariaDB Knowledge Base, "0-packet", section
"Compressed packet".
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

from fastload_mysql.packets import Malformed

_HEADER = 7
_MOST_BYTES = 0xFFFFFF
_FEWEST_BYTES = 50  # what servers themselves do not compress
_LEVEL = 1


class Compression(asyncio.Transport, asyncio.Protocol):
    """Stands between a transport and its protocol, and is each to the other.

    Guarantees: the protocol gets exactly the bytes that the server compressed, in order; a frame
    that is none ends the connection. Relies on: ``begin`` before each command.
    """

    def __init__(self, raw: Any) -> None:
        super().__init__()
        self._raw = raw
        self._protocol: Any = raw.get_protocol()
        self._came = bytearray()
        self._sequence = 0
        self._broken: Malformed | None = None
        raw.set_protocol(self)

    def begin(self) -> None:
        """Count frames from 0, as at the begin of each command."""
        self._sequence = 0

    # What the loop calls.

    def data_received(self, data: bytes) -> None:
        self._came += data
        try:
            while (piece := self._next_frame()) is not None:
                self._protocol.data_received(piece)
        except Malformed as error:
            self._broken = error
            self._raw.abort()

    def eof_received(self) -> bool | None:
        answer: bool | None = self._protocol.eof_received()
        return answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._protocol.connection_lost(self._broken or exc)

    def pause_writing(self) -> None:
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        self._protocol.resume_writing()

    def _next_frame(self) -> bytes | None:
        """Return what the next whole frame holds; None while it is not there."""
        if len(self._came) < _HEADER:
            return None
        size = int.from_bytes(self._came[:3], "little")
        whole = int.from_bytes(self._came[4:_HEADER], "little")
        if len(self._came) < _HEADER + size:
            return None
        if self._came[3] != self._sequence:
            raise Malformed(f"frame {self._came[3]} came where {self._sequence} was due")
        self._sequence = (self._sequence + 1) & 0xFF
        body = bytes(self._came[_HEADER : _HEADER + size])
        del self._came[: _HEADER + size]
        return _inflated(body, whole) if whole else body

    # What writers and readers of packets call.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data).cast("B")
        frames = [
            self._frame(bytes(view[at : at + _MOST_BYTES]))
            for at in range(0, len(view), _MOST_BYTES)
        ]
        self._raw.write(b"".join(frames))

    def _frame(self, body: bytes) -> bytes:
        whole, packed = 0, body
        if len(body) >= _FEWEST_BYTES:
            shorter = zlib.compress(body, _LEVEL)
            if len(shorter) < len(body):
                whole, packed = len(body), shorter
        head = len(packed).to_bytes(3, "little") + bytes([self._sequence])
        self._sequence = (self._sequence + 1) & 0xFF
        return head + whole.to_bytes(3, "little") + packed

    def get_protocol(self) -> Any:
        return self._protocol

    def set_protocol(self, protocol: Any) -> None:
        self._protocol = protocol

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._raw.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return int(self._raw.get_write_buffer_size())

    def is_closing(self) -> bool:
        return bool(self._raw.is_closing())

    def pause_reading(self) -> None:
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        self._raw.resume_reading()

    def close(self) -> None:
        self._raw.close()

    def abort(self) -> None:
        self._raw.abort()


def _inflated(body: bytes, size: int) -> bytes:
    """Return what was compressed; nothing is made that is longer than the frame says."""
    try:
        unpacking = zlib.decompressobj()
        made = unpacking.decompress(body, size + 1)
    except zlib.error as error:
        raise Malformed("a compressed packet is none") from error
    if len(made) != size or not unpacking.eof:
        raise Malformed("a compressed packet has another size than it says")
    return made


def compress(reader: Any, writer: Any) -> None:
    """Compress what the streams of a connection carry from now on."""
    between = Compression(writer.transport)
    # The streams know their transport by these alone (Python 3.11 to 3.14).
    writer._transport = between
    reader._transport = between


def is_compressed(transport: Any) -> bool:
    """Say whether packets have no numbers of their own."""
    return isinstance(transport, Compression)


def begin_command(transport: Any) -> None:
    """Say that what is written next is a command."""
    if isinstance(transport, Compression):
        transport.begin()
