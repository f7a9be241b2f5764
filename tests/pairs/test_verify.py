"""Copies are found equal, and every change planted on the target is named by key and column."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

import fastload
from fastload import partition
from fastload.testing.faults import proxy
from fastload.verification import sides
from tests.conftest import MysqlDatabase

ROWS = 400
PG_TABLE = """
CREATE TABLE t (
    id int PRIMARY KEY, small smallint, big bigint, flag boolean, single real, double float8,
    amount numeric(12,2), free numeric, label text, code varchar(20), letters char(8), raw bytea,
    day date, at timestamp, moment timestamptz, clock time, document json, number_of uuid
);
INSERT INTO t SELECT i, i % 100, i * 3000000007, i % 2 = 0, i / 7.0::real, i / 3.0::float8,
    i + 0.25, i + 0.125, 'text ' || i, 'c' || i % 9, 'l' || i % 7, decode(md5(i::text), 'hex'),
    date '2020-01-01' + i, timestamp '2020-01-01' + i * interval '1.000001 s',
    timestamptz '2020-03-01 00:00+00' + i * interval '1 hour 1 microsecond',
    time '00:00' + i * interval '1 s', ('{"a": ' || i || ', "b": [1, null, "x"]}')::json,
    gen_random_uuid() FROM generate_series(1, 400) AS i;
UPDATE t SET label = NULL, flag = NULL, at = NULL WHERE id % 50 = 0;
UPDATE t SET label = '' WHERE id % 60 = 0;
ANALYZE t"""
MYSQL_TABLE = """
CREATE TABLE t (
    id int PRIMARY KEY, small tinyint unsigned, big bigint unsigned, flag boolean, single float,
    `double` double, amount decimal(12,2), label longtext, code varchar(20), letters char(8),
    raw longblob, day date, at datetime(6), moment timestamp(6) NULL, clock time(6), document json,
    kind enum('one', 'two', 'three'), bits bit(9)
) DEFAULT CHARSET utf8mb4 COLLATE utf8mb4_general_ci;
SET time_zone = '+00:00';
INSERT INTO t SELECT i, i % 100, 18446744073709551615 - i, i % 2, i / 7, i / 3, i + 0.25,
    CONCAT('text ', i), CONCAT('c', i % 9), CONCAT('l', i % 7), UNHEX(SHA2(i, 256)),
    ADDDATE('2020-01-01', i), ADDDATE('2020-01-01 00:00:00.000001', INTERVAL i SECOND),
    ADDDATE('2020-03-01 00:00:00.5', INTERVAL i HOUR), SEC_TO_TIME(i),
    JSON_OBJECT('a', i, 'b', JSON_ARRAY(1, NULL, 'x')), 1 + i % 3, i
FROM (SELECT 1 + a.n + 10 * b.n + 100 * c.n AS i FROM
    (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5
     UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) a,
    (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5
     UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9) b,
    (SELECT 0 n UNION SELECT 1 UNION SELECT 2 UNION SELECT 3) c) numbers;
