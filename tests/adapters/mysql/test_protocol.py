"""Raw rows of a statement: complete, in step afterwards, and clear where they end too early."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pyarrow as pa
import pytest
import uvloop
from fastload_mysql.driver import MysqlDriver, open_sessions
from fastload_mysql.packets import MOST_PAYLOAD, Malformed
from fastload_mysql.protocol import statement
from fastload_mysql.rows_decode import RowsDecoder

from fastload import errors
from fastload.testing.mysql_fake_server import OK, fake_server
from fastload.url import Url

pytestmark = pytest.mark.mysql

COLUMNS = [("id", "longlong"), ("n", "long"), ("d", "double"), ("s", "text"), ("at", "datetime")]
MANY = 100_000
DIGITS = " UNION ALL ".join(f"SELECT {n} AS n" for n in range(10))
SELECT = "SELECT id, n, d, s, at FROM t ORDER BY id"


@pytest.fixture
def filled(database):
    """A table of many rows, with a NULL in each column but the key somewhere."""
    digits = ", ".join(f"({DIGITS}) AS d{i}" for i in range(5))
    number = " + ".join(f"d{i}.n * {10**i}" for i in range(5))
    database.execute(
        f"""CREATE TABLE t (id bigint PRIMARY KEY, n int, d double, s varchar(20), at datetime(6));
        INSERT INTO t SELECT i, IF(i % 7 = 0, NULL, -i), IF(i % 11 = 0, NULL, i / 4),
            IF(i % 13 = 0, NULL, CONCAT('é ', i)),
            IF(i % 17 = 0, NULL, TIMESTAMP('2020-01-01 00:00:00.000001') + INTERVAL i SECOND)
        FROM (SELECT {number} AS i FROM {digits}) AS numbers"""
    )
    return database


@asynccontextmanager
async def lent(database, side="source", **options):
    url = replace(Url.parse(database.url), options=options)
    async with open_sessions(url, side=side, limit=1) as sessions, sessions.lend() as connection:
        yield connection


async def read(connection, sql, columns=COLUMNS, batch_bytes=1 << 20):
    async with statement(connection, sql) as result:
        decoder = RowsDecoder(columns, sequence=result.sequence, batch_bytes=batch_bytes)
        batches = [pa.record_batch(batch) async for batch in result.batches(decoder)]
    return pa.Table.from_batches(batches, pa.schema(decoder))


def expected(table):
    """Check a table of the fixture's rows against what made them."""
    ids = table["id"].to_pylist()
    assert ids == list(range(MANY))
    assert table["n"].to_pylist() == [None if i % 7 == 0 else -i for i in ids]
    assert table["d"].to_pylist() == [None if i % 11 == 0 else i / 4 for i in ids]
    assert table["s"].to_pylist() == [None if i % 13 == 0 else f"é {i}" for i in ids]
    began = 1_577_836_800_000_001
    micro = [None if i % 17 == 0 else began + i * 1_000_000 for i in ids]
    assert table["at"].cast(pa.int64()).to_pylist() == micro


WAYS = {
    "clear": {"ssl_mode": "DISABLED"},
    "tls": {"ssl_mode": "REQUIRED"},
    "socket": {"unix_socket": "{socket}"},
}


def options_of(database, way):
    return {k: v.format(socket=database.server.socket) for k, v in WAYS[way].items()}


@pytest.mark.parametrize("way", WAYS)
async def test_all_rows_come_once_and_in_order(filled, way):
    async with lent(filled, **options_of(filled, way)) as connection:
        for _ in range(2):
            expected(await read(connection, SELECT))
            assert connection.at_rest
            assert await connection.fetchval("SELECT 'in step'") == "in step"
    await filled.none_left()


@pytest.mark.parametrize("way", WAYS)
def test_under_uvloop(filled, way):
    async def main():
        async with lent(filled, **options_of(filled, way)) as connection:
            expected(await read(connection, SELECT))
            assert await connection.fetchval("SELECT 'in step'") == "in step"

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


