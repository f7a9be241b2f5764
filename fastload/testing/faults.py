"""A proxy between client and server that fails on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK_BYTES = 64 << 10


class Proxy:
    """Passes bytes on, until a client's bytes ask for an answer that is to be lost.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        lose_answer_to: Once a client has sent these bytes, the server's answer is awaited and
            dropped, and the connection ends: the work was done and nobody was told. Empty passes
            everything on.
        pass_first: Of the answers that are to be lost, so many are passed on first.
        lose_most: And no more than so many are lost; None is all.
        asked: How often a client has sent the bytes.
        lost: How many answers were lost.
        silent: Nothing is passed on any more, and connections stay open.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.port = 0
        self.lose_answer_to = b""
        self.pass_first = 0
        self.lose_most: int | None = None
        self.asked = 0
        self.lost = 0
        self.silent = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        there, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        answers = asyncio.create_task(_pass_on(there, writer))
        try:
            while data := await reader.read(_CHUNK_BYTES):
                if self.silent:
                    continue
                loses = self._loses_answer_to(data)
                if loses:
                    answers.cancel()
                    await asyncio.wait([answers])
                to_server.write(data)
                await to_server.drain()
                if loses and await there.read(_CHUNK_BYTES):
                    self.lost += 1
                    break
        except OSError:
            pass
        finally:
            answers.cancel()
            writer.close()
            to_server.close()

    def _loses_answer_to(self, data: bytes) -> bool:
        if not self.lose_answer_to or self.lose_answer_to not in data:
            return False
        self.asked += 1
        late = self.lose_most is not None and self.asked > self.pass_first + self.lose_most
        return self.asked > self.pass_first and not late


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def proxy(server_port: int) -> AsyncIterator[Proxy]:
    """Run a proxy to this port of 127.0.0.1 while the context is open."""
    made = Proxy(server_port)
    server = await asyncio.start_server(made.serve, "127.0.0.1")
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