UPDATE t SET label = NULL, flag = NULL, at = NULL WHERE id % 50 = 0;
UPDATE t SET label = '' WHERE id % 60 = 0"""

# What is done to row {id} of the target, and the column that is then named.
ON_POSTGRES = {
    "float bit": ("UPDATE t SET double = double * (1 + 3e-16) WHERE id = {id}", "double"),
    "negative zero": ("UPDATE t SET double = '-0' WHERE id = {id}", "double"),
    "not a number": ("UPDATE t SET double = 'NaN' WHERE id = {id}", "double"),
    "float": ("UPDATE t SET single = single * 1.0000002 WHERE id = {id}", "single"),
    "trailing space": ("UPDATE t SET label = label || ' ' WHERE id = {id}", "label"),
    "empty, not null": ("UPDATE t SET label = '' WHERE id = {id}", "label"),
    "null": ("UPDATE t SET label = NULL WHERE id = {id}", "label"),
    "cut text": ("UPDATE t SET label = left(label, -1) WHERE id = {id}", "label"),
    "encoded twice": ("UPDATE t SET label = 'Ã¤' WHERE id = {id}", "label"),
    "cut bytes": ("UPDATE t SET raw = substr(raw, 1, 15) WHERE id = {id}", "raw"),
    "sign": ("UPDATE t SET amount = -amount WHERE id = {id}", "amount"),
    "scale": ("UPDATE t SET amount = amount / 10 WHERE id = {id}", "amount"),
    "a cent": ("UPDATE t SET amount = amount + 0.01 WHERE id = {id}", "amount"),
    "big": ("UPDATE t SET big = big - 1 WHERE id = {id}", "big"),
    "flag": ("UPDATE t SET flag = coalesce(NOT flag, true) WHERE id = {id}", "flag"),
    "a microsecond": (
        "UPDATE t SET moment = moment + interval '1 microsecond' WHERE id = {id}", "moment"),
    "time zone": ("UPDATE t SET moment = moment + interval '1 hour' WHERE id = {id}", "moment"),
    "a day": ("UPDATE t SET day = day - 1 WHERE id = {id}", "day"),
    "clock": ("UPDATE t SET clock = clock + interval '1 s' WHERE id = {id}", "clock"),
    "json": ("UPDATE t SET document = '{{\"a\": \"1\"}}' WHERE id = {id}", "document"),
}  # fmt: skip
ON_MARIADB = {
    "float bit": ("UPDATE t SET `double` = `double` * (1 + 3e-16) WHERE id = {id}", "double"),
    "float": ("UPDATE t SET single = single * 1.0000002 WHERE id = {id}", "single"),
    "trailing space": ("UPDATE t SET label = CONCAT(label, ' ') WHERE id = {id}", "label"),
    "case": ("UPDATE t SET label = UPPER(label) WHERE id = {id}", "label"),
    "empty, not null": ("UPDATE t SET label = '' WHERE id = {id}", "label"),
    "null": ("UPDATE t SET label = NULL WHERE id = {id}", "label"),
    "cut text": ("UPDATE t SET label = LEFT(label, 4) WHERE id = {id}", "label"),
    "cut bytes": ("UPDATE t SET raw = LEFT(raw, 15) WHERE id = {id}", "raw"),
    "sign": ("UPDATE t SET amount = -amount WHERE id = {id}", "amount"),
    "a cent": ("UPDATE t SET amount = amount + 0.01 WHERE id = {id}", "amount"),
    "big": ("UPDATE t SET big = big - 1 WHERE id = {id}", "big"),
    "flag": ("UPDATE t SET flag = 2 WHERE id = {id}", "flag"),
    "a microsecond": (
        "UPDATE t SET moment = moment + INTERVAL 1 MICROSECOND WHERE id = {id}", "moment"),
    "time zone": ("UPDATE t SET moment = moment + INTERVAL 1 HOUR WHERE id = {id}", "moment"),
    "a day": ("UPDATE t SET day = day - INTERVAL 1 DAY WHERE id = {id}", "day"),
    "uuid": ("UPDATE t SET number_of = UUID() WHERE id = {id}", "number_of"),
    "json": ("UPDATE t SET document = '{{\"a\": \"1\"}}' WHERE id = {id}", "document"),
}  # fmt: skip
# What takes more than one row: statement, differences by kind, with {id} and {other} rows.
ROWS_CHANGED = {
    "lost": ("DELETE FROM t WHERE id = {id}", {"missing": 1}),
    "extra": ("UPDATE t SET id = id + 1000 WHERE id = {id}", {"missing": 1, "extra": 1}),
    "edge": ("DELETE FROM t WHERE id IN (1, 400)", {"missing": 2}),
    "empty": ("DELETE FROM t", {"missing": ROWS}),
}

Execute = Callable[[str], Any]


async def checked(
    source: str, target: str, execute: Execute, mutations: dict[str, tuple[str, str]]
) -> None:
    """Plant mutations at random rows, find each by key and column, mend, and find nothing more."""
    chooser = random.Random(4711)
    # Rows whose label is a text.
    rows = chooser.sample([i for i in range(2, ROWS) if i % 50 and i % 60], len(mutations))
    expected = {}
    for row, (statement, column) in zip(rows, mutations.values(), strict=True):
        execute(statement.format(id=row))
        expected[str(row)] = ("different", [column])
    found = await fastload.verify(source, target, parallel=1)
    told = {d.key["id"]: (d.kind, [c.column for c in d.columns]) for d in found.differences}
    assert told == expected
    assert len(told) == len(found.differences)
    assert (await found.repair()).equal
    for name, (statement, kinds) in ROWS_CHANGED.items():
        execute(statement.format(id=chooser.randrange(2, ROWS)))
        found = await fastload.verify(source, target, parallel=1)
        kinds_found = [d.kind for d in found.differences]
        assert {k: kinds_found.count(k) for k in set(kinds_found)} == kinds, name
        assert (await found.repair()).equal, name
    again = await fastload.verify(source, target)
    assert (again.equal, again.rows) == (True, ROWS)


@pytest.mark.postgres
async def test_postgres_to_postgres(source, target):
    source.psql(PG_TABLE)
    await fastload.copy(source.url, target.url)
    clean = await fastload.verify(source.url, target.url)
    assert clean.equal
    assert clean.tables[0].how == "hashed by the servers"
    more = {
        "scale of a free number": ("UPDATE t SET free = free + 0.0000 WHERE id = {id}", "free"),
        "spelling of json": (
            "UPDATE t SET document = replace(document::text, ' ', '')::json WHERE id = {id}",
            "document",
        ),
    }
    await checked(source.url, target.url, target.psql, {**ON_POSTGRES, **more})


@pytest.mark.mysql
async def test_mysql_to_postgres(database, target):
    database.execute(MYSQL_TABLE)
    await fastload.copy(database.url, target.url)
    clean = await fastload.verify(database.url, target.url)
    assert clean.equal, str(clean)
    assert not clean.not_compared
    mutations = {k: v for k, v in ON_POSTGRES.items() if k not in ("clock", "float")}
    mutations["clock"] = (
        "UPDATE t SET clock = clock + interval '1 microsecond' WHERE id = {id}",
        "clock",
    )
    mutations["flag"] = ("UPDATE t SET flag = 2 WHERE id = {id}", "flag")
    await checked(database.url, target.url, target.psql, mutations)


@pytest.mark.mysql
async def test_postgres_to_mysql(source, database):
    source.psql(PG_TABLE.replace("free numeric,", "free numeric(12,3),"))
    await fastload.copy(source.url, database.url)
    clean = await fastload.verify(source.url, database.url)
    assert clean.equal, str(clean)
    assert not clean.not_compared
    await checked(source.url, database.url, database.execute, ON_MARIADB)


async def test_a_duplicated_row_and_a_lost_one_keep_the_count(source, target):
    source.psql(
        "CREATE TABLE t (a int, b text); INSERT INTO t SELECT i, 'b' || i % 7 "
        "FROM generate_series(1, 100) AS i; INSERT INTO t VALUES (1, 'b1')"
    )
    await fastload.copy(source.url, target.url)
    assert (await fastload.verify(source.url, target.url)).equal
    target.psql("DELETE FROM t WHERE a = 50; INSERT INTO t VALUES (60, 'b4')")
    found = await fastload.verify(source.url, target.url)
    assert {(d.kind, d.key["a"]) for d in found.differences} == {("missing", "50"), ("extra", "60")}
    with pytest.raises(fastload.PlanError, match="primary key"):
        await found.repair()


async def test_a_shifted_column_and_swapped_columns_are_seen(source, target):
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, a int, b int); "
        "INSERT INTO t SELECT i, i, 1000 + i FROM generate_series(1, 1000) AS i"
    )
    await fastload.copy(source.url, target.url)
    target.psql("UPDATE t SET a = b, b = a WHERE id = 77")
    found = await fastload.verify(source.url, target.url)
    assert [[c.column for c in d.columns] for d in found.differences] == [["a", "b"]]
    target.psql("UPDATE t SET a = id % 1000 + 1, b = 1000 + id")
    found = await fastload.verify(source.url, target.url, limit=10)
    assert len(found.differences) == 10
    assert found.tables[0].more
    assert {c.column for d in found.differences for c in d.columns} == {"a"}
    mended = await found.repair()
    assert mended.equal
    assert target.psql("SELECT count(*) FROM t WHERE a = id") == "1000"


POINT = "CREATE TYPE point3 AS (x int, y int, z int)"
SPECIAL = """
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN even AS int CHECK (value % 2 = 0);
CREATE TABLE limited (two even); INSERT INTO limited VALUES (2), (NULL);
CREATE TABLE spots (spot point3); INSERT INTO spots VALUES ('(1,2,3)'), ('(,,)');
CREATE TABLE special (
    id text COLLATE "C" PRIMARY KEY, at timestamptz, day date, clock time, zoned timetz,
    free numeric,
    fixed numeric(5,2), feeling mood, feelings mood[], numbers int[], two int, place point,
    span int4range, passing interval, money money, bits bit(3), net inet, doc jsonb,
    words tsvector, filled char(5), twice int GENERATED ALWAYS AS (1 + 1) STORED
);
INSERT INTO special VALUES
    ('a', 'infinity', '-infinity', '24:00', '24:00+05', 'NaN', 'NaN', 'sad', '{sad,NULL}',
     '{{1,2},{3,4}}', 2, '(1,2)', '[1,3)', '1 year -2 days', '1.50', '101', '10.0.0.1/8',
     '{"b": 1}', 'a b', 'x', DEFAULT),
    ('B', '4713-01-01 00:00 BC', '0044-03-15 BC', '12:00', '12:00-03', '1.000', '1.00', 'ok', '{}',
     '[5:6]={1,2}', 4, '(0,-0)', 'empty', '-1 us', '-2', '000', '::1', '[1]', '',
     'y    ', DEFAULT),
    ('é', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
     NULL, NULL, NULL, NULL, DEFAULT);