async def test_a_slow_reader_holds_the_server_back(filled):
    """Nothing is lost while the transport is paused."""
    async with lent(filled) as connection, statement(connection, SELECT) as result:
        decoder = RowsDecoder(COLUMNS, sequence=result.sequence, batch_bytes=1 << 16)
        rows = 0
        async for batch in result.batches(decoder):
            rows += batch.num_rows
            await asyncio.sleep(0.001)
        assert rows == MANY


async def test_columns(filled):
    async with lent(filled) as connection:
        sql = "SELECT id, n AS `renamed é`, CAST(n AS unsigned) AS u, at FROM t WHERE 1 = 0"
        async with statement(connection, sql) as result:
            found = [(c.name, c.unsigned, c.not_null, c.decimals) for c in result.columns]
            decoder = RowsDecoder([("a", "longlong")] * 4, sequence=result.sequence)
            async for _ in result.batches(decoder):
                pass
    assert found[:3] == [
        ("id", False, True, 0),
        ("renamed é", False, False, 0),
        ("u", True, False, 0),
    ]
    assert found[3][3] == 6


async def test_no_rows(filled):
    async with lent(filled) as connection:
        table = await read(connection, f"SELECT * FROM ({SELECT}) AS x WHERE id < 0")
        assert table.num_rows == 0
        assert connection.at_rest


async def test_statements_are_closed(filled):
    query = "SHOW GLOBAL STATUS LIKE 'Prepared_stmt_count'"
    async with lent(filled) as connection:
        before = filled.server.execute(query)
        for _ in range(5):
            await read(connection, SELECT + " LIMIT 1")
        # The server has seen the last one closed once it has answered what came after.
        await connection.fetchval("SELECT 1")
        assert filled.server.execute(query) == before


@pytest.fixture
def roomy(database):
    """A server that sends and takes wide rows."""
    server = database.server
    was = server.execute("SELECT @@global.max_allowed_packet")[0][0]
    server.execute(f"SET GLOBAL max_allowed_packet = {128 << 20}")
    yield database
    server.execute(f"SET GLOBAL max_allowed_packet = {was}")


# A row is a mark, a bitmap of one byte, and a text with a length of four bytes, or of nine.
EDGES = [MOST_PAYLOAD - 6 + more for more in (-1, 0, 1)]


@pytest.mark.parametrize("size", [*EDGES, 20_000_000, 2 * MOST_PAYLOAD - 11, 40_000_000])
async def test_rows_of_several_packets(roomy, size):
    async with lent(roomy) as connection:
        sql = f"SELECT REPEAT('x', {size}) AS s UNION ALL SELECT 'last'"
        table = await read(connection, sql, [("s", "text")])
        assert [len(s) for s in table["s"].to_pylist()] == [size, 4]
        assert connection.at_rest
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_statement_of_several_packets(roomy):
    async with lent(roomy) as connection:
        table = await read(connection, f"SELECT '{'x' * (MOST_PAYLOAD + 9)}' AS s", [("s", "text")])
        assert len(table["s"][0].as_py()) == MOST_PAYLOAD + 9
        assert await connection.fetchval("SELECT 1") == 1


async def test_bytes_after_the_last_row(database):
    async with lent(database) as connection, statement(connection, "SELECT 'x' AS s") as result:
        decoder = RowsDecoder([("s", "text")], sequence=result.sequence)
        async for piece in result:
            decoder.feed(piece)
            if decoder.ended:
                break
        result._wire.data_received(b"\1\0\0\0\0")
        with pytest.raises(Malformed, match="bytes follow"):
            result.finish(decoder)


@pytest.mark.parametrize(
    ("sql", "number"),
    [
        ("SELECT * FROM nothing", 1146),
        ("SELEKT", 1064),
        ("SELECT (SELECT 1 UNION ALL SELECT 2) AS n", 1242),
    ],
)
async def test_an_error_instead_of_columns_leaves_it_in_step(database, sql, number):
    async with lent(database) as connection:
        with pytest.raises(errors.SourceError, match=str(number)):
            await read(connection, sql)
        assert connection.at_rest
        assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("sql", ["SELECT ? AS n", "DO 1"])
