"""The command: help, exit codes, one clear error without secrets, and what --json prints.

Databases are in memory: they live as long as this process, so that no server is needed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from fastload.cli import DONE, FAILED, USAGE, main
from fastload.commands import CopyFlags, app, name
from fastload.errors import ConfigError
from fastload.model import Column, Key, QualifiedName, Table
from fastload.testing.memory import StoredTable, database, forget

COMMANDS = ("copy", "plan", "read", "write", "runs", "doctor", "demo")
CANARY = "canary4711"
NAME = QualifiedName("public", "t")


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Output]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command line here and tells its code and output."""

    def run(*tokens: str) -> Output:
        code = main(tokens)
        out, err = capfd.readouterr()
        assert CANARY not in out + err
        assert "Traceback" not in out + err
        return Output(code, out, err)

    return run


@pytest.fixture
def shop() -> Iterator[str]:
    """A database with one table of three rows."""
    columns = (
        Column(name="id", type="int64", arrow="int64", nullable=False),
        Column(name="note", type="string", arrow="string"),
    )
    made = Table(name=NAME, columns=columns, keys=(Key(name="k", columns=("id",), primary=True),))
    rows = pa.table({"id": [1, 2, 3], "note": ["a", None, "c"]})
    database("shop").tables[NAME] = StoredTable(made, rows.cast(pa.schema(
        [pa.field("id", pa.int64(), False), pa.field("note", pa.string())]
    )))  # fmt: skip
    yield "memory://shop"
    forget("shop")
    forget("target")


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


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (["nope"], 'Unknown command "nope"'),
        (["copy"], "source"),
        (["copy", f"postgresql://u:{CANARY}@h/d"], "target"),
        (["copy", "a", "b", "c"], "c"),
        (["copy", "a", "b", f"--sorce=postgresql://u:{CANARY}@h/d"], "--sorce"),
        (["copy", "a", "b", f"--nothing=postgresql://u:it's {CANARY}@h/d"], "--nothing"),
        (["copy", "a", "b", "--mode", f"postgresql://u:{CANARY}@h/d"], "--mode"),
        (["copy", "a", "b", f'postgresql://u:it\'s "{CANARY}" @h/d'], "@h/d"),
        ([f"postgresql://u:{CANARY}@h/d", "postgresql://h/e"], "Unknown command"),
        (["copy", "a", "b", "--mode", "creat"], "creat"),
        (["copy", "a", "b", "--parallel", "many"], "many"),
        (["doctor", "--scale", "1"], "--scale"),
    ],
)
def test_wrong_usage_is_code_2_with_one_error_and_where_help_is(run, tokens, told):
    done = run(*tokens)
    assert (done.code, done.out) == (USAGE, "")
    assert told in done.err
    known = tokens[0] if tokens[0] in COMMANDS else ""
    assert f"hint: fastload {known} --help".replace("  ", " ") in done.err


@pytest.mark.parametrize(
    ("tokens", "told"),
    [
        (["copy", f"shop{CANARY}", "memory://x"], "it has no '://'"),
        (["copy", f"oracle://u:{CANARY}@h/d", "memory://x"], "no adapter for oracle://"),
        (["copy", "memory://x", f"postgresql://u:a b{CANARY}@h/d"], "where: target"),
        (["copy", "memory://x", "memory://y", "--memory", "1MiB"], "at least 16MiB"),
        (["copy", "memory://x", "memory://y", "--where", "public.t"], "NAME=VALUE"),
        (["copy", "memory://x", "memory://y", "--where", "t=1"], "schema.table"),
        (["copy", "memory://x", "memory://y", "--types", 'a."b=1'], "is not a name"),
        (["copy", "memory://x", "memory://y", "--rename", "a.b=c", "--rename", "a.b=d"], "twice"),
        (["copy", "memory://x", "memory://y", *["--on-unrepresentable", "null"] * 2], "and as"),
        (["read", "memory://x", "public.t", "-o", "t.xlsx"], ".parquet"),
        (["write", "no-such-file.csv", "memory://x", "public.t"], "there is no file"),
        (["runs", "memory://x", "--discard", "nightly"], "it has: none"),
    ],
)  # fmt: skip
def test_wrong_options_are_code_2(run, tokens, told):
    done = run(*tokens)
    assert (done.code, done.out) == (USAGE, "")
    assert told in done.err
    assert done.err.count("hint:") == 1


@pytest.mark.parametrize("command", ["copy", "plan"])
def test_a_failure_is_code_1_with_one_error(run, command):
    done = run(command, f"postgresql://u:{CANARY}@127.0.0.1:1/d", "memory://x")
    assert (done.code, done.out) == (FAILED, "")
    errors = [line for line in done.err.splitlines() if not line.startswith("planning")]
    assert errors[0].startswith("connect: no server answers at 127.0.0.1:1")
    assert [line.split(":")[0].strip() for line in errors[1:]] == ["where", "hint"]


def test_a_failure_as_json(run):
    done = run("copy", f"postgresql://u:{CANARY}@127.0.0.1:1/d", "memory://x", "--quiet", "--json")
    assert (done.code, done.err) == (FAILED, "")
    error = done.json["error"]
    assert (error["code"], error["side"]) == ("connect", "source")
    assert set(error) == {"code", "message", "side", "hint"}


def test_debug_shows_where_an_error_arose_without_secrets(capfd):
    code = main(["plan", f"postgresql://u:{CANARY}@127.0.0.1:1/d", "memory://x", "--debug"])
    err = capfd.readouterr().err
    assert code == FAILED
    assert "Traceback" in err
    assert CANARY not in err


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


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a.b", ("a", "b")),
        ("a", ("a",)),
        ('"a.b".c', ("a.b", "c")),
        ('"a""b"."c"', ('a"b', "c")),
        ("Ü b.c", ("Ü b", "c")),
    ],
)
def test_names_on_the_command_line(text, parts):
    assert name(text) == parts


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", '"a', 'a"', '""', '"a"b', 'a."b'])
def test_what_is_no_name_on_the_command_line(text):
    with pytest.raises(ConfigError, match="is not a name"):
        name(text)
