"""Rows that a target refuses: those alone are in files, all others arrive, and nothing is lost."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastload
from fastload.errors import (
    ConfigError,
    ConstraintError,
    PlanError,
    RejectLimit,
    TargetError,
    TargetFull,
    VerificationError,
)

ROWS = 24_000
EXTRA = 5  # columns that tell why
SOURCE = f"""
CREATE TABLE t (id int PRIMARY KEY, small int, name text, code text, filler text);
INSERT INTO t SELECT n, n % 100, 'name ' || n, 'code ' || n, repeat('x', 1500)
FROM generate_series(1, {ROWS}) AS n"""
TARGET = """
CREATE TABLE t (id int PRIMARY KEY, small {small} CHECK (small <> -13), name text NOT NULL,
  code text UNIQUE DEFERRABLE INITIALLY DEFERRED, filler text)"""
BAD = (
    "UPDATE t SET small = -13 WHERE id IN ({})",
    "UPDATE t SET name = NULL WHERE id IN ({})",
    "UPDATE t SET code = 'code ' || (id % 7 + 1) WHERE id IN ({})",
    "UPDATE t SET small = 40000 WHERE id IN ({})",
)


def rejected(result):
    """Return the rejected rows of all tables, as they were, and why."""
    files = [file for table in result.tables for file in table.rejects]
    tables = [pq.read_table(file) for file in files]
    assert sum(t.num_rows for t in tables) == result.rejected
    rows = [tuple(r.values()) for t in tables for r in t.to_pylist()]
    return [row[:-EXTRA] for row in rows], [row[-EXTRA:] for row in rows]


def of_postgres(database, columns="id, small, name, code, length(filler)"):
    text = database.psql(f"SELECT json_agg(json_build_array({columns})) FROM t")
    return [tuple(row) for row in json.loads(text)] if text else []


def in_folder(folder):
    return sorted(str(f.relative_to(folder)) for f in Path(folder).rglob("*") if f.is_file())


@pytest.mark.parametrize(("count", "route"), [(1, "wire"), (30, "arrow"), (100, "auto")])
async def test_bad_rows_at_random_places(source, target, tmp_path, count, route):
    small = "int" if route == "wire" else "smallint"
    seeded = random.Random(count)
    # The first seven are those whose codes are taken.
    bad = seeded.sample(range(8, ROWS + 1), count)
    kinds = BAD[: 3 if route == "wire" else 4]
    source.psql(SOURCE)
    for kind, statement in enumerate(kinds):
        if ids := bad[kind :: len(kinds)]:
            source.psql(statement.format(", ".join(map(str, ids))))
    source.psql("ANALYZE t")
    target.psql(TARGET.format(small=small))
    result = await fastload.copy(
        source.url,
        target.url,
        mode="append",
        route=route,
        memory="16MiB",
        parallel=2,
        on_error="reject",
        rejects=tmp_path,
    )
    assert result.tables[0].partitions > 1
    rows, reasons = rejected(result)
    plain = [(*row[:-1], len(row[-1])) for row in rows]
    assert sorted(plain + of_postgres(target), key=repr) == sorted(of_postgres(source), key=repr)
    # Of rows that have one code, any may be the one that stays.
    free = {row[0] for row in plain if row[2] is not None and row[1] not in (-13, 40_000)}
    assert {row[0] for row in plain} - free == {i for n, i in enumerate(bad) if n % len(kinds) != 2}
    assert len(rows) == result.rejected == ROWS - result.rows == count
    for row, (error, message, column, key, partition) in zip(plain, reasons, strict=True):
        assert (error, key) == ("encode" if row[1] == 40000 else "constraint", f"id={row[0]}")
        assert message
        assert column == {-13: None, 40000: "small"}.get(row[1], "name" if row[2] is None else None)
        assert partition < result.tables[0].partitions
    assert target.psql("SELECT to_regnamespace('_fastload') IS NULL") == "t"


FEW = """
CREATE TABLE t (id int PRIMARY KEY, v int, day date, n numeric(6,2));
INSERT INTO t SELECT i, i, '2024-01-01', 1.5 FROM generate_series(1, 20) AS i"""


async def test_a_limit_ends_the_run_which_goes_on_with_a_higher_one(source, target, tmp_path):
    source.psql(f"{FEW}; UPDATE t SET v = NULL WHERE id IN (3, 5, 20)")
    target.psql("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, day date, n numeric(6,2))")
    options = {"mode": "append", "run": "Limited!", "rejects": tmp_path, "on_error": "reject"}
    with pytest.raises(ConstraintError):
        await fastload.copy(source.url, target.url, mode="append", run="Limited!")
    for limit in (0, 2):
        with pytest.raises(RejectLimit, match=f"reject_limit={limit} ") as caught:
            await fastload.copy(source.url, target.url, reject_limit=limit, **options)
        key = {0: "id=3", 2: "id=20"}[limit]
        assert (caught.value.table, caught.value.key) == ("public.t", key)
        assert target.psql("SELECT count(*) FROM t") == "0"
        assert in_folder(tmp_path) == []
    result = await fastload.copy(source.url, target.url, reject_limit=3, **options)
    assert (result.rows, result.rejected) == (17, 3)
    assert [row[0] for row in rejected(result)[0]] == [3, 5, 20]
    assert f"public.t: 3 rows in {result.tables[0].rejects[0]}" in str(result)
    assert result.tables[0].rejects[0] in result.html()
    assert result.to_dict()["rejected"] == 3
    (file,) = in_folder(tmp_path)
    assert file.startswith("Limited_-")
    assert file.endswith("/public.t.0.parquet")


async def test_an_error_that_is_not_of_the_rows_rejects_none(source, target, tmp_path):
    # In this order: what is updated moves to the end.
    source.psql(f"{FEW}; UPDATE t SET v = NULL WHERE id = 3; UPDATE t SET v = 0 WHERE id = 7")
    target.psql(
        """CREATE FUNCTION full() RETURNS bool LANGUAGE plpgsql AS
        $$BEGIN RAISE 'no room' USING ERRCODE = 'disk_full'; END$$;
        CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, day date, n numeric(6,2),
          CHECK (id <> 7 OR full()))"""
    )
    with pytest.raises(TargetFull, match="no room"):
        await fastload.copy(
            source.url, target.url, mode="append", on_error="reject", rejects=tmp_path
        )
    assert target.psql("SELECT count(*) FROM t") == "0"
    assert in_folder(tmp_path) == []


async def test_what_triggers_refuse_is_rejected(source, target, tmp_path):
    source.psql(FEW)
    target.psql(
        """CREATE TABLE t (id int PRIMARY KEY, v int, day date, n numeric(6,2));
        CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
          IF NEW.id % 10 = 3 THEN RAISE 'not this one'; END IF; RETURN NEW; END$$;
        CREATE TRIGGER odd BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION odd()"""
    )
    result = await fastload.copy(
        source.url,
        target.url,
        mode="append",
        triggers="fire",
        on_error="reject",
        rejects=tmp_path,
    )
    rows, reasons = rejected(result)
    assert [row[0] for row in rows] == [3, 13]
    assert all("not this one" in message for _, message, *_ in reasons)


async def test_a_row_that_is_neither_taken_nor_refused_fails_the_partition(
    source, target, tmp_path
):
    """A trigger may leave a row out and say nothing; it would be nowhere."""
    source.psql(FEW)
    target.psql(
        """CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v <> 13), day date, n numeric(6,2));
        CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
          IF NEW.id = 7 THEN RETURN NULL; END IF; RETURN NEW; END$$;
        CREATE TRIGGER quiet BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION quiet()"""
    )
    with pytest.raises(TargetError, match="sent 20 rows; the target took 18, and 1 are rejected"):
        await fastload.copy(
            source.url,
            target.url,
            mode="append",
            triggers="fire",
            on_error="reject",
            rejects=tmp_path,
        )
    assert target.psql("SELECT count(*) FROM t") == "0"
    assert in_folder(tmp_path) == []


async def test_rejected_rows_are_not_equal(source, target, tmp_path):
    source.psql(f"{FEW}; UPDATE t SET v = NULL WHERE id IN (4, 9)")
    target.psql("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, day date, n numeric(6,2))")
    with pytest.raises(VerificationError, match=r"rejected rows are missing: public\.t: 2 rows"):
        await fastload.copy(
            source.url, target.url, verify=True, on_error="reject", rejects=tmp_path
        )
    check = await fastload.verify(source.url, target.url)
    assert [(d.kind, d.key) for d in check.differences] == [
        ("missing", {"id": "4"}),
        ("missing", {"id": "9"}),
    ]


async def test_a_step_that_misses_rejected_rows_names_them(source, target, tmp_path):
    source.psql(
        """CREATE TABLE parent (id int PRIMARY KEY, at date);
        CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent (id));
        INSERT INTO parent VALUES (1, '2024-01-01'), (2, '4024-01-01');
        INSERT INTO child VALUES (1, 1), (2, 2)"""
    )
    target.psql("CREATE TABLE parent (id int PRIMARY KEY, at date CHECK (at < '3000-01-01'))")
    options = {"on_error": "reject", "rejects": tmp_path, "run": "steps"}
    plan = await fastload.plan(source.url, target.url, **options)
    assert "too late to reject a row" in fastload.describe(plan)
    assert "reject what breaks their constraints" in fastload.describe(plan)
    with pytest.raises(ConstraintError, match="1 rows were rejected") as caught:
        await fastload.copy(source.url, target.url, **options)
    (file,) = tmp_path.rglob("*.parquet")
    assert str(file) in caught.value.hint
    target.psql("ALTER TABLE parent DROP CONSTRAINT parent_at_check")
    rows = pq.read_table(file)
    mended = rows.select(rows.column_names[:-EXTRA])
    await fastload.write(mended, target.url, "public.parent", mode="append")
    result = await fastload.copy(source.url, target.url, **options)
    assert (result.rows, result.rejected) == (3, 1)
    assert target.psql("SELECT count(*) FROM parent JOIN child ON parent = parent.id") == "2"


async def test_rows_judged_before_their_time_are_refused(source, target, tmp_path):
    source.psql("CREATE TABLE t (id int PRIMARY KEY, boss int)")
    target.psql("CREATE TABLE t (id int PRIMARY KEY, boss int REFERENCES t (id))")
    options = {"mode": "append", "on_error": "reject", "rejects": tmp_path}
    with pytest.raises(PlanError, match=r"before those of public\.t"):
        await fastload.copy(source.url, target.url, **options)
    with pytest.raises(ConfigError, match="upsert"):
        await fastload.copy(source.url, target.url, **options | {"mode": "upsert"})
    with pytest.raises(ConfigError, match="needs a folder"):
        await fastload.copy(source.url, target.url, on_error="reject")
    (tmp_path / "file").write_text("")
    target.psql("DROP TABLE t")
    with pytest.raises(ConfigError, match="no folder to write to"):
        await fastload.copy(
            source.url, target.url, on_error="reject", rejects=tmp_path / "file" / "folder"
        )


@pytest.mark.mysql
async def test_values_of_postgres_that_arrow_cannot_hold(source, database, tmp_path):
    """Beside what the target refuses; with their text, and all other values."""
    source.psql(
        f"""{FEW};
        UPDATE t SET day = 'infinity', n = 'NaN' WHERE id = 4;
        UPDATE t SET day = '-infinity' WHERE id = 20;
        UPDATE t SET n = NULL, day = NULL WHERE id = 5;
        UPDATE t SET v = -13 WHERE id IN (1, 11)"""
    )
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v int UNSIGNED, at date, n decimal(6,2))")
    result = await fastload.copy(
        source.url,
        database.url,
        mode="append",
        rename={"public.t.day": "at"},
        on_error="reject",
        rejects=tmp_path,
    )
    rows, reasons = rejected(result)
    assert [row[0] for row in rows] == [4, 20, 1, 11]
    assert rows[0] == (4, 4, None, None)
    assert [(error, column, key) for error, _, column, key, _ in reasons] == [
        ("unrepresentable", "at", "id=4"),
        ("unrepresentable", "at", "id=20"),
        ("encode", "v", "id=1"),
        ("encode", "v", "id=11"),
    ]
    assert [message.split()[0] for _, message, *_ in reasons[:2]] == ["infinity", "-infinity"]
    assert (result.rows, result.tables[0].nulled) == (16, 0)
    there = database.execute("SELECT id, at IS NULL, n FROM t ORDER BY id")
    assert [row[0] for row in there] == [i for i in range(1, 21) if i not in (1, 4, 11, 20)]
    assert [row[0] for row in there if row[1]] == [5]


@pytest.mark.mysql
@pytest.mark.parametrize("local_infile", ["ON", "OFF"])
async def test_postgres_to_the_family(source, database, tmp_path, local_infile):
    seeded = random.Random(local_infile)
    bad = seeded.sample(range(8, 3001), 60)
    source.psql(
        """CREATE TABLE t (id int PRIMARY KEY, small int, name text, code text);
        INSERT INTO t SELECT n, n % 100, 'name ' || n, 'code ' || n
        FROM generate_series(1, 3000) AS n"""
    )
    for kind, statement in enumerate(BAD):
        source.psql(statement.format(", ".join(map(str, bad[kind::4]))))
    database.execute(
        "CREATE TABLE t (id int PRIMARY KEY, small smallint CHECK (small <> -13), "
        "name varchar(200) NOT NULL, code varchar(200), UNIQUE (code))"
    )
    database.execute(f"SET GLOBAL local_infile = {local_infile}")
    try:
        result = await fastload.copy(
            source.url, database.url, mode="append", on_error="reject", rejects=tmp_path
        )
    finally:
        database.execute("SET GLOBAL local_infile = ON")
    rows, reasons = rejected(result)
    assert sorted(row[0] for row in rows) == sorted(bad)
    assert [r[3] for r in reasons] == [f"id={row[0]}" for row in rows]
    there = [tuple(row) for row in database.execute("SELECT id, small, name, code FROM t")]
    assert sorted(rows + there, key=repr) == sorted(
        of_postgres(source, "id, small, name, code"), key=repr
    )
    assert result.rows == len(there) == 2940


@pytest.mark.mysql
async def test_the_family_to_postgres(database, target, tmp_path):
    database.execute(
        """SET sql_mode = ''; CREATE TABLE t (id int PRIMARY KEY, v int UNSIGNED, day date);
        INSERT INTO t VALUES (1, 1, '2024-01-01'), (2, 4000000000, '2024-01-01'),
          (3, 3, '0000-00-00'), (4, 4, '2024-02-30'), (5, 5, NULL), (6, NULL, '2024-01-01')"""
    )
    target.psql("CREATE TABLE t (id int PRIMARY KEY, v int NOT NULL, day date)")
    result = await fastload.copy(
        database.url, target.url, mode="append", on_error="reject", rejects=tmp_path
    )
    _, reasons = rejected(result)
    found = {r[3]: (r[0], r[2], r[1]) for r in reasons}
    assert found.keys() == {"id=2", "id=3", "id=6"} | ({"id=4"} & found.keys())
    assert found["id=3"][:2] == ("unrepresentable", "day")
    assert "0000-00-00" in found["id=3"][2]
    assert found["id=2"][:2] == ("encode", "v")
    assert found["id=6"][:2] == ("constraint", "v")
    assert target.psql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t") == ",".join(
        str(i) for i in range(1, 7) if f"id={i}" not in found
    )


async def test_writing_a_stream(target, tmp_path):
    """Which cannot be read again; and each call has its own files."""
    target.psql("CREATE TABLE t (id int PRIMARY KEY, small smallint, span interval, l interval[])")
    month = pa.array([(1, 2, 3000)] * 4, pa.month_day_nano_interval())
    spans = pa.array([[(1, 2, 3000)]] * 4, pa.list_(pa.month_day_nano_interval()))
    made = []
    for first in (0, 10):
        data = pa.table(
            {
                "id": pa.array([first, first + 1, first, None], pa.int64()),
                "small": pa.array([1, 1 << 20, 3, 4], pa.int64()),
                "span": month,
                "l": spans,
            }
        )
        stream = pa.RecordBatchReader.from_batches(data.schema, data.to_batches())
        result = await fastload.write(
            stream, target.url, "public.t", mode="append", on_error="reject", rejects=tmp_path
        )
        rows, reasons = rejected(result)
        interval = {"months": 1, "days": 2, "nanoseconds": 3000}
        assert rows == [
            (first + 1, 1 << 20, interval, [interval]),
            (first, 3, interval, [interval]),
            (None, 4, interval, [interval]),
        ]
        assert [r[0] for r in reasons] == ["encode", "constraint", "constraint"]
        made += result.tables[0].rejects
    assert len(set(made)) == 2
    assert target.psql("SELECT string_agg(id::text, ',' ORDER BY id) FROM t") == "0,10"
    good = pa.table({"id": pa.array([5], pa.int64())})
    options = {"mode": "append", "on_error": "reject", "rejects": tmp_path}
    result = await fastload.write(good, target.url, "public.t", **options)
    assert (result.rejected, result.tables[0].rejects, len(in_folder(tmp_path))) == (0, (), 2)
    with pytest.raises(RejectLimit):
        await fastload.write(data, target.url, "public.t", reject_limit=1, **options)
    assert len(in_folder(tmp_path)) == 2