async def test_other_statements_are_refused(database, sql):
    async with lent(database) as connection:
        with pytest.raises(errors.SourceError, match="without parameters"):
            await read(connection, sql)
        assert connection.at_rest
        assert await connection.fetchval("SELECT 1") == 1


ENDLESS = "SELECT a.id, a.n, a.d, a.s, a.at FROM t AS a, t AS b"


async def read_until(connection, database, ending):
    """Read endlessly, and end it from another session once rows have come."""
    async with statement(connection, ENDLESS) as result:
        decoder = RowsDecoder(COLUMNS, sequence=result.sequence, batch_bytes=1 << 16)
        batches = result.batches(decoder)
        await anext(batches)
        database.server.execute(ending.format(connection.thread_id))
        async for _ in batches:
            pass


@pytest.mark.faults
async def test_an_error_in_the_middle_of_the_rows_leaves_it_in_step(filled):
    async with lent(filled) as connection:
        with pytest.raises(errors.SourceError, match="1317") as caught:
            await read_until(connection, filled, "KILL QUERY {}")
        assert caught.value.retryable
        assert connection.at_rest
        assert await connection.fetchval("SELECT 1") == 1
        expected(await read(connection, SELECT))


@pytest.mark.faults
@pytest.mark.parametrize("way", WAYS)
async def test_a_server_that_is_gone_in_the_middle(filled, way):
    with pytest.raises(errors.FastloadError) as caught:
        async with lent(filled, **options_of(filled, way)) as connection:
            await read_until(connection, filled, "KILL {}")
    assert caught.value.retryable
    assert isinstance(caught.value, errors.ConnectionLost) or "1317" in str(caught.value)
    await filled.none_left()


@pytest.mark.faults
async def test_leaving_early_ends_the_session(filled):
    url = Url.parse(filled.url)
    async with open_sessions(url, side="source", limit=1) as sessions:
        async with sessions.lend() as connection:
            async with statement(connection, ENDLESS) as result:
                async for _ in result:
                    break
            assert not connection.at_rest
        await filled.none_left()
        async with sessions.lend() as connection:
            assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.faults
@pytest.mark.parametrize(
    "sql", [ENDLESS, "SELECT max(a.n + b.d + length(c.s)) FROM t AS a, t AS b, t AS c"]
)
@pytest.mark.parametrize("way", WAYS)
async def test_a_cancelled_reading_leaves_no_session(filled, way, sql):
    async def endless():
        async with lent(filled, **options_of(filled, way)) as connection:
            await read(connection, sql)

    task = asyncio.create_task(endless())
    await filled.running("SELECT%")
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await filled.none_left()


# Servers that say what no server says.


HOSTILE = {
    "empty": b"",
    "no length": b"\xfb",
    "cut": b"\0\0",
    "file": b"\xfb/etc/passwd",
    "rows": b"\x01" * 4,
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE.keys())
async def test_nonsense_ends_the_connection(answer):
    async with fake_server(answer) as fake:
        connection = await MysqlDriver("source").open(Url.parse(fake.url))
        with pytest.raises(errors.ConnectionLost):
            await read(connection, "SELECT 1 AS a")
        assert not connection.at_rest
        await MysqlDriver("source").end(connection)
        await fake.closed.wait()
    assert len(fake.received) == 2


async def test_a_request_for_a_file_ends_the_connection():
    """Also where the driver's own way of reading files would be allowed."""
    async with fake_server(b"\xfb/etc/passwd", OK) as fake:
        connection = await MysqlDriver("target").open(Url.parse(fake.url))
        with pytest.raises(errors.TargetError, match="asked for a file"):
            await connection.fetch("SELECT 1")
        assert not connection.usable
        await connection.wait_closed()
        await fake.closed.wait()
    assert [sent[:1] for sent in fake.received[1:]] == [b"\x03"]