CREATE TABLE parted (id int, part int) PARTITION BY LIST (part);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES IN (2);
INSERT INTO parted SELECT i, 1 + i % 2 FROM generate_series(1, 50) AS i;
CREATE TABLE nothing (); CREATE TABLE "a.b" ("c.d" int);
INSERT INTO "a.b" VALUES (1), (1), (NULL)"""


async def test_types_of_postgres_are_compared_by_the_servers_and_mended_through_arrow(
    source, target
):
    target.psql(f"CREATE TYPE other AS ENUM (); {POINT}")
    source.psql(f"{POINT}; {SPECIAL}")
    result = await fastload.copy(source.url, target.url, verify=True)
    assert result.verification is not None
    assert result.verification.equal
    assert not result.verification.not_compared
    how = {t.name: t.how for t in result.verification.tables}
    assert how["public.limited"] == "hashed on the wire"
    assert how["public.special"] == "hashed by the servers"  # an array of enums goes as text
    target.psql(
        "UPDATE special SET at = '-infinity', free = '1.0', place = '(0,0)' WHERE id = 'B'; "
        "UPDATE special SET at = '-infinity', two = 6 WHERE id = 'a'"
    )
    found = await fastload.verify(source.url, target.url)
    assert {d.key["id"]: [c.column for c in d.columns] for d in found.differences} == {
        "a": ["at", "two"], "B": ["at", "free", "place"],
    }  # fmt: skip
    assert (await found.repair()).equal


async def test_a_copy_that_differs_from_its_source_is_an_error_that_names_the_rows(source, target):
    """A trigger on the target changes a row on its way in."""
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, s text); "
        "INSERT INTO t SELECT i, 's' || i FROM generate_series(1, 100) AS i"
    )
    target.psql(
        "CREATE TABLE t (id int PRIMARY KEY, s text); "
        "CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF new.id = 77 THEN new.s := ''; END IF; RETURN new; END $$; "
        "CREATE TRIGGER cut BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION cut()"
    )
    for route in ("wire", "arrow"):
        with pytest.raises(fastload.VerificationError, match="1 difference") as caught:
            await fastload.copy(
                source.url, target.url, mode="truncate", triggers="fire", verify=True, route=route
            )
        (difference,) = caught.value.result.differences
        assert str(difference) == "public.t different id='77': s 's77' -> ''"
    target.psql("DROP TRIGGER cut ON t")
    assert (await caught.value.result.repair()).equal


@pytest.mark.mysql
async def test_a_copy_between_families_is_verified_as_it_passes(database, target):
    database.execute(MYSQL_TABLE)
    result = await fastload.copy(database.url, target.url, verify=True)
    assert result.verification is not None
    assert (result.verification.equal, result.verification.rows) == (True, ROWS)


@pytest.mark.mysql
async def test_what_counts_as_null_is_told(source, database):
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, d date); "
        "INSERT INTO t VALUES (1, 'infinity'), (2, '2020-01-01'), (3, NULL)"
    )
    await fastload.copy(source.url, database.url, on_unrepresentable="null")
    found = await fastload.verify(source.url, database.url, on_unrepresentable="null")
    assert found.equal
    assert any("public.t.d" in loss and "NULL" in loss for loss in found.losses)
    found = await fastload.verify(source.url, database.url)
    assert [n.column for n in found.not_compared] == ["public.t.d"]
    assert "infinity" in found.not_compared[0].reason


async def test_pools_filters_and_new_names(source, target):
    """A pool of few connections serves the target's writers and its readers."""
    import asyncpg

    source.psql(
        "CREATE TABLE t (k text PRIMARY KEY, n int); INSERT INTO t "
        "SELECT md5(i::text), i FROM generate_series(1, 5000) AS i; ANALYZE t"
    )
    options = {
        "where": {"public.t": "n % 2 = 0"},
        "rename": {"public.t": "public.u", "public.t.n": "number"},
    }
    async with (
        asyncpg.create_pool(source.url, min_size=0, max_size=3) as here,
        asyncpg.create_pool(target.url, min_size=0, max_size=4) as there,
    ):
        result = await fastload.copy(here, there, verify=True, **options)
        assert result.verification is not None
        assert result.verification.rows == 2500
        target.psql("UPDATE u SET number = -2 WHERE number = 2; INSERT INTO u VALUES ('x', 1)")
        found = await fastload.verify(here, there, **options)
        assert sorted(d.kind for d in found.differences) == ["different", "extra"]
        assert [c.column for d in found.differences for c in d.columns] == ["n"]
        assert found.tables[0].title == "public.t -> public.u"
        assert (await found.repair()).equal


