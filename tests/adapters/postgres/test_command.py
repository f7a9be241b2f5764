"""The command on real servers: what it prints, and how it ends."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys

import asyncpg
import pyarrow.parquet as pq
import pytest

import fastload
from fastload import blocking

ROWS = 50_000


@pytest.fixture
def filled(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT i AS id, 'name ' || i AS name, repeat('x', 500) AS filler
        FROM generate_series(1, {ROWS}) AS i;
        ALTER TABLE t ADD PRIMARY KEY (id); CREATE VIEW v AS SELECT 1 AS one; ANALYZE"""
    )
    return source


def fastload_command(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "fastload", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


def test_copy_prints_a_result_for_people(filled, target):
    done = fastload_command("copy", filled.url, target.url, "--parallel", 2)
    assert done.returncode == 0, done.stderr
    assert "50,000 rows" in done.stdout
    assert "view public.v" in done.stdout
    assert target.checksum("t") == filled.checksum("t")


def test_copy_prints_a_result_for_programs(filled, target, tmp_path):
    report = tmp_path / "report.html"
    done = fastload_command(
        "copy", filled.url, target.url, "--table", "public.*", "--json", "--html", report, "--quiet"
    )
    told = json.loads(done.stdout)
    assert (told["rows"], told["consistent"]) == (ROWS, True)
    assert told["tables"][0]["name"] == "public.t"
    assert done.stderr == ""
    assert "public.t" in report.read_text()


def test_options_of_the_command_are_those_of_the_verb(filled, target):
    done = fastload_command(
        "copy", filled.url, target.url, "--where", "public.t=id <= 10", "--rename",
        "public.t=other.u", "--rename", "public.t.name=label", "--type", "public.t.id=bigint",
        "--route", "arrow", "--mode", "replace", "--no-indexes",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert target.psql("SELECT count(*), min(label) FROM other.u") == "10|name 1"
    assert target.psql("SELECT pg_typeof(id) FROM other.u LIMIT 1") == "bigint"


def test_failures_end_with_one_and_mistakes_with_two(filled, target):
    target.psql("CREATE TABLE t (id int); INSERT INTO t VALUES (1)")
    failed = fastload_command("copy", filled.url, target.url)
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-3].startswith("target_not_empty: the target's public.t")
    assert "Traceback" not in failed.stderr
    mistaken = fastload_command("copy", filled.url, target.url, "--table", "public.t", "--mod", "x")
    assert mistaken.returncode == 2
    assert "--help" in mistaken.stderr
    as_json = fastload_command("copy", filled.url, target.url, "--json", "--quiet")
    assert json.loads(as_json.stdout)["error"]["code"] == "target_not_empty"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
async def test_an_interrupt_ends_with_130_and_the_run_can_be_continued(filled, target, by):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fastload", "copy", filled.url, target.url, "--run", "stopped",
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    watching = await asyncpg.connect(target.url)
    copying = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY %' AND datname = $1"
    while not await watching.fetchval(copying, target.name):
        await asyncio.sleep(0.002)
    process.send_signal(by)
    _, said = await process.communicate()
    assert process.returncode == 130
    assert said.decode().splitlines()[-2:] == [
        "the same command goes on with the run",
        "interrupted",
    ]
    assert await watching.fetchval("SELECT run FROM _fastload.runs") == "stopped"
    await watching.close()
    listed = fastload_command("runs", target.url)
    assert re.match(
        r"stopped, begun \d{4}-\d\d-\d\d \d\d:\d\d UTC: create of 1 table", listed.stdout
    )
    if by == signal.SIGINT:
        done = fastload_command("copy", filled.url, target.url, "--run", "stopped")
    else:
        flags = ("--run", "stopped", "--fresh", "--mode", "replace", "--json")
        done = fastload_command("copy", filled.url, target.url, *flags)
        assert json.loads(done.stdout)["rows_earlier"] == 0
        assert fastload_command("runs", target.url).stdout == "no runs\n"
    assert done.returncode == 0, done.stderr
    assert target.checksum("t") == filled.checksum("t")


def test_plan_changes_nothing(filled, target):
    done = fastload_command("plan", filled.url, target.url)
    assert done.returncode == 0, done.stderr
    for told in ("public.t", "wire", "CREATE TABLE", "view public.v"):
        assert told in done.stdout
    assert target.psql("SELECT count(*) FROM pg_class WHERE relname = 't'") == "0"
    plain = json.loads(fastload_command("plan", filled.url, target.url, "--json").stdout)
    assert plain["tables"][0]["route"] == "wire"


def test_read_and_write_by_file(filled, target, tmp_path):
    file = tmp_path / "t.parquet"
    done = fastload_command("read", filled.url, "public.t", "-o", file)
    assert done.stdout.strip() == f"wrote 50,000 rows to {file}"
    assert pq.read_metadata(file).num_rows == ROWS
    done = fastload_command("write", file, target.url, "public.t")
    assert done.returncode == 0, done.stderr
    assert target.checksum("t") == filled.checksum("t")
    shown = fastload_command("read", filled.url, "public.t", "--rows", 2)
    assert [line.split()[:3] for line in shown.stdout.splitlines()[1:3]] == [
        ["1", "name", "1"],
        ["2", "name", "2"],
    ]


def test_doctor_examines_databases(filled, target):
    done = fastload_command("doctor", filled.url, target.url)
    assert done.returncode == 0, done.stdout
    assert "PostgreSQL 16" in done.stdout
    assert "PostgreSQL 18" in done.stdout
    secret = filled.url_of("nobody:hunter2secret")
    failed = fastload_command("doctor", secret)
    assert failed.returncode == 1
    assert "hunter2secret" not in failed.stdout + failed.stderr


def test_progress_without_a_terminal_is_a_line_now_and_then(filled, target):
    done = fastload_command("copy", filled.url, target.url)
    assert "\r" not in done.stderr
    assert "\x1b" not in done.stderr


def test_scripts_have_the_same_verbs(filled, target):
    assert blocking.copy(filled.url, target.url).rows == ROWS
    with blocking.read(filled.url, "t", columns=["id"], parallel=1) as reading:
        assert sum(batch.num_rows for batch in reading) == ROWS
    with blocking.read(filled.url, "t") as reading:
        table = reading.table()
    assert blocking.write(table, target.url, "public.again").rows == ROWS
    assert target.checksum("again") == filled.checksum("t")


async def test_scripts_verbs_refuse_inside_a_loop(filled, target):
    with pytest.raises(fastload.ConfigError, match="loop") as caught:
        blocking.copy(filled.url, target.url)
    assert "await fastload.copy" in caught.value.hint


async def test_progress_tells_rows_rate_and_who_waits(filled, target):
    seen: list[fastload.Progress] = []
    result = await fastload.copy(filled.url, target.url, progress=seen.append)
    last = seen[-1]
    assert last.rows == result.rows == ROWS
    assert last.phase == "done"
    assert "50,000" in str(last)
