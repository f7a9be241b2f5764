"""The command: help, what each subcommand does on databases in memory, and what --json prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fastload.cli import DONE, FAILED, USAGE
from fastload.commands import CopyFlags, app
from fastload.model import QualifiedName
from fastload.testing.memory import database

COMMANDS = ("copy", "plan", "read", "verify", "write", "runs", "doctor", "demo")
CANARY = "canary4711"
NAME = QualifiedName("public", "t")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(run, command):
    told = run(command, "--help")
    assert (told.code, told.err) == (DONE, "")
    assert told.out.startswith(f"Usage: fastload {command}")


def test_the_commands_are_those(run):
    told = run("--help").out
    assert all(f"│ {command} " in told for command in COMMANDS)
    assert {c for c in app if not c.startswith("-")} == set(COMMANDS)


def test_every_option_of_copy_has_a_line_of_help(run):
    told = run("copy", "--help").out
    for option in CopyFlags.__dataclass_fields__:
        assert f"--{option.replace('_', '-')}" in told


def test_version(run):
    assert run("--version").out.strip() == "0.1.0"


def test_copy_and_its_result(run, shop):
    done = run("copy", shop, "memory://target", "--quiet", "--table", "public.t")
    assert (done.code, done.err) == (DONE, "")
    assert done.out.startswith("copied 3 rows of 1 table")
    assert database("target").tables[NAME].rows.num_rows == 3


def test_copy_as_json_and_as_html(run, shop, tmp_path: Path):
    page = tmp_path / "report.html"
    done = run("copy", shop, "memory://target", "--json", "--run", "nightly", "--html", str(page))
    assert done.code == DONE
    assert (done.json["rows"], done.json["run"], done.json["consistent"]) == (3, "nightly", True)
    assert "nightly" in page.read_text()
    assert "done: 1/1 tables, 3 rows" in done.err


def test_a_report_that_cannot_be_written_is_refused_before_the_copy(run, shop, tmp_path: Path):
    done = run("copy", shop, "memory://target", "--html", str(tmp_path / "no" / "report.html"))
    assert (done.code, done.out) == (USAGE, "")
    assert "does not exist" in done.err
    assert NAME not in database("target").tables


def test_plan_as_text_and_as_json(run, shop):
    told = run("plan", shop, "memory://target").out
    assert "route arrow: no wire format in common" in told
    made = run("plan", shop, "memory://target", "--json").json
    assert (made["mode"], made["guarantee"]) == ("create", "L3")
    assert made["tables"][0]["source"]["name"] == {"schema": "public", "name": "t"}
    assert made["after"][0]["id"] == "keys:public.t"
    assert NAME not in database("target").tables


@pytest.mark.parametrize("table", ["public.t", "t", '"public"."t"'])
def test_read_shows_rows(run, shop, table):
    assert run("read", shop, table).out == "id  note\n1   a\n2   NULL\n3   c\n"
    assert run("read", shop, table, "--rows", "1").out == "id  note\n1   a\n"


def test_read_into_a_file_and_write_it_back(run, shop, tmp_path: Path):
    file = tmp_path / "t.parquet"
    assert run("read", shop, "public.t", "-o", str(file)).out == f"wrote 3 rows to {file}\n"
    done = run("write", str(file), "memory://target", "public.u", "--json")
    assert (done.code, done.json["rows"]) == (DONE, 3)
    assert run("read", "memory://target", "u").out == run("read", shop, "t").out


def test_reading_fewer_than_no_rows_is_wrong_usage(run, shop):
    assert run("read", shop, "t", "--rows", "-1").code == USAGE


def test_a_missing_table_is_code_1(run, shop):
    done = run("read", shop, "public.tt")
    assert done.code == FAILED
    assert "did you mean public.t" in done.err


def test_doctor_as_json(run, shop):
    found = run("doctor", shop, "--json").json
    assert {f["place"] for f in found} == {"here", f"source {shop}", f"target {shop}"}
    assert all(set(f) == {"place", "level", "subject", "text", "hint"} for f in found)


def test_doctor_is_code_1_where_something_is_bad(run):
    done = run("doctor", f"postgresql://u:{CANARY}@127.0.0.1:1/d")
    assert done.code == FAILED
    assert "postgresql://u:***@127.0.0.1:1/d" in done.out
    assert "BAD" in done.out


def test_runs_are_listed_and_forgotten(run, shop):
    assert run("runs", "memory://target").out == "no runs\n"
    assert run("runs", "memory://target", "--json").json == []


def test_the_module_is_the_command_and_a_closed_pipe_is_no_error():
    done = subprocess.run(
        f"{sys.executable} -m fastload copy --help | head -n 1",
        shell=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("Usage: fastload copy [OPTIONS] SOURCE TARGET\n", "")