async def test_parts_by_key_range_are_compared_alone(source, target):
    """Only the ranges that differ are read again, on either side of their edges."""
    source.psql(
        "CREATE TABLE t (id bigint PRIMARY KEY, filling text); INSERT INTO t "
        "SELECT i * 7, repeat(md5(i::text), 8) FROM generate_series(1, 200000) AS i; "
        "VACUUM ANALYZE t"
    )
    await fastload.copy(source.url, target.url)
    changed = [7, 700_007, 1_400_000]
    target.psql("; ".join(f"UPDATE t SET filling = 'x' WHERE id = {i}" for i in changed))
    found = await fastload.verify(source.url, target.url, parallel=4)
    assert sorted(int(d.key["id"] or 0) for d in found.differences) == changed
    ranges = found.tables[0].ranges
    assert 2 <= len(ranges) <= 3
    assert all(r.columns == ("id",) for r in ranges)
    assert (await found.repair()).equal


def in_key_ranges(monkeypatch):
    """Have small tables compared as large ones are."""
    monkeypatch.setattr(partition, "SMALLEST_BYTES", 0)
    monkeypatch.setattr(sides, "_SHARED_BYTES", 0)


async def test_rows_of_the_target_without_a_key_are_in_a_part_too(source, target, monkeypatch):
    """Its key may be NULL where the source's may not, and no key range has such rows."""
    in_key_ranges(monkeypatch)
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, s text); "
        "INSERT INTO t SELECT i, 's' || i FROM generate_series(1, 1000) AS i; VACUUM ANALYZE t"
    )
    await fastload.copy(source.url, target.url)
    target.psql(
        "ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER id DROP NOT NULL; "
        "INSERT INTO t VALUES (NULL, 'lost')"
    )
    for given in ({}, {"live": True, "lag_s": 0.1}):
        found = await fastload.verify(source.url, target.url, parallel=4, **given)
        assert [(d.kind, d.key["id"]) for d in found.differences] == [("extra", None)]
        assert (found.rows, found.tables[0].rows_target) == (1000, 1001)


