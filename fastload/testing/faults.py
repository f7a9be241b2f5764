"""A proxy between client and server that fails on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastload.testing.links import CHUNK_BYTES, End, Fault, Kind, Link, Shape

__all__ = ["Fault", "Kind", "Proxy", "Shape", "proxy"]

_END_S = 1.0


class Proxy:
    """Passes bytes on, until something is to fail.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        lose_answer_to: Once a client has sent these bytes, the server's answer is awaited and
            dropped, and the connection ends: the work was done and nobody was told. Empty passes
            everything on.
        pass_first: Of the answers that are to be lost, so many are passed on first.
        lose_most: And no more than so many are lost; None is all.
        asked: How often a client has sent the bytes.
        lost: How many answers were lost.
        silent: What clients send is not passed on any more, and connections stay open.
        faults: What is to happen, each once: to the first connection that has passed so many
            bytes that way.
        struck: How many of them have happened.
        shape: How slow connections are that begin from now on.
        sent_bytes: What was passed on to the server.
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
        self.faults: list[Fault] = []
        self.struck = 0
        self.shape = Shape()
        self.sent_bytes = 0
        self._open: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one connection on until either side ends it."""
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        await asyncio.wait([task])
        self._open.remove(task)

    async def end(self) -> None:
        """Close every connection."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:  # the server is down, as it is when it is restarted
            writer.close()
            return
        link = Link((reader, writer), there, self.shape, self._take, self._sent)
        answers = asyncio.create_task(link.pass_on("client"))
        requests = asyncio.create_task(self._requests(reader, link, there[0], answers))
        try:
            await asyncio.wait([requests, answers], return_when=asyncio.FIRST_COMPLETED)
            # One end has ended, and the other is told so; an answer that is lost cancels its way.
            if answers.cancelled():
                await requests
            else:
                await asyncio.wait([requests, answers], timeout=_END_S)
        finally:
            requests.cancel()
            answers.cancel()
            link.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        link: Link,
        from_server: asyncio.StreamReader,
        answers: asyncio.Task[None],
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                loses = self._loses_answer_to(data)
                if self.silent:
                    continue
                if loses:
                    answers.cancel()
                    await asyncio.wait([answers])
                    await link.send("server", data)
                    if await from_server.read(CHUNK_BYTES):
                        self.lost += 1
                        return
                else:
                    await link.send("server", data)
            link.finish("server")

    def _sent(self, to: End, size: int) -> None:
        if to == "server":
            self.sent_bytes += size

    def _take(self, to: End, passed: int) -> Fault | None:
        for fault in self.faults:
            if fault.to == to and passed >= fault.after_bytes:
                self.faults.remove(fault)
                self.struck += 1
                return fault
        return None

    def _loses_answer_to(self, data: bytes) -> bool:
        if not self.lose_answer_to or self.lose_answer_to not in data:
            return False
        self.asked += 1
        late = self.lose_most is not None and self.asked > self.pass_first + self.lose_most
        return self.asked > self.pass_first and not late


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
        await made.end()
