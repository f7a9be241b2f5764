"""Modes, resume, reading and writing on real servers."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fastload
from fastload.report import size

TABLE = "CREATE TABLE t (id int PRIMARY KEY, name text, amount numeric(12,2), day date)"
ROWS = """
INSERT INTO t SELECT i, 'name ' || i, i / 7.0, '2024-01-01'::date + i % 400
FROM generate_series(1, 10000) AS i"""


@pytest.fixture
def filled(source):
    source.psql(f"{TABLE}; {ROWS}; ANALYZE")
    return source


async def test_create_refuses_rows_that_are_there(filled, target):
    target.psql(f"{TABLE}; INSERT INTO t VALUES (0)")
    with pytest.raises(fastload.TargetNotEmpty, match=r"public\.t holds rows"):
        await fastload.copy(filled.url, target.url)
    assert target.psql("SELECT count(*) FROM t") == "1"


async def test_create_takes_an_empty_table_and_adds_its_keys(filled, target):
    target.psql("CREATE TABLE t (id int NOT NULL, name text, amount numeric(12,2), day date)")
    await fastload.copy(filled.url, target.url)
    assert target.checksum("t") == filled.checksum("t")
    assert target.psql("SELECT indisprimary FROM pg_index WHERE indrelid = 't'::regclass") == "t"


@pytest.mark.parametrize("route", ["wire", "arrow"])
async def test_append_truncate_replace_and_upsert(filled, target, route):
    target.psql(f"{TABLE}; INSERT INTO t VALUES (-1, 'mine')")
    await fastload.copy(filled.url, target.url, mode="append", route=route)
    assert target.psql("SELECT count(*) FROM t") == "10001"
    target.psql("UPDATE t SET name = 'changed' WHERE id BETWEEN 1 AND 99")
    await fastload.copy(filled.url, target.url, mode="upsert", route=route)
    assert target.psql("SELECT count(*) FROM t WHERE name = 'changed'") == "0"
    assert target.psql("SELECT name FROM t WHERE id = -1") == "mine"
    for mode in ("truncate", "replace"):
        await fastload.copy(filled.url, target.url, mode=mode, route=route)
        assert target.checksum("t") == filled.checksum("t")


async def test_a_failed_run_is_continued_where_it_stopped(filled, target):
    filled.psql("CREATE TABLE u AS SELECT 1 AS n UNION ALL SELECT 1; ANALYZE u")
    target.psql("CREATE TABLE u (n int UNIQUE)")
    with pytest.raises(fastload.ConstraintError, match="duplicate key"):
        await fastload.copy(filled.url, target.url, parallel=1)
    target.psql("ALTER TABLE u DROP CONSTRAINT u_n_key")
    result = await fastload.copy(filled.url, target.url, parallel=1)
    assert (result.rows, result.rows_earlier) == (10002, 10000)
    assert str(result).startswith("copied 2 rows of 2 tables, ")
    assert f"had copied 10,000 rows, {size(result.bytes_earlier)}: 10,002 rows are" in str(result)
    assert result.bytes - result.bytes_earlier < 100 < result.bytes_earlier
    assert target.checksum("t") == filled.checksum("t")
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


async def test_a_run_whose_rows_were_taken_away_is_not_continued(filled, target):
    filled.psql("CREATE TABLE u AS SELECT 1 AS n UNION ALL SELECT 1; ANALYZE u")
    target.psql("CREATE TABLE u (n int UNIQUE)")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(filled.url, target.url, parallel=1)
    target.psql("TRUNCATE t")
    with pytest.raises(fastload.ResumeRefused, match="emptied"):
        await fastload.copy(filled.url, target.url, parallel=1)


async def test_read_and_write_bring_the_same_rows(filled, target):
    async with fastload.read(filled.url, "t", parallel=2) as reading:
        table = await reading.table()
        with pytest.raises(fastload.SourceError, match="read already"):
            await reading.table()
    assert table.num_rows == 10000
    assert table.schema.field("amount").type == pa.decimal128(12, 2)
    await fastload.write(table, target.url, "public.t")
    assert target.checksum("t") == filled.checksum("t")


async def test_a_write_that_fails_leaves_the_table_as_it_was(target):
    target.psql(f"{TABLE}; INSERT INTO t VALUES (7, 'kept')")
    twice = pa.table({"id": pa.array([1, 1], pa.int32()), "name": ["a", "b"]})
    for mode in ("truncate", "append", "upsert"):
        with pytest.raises((fastload.ConstraintError, fastload.TargetError)):
            await fastload.write(twice, target.url, "public.t", mode=mode)
        assert target.psql("SELECT id, name FROM t") == "7|kept"
    wrong = pa.table({"id": ["not a number"]})
    for mode in ("replace", "truncate"):
        if mode == "truncate":
            with pytest.raises(fastload.FastloadError):
                await fastload.write(wrong, target.url, "public.t", mode=mode)
            assert target.psql("SELECT id, name FROM t") == "7|kept"
    await fastload.write(twice, target.url, "public.t", mode="replace")
    assert target.psql("SELECT count(*) FROM t") == "2"
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


async def test_a_generated_column_fills_a_plain_one(source, target):
    """Nobody else would, and NULLs in its place would be a silent loss."""
    source.psql(
        """CREATE TABLE t (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED);
        INSERT INTO t SELECT generate_series(1, 100)"""
    )
    target.psql("CREATE TABLE t (id int PRIMARY KEY, twice int)")
    await fastload.copy(source.url, target.url, mode="append")
    assert target.checksum("t") == source.checksum("t")


async def test_a_key_that_the_source_has_twice_is_not_merged_silently(source, target):
    """Whichever came last would win; in one partition the server sees them both."""
    source.psql(
        """CREATE TABLE t (id int, name text);
        INSERT INTO t SELECT i % 40000, repeat('x', 900) FROM generate_series(1, 60000) AS i;
        ANALYZE t"""
    )
    target.psql("CREATE TABLE t (id int PRIMARY KEY, name text)")
    with pytest.raises(fastload.FastloadError, match="second time"):
        await fastload.copy(source.url, target.url, mode="upsert", parallel=2)
    assert target.psql("SELECT count(*) FROM t") == "0"


async def test_a_merge_never_sets_a_sequence_back(source, target):
    made = "CREATE TABLE s (id serial PRIMARY KEY, v text); INSERT INTO s (v) VALUES ('a')"
    source.psql(made)
    target.psql(f"{made}; SELECT setval('s_id_seq', 1000)")
    await fastload.copy(source.url, target.url, mode="upsert")
    assert target.psql("SELECT nextval('s_id_seq')") == "1001"
    await fastload.copy(source.url, target.url, mode="truncate")
    assert target.psql("SELECT nextval('s_id_seq')") == "2"


async def test_rows_that_refer_to_later_rows_of_their_table(source, target):
    """A live foreign key is checked when a partition ends: all its rows must be in it."""
    made = "CREATE TABLE t (id int PRIMARY KEY, other int REFERENCES t, filler text)"
    source.psql(
        f"""{made}; INSERT INTO t SELECT i, 60001 - i, repeat('x', 900)
        FROM generate_series(1, 60000) AS i; ANALYZE t"""
    )
    target.psql(made)
    await fastload.copy(source.url, target.url, mode="append", parallel=2)
    assert target.checksum("t") == source.checksum("t")


async def test_spaces_at_the_end_are_not_lost_unsaid(source, target):
    source.psql("CREATE TABLE c (v varchar(5)); INSERT INTO c VALUES ('a '), ('a')")
    target.psql("CREATE TABLE c (v char(5))")
    with pytest.raises(fastload.LossyType, match="spaces at the end"):
        await fastload.copy(source.url, target.url, mode="append")


@pytest.mark.parametrize("columns", [[], ["id", "id"], ["nam"]])
async def test_columns_that_cannot_be_read_are_told(filled, columns):
    with pytest.raises(fastload.ConfigError, match="columns"):
        async with fastload.read(filled.url, "t", columns=columns):
            pass


async def test_infinite_dates_pass_exactly_through_arrow(source, target):
    source.psql(
        "CREATE TABLE d (d date); INSERT INTO d VALUES ('infinity'), ('2024-01-01'), (NULL)"
    )
    await fastload.copy(source.url, target.url, route="arrow")
    assert target.checksum("d") == source.checksum("d")
    with pytest.raises(fastload.Unrepresentable, match="infinity"):
        async with fastload.read(source.url, "d") as reading:
            await reading.table()
    async with fastload.read(source.url, "d", on_unrepresentable="null") as reading:
        assert (await reading.table()).column("d").null_count == 2
    await fastload.copy(
        source.url, target.url, route="arrow", mode="replace", on_unrepresentable="null"
    )
    assert target.checksum("d") == source.checksum("d")