@pytest.mark.mysql
async def test_parts_that_overlap_are_not_taken_for_the_table(source, in_mariadb, monkeypatch):
    """Where both sides have some rows twice, their sums are equal all the same."""

    def overlapping(*given, **more):
        first, *others = key_ranges(*given, **more)
        whole = msgspec.structs.replace(first.extent, lower=None, upper=None)
        return [msgspec.structs.replace(first, extent=whole), *others]

    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY); "
        "INSERT INTO t SELECT generate_series(1, 1000); VACUUM ANALYZE t"
    )
    await fastload.copy(source.url, in_mariadb.url)
    key_ranges = partition.key_ranges
    monkeypatch.setattr(partition, "key_ranges", overlapping)
    in_key_ranges(monkeypatch)
    with pytest.raises(fastload.SourceError, match=r"4 parts of .* overlap, or") as caught:
        await fastload.verify(source.url, in_mariadb.url, parallel=4)
    assert caught.value.side == "target"


@pytest.mark.faults
@pytest.mark.parametrize("route", ["wire", "arrow"])
async def test_a_partition_whose_commit_had_no_answer_is_verified(
    source, target, monkeypatch, route
):
    """It is there, and its rows do not pass again: the source is read once more."""
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 2)
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, s text); "
        "INSERT INTO t SELECT i, 's' || i FROM generate_series(1, 1000) AS i; VACUUM ANALYZE t"
    )
    async with proxy(target.server.port) as between:
        between.lose_answer_to, between.pass_first, between.lose_most = b"COMMIT", 1, 1
        url = target.url.replace(f":{target.server.port}/", f":{between.port}/")
        result = await fastload.copy(source.url, url, verify=True, parallel=1, route=route)
        assert between.lost == 1
    assert (result.rows, result.tables[0].partitions) == (1000, 2)
    assert result.verification is not None
    assert (result.verification.equal, result.verification.rows) == (True, 1000)


