"""The command's failures: exit codes, one clear error with a hint, and no secrets."""

from __future__ import annotations

import pytest

from fastload.cli import FAILED, USAGE, main
from fastload.errors import ConfigError
from fastload.naming import parsed as name

# The fixture ``run`` looks for it in all that is printed.
CANARY = "canary4711"
COMMANDS = ("copy", "plan", "read", "write", "runs", "doctor", "demo")


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
        (["copy", "memory://x", "memory://y", "--where", "a.b.t=1"], "schema.table"),
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


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", '"a', '""', '"a"b', 'a."b', r'"a\b"', '"a".']
)
def test_what_is_no_name_on_the_command_line(text):
    with pytest.raises(ConfigError, match="is not a name"):
        name(text)
