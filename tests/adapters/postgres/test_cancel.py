"""Stopping in the middle: nothing half committed, and no backend works on."""

from __future__ import annotations

import asyncio
import gc
import warnings

import asyncpg
import pyarrow as pa
import pytest
from fastload_postgres.connection import PostgresDriver

import fastload

ROWS = 100_000


@pytest.fixture
def big(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT i AS id, repeat('x', 1000) AS filler
        FROM generate_series(1, {ROWS}) AS i; ALTER TABLE t ADD PRIMARY KEY (id); ANALYZE t"""
    )
    return source


async def backends(database):
    """Return how many of fastload's sessions this database has."""
    return int(
        database.psql(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fastload' "
            "AND datname = current_database()"
        )
    )


async def none_left(*databases):
    """Check that within two seconds no session of fastload's is left."""
    loop = asyncio.get_running_loop()
    until = loop.time() + 2
    while left := sum([await backends(d) for d in databases]):
        assert loop.time() < until, f"{left} sessions are left"
        await asyncio.sleep(0.05)


async def working(database, what):
    """Wait until a session of fastload's runs a statement like this."""
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fastload' "
        f"AND datname = current_database() AND state = 'active' AND query ILIKE '{what}'"
    )
    connection = await asyncpg.connect(database.url)
    try:
        while not await connection.fetchval(query):
            await asyncio.sleep(0.001)
    finally:
        await connection.close()


async def cancel(work, when):
    """Cancel the work at that moment; it must end as cancelled, without a stray word."""
    task = asyncio.create_task(work)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        complaints = []
        asyncio.get_running_loop().set_exception_handler(lambda _, c: complaints.append(c))
        await when
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        await asyncio.sleep(0)
    assert not complaints, [repr(c.get("exception")) for c in complaints]
    assert not [w for w in said if "never" in str(w.message)]


@pytest.mark.faults
async def test_a_connection_that_is_not_wanted_any_more_is_dropped(target):
    """Whatever step of the loop it has come to; asyncpg leaves a future behind at some of them."""
    driver, url = PostgresDriver("target"), fastload.Url.parse(target.url)

    async def open_and_wait():
        connection = await driver.open(url)
        try:
            await asyncio.Event().wait()
        finally:
            driver.abort(connection)

    async def steps(count):
        for _ in range(count):
            await asyncio.sleep(0)

    for count in range(1, 40):
        await cancel(open_and_wait(), steps(count))
    await none_left(target)


MOMENTS = {
    "planning": ("source", "%pg_export_snapshot%"),
    "reading": ("source", "COPY %"),
    "writing": ("target", "COPY %"),
    "keys": ("target", "CREATE UNIQUE INDEX%"),
}


@pytest.mark.faults
@pytest.mark.parametrize("route", ["wire", "arrow"])
@pytest.mark.parametrize("moment", ["reading", "writing", "keys"])
async def test_a_cancelled_copy_leaves_no_session_and_can_be_continued(big, target, moment, route):
    side, what = MOMENTS[moment]
    database = big if side == "source" else target
    options = {"route": route, "parallel": 2, "run": "cancelled"}
    await cancel(fastload.copy(big.url, target.url, **options), working(database, what))
    await none_left(big, target)
    committed = target.psql("SELECT coalesce(sum(rows), 0) FROM _fastload.receipts")
    assert target.psql("SELECT count(*) FROM t") == committed
    result = await fastload.copy(big.url, target.url, **options)
    assert result.rows == ROWS
    assert target.checksum("t") == big.checksum("t")


@pytest.mark.faults
async def test_a_cancelled_read_leaves_no_session(big):
    async def read() -> None:
        async with fastload.read(big.url, "t", parallel=2) as reading:
            async for _ in reading:
                pass

    await cancel(read(), working(big, "COPY %"))
    await none_left(big)


@pytest.mark.faults
async def test_leaving_a_read_early_leaves_no_session(big):
    async with fastload.read(big.url, "t", parallel=2) as reading:
        async for _ in reading:
            break
    await none_left(big)


@pytest.mark.faults
async def test_a_cancelled_write_leaves_nothing(target):
    batch = pa.record_batch({"n": pa.array(range(100_000))})

    def endless():
        while True:
            yield batch

    stream = pa.RecordBatchReader.from_batches(batch.schema, endless())
    await cancel(fastload.write(stream, target.url, "public.n"), working(target, "COPY %"))
    await none_left(target)
    assert target.psql("SELECT to_regclass('n') IS NULL") == "t"
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


@pytest.mark.faults
@pytest.mark.parametrize("side", ["source", "target"])
async def test_a_backend_that_is_ended_is_replaced(big, target, side):
    """The partition is read and written again; no row comes twice."""
    database = big if side == "source" else target

    async def end() -> str:
        await working(database, "COPY %")
        return database.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ILIKE 'COPY %' "
            "AND application_name = 'fastload' AND datname = current_database() LIMIT 1"
        )

    ending = asyncio.create_task(end())
    result = await fastload.copy(big.url, target.url, parallel=2, run="ended")
    assert await ending == "t"
    assert result.rows == ROWS
    assert target.checksum("t") == big.checksum("t")


class Proxy:
    """Passes bytes on to a server; a connection may fall silent after some, and then die."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.silent_after = 3 << 20
        self.died = 0

    async def serve(self, reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self.port)
        ways = [self.pass_on(reader, server_writer, True), self.pass_on(server_reader, writer)]
        await asyncio.gather(*ways, return_exceptions=True)
        for end in (writer, server_writer):
            end.transport.abort()

    async def pass_on(self, reader, writer, to_server=False):
        passed = 0
        while data := await reader.read(1 << 16):
            passed += len(data)
            if to_server and not self.died and passed > self.silent_after:
                self.died += 1
                # Long enough for the client's buffers to be full and its writer to wait.
                await asyncio.sleep(0.3)
                reader._transport.abort()
                writer.transport.abort()
                raise ConnectionError
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


@pytest.mark.faults
@pytest.mark.parametrize("route", ["wire", "arrow"])
async def test_a_connection_that_dies_while_the_writer_waits_is_replaced(big, target, route):
    proxy = Proxy(target.server.port)
    listening = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening:
        url = target.url.replace(f":{target.server.port}/", f":{port}/")
        result = await fastload.copy(big.url, url, parallel=1, route=route)
    assert proxy.died == 1
    assert result.rows == ROWS
    assert target.checksum("t") == big.checksum("t")
