"""Rows that a server refuses: the error names column and key, whichever way the rows went."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from datetime import datetime

import aiomysql
import pyarrow as pa
import pytest
from fastload_mysql import inserting, loading, row_keys
from fastload_mysql.driver import open_sessions
from fastload_mysql.load_local import LoadResult

import fastload
from fastload import Url
from fastload.errors import ConstraintError, EncodeError, TargetError
from tests.conftest import MYSQL_PASSWORD

pytestmark = pytest.mark.mysql

COUNT = 3000


@pytest.fixture(params=["files", "inserts"])
def way(request):
    return request.param


@asynccontextmanager
async def pool_of(database, **options):
    own = {"user": "fastload", "password": MYSQL_PASSWORD, "db": database.name, "minsize": 0}
    where = {"host": "127.0.0.1", "port": database.server.port}
    async with aiomysql.create_pool(**{**own, **where, "maxsize": 3, **options}) as pool:
        yield pool


async def append(database, way, data: pa.Table) -> None:
    async with pool_of(database, local_infile=way == "files") as pool:
        await fastload.write(data, pool, (database.name, "t"), mode="append")


async def refused(database, way, kind, declared, values, *, count=COUNT, keyed=True):
    """Write numbered rows of which the one before the last has the last value; return the error."""
    key = "PRIMARY KEY (id)" if keyed else "KEY (id)"
    database.execute(f"CREATE TABLE t (id int, v {declared}, {key})")
    good, bad = values
    column = pa.array([good] * (count - 2) + [bad, good])
    with pytest.raises(kind) as raised:
        await append(database, way, pa.table({"id": range(count), "v": column}))
    assert database.execute("SELECT COUNT(*) FROM t") == [(0,)]
    assert raised.value.side == "target"
    assert raised.value.table == f"{database.name}.t"
    assert "at row" not in str(raised.value)
    return raised.value


@pytest.mark.parametrize(
    ("kind", "declared", "values"),
    [
        (EncodeError, "varchar(9) CHARACTER SET latin1", ("é", "王")),
        (EncodeError, "text CHARACTER SET ascii", ("a", "é")),
    ],
)
async def test_what_the_server_alone_knows(database, way, kind, declared, values):
    error = await refused(database, way, kind, declared, values)
    assert (error.key, error.column) == (f"id={COUNT - 2}", "v")


async def test_null_where_there_is_none(database, way):
    error = await refused(database, way, ConstraintError, "int NOT NULL", (1, None))
    assert (error.key, error.column) == (f"id={COUNT - 2}", "v")


async def test_no_number_takes_the_place_of_null(database, way):
    database.execute("CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, v int)")
    with pytest.raises(ConstraintError) as raised:
        await append(database, way, pa.table({"id": pa.array([5, None, 7]), "v": [1, 2, 3]}))
    assert raised.value.column == "id"
    assert database.execute("SELECT COUNT(*) FROM t") == [(0,)]


async def test_the_time_of_day_does_not_take_the_place_of_null(database, way):
    """As it would where a table was made with explicit_defaults_for_timestamp = OFF."""
    database.execute(
        "SET explicit_defaults_for_timestamp = OFF;CREATE TABLE t (id int PRIMARY KEY, v timestamp)"
    )
    moments = pa.array([None, datetime(2024, 1, 1)], pa.timestamp("s", "UTC"))
    with pytest.raises(ConstraintError) as raised:
        await append(database, way, pa.table({"id": [1, 2], "v": moments}))
    assert (raised.value.column, raised.value.key) == ("v", "id=1")
    assert database.execute("SELECT COUNT(*) FROM t") == [(0,)]


async def test_unique_keys(database, way):
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b varchar(9), UNIQUE KEY both_ab (a, b));"
        "INSERT INTO t VALUES (7, 7, 'x')"
    )
    with pytest.raises(ConstraintError) as raised:
        await append(database, way, pa.table({"id": [6, 7], "a": [1, 2], "b": ["", ""]}))
    assert raised.value.key == "id=7"
    assert "upsert" in raised.value.hint
    with pytest.raises(ConstraintError) as raised:
        await append(database, way, pa.table({"id": [8, 9], "a": [1, 7], "b": ["", "x"]}))
    assert raised.value.key == "a, b=7-x"
    assert database.execute("SELECT * FROM t") == [(7, 7, "x")]


async def test_a_table_without_key_names_the_column(database, way):
    declared = "varchar(9) CHARACTER SET latin1"
    error = await refused(database, way, EncodeError, declared, ("é", "王"), keyed=False)
    assert (error.key, error.column) == (None, "v")


async def test_keys_of_many_rows_are_found_in_little_memory(database, way, monkeypatch):
    monkeypatch.setattr(row_keys, "MOST_KEPT_BYTES", 1000)
    monkeypatch.setattr("fastload_mysql.loading.MOST_KEPT_BYTES", 1000)
    batches = [pa.record_batch({"id": range(i, i + 300), "v": ["é"] * 300})
               for i in range(0, 3000, 300)]  # fmt: skip
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v text CHARACTER SET latin1)")
    await append(database, way, pa.Table.from_batches(batches))
    assert database.execute("SELECT COUNT(*) FROM t") == [(3000,)]
    database.execute("DELETE FROM t")
    batches[7] = pa.record_batch({"id": range(2100, 2400), "v": ["é"] * 150 + ["王"] * 150})
    with pytest.raises(EncodeError) as raised:
        await append(database, way, pa.Table.from_batches(batches))
    assert raised.value.key == "id=2250"
    assert database.execute("SELECT COUNT(*) FROM t") == [(0,)]


async def test_servers_that_show_no_warnings(database):
    shown = database.execute("SELECT @@global.max_error_count")[0][0]
    database.execute("SET GLOBAL max_error_count = 0")
    try:
        declared = "varchar(9) CHARACTER SET latin1"
        error = await refused(database, "files", EncodeError, declared, ("é", "王"))
    finally:
        database.execute(f"SET GLOBAL max_error_count = {shown}")
    assert error.key == f"id={COUNT - 2}"


async def test_files_hold_values_beyond_the_packet(database):
    most = database.execute("SELECT @@global.max_allowed_packet")[0][0]
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, v longtext CHARACTER SET utf16, b longblob);"
        "SET GLOBAL max_allowed_packet = 1048576"
    )
    text, blob = "é" * 3_000_000, b"'" * 3_000_000
    try:
        await append(database, "files", pa.table({"id": [1], "v": [text], "b": [blob]}))
    finally:
        database.execute(f"SET GLOBAL max_allowed_packet = {most}")
    found = database.execute(
        "SELECT CHAR_LENGTH(v), SHA2(CONVERT(v USING utf8mb4), 256), SHA2(b, 256) FROM t"
    )
    hashes = [hashlib.sha256(value).hexdigest() for value in (text.encode(), blob)]
    assert found == [(len(text), *hashes)]


@pytest.mark.parametrize("declared", ["FOREIGN KEY (v) REFERENCES p (id)", "CHECK (v < 2)"])
async def test_rows_that_break_a_constraint(database, way, declared):
    database.execute("CREATE TABLE p (id int PRIMARY KEY); INSERT INTO p VALUES (1)")
    database.execute(f"CREATE TABLE t (id int PRIMARY KEY, v int, {declared})")
    column = pa.array([1] * (COUNT - 2) + [2, 1])
    with pytest.raises(ConstraintError) as raised:
        await append(database, way, pa.table({"id": range(COUNT), "v": column}))
    assert database.execute("SELECT COUNT(*) FROM t") == [(0,)]
    assert raised.value.key == f"id={COUNT - 2}"


@pytest.mark.parametrize("count", ["warnings", "skipped", "deleted"])
async def test_whatever_a_load_counts_is_refused(database, count):
    counts = dict.fromkeys(("warnings", "skipped", "deleted"), 0) | {count: 1}
    done = LoadResult(records=1, affected_rows=1, **counts)
    url = Url.parse(database.url)
    async with open_sessions(url, side="target", limit=1) as all_, all_.lend() as connection:
        with pytest.raises(TargetError):
            await loading._check(connection, done, "t")


async def test_what_an_insert_warns_of_is_refused(database):
    database.execute("CREATE TABLE t (v varchar(1))")
    url = Url.parse(database.url)
    async with open_sessions(url, side="target", limit=1) as all_, all_.lend() as connection:
        with pytest.raises(TargetError) as raised:
            await inserting._run(connection, b"INSERT IGNORE INTO t VALUES ('long')", "t")
    assert raised.value.column == "v"


async def test_what_is_written_as_text_is_converted(database, way):
    database.execute(
        "CREATE TABLE t (u char(36) CHARACTER SET utf16, i varchar(120) CHARACTER SET utf16)"
    )
    made = {
        "u": pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\1" * 16], pa.binary(16))),
        "i": pa.array([(1, 2, 3_000_000_000)], pa.month_day_nano_interval()),
    }
    await append(database, way, pa.table(made))
    found = database.execute("SELECT u, i FROM t")
    assert found == [("01010101-0101-0101-0101-010101010101", "P1M2DT3S")]
