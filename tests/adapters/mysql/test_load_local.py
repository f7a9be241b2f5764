"""LOAD DATA LOCAL INFILE from bytes: what arrives, what is counted, and what is never sent."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import anyio
import pytest
from fastload_mysql.driver import MysqlDriver, open_sessions
from fastload_mysql.load_local import LoadResult, load_local

from fastload import errors
from fastload.testing.mysql_fake_server import OK, fake_server
from fastload.url import Url

pytestmark = pytest.mark.mysql

TOKEN = "fastload:one-time"
LOAD = f"LOAD DATA LOCAL INFILE '{TOKEN}' INTO TABLE t CHARACTER SET utf8mb4"
TABLE = "CREATE TABLE t (i int PRIMARY KEY, s longtext)"


@asynccontextmanager
async def lent(database, side="target"):
    url = Url.parse(database.url)
    async with open_sessions(url, side=side, limit=1) as sessions, sessions.lend() as connection:
        yield connection


async def load_in_transaction(database, pieces):
    async with lent(database) as connection:
        await connection.execute("START TRANSACTION")
        await load_local(connection, LOAD, TOKEN, pieces)


async def given(*pieces):
    for piece in pieces:
        yield piece


async def in_step(connection):
    assert connection.at_rest
    assert await connection.fetchval("SELECT 1") == 1


@pytest.mark.parametrize("cut", [1, 3, 7, 1000])
async def test_pieces_are_cut_anywhere(database, cut):
    database.execute(TABLE)
    data = "1\tone\n2\té😀\n3\t\\N\n".encode()
    pieces = [data[at : at + cut] for at in range(0, len(data), cut)]
    async with lent(database) as connection:
        result = await load_local(connection, LOAD, TOKEN, given(*pieces))
        await in_step(connection)
    assert result == LoadResult(records=3, deleted=0, skipped=0, warnings=0, affected_rows=3)
    assert database.execute("SELECT * FROM t ORDER BY i") == [(1, "one"), (2, "é😀"), (3, None)]


@pytest.mark.parametrize(
    "pieces", [(), (b"",), (b"1\ta\n", b"", b"2\tb\n"), (memoryview(b"1\t\n"),)]
)
async def test_empty_pieces_end_nothing(database, pieces):
    database.execute(TABLE)
    async with lent(database) as connection:
        result = await load_local(connection, LOAD, TOKEN, given(*pieces))
        await in_step(connection)
    rows = b"".join(bytes(piece) for piece in pieces).count(b"\n")
    assert result.records == result.affected_rows == rows
    assert database.execute("SELECT count(*) FROM t") == [(rows,)]


@pytest.mark.parametrize("size", [(1 << 24) - 1, 1 << 24, 40_000_000])
async def test_pieces_larger_than_a_packet(database, size):
    database.execute(TABLE)
    row = b"x" * 999
    rows = size // 1010
    data = b"".join(b"%09d\t%s\n" % (i, row) for i in range(rows))
    data += b"999999999\t" + b"y" * (size - len(data) - 11) + b"\n"
    assert len(data) == size
    async with lent(database) as connection:
        result = await load_local(connection, LOAD, TOKEN, given(data))
        await in_step(connection)
    assert result.records == rows + 1
    assert database.execute("SELECT sum(length(s)) FROM t WHERE i < 999999999") == [(rows * 999,)]


async def test_what_was_let_through_is_counted(database):
    database.execute(f"{TABLE}; INSERT INTO t VALUES (1, 'old'), (2, 'old')")
    async with lent(database) as connection:
        pieces = given(b"1\tnew\n2\tnew\n3\tnew\n")
        result = await load_local(connection, LOAD.replace("INTO", "IGNORE INTO"), TOKEN, pieces)
        await in_step(connection)
    assert (result.records, result.skipped, result.affected_rows) == (3, 2, 1)
    assert result.warnings == 2
    assert database.execute("SELECT s FROM t ORDER BY i") == [("old",), ("old",), ("new",)]


async def test_more_warnings_than_a_packet_counts(database):
    database.execute(f"{TABLE}; INSERT INTO t VALUES (1, 'old')")
    async with lent(database) as connection:
        pieces = given(b"1\tnew\n" * 65_600)
        result = await load_local(connection, LOAD.replace("INTO", "IGNORE INTO"), TOKEN, pieces)
    assert result.warnings == 65_600


async def test_a_refused_row_leaves_it_in_step(database):
    database.execute(f"{TABLE}; INSERT INTO t VALUES (1, 'old')")
    async with lent(database) as connection:
        plain = f"LOAD DATA LOCAL INFILE '{TOKEN}' REPLACE INTO TABLE t"
        with pytest.raises(errors.EncodeError) as caught:
            await load_local(connection, plain, TOKEN, given(b"one\tx\n"), "d.t")
        assert caught.value.table == "d.t"
        assert caught.value.column == "i"
        await in_step(connection)


async def test_a_table_that_is_missing_leaves_it_in_step(database):
    async with lent(database) as connection:
        with pytest.raises(errors.TargetError, match="1146"):
            await load_local(connection, LOAD, TOKEN, given(b"1\tx\n"))
        await in_step(connection)


@pytest.mark.parametrize("side", ["source", "target"])
async def test_where_files_are_not_allowed(database, side):
    """A source never allows them, whatever its server does."""
    database.execute(TABLE)
    database.server.execute(f"SET GLOBAL local_infile = {'OFF' if side == 'target' else 'ON'}")
    try:
        async with lent(database, side) as connection:
            with pytest.raises(errors.FastloadError) as caught:
                await load_local(connection, LOAD, TOKEN, given(b"1\tx\n"))
            await in_step(connection)
    finally:
        database.server.execute("SET GLOBAL local_infile = ON")
    assert "local_infile" in caught.value.hint
    assert database.execute("SELECT count(*) FROM t") == [(0,)]


class Broken(Exception):
    pass


async def some_and_then(event):
    yield b"1\tone\n"
    event.set()
    await asyncio.sleep(20)


@pytest.mark.faults
async def test_pieces_that_break_off_leave_nothing(database):
    async def broken():
        yield b"1\tone\n"
        raise Broken

    database.execute(TABLE)
    with pytest.raises(Broken):
        await load_in_transaction(database, broken())
    await database.none_left()
    assert database.execute("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.faults
async def test_a_cancelled_load_leaves_nothing(database):
    database.execute(TABLE)
    event = asyncio.Event()
    task = asyncio.create_task(load_in_transaction(database, some_and_then(event)))
    await event.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await database.none_left()
    assert database.execute("SELECT count(*) FROM t") == [(0,)]


@pytest.mark.faults
async def test_a_server_that_goes_while_it_is_sent_rows(database):
    async def endless():
        for i in range(1 << 30):
            yield b"%d\t%s\n" % (i, b"x" * 1000)
            # As few rows as can be: the server has to take them back.
            await asyncio.sleep(0.001)

    async def end():
        database.server.execute(f"KILL {await database.running('LOAD DATA%')}")

    database.execute(TABLE)
    ending = asyncio.create_task(end())
    with pytest.raises(errors.FastloadError) as caught:
        await load_in_transaction(database, endless())
    await ending
    assert caught.value.retryable
    await database.none_left()
    assert database.execute("SELECT count(*) FROM t") == [(0,)]


# Servers that ask for what they were not offered.

REQUESTS = {
    "file": b"\xfb/etc/passwd",
    "longer": b"\xfb" + TOKEN.encode() + b"/",
    "empty": b"\xfb",
    "none": OK,
    "rows": b"\x01",
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS.keys())
async def test_only_the_token_is_answered(request_):
    async with fake_server(request_) as fake:
        connection = await MysqlDriver("target").open(Url.parse(fake.url))
        with anyio.fail_after(5), pytest.raises(errors.TargetError, match="something else"):
            await load_local(connection, LOAD, TOKEN, given(b"a secret row"))
        assert not connection.usable
        await connection.wait_closed()
        await fake.closed.wait()
    assert [sent[:5] for sent in fake.received[1:]] == [b"\x03LOAD"]


async def test_a_second_request_is_not_answered():
    async with fake_server(b"\xfb" + TOKEN.encode(), b"", b"\xfb/etc/passwd") as fake:
        connection = await MysqlDriver("target").open(Url.parse(fake.url))
        with pytest.raises(errors.FastloadError):
            await load_local(connection, LOAD, TOKEN, given(b"row"))
        assert not connection.at_rest
        await MysqlDriver("target").end(connection)
        await fake.closed.wait()
    assert all(b"root" not in sent for sent in fake.received)


@pytest.mark.parametrize("side", ["source", "target"])
async def test_only_a_target_says_that_it_sends_files(side):
    async with fake_server() as fake:
        connection = await MysqlDriver(side).open(Url.parse(fake.url))
        await connection.close()
        await fake.closed.wait()
    flags = int.from_bytes(fake.received[0][:4], "little")
    assert bool(flags & 0x80) == (side == "target")
    assert not flags & 0x10000  # several statements at once
