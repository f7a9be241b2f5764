"""A proxy on an address that is not loopback, which ends TLS, strips it, or passes it on."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from fastload.testing.mysql_fake_server import listening

_CHUNK_BYTES = 64 << 10
_POSTGRES_ASKS_BYTES = 8
_MYSQL_ASKS_BYTES = 4 + 32
_MYSQL_TLS = 0x0800
# Any that is routed: nothing is sent to it.
_ELSEWHERE = ("192.0.2.1", 9)

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Begin: TypeAlias = Callable[[Streams, Streams], Awaitable[Streams]]
"""Handles a connection's first bytes, between the client's streams and the server's; returns the
client's, which may be others then."""


class Way:
    """What passes between a client and a server that listens on 127.0.0.1.

    Attributes:
        received: What clients have sent, after any TLS that ends here.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.received = bytearray()
        self.host, self.port = own_address(), 0

    async def open(self) -> Streams:
        """Connect to the server."""
        return await asyncio.open_connection("127.0.0.1", self._server_port)


def own_address() -> str:
    """Return an address of this machine that other machines would use."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_ELSEWHERE)
        return str(probe.getsockname()[0])


async def as_it_is(client: Streams, server: Streams) -> Streams:
    """Pass everything on."""
    return client


def ending_postgres(context: ssl.SSLContext) -> Begin:
    """Answer PostgreSQL's question for TLS with yes, and end it here."""

    async def begin(client: Streams, server: Streams) -> Streams:
        reader, writer = client
        await reader.readexactly(_POSTGRES_ASKS_BYTES)
        writer.write(b"S")
        await writer.drain()
        await writer.start_tls(context)
        return client

    return begin


async def stripping_postgres(client: Streams, server: Streams) -> Streams:
    """Answer PostgreSQL's question for TLS with no."""
    reader, writer = client
    await reader.readexactly(_POSTGRES_ASKS_BYTES)
    writer.write(b"N")
    return client


def ending_mysql(context: ssl.SSLContext) -> Begin:
    """End a MySQL client's TLS here, and begin another with the server."""

    async def begin(client: Streams, server: Streams) -> Streams:
        there, to_server = server
        client[1].transport.pause_reading()  # type: ignore[attr-defined]
        client[1].write(await _packet(there))
        found = client[1].get_extra_info("socket").dup()
        # Nobody waits for an answer here: the first bytes of TLS are right behind.
        to_server.write(await asyncio.get_running_loop().sock_recv(found, _MYSQL_ASKS_BYTES))
        ended = await _accept_tls(found, context)
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        await to_server.start_tls(trusting)
        return ended

    return begin


async def _accept_tls(accepted: socket.socket, context: ssl.SSLContext) -> Streams:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def stripping_mysql(client: Streams, server: Streams) -> Streams:
    """Take TLS out of what a MySQL server says that it can."""
    greeting = bytearray(await _packet(server[0]))
    at = greeting.index(0, 5) + 14  # behind version, thread, eight bytes of salt and a zero
    can = int.from_bytes(greeting[at : at + 2], "little")
    greeting[at : at + 2] = (can & ~_MYSQL_TLS).to_bytes(2, "little")
    client[1].write(greeting)
    return client


async def _packet(reader: asyncio.StreamReader) -> bytes:
    start = await reader.readexactly(4)
    return start + await reader.readexactly(int.from_bytes(start[:3], "little"))


@asynccontextmanager
async def way_to(server_port: int, begin: Begin = as_it_is) -> AsyncIterator[Way]:
    """Run a proxy on a port of ``own_address`` while the context is open."""
    way = Way(server_port)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_server = await way.open()
        with suppress(OSError, asyncio.IncompleteReadError):
            client = await begin((reader, writer), (there, to_server))
            answers = asyncio.create_task(_pass_on(there, client[1]))
            try:
                await _pass_on(client[0], to_server, way.received)
            finally:
                answers.cancel()
                await asyncio.wait([answers])
                client[1].transport.abort()
        to_server.transport.abort()
        with suppress(OSError):
            await to_server.wait_closed()

    async with listening(serve, way.host) as way.port:
        yield way


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray | None = None
) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            if seen is not None:
                seen += data
            writer.write(data)
            await writer.drain()
    writer.close()
