"""Servers that take no LOAD DATA LOCAL get INSERTs, and the same rows from them."""

from __future__ import annotations

import contextlib

import pyarrow as pa
import pytest
from fastload_mysql.quoting import ident

import fastload
from fastload.errors import EncodeError
from fastload.testing.mysql_servers import MysqlServer
from tests.adapters.mysql.test_types_meet_server import OWN, VALUES
from tests.conftest import MYSQL_PASSWORD, MysqlDatabase

pytestmark = pytest.mark.mysql

PACKET_BYTES = 4 << 20


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def closed(request):
    """A server that takes no files."""
    options = {"local_infile": False, "max_allowed_packet": PACKET_BYTES}
    with MysqlServer.start(request.param, options=options, password=MYSQL_PASSWORD) as server:
        yield server


@pytest.fixture
def there(closed):
    with closed.database("there"):
        yield MysqlDatabase(closed, "there")


def columns(database: MysqlDatabase) -> list[tuple[str, ...]]:
    rows = database.execute(
        "SELECT column_name FROM information_schema.columns "
        f"WHERE table_schema = '{database.name}' ORDER BY ordinal_position"
    )
    return [name for (name,) in rows]


async def test_every_type_arrives_as_it_does_by_files(there, request):
    open_server = request.getfixturevalue(there.server.flavour)
    cases = [*VALUES, *OWN[there.server.flavour]]
    names = [f"c{i}" for i in range(len(cases))]
    declared = ", ".join(f"{n} {case[0]}" for n, case in zip(names, cases, strict=True))
    values = ", ".join(case[1] for case in cases)
    with open_server.database("here"), open_server.database("loaded"):
        here, loaded = MysqlDatabase(open_server, "here"), MysqlDatabase(open_server, "loaded")
        here.execute(f"CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, {declared})")
        here.execute(f"INSERT INTO t ({', '.join(names)}) VALUES ({values})")
        here.execute("INSERT INTO t () VALUES ()")
        for target in (loaded, there):
            await fastload.copy(here.url, target.url)
        shown = ", ".join(f"HEX({ident(n)})" for n in columns(here))
        expected = here.execute(f"SELECT {shown} FROM t ORDER BY id")
        assert len(expected) == 2
        for target in (loaded, there):
            assert target.execute(f"SELECT {shown} FROM t ORDER BY id") == expected


async def test_statements_are_cut_and_all_rows_come(there):
    count = 200_000
    texts = pa.array([f"it's {i} \\ " * (i % 7) for i in range(count)])
    data = pa.table({"id": pa.array(range(count)), "s": texts})
    result = await fastload.write(data, there.url, ("there", "t"))
    assert result.rows == count
    size = sum(len(t.encode()) for t in texts.to_pylist())
    assert size > PACKET_BYTES
    found = there.execute("SELECT COUNT(*), SUM(id), SUM(LENGTH(s)) FROM t")
    assert found == [(count, count * (count - 1) // 2, size)]
    assert there.execute("SELECT s FROM t WHERE id = 13") == [("it's 13 \\ " * 6,)]


async def test_plan_and_result_say_so(there, request):
    with request.getfixturevalue(there.server.flavour).database("here") as url:
        there.server.execute("SELECT 1")
        source = request.getfixturevalue(there.server.flavour)
        source.execute("CREATE TABLE t (id int PRIMARY KEY)", "here")
        plan = await fastload.plan(url, there.url)
        assert "SET GLOBAL local_infile = ON" in plan.notes[0]
        assert "local_infile" in fastload.describe(plan)
        result = await fastload.copy(url, there.url)
        assert result.notes == plan.notes
        assert not (await fastload.plan(there.url, url, mode="append")).notes


@pytest.mark.parametrize("blob", [True, False])
async def test_a_row_beyond_the_packet_is_refused_by_key(there, blob):
    value = "x" * (PACKET_BYTES - 100)
    big = "'" * (PACKET_BYTES // 2)
    made = pa.array([value.encode(), big.encode()] if blob else [value, big])
    there.execute(f"CREATE TABLE t (id int PRIMARY KEY, v {'longblob' if blob else 'longtext'})")
    await fastload.write(
        pa.table({"id": [1], "v": made[:1]}), there.url, ("there", "t"), mode="append"
    )
    with pytest.raises(EncodeError, match="max_allowed_packet") as raised:
        await fastload.write(
            pa.table({"id": [2, 3], "v": pa.concat_arrays([made[:1], made[1:]])}),
            there.url,
            ("there", "t"),
            mode="append",
        )
    assert raised.value.key == "id=3"
    assert "local_infile" in raised.value.hint
    assert there.execute("SELECT id, LENGTH(v) FROM t") == [(1, len(value))]


async def test_rows_at_the_edge_of_a_packet(there):
    """Whatever the server would refuse is refused before it is sent."""
    there.execute("CREATE TABLE t (id int PRIMARY KEY, v longtext)")
    around = len("INSERT INTO `there`.`t` (`id`, `v`) VALUES (1,'')")
    taken = []
    for size in range(PACKET_BYTES - around - 3, PACKET_BYTES - around + 2):
        rows = pa.table({"id": [1], "v": ["x" * size]})
        with contextlib.suppress(EncodeError):
            await fastload.write(rows, there.url, ("there", "t"), mode="truncate")
            assert there.execute("SELECT LENGTH(v) FROM t") == [(size,)]
            taken.append(size)
    assert len(taken) == 2


async def test_upsert_and_replace_by_inserts(there):
    first = pa.table({"id": [1, 2], "s": ["a", None]})
    await fastload.write(first, there.url, ("there", "t"))
    await fastload.write(first, there.url, ("there", "t"), mode="replace")
    there.execute("ALTER TABLE t ADD PRIMARY KEY (id)")
    second = pa.table({"id": [2, 3], "s": ["b", "c"]})
    await fastload.write(second, there.url, ("there", "t"), mode="upsert")
    assert there.execute("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_server_that_takes_files_gets_them(database):
    count = "SHOW GLOBAL STATUS WHERE variable_name IN ('Com_load', 'Com_insert')"
    before = dict(database.execute(count))
    await fastload.write(pa.table({"id": range(10)}), database.url, (database.name, "t"))
    after = dict(database.execute(count))
    assert int(after["Com_load"]) == int(before["Com_load"]) + 1


async def test_a_zero_key_stays_zero(there):
    there.execute("CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v int)")
    data = pa.table({"id": [0, 5], "v": [1, 2]})
    await fastload.write(data, there.url, ("there", "t"), mode="append")
    assert there.execute("SELECT * FROM t ORDER BY id") == [(0, 1), (5, 2)]
