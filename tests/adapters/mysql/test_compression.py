"""Connections under zlib carry the same bytes, and refuse frames that are none."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import pyarrow as pa
import pytest
from fastload_mysql.compression import Compression
from hypothesis import given
from hypothesis import strategies as st

import fastload
from fastload.errors import ConfigError

ROWS = 50_000


def compressed(url: str) -> str:
    return f"{url}?compression=zlib"


async def test_rows_are_the_same_under_compression(database):
    name = f"{database.name}.t"
    values = {"id": list(range(ROWS)), "s": [f"text {i % 7}" * (i % 90) for i in range(ROWS)]}
    data = pa.table(values)
    await fastload.write(data, compressed(database.url), name)
    counted = database.execute("SELECT count(*), sum(length(s)) FROM t")
    assert counted == [(ROWS, sum(map(len, values["s"])))]
    async with fastload.read(compressed(database.url), name, parallel=1) as reading:
        found = await reading.table()
    assert found.sort_by("id").to_pydict() == data.to_pydict()


async def test_the_session_is_compressed(database):
    from fastload_mysql.driver import open_sessions

    url = fastload.Url.parse(compressed(database.url))
    async with open_sessions(url, side="source", limit=1) as sessions, sessions.lend() as session:
        assert await session.fetch("SHOW SESSION STATUS LIKE 'Compression'") == [
            ("Compression", "ON")
        ]


async def test_a_row_of_several_packets_is_the_same(database):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, a longblob, b longblob)")
    database.execute("INSERT INTO t SELECT 1, REPEAT('ab', 5000000), REPEAT('cd', 5000000)")
    source = compressed(database.url)
    async with fastload.read(source, f"{database.name}.t", parallel=1) as reading:
        found = (await reading.table()).to_pydict()
    assert found == {"id": [1], "a": [b"ab" * 5_000_000], "b": [b"cd" * 5_000_000]}


async def test_another_word_for_compression_is_refused(database):
    with pytest.raises(ConfigError, match="compression=lz4") as caught:
        async with fastload.read(f"{database.url}?compression=lz4", "a.b"):
            pass
    assert caught.value.hint == "known: off, zlib"


class Ends(asyncio.Protocol):
    """A transport that keeps what is written, and a protocol that keeps what comes."""

    def __init__(self) -> None:
        self.written, self.came = bytearray(), bytearray()
        self.protocol: Any = self
        self.aborted = False

    def get_protocol(self) -> Any:
        return self.protocol

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: bytes) -> None:
        self.written += data

    def abort(self) -> None:
        self.aborted = True

    def data_received(self, data: bytes) -> None:
        self.came += data


@given(st.lists(st.binary(max_size=300)), st.integers(1, 40))
def test_any_bytes_come_through_in_any_pieces(writes, step):
    here, there = Ends(), Ends()
    between = Compression(here)
    for data in writes:
        between.write(data)
    sent, receiving = bytes(here.written), Compression(there)
    for at in range(0, len(sent), step):
        receiving.data_received(sent[at : at + step])
    assert bytes(there.came) == b"".join(writes)


def test_a_frame_out_of_turn_ends_the_connection():
    ends = Ends()
    Compression(ends).data_received(b"\1\0\0\1\0\0\0x")
    assert ends.aborted


@pytest.mark.parametrize("size", [59, 61, 0xFFFFFF])
def test_a_frame_of_another_size_than_it_says_ends_the_connection(size):
    body = zlib.compress(bytes(60))
    ends = Ends()
    frame = len(body).to_bytes(3, "little") + b"\0" + size.to_bytes(3, "little") + body
    Compression(ends).data_received(frame)
    assert ends.aborted
    assert not ends.came


def test_bytes_that_are_not_compressed_end_the_connection():
    ends = Ends()
    Compression(ends).data_received(b"\4\0\0\0\x40\0\0" + b"none")
    assert ends.aborted
