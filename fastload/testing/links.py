"""One connection through a proxy: its two ways, how slow they are, and how they break."""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

CHUNK_BYTES = 64 << 10
# Linux' number for setsockopt, and the shortest packet filter: nothing comes in.
_SO_ATTACH_FILTER = 26
_LOOK_S = 0.005
_TAKEN_S = 5.0
_RETURN_NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)

End = Literal["server", "client"]
Kind = Literal["cut", "reset", "half_close", "stall", "vanish"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one connection.

    Attributes:
        kind: ``cut`` closes both ends in order. ``reset`` ends both with a RST. ``half_close``
            tells the receiver of this way that no more comes; the other way stays. ``stall``
            passes nothing on any more, either way, and the sockets stay open. ``vanish`` is a
            half-open connection: no packet of either end is seen any more, not even a keepalive
            is answered.
        to: Whose bytes are counted: those on their way to the server, or to the client.
        after_bytes: It happens once so many have passed.
        for_s: A stall ends after so many seconds; None is never.
    """

    kind: Kind
    to: End = "server"
    after_bytes: int = 0
    for_s: float | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """How slow each way of a connection is.

    Attributes:
        latency_s: Each piece comes so much later; pieces follow each other without a gap.
        bytes_per_s: As fast as it gets; 0 is no bound.
        piece_bytes: What is sent at once; 1 is byte at a time.
        pieces_until_bytes: Later bytes come as they are.
    """

    latency_s: float = 0.0
    bytes_per_s: int = 0
    piece_bytes: int = CHUNK_BYTES
    pieces_until_bytes: int | None = None


class Link:
    """A client's connection and the one to its server.

    Args:
        client: Reader and writer of the client.
        server: The same of the server.
        shape: How slow it is.
        take: Given a way and how many of its bytes will have passed, returns the fault that is
            now due, which is then taken.
        sent: Told of each piece that was passed on.
    """

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        shape: Shape,
        take: Callable[[End, int], Fault | None],
        sent: Callable[[End, int], None],
    ) -> None:
        self._writers: dict[End, asyncio.StreamWriter] = {"client": client[1], "server": server[1]}
        self._readers: dict[End, asyncio.StreamReader] = {"server": client[0], "client": server[0]}
        self._passed: dict[End, int] = {"server": 0, "client": 0}
        self._shape = shape
        self._take = take
        self._sent = sent
        self._goes_on = asyncio.Event()
        self._goes_on.set()
        for writer in self._writers.values():
            found: socket.socket = writer.get_extra_info("socket")
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def pass_on(self, to: End) -> None:
        """Pass on what comes this way until it ends; then the receiver is told."""
        with suppress(OSError):
            while data := await self._readers[to].read(CHUNK_BYTES):
                await self.send(to, data)
            self.finish(to)

    async def send(self, to: End, data: bytes) -> None:
        """Send bytes this way, and let a fault strike that is due among them."""
        while fault := self._take(to, self._passed[to] + len(data)):
            upto = max(0, fault.after_bytes - self._passed[to])
            await self._send(to, data[:upto])
            data = data[upto:]
            await self._strike(fault, to)
        await self._send(to, data)

    async def _send(self, to: End, data: bytes) -> None:
        writer, shape = self._writers[to], self._shape
        at = 0
        while at < len(data):
            limit = shape.pieces_until_bytes
            whole = limit is not None and self._passed[to] >= limit
            piece = data[at : at + (CHUNK_BYTES if whole else shape.piece_bytes)]
            await self._goes_on.wait()
            if shape.latency_s:
                await asyncio.sleep(shape.latency_s)
            if shape.bytes_per_s:
                await asyncio.sleep(len(piece) / shape.bytes_per_s)
            writer.write(piece)
            await writer.drain()
            at += len(piece)
            self._passed[to] += len(piece)
            self._sent(to, len(piece))

    def finish(self, to: End) -> None:
        """Tell the receiver of this way that no more comes."""
        with suppress(OSError, RuntimeError):
            self._writers[to].write_eof()

    def close(self) -> None:
        """Close both ends."""
        for writer in self._writers.values():
            writer.close()

    async def _strike(self, fault: Fault, to: End) -> None:
        if fault.kind == "half_close":
            self.finish(to)
            # The sender may go on; nobody hears it.
            while await self._readers[to].read(CHUNK_BYTES):
                pass
        elif fault.kind == "stall":
            await self._stall(fault.for_s)
            return
        elif fault.kind == "vanish":
            self._goes_on.clear()
            for writer in self._writers.values():
                await _all_acknowledged(writer)
                hear_nothing(writer.get_extra_info("socket"))
            await asyncio.Event().wait()
        elif fault.kind == "reset":
            self._reset()
        else:
            self.close()
        raise ConnectionResetError(fault.kind)

    async def _stall(self, for_s: float | None) -> None:
        self._goes_on.clear()
        if for_s is None:
            await asyncio.Event().wait()
        else:
            await asyncio.sleep(for_s)
            self._goes_on.set()

    def _reset(self) -> None:
        # With no time to linger, closing sends a RST; a transport's abort alone would say FIN.
        for writer in self._writers.values():
            found: socket.socket = writer.get_extra_info("socket")
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


async def _all_acknowledged(writer: asyncio.StreamWriter) -> None:
    """Wait until nothing is under way to the receiver, or it takes nothing.

    What is not acknowledged is sent again, later and later, and as long as a receiver hears it,
    its keepalive does not begin: measured, 52 s instead of 25 s. An end that is gone is not heard.
    """
    found: socket.socket = writer.get_extra_info("socket")
    for _ in range(int(_TAKEN_S / _LOOK_S)):
        (under_way,) = struct.unpack("i", fcntl.ioctl(found, termios.TIOCOUTQ, bytes(4)))
        if not under_way and not writer.transport.get_write_buffer_size():
            return
        await asyncio.sleep(_LOOK_S)


def hear_nothing(found: Any) -> None:
    """Have the kernel drop every packet that comes for this socket: nothing is acknowledged."""
    code = ctypes.create_string_buffer(_RETURN_NOTHING)
    program = struct.pack("HL", 1, ctypes.addressof(code))
    found.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