@pytest.mark.faults
async def test_a_run_that_is_continued_is_verified_whole(source, target):
    source.psql(
        "CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1); "
        "CREATE TABLE b (id int PRIMARY KEY); INSERT INTO b VALUES (2)"
    )
    target.psql("CREATE TABLE a (id int); CREATE TABLE b (id int CHECK (id <> 2))")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(source.url, target.url, parallel=1, verify=True)
    target.psql("ALTER TABLE b DROP CONSTRAINT b_id_check")
    result = await fastload.copy(source.url, target.url, parallel=1, verify=True)
    assert result.verification is not None
    assert (result.verification.equal, result.verification.rows) == (True, 2)


@pytest.mark.mysql
async def test_mysql_to_its_own_family(database, mariadb):
    database.execute(MYSQL_TABLE)
    with mariadb.database("verified"):
        url = mariadb.url_for("verified")
        result = await fastload.copy(database.url, url, verify=True)
        assert result.verification is not None
        assert result.verification.rows == ROWS
        assert not result.verification.not_compared
        mariadb.execute("UPDATE t SET kind = 'three', bits = 0 WHERE id = 4", "verified")
        found = await fastload.verify(database.url, url)
        assert [[c.column for c in d.columns] for d in found.differences] == [["kind", "bits"]]
        assert (await found.repair()).equal


