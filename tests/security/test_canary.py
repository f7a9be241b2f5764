"""The canary: that a leak anywhere is seen, and that a run's stored state has none."""

from __future__ import annotations

import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import fastload
from tests.canary import CANARY
from tests.conftest import MysqlDatabase

LEAKS = """
import asyncio, logging, subprocess, sys, warnings
from urllib.parse import quote
import pyarrow as pa
import fastload
from fastload.testing.memory import forget
from tests.canary import CANARY, leaks

def test_print():
    print("a", quote(CANARY, safe=""))

def test_log():
    logging.getLogger("x").warning("%r", CANARY)

def test_file(tmp_path):
    (tmp_path / "f").write_bytes(b"x" * ((1 << 20) - 3) + CANARY.encode())

def test_hint():
    error = fastload.ConfigError("x")
    error.hint = CANARY[5:]

def test_message():
    fastload.ConfigError(CANARY)

def test_program():
    code = "import sys; print(sys.argv[1][:8])"
    subprocess.run([sys.executable, "-c", code, CANARY], capture_output=True, text=True)

def test_captured(capsys):
    print(CANARY)
    capsys.readouterr()

def test_warning():
    warnings.warn(CANARY)

def test_a_run():
    table = pa.table({CANARY: [1]})
    asyncio.run(fastload.write(table, "memory://canary", "public.t"))
    forget("canary")
"""
WHERE = (
    "Captured stdout call (", "Captured log call (", "file ", "hint of a ConfigError",
    "message of a ConfigError", "stdout of a program", "captured output", "a warning of",
    "a plan, which is what states store",
)  # fmt: skip


def session_with(test: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a session of pytest that has the canary's plugin."""
    (folder / "test_leaks.py").write_text(test)
    here = str(Path(__file__).parents[2])
    search = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    options = ("-q", "-p", "tests.canary", "-p", "no:cacheprovider", f"--rootdir={folder}")
    # Not by subprocess.run: what it prints has the names of leaks.
    with subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, str(folder / "test_leaks.py")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": search},
    ) as process:  # fmt: skip
        out, _ = process.communicate(timeout=60)
        return subprocess.CompletedProcess((), process.returncode, out)


def test_every_leak_is_seen(tmp_path):
    done = session_with(LEAKS, tmp_path)
    told = done.stdout.decode().partition("the canary password leaked")[2]
    assert done.returncode == 1, done.stdout.decode()
    for where in WHERE:
        assert f"\n{where}" in told, where


def test_no_leak_is_no_leak(tmp_path):
    done = session_with("def test_nothing(tmp_path): (tmp_path / 'f').write_text('x')", tmp_path)
    assert done.returncode == 0
    assert b"leaked" not in done.stdout


def rows_of_state(target) -> list[str]:
    """Return every row of the state's tables, and the plan, which is stored compressed."""
    if hasattr(target, "psql"):
        tables = target.psql("SELECT tablename FROM pg_tables WHERE schemaname = '_fastload'")
        rows = [target.psql(f"SELECT t FROM _fastload.{t} AS t") for t in tables.split()]
        plan = bytes.fromhex(target.psql("SELECT encode(plan, 'hex') FROM _fastload.runs"))
    else:
        tables = target.execute("SHOW TABLES LIKE '\\_fastload%'")
        rows = [repr(target.execute(f"SELECT * FROM `{table}`")) for (table,) in tables]
        plan = target.execute("SELECT plan FROM _fastload_runs")[0][0]
    return [*rows, zlib.decompress(plan).decode()]


@pytest.mark.parametrize("kind", ["postgres", "mysql", "mariadb"])
async def test_the_state_of_a_run_that_stands(request, kind, guarded):
    """A partition is refused, so that the plan and others' receipts stay."""
    if kind == "postgres":
        target = request.getfixturevalue("target")
    else:
        target = MysqlDatabase(request.getfixturevalue(kind), "fastload_canary")
        target.server.drop_database(target.name)
        target.server.create_database(target.name)
    run = target.psql if kind == "postgres" else target.execute
    guarded.psql("DROP TABLE IF EXISTS canary_a, canary_b")
    for made, check in ((guarded.psql, ""), (run, ", CHECK (i < 5)")):
        made("CREATE TABLE canary_a (i int PRIMARY KEY)")
        made(f"CREATE TABLE canary_b (i int PRIMARY KEY{check})")
    guarded.psql("INSERT INTO canary_a VALUES (1); INSERT INTO canary_b VALUES (7)")
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(guarded.url, target.url, tables="public.canary_*", mode="append")
    found = rows_of_state(target)
    assert "canary_b" in found[-1]
    for text in found:
        assert CANARY not in text
        assert "c4n4ry" not in text
        assert "f1nch" not in text
