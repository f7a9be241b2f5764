"""A server that speaks just enough of MySQL's protocol to log anybody in, and then as it is told.

For tests of what no real server says.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

_CAPABILITIES = 0x0008_0000 | 0x8000 | 0x2000 | 0x0200 | 0x0008
_AUTOCOMMIT = 2
OK = struct.pack("<BBBHH", 0, 0, 0, _AUTOCOMMIT, 0)


def _handshake(plugin: str) -> bytes:
    return b"".join(
        (
            b"\x0a8.0.0-fake\0",
            struct.pack("<I", 7) + b"12345678\0",
            struct.pack("<HBHHB", _CAPABILITIES & 0xFFFF, 45, _AUTOCOMMIT, _CAPABILITIES >> 16, 21),
            bytes(10) + b"123456789012\0",
            plugin.encode() + b"\0",
        )
    )


class FakeServer:
    """Answers the login, then each command with the next payload; keeps what it was sent."""

    def __init__(self, answers: list[bytes], login: bytes, plugin: str) -> None:
        self._answers = answers
        self._login = login
        self._plugin = plugin
        self.received: list[bytes] = []
        self.closed = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"mysql://u:hunter2secret@127.0.0.1:{self.port}/d"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            _send(writer, 0, _handshake(self._plugin))
            sequence = await self._receive(reader)
            _send(writer, sequence + 1, self._login)
            for answer in self._answers:
                sequence = await self._receive(reader)
                _send(writer, sequence + 1, answer)
            while True:
                await self._receive(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.closed.set()

    async def _receive(self, reader: asyncio.StreamReader) -> int:
        start = await reader.readexactly(4)
        self.received.append(await reader.readexactly(int.from_bytes(start[:3], "little")))
        return start[3]


def _send(writer: asyncio.StreamWriter, sequence: int, payload: bytes) -> None:
    writer.write(len(payload).to_bytes(3, "little") + bytes([sequence]) + payload)


@asynccontextmanager
async def fake_server(
    *answers: bytes, login: bytes = OK, plugin: str = "mysql_native_password"
) -> AsyncIterator[FakeServer]:
    """Serve on a port of its own; it has no TLS.

    Args:
        answers: Payload for each command after the login, in order; later ones are not answered.
        login: What it answers to user and password.
        plugin: The plugin that it names for the login.
    """
    fake = FakeServer(list(answers), login, plugin)
    async with listening(fake.serve) as fake.port:
        yield fake


Serve: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """Serve on a port of this address, which is yielded; at the end every connection is closed."""
    tasks: list[asyncio.Task[None]] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        try:
            await serve(reader, writer)
        finally:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, host, 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        if tasks:
            await asyncio.wait(tasks, timeout=5)