@pytest.mark.faults
async def test_a_comparison_that_fails_says_that_the_copy_is_complete(source, target):
    source.psql("CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 9)")
    async with proxy(target.server.port) as between:
        # Asked of a target only when it is read again.
        between.lose_answer_to = b"pg_export_snapshot"
        url = target.url.replace(f":{target.server.port}/", f":{between.port}/")
        with pytest.raises(fastload.NotVerified, match="complete; not verified: ") as caught:
            await fastload.copy(source.url, url, verify=True)
    error = caught.value
    assert (error.copied.rows, error.side, between.lost > 0) == (9, "target", True)
    assert "fastload.verify(source, target)" in str(error.hint)
    assert "it continues" not in str(error)
    assert (await fastload.verify(source.url, target.url)).equal


async def test_a_table_without_a_key_does_not_stop_the_repair_of_others(source, target):
    source.psql(
        "CREATE TABLE keyed (id int PRIMARY KEY, v int); INSERT INTO keyed VALUES (1, 1), (2, 2);"
        "CREATE TABLE keyless (v int); INSERT INTO keyless VALUES (1)"
    )
    await fastload.copy(source.url, target.url)
    target.psql("UPDATE keyed SET v = 9 WHERE id = 2; UPDATE keyless SET v = 9")
    result = await (await fastload.verify(source.url, target.url)).repair()
    assert target.psql("SELECT v FROM keyed ORDER BY id").split() == ["1", "2"]
    assert {t.name: t.equal for t in result.tables} == {
        "public.keyed": True,
        "public.keyless": False,
    }
    told = str(result)
    assert "public.keyless" in told
    assert "no primary key" in told
    assert "truncate" in told
    # Alone, it is an error with the same words.
    with pytest.raises(fastload.PlanError, match="no primary key") as caught:
        await result.repair()
    assert "upsert" not in str(caught.value)


LOSSY = """CREATE TABLE t (id int PRIMARY KEY, single {double}, few decimal(12,4), at {at}(6),
  clock time(6))"""
LOSSY_ROW = "INSERT INTO t VALUES (1, 0.1, 1.2345, '2020-02-29 10:00:00.5', '10:00:00.25')"
LOST = "CREATE TABLE t (id int PRIMARY KEY, single {}, few decimal(12,2), at {}, clock {})"


@pytest.mark.mysql
async def test_what_types_lose_is_told_each_time_and_never_equal(source, target, mariadb):
    """Whoever made the target's columns narrower is told of each of them, rows or none."""
    with mariadb.database("narrow"):
        here = MysqlDatabase(mariadb, "narrow")
        source.psql(LOSSY.format(double="float8", at="timestamp"))
        target.psql(LOST.format("real", "timestamp(0)", "time(0)"))
        here.execute(LOST.format("float", "datetime", "time"))
        with mariadb.database("wide"):
            wide = MysqlDatabase(mariadb, "wide")
            wide.execute(LOSSY.format(double="double", at="datetime"))
            pairs = [(source, target), (source, here), (wide, target), (wide, here)]
            for full in (False, True):
                for one, other in pairs:
                    found = await fastload.verify(one.url, other.url)
                    assert found.equal is not full
                    assert {loss.split(":")[0] for loss in found.losses} == {
                        f"{found.tables[0].table}.{c}" for c in ("single", "few", "at", "clock")
                    }
                    columns = {c.column for d in found.differences for c in d.columns}
                    assert columns == ({"single", "few", "at", "clock"} if full else set())
                if not full:
                    row = LOSSY_ROW
                    source.psql(row)
                    for database in (wide, here):
                        database.execute(row)
                    target.psql(row)
