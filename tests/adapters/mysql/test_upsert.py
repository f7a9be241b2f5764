"""mode="upsert": rows change those of their key, or are added; any other collision is an error."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fastload
from fastload.errors import ConstraintError

pytestmark = pytest.mark.mysql


async def upsert(database, table: pa.Table, name: str = "t"):
    return await fastload.write(table, database.url, (database.name, name), mode="upsert")


async def test_rows_change_or_are_added_and_others_stay(database):
    database.execute(
        "CREATE TABLE t (a int, b varchar(9), n int NULL, s text, PRIMARY KEY (a, b));"
        "INSERT INTO t VALUES (1, 'x', 5, 'old'), (1, 'y', NULL, 'stays')"
    )
    rows = pa.table({"a": [1, 2], "b": ["x", "x"], "n": pa.array([None, 7], pa.int32()),
                     "s": ["new", None]})  # fmt: skip
    result = await upsert(database, rows)
    assert result.rows == 2
    assert database.execute("SELECT * FROM t ORDER BY a, b") == [
        (1, "x", None, "new"), (1, "y", None, "stays"), (2, "x", 7, None),
    ]  # fmt: skip
    assert database.execute("SHOW TABLES") == [("t",)]


async def test_columns_that_are_generated_or_not_sent_keep_their_own(database):
    database.execute(
        "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, v int NOT NULL, must int NOT NULL "
        "DEFAULT 3, twice int AS (v * 2) STORED, thrice int AS (v * 3) VIRTUAL, UNIQUE (twice));"
        "INSERT INTO t (id, v, must) VALUES (1, 1, 9)"
    )
    await upsert(database, pa.table({"id": [1, 2], "v": [10, 20]}))
    assert database.execute("SELECT * FROM t ORDER BY id") == [
        (1, 10, 9, 20, 30), (2, 20, 3, 40, 60),
    ]  # fmt: skip


async def test_a_key_that_comes_twice_is_refused(database):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    with pytest.raises(ConstraintError) as raised:
        await upsert(database, pa.table({"id": [5, 1, 5], "v": [1, 2, 3]}))
    assert raised.value.key == "id=5"
    # Also where the row is there, which would take one of both.
    with pytest.raises(ConstraintError) as raised:
        await upsert(database, pa.table({"id": [1, 1], "v": [2, 3]}))
    assert raised.value.key == "id=1"
    assert database.execute("SELECT * FROM t") == [(1, 1)]


async def test_keys_that_differ_in_case_alone_are_one(database):
    database.execute(
        "CREATE TABLE t (k varchar(9) COLLATE utf8mb4_general_ci PRIMARY KEY, v int);"
        "INSERT INTO t VALUES ('Abc', 1), ('x', 1)"
    )
    await upsert(database, pa.table({"k": ["aBC", "x"], "v": [2, 1]}))
    assert database.execute("SELECT * FROM t ORDER BY k") == [("aBC", 2), ("x", 1)]
    with pytest.raises(ConstraintError, match="Duplicate entry"):
        await upsert(database, pa.table({"k": ["q", "Q"], "v": [2, 1]}))


async def test_another_unique_key_is_never_merged_by(database):
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, u varchar(9), UNIQUE KEY by_u (u));"
        "INSERT INTO t VALUES (1, 'a'), (2, 'b')"
    )
    with pytest.raises(ConstraintError) as raised:
        await upsert(database, pa.table({"id": [3], "u": ["b"]}))
    assert raised.value.key == "u=b"
    # A row may take what another of the same merge lets go.
    await upsert(database, pa.table({"id": [2, 3], "u": ["c", "b"]}))
    assert database.execute("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "c"), (3, "b")]


async def test_a_table_of_keys_alone(database):
    database.execute(
        "CREATE TABLE t (a int, b int, PRIMARY KEY (a, b)); INSERT INTO t VALUES (1, 1)"
    )
    await upsert(database, pa.table({"a": [1, 1], "b": [1, 2]}))
    assert database.execute("SELECT * FROM t ORDER BY b") == [(1, 1), (1, 2)]


async def test_a_copy_merges_and_merging_again_changes_nothing(database):
    other = f"{database.name}_from"
    with database.server.database(other):
        database.server.execute(
            "CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p VALUES (1, 'a'), (2, 'b')",
            other,
        )
        database.execute(
            "CREATE TABLE p (id int PRIMARY KEY, v text); INSERT INTO p VALUES (2, 'z'), (3, 'c')"
        )
        for _ in range(2):
            await fastload.copy(database.server.url_for(other), database.url, mode="upsert")
            found = database.execute("SELECT * FROM p ORDER BY id")
            assert found == [(1, "a"), (2, "b"), (3, "c")]
