"""Answers of the target that never come: nothing is lost, doubled, or told otherwise than it is."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fastload
from fastload import lease
from fastload.testing.faults import proxy

# What begins a statement: number 0 of its packets, and the word for a query.
STATEMENT = b"\x00\x03"
TABLES = """
CREATE TABLE keyed (id bigint AUTO_INCREMENT PRIMARY KEY, v varchar(20), INDEX by_v (v));
INSERT INTO keyed VALUES (1, 'a'), (2, 'b'), (7, 'c');
CREATE TABLE referring (id int PRIMARY KEY, keyed bigint, FOREIGN KEY (keyed) REFERENCES keyed (id),
  UNIQUE (keyed, id));
INSERT INTO referring VALUES (1, 1), (2, 7);
ANALYZE TABLE keyed, referring"""
# Each answer of a whole copy takes a while: the other flavour is left to the long tier.
LONG_MYSQL = pytest.param("mysql", marks=pytest.mark.long)
LONG_MARIADB = pytest.param("mariadb", marks=pytest.mark.long)
ROWS = ("SELECT * FROM keyed ORDER BY 1", "SELECT * FROM referring ORDER BY 1")
# Without an index for each, foreign keys and unique keys would not be there.
INDEXES = """
SELECT table_name, index_name, column_name, seq_in_index FROM information_schema.statistics
WHERE table_schema = '{0}' UNION ALL
SELECT table_name, constraint_name, constraint_type, 0 FROM information_schema.table_constraints
WHERE table_schema = '{0}' ORDER BY 1, 2, 4"""


@pytest.fixture
def other(server):
    """A source beside the target."""
    with server.database("fastload_lost"):
        server.execute(TABLES, "fastload_lost")
        yield server.url_for("fastload_lost")


def through(between, database):
    url = database.url.replace(f":{database.server.port}/", f":{between.port}/")
    return f"{url}?ssl_mode=DISABLED"


def check(database):
    for query in ROWS:
        assert database.execute(query) == database.server.execute(query, "fastload_lost")
    here, there = (
        database.server.execute(INDEXES.format(name)) for name in (database.name, "fastload_lost")
    )
    assert here == there
    assert not left_over(database)


def left_over(database):
    return database.execute("SHOW TABLES LIKE '\\_fastload%'")


async def statements_of(work, database):
    """Return how many statements the target gets when nothing is lost."""
    async with proxy(database.server.port) as between:
        between.lose_answer_to, between.lose_most = STATEMENT, 0
        await work(through(between, database))
        return between.asked


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("server", ["mariadb", LONG_MYSQL], indirect=True)
async def test_a_copy_is_right_whichever_answer_is_lost(database, other, monkeypatch):
    """Where it fails, it says what to do, and starting it again is enough."""
    # Signs of life are as many as the copy takes seconds, and the answers would not be the same.
    monkeypatch.setattr(lease, "FIRST_S", 600.0)

    async def copy(url):
        return await fastload.copy(other, url, parallel=1, run="r")

    told = {}
    count = await statements_of(copy, database)
    assert count > 50
    for number in range(count):
        database.execute("DROP TABLE IF EXISTS referring, keyed")
        async with proxy(database.server.port) as between:
            between.lose_answer_to = STATEMENT
            between.pass_first, between.lose_most = number, 1
            try:
                result = await copy(through(between, database))
            except fastload.ConnectionLost as error:
                told[number] = error
                result = await copy(database.url)
            assert between.lost == 1
        assert result.rows == 5
        check(database)
    assert all("start the run again" in error.hint for error in told.values())


DATA = pa.table({"id": pa.array([1, 2], pa.int64()), "v": ["a", None]})
BEFORE = {
    "create": None,
    "replace": "CREATE TABLE t (other int); INSERT INTO t VALUES (1)",
    "append": "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')",
    "truncate": "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (0, 'x')",
    "upsert": "CREATE TABLE t (id bigint PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'x')",
}
AFTER = [(1, "a"), (2, None)]


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("mode", BEFORE)
@pytest.mark.parametrize("server", ["mysql", LONG_MARIADB], indirect=True)
async def test_a_write_tells_what_became_of_it_whichever_answer_is_lost(database, mode):
    async def write(url):
        database.execute(f"DROP TABLE IF EXISTS t; {BEFORE[mode] or 'SELECT 1'}")
        return await fastload.write(DATA, url, f"{database.name}.t", mode=mode)

    after = [(0, "x"), *AFTER] if mode == "append" else AFTER
    written = 0
    for number in range(await statements_of(write, database)):
        async with proxy(database.server.port) as between:
            between.lose_answer_to = STATEMENT
            between.pass_first, between.lose_most = number, 1
            try:
                result = await write(through(between, database))
            except fastload.FastloadError:
                there = database.execute("SHOW TABLES LIKE 't'")
                rows = database.execute("SELECT * FROM t ORDER BY 1") if there else []
                before = {"create": [], "replace": [(1,)], "upsert": [(1, "x")]}
                assert rows == before.get(mode, [(0, "x")]), number
            else:
                assert result.rows == 2
                assert database.execute("SELECT * FROM t ORDER BY 1") == after, number
                written += between.lost
        assert not left_over(database), number
    assert written
