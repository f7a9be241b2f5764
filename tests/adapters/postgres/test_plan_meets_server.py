"""Decisions that unit tests pin, on servers: renames that pass names on, and exact numerics."""

from __future__ import annotations

import fastload

KEYS = (
    "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' "
    "AND connamespace::regnamespace::text !~ '^(pg_|info)'"
)


async def test_columns_may_change_places(source, target):
    source.psql("CREATE TABLE t (a int PRIMARY KEY, b text, c int); INSERT INTO t VALUES (1,'x',2)")
    swap = {"public.t.a": "b", "public.t.b": "c", "public.t.c": "a"}
    await fastload.copy(source.url, target.url, rename=swap)
    assert target.psql("SELECT b, c, a FROM t") == "1|x|2"
    assert target.psql(KEYS) == "PRIMARY KEY (b)"


async def test_a_column_renamed_to_its_own_name_stays(source, target):
    source.psql("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
    await fastload.copy(source.url, target.url, rename={"public.t.a": "a"})
    assert target.psql("SELECT a FROM t") == "1"


async def test_a_nan_goes_from_a_constrained_into_a_free_numeric(source, target):
    source.psql("CREATE TABLE t (n numeric(10,2)); INSERT INTO t VALUES (1.5), ('NaN'), (NULL)")
    target.psql("CREATE TABLE t (n numeric)")
    result = await fastload.copy(source.url, target.url, mode="append")
    assert result.tables[0].route == "arrow"
    assert target.psql("SELECT coalesce(n::text, 'null') FROM t ORDER BY n") == "1.50\nNaN\nnull"


async def test_tables_whose_dotted_names_are_alike_get_all_that_is_theirs(source, target):
    source.psql(
        'CREATE SCHEMA "a.b"; CREATE SCHEMA a;'
        'CREATE TABLE "a.b".c (i int PRIMARY KEY); CREATE TABLE a."b.c" (i int PRIMARY KEY);'
        'INSERT INTO "a.b".c SELECT generate_series(1, 20000);'
        'INSERT INTO a."b.c" SELECT generate_series(1, 30000); ANALYZE'
    )
    result = await fastload.copy(source.url, target.url)
    assert result.rows == 50_000
    assert target.psql(KEYS) == "PRIMARY KEY (i)\nPRIMARY KEY (i)"
