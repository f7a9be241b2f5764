"""A connection's bytes, while the driver's own stream stands aside.

The driver reads packet by packet; here bytes are handed on as they came. Servers send 16 KiB at a
time (net_buffer_length), so the size that is asked for does not matter: measured, 2 million rows of
95 MiB come in 5,500 pieces for 0.13 s of CPU, of which decoding takes 0.05 s.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from fastload_mysql.compression import begin_command, is_compressed
from fastload_mysql.packets import ERROR, HEADER, MOST_PAYLOAD, Malformed, framed, header

# More than this is not held: the server waits then.
_MOST_HELD_BYTES = 1 << 20
# A server refuses packets above its max_allowed_packet, which is a megabyte or more in practice;
# and a full packet before the empty one would make a single packet of both.
_PART_BYTES = 512 << 10


class Wire(asyncio.Protocol):
    """Takes the place of the stream's protocol, from the constructor until ``leave``.

    Guarantees: every byte is handed out once and in order; what the stream's protocol has to know,
    it is told. Relies on: nothing is under way when it begins.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._transport: Any = writer.transport
        self._stream: Any = self._transport.get_protocol()
        self._came: deque[bytes] = deque()
        self._held_bytes = 0
        self._lost: BaseException | None = None
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self._numbered = not is_compressed(self._transport)
        self.sequence = 0
        if self._transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        self._transport.set_protocol(self)

    def leave(self) -> None:
        """Give the bytes that come from now on to the stream again."""
        if self._transport.get_protocol() is self:
            self._transport.set_protocol(self._stream)
            self._resume()

    @property
    def empty(self) -> bool:
        """Whether all that came was handed out."""
        return not self._came

    # What the loop calls.

    def data_received(self, data: bytes) -> None:
        self._came.append(data)
        self._held_bytes += len(data)
        if self._held_bytes > _MOST_HELD_BYTES:
            self._pause()
        self._wake()

    def eof_received(self) -> bool | None:
        self._end(ConnectionResetError("the server closed the connection"))
        answer: bool | None = self._stream.eof_received()
        return answer

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ConnectionResetError("the connection was closed"))
        self._stream.connection_lost(exc)

    def pause_writing(self) -> None:
        self._stream.pause_writing()

    def resume_writing(self) -> None:
        self._stream.resume_writing()

    # What the connection calls.

    def command(self, word: bytes, argument: bytes = b"") -> None:
        """Send a command; the answer's first packet has number 1 or one more per packet sent."""
        payload = word + argument
        begin_command(self._transport)
        self._writer.write(framed(payload))
        self.sequence = 1 + len(payload) // MOST_PAYLOAD

    async def send(self, piece: bytes | memoryview) -> None:
        """Send bytes as packets of their own, and wait until there is room for more."""
        for at in range(0, len(piece), _PART_BYTES):
            part = piece[at : at + _PART_BYTES]
            self._writer.write(header(len(part), self.sequence))
            self._writer.write(part)
            self.sequence = (self.sequence + 1) & 0xFF
        # Draining alone lets the loop tell nothing: under TLS (Python 3.11) it never ends then.
        await asyncio.sleep(0)
        if self._lost is not None:
            raise self._lost
        await self._writer.drain()

    async def send_end(self) -> None:
        """Send the empty packet that ends a file."""
        self._writer.write(header(0, self.sequence))
        self.sequence = (self.sequence + 1) & 0xFF
        await self._writer.drain()

    async def piece(self) -> bytes:
        """Return what came since the last call; wait where that is nothing."""
        while not self._came:
            if self._lost is not None:
                raise self._lost
            self._resume()
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        data = self._came.popleft() if len(self._came) == 1 else b"".join(self._came)
        self._came.clear()
        self._held_bytes = 0
        self._resume()
        return data

    async def packet(self) -> bytes:
        """Return the payload of the next packet, and of those that it goes on in."""
        parts = []
        while True:
            start = await self._exactly(HEADER)
            size = int.from_bytes(start[:3], "little")
            payload = await self._exactly(size)
            # A server that shuts down sends its error with number 0.
            if self._numbered and start[3] != self.sequence and payload[:1] != bytes([ERROR]):
                raise Malformed(f"packet {start[3]} came where {self.sequence} was due")
            self.sequence = (self.sequence + 1) & 0xFF
            parts.append(payload)
            if size < MOST_PAYLOAD:
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _exactly(self, size: int) -> bytes:
        """Return so many bytes; few are asked for, and rarely of more than one piece."""
        data = b""
        while len(data) < size or not data:
            if not size:
                return b""
            data += await self.piece()
        if rest := data[size:]:
            self._came.appendleft(rest)
            self._held_bytes += len(rest)
        return data[:size]

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if not self._transport.is_closing():
                self._transport.resume_reading()

    def _end(self, error: BaseException) -> None:
        self._lost = self._lost or error
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
