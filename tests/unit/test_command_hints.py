"""Hints on the command line name its options, as a shell takes them."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload import commands, errors
from fastload.cli import main
from fastload.command_hints import _OPTIONS, for_command_line
from fastload.naming import option, parsed, spelled, split


@pytest.mark.parametrize(
    ("hint", "told"),
    [
        ("on_unrepresentable='null' makes it NULL", "--on-unrepresentable null makes it NULL"),
        ("add fresh=True and mode='replace'", "add --fresh and --mode replace"),
        ("exclude=['a b.c'] leaves it out", "--exclude 'a b.c' leaves it out"),
        ("check `where`, or indexes=False", "check --where, or --no-indexes"),
        ("tls=off in the URL", "tls=off in the URL"),
        ("?mode='x'", "?mode='x'"),
        ("types={'s.t.c': 'text'} reads text", "--types s.t.c=text reads text"),
    ],
)
def test_what_a_hint_becomes(hint, told):
    assert for_command_line(hint) == told


@given(st.lists(st.text(min_size=1), min_size=3, max_size=3), st.text(min_size=1))
def test_options_for_any_name_are_one_shell_word_that_is_read_again(parts, value):
    told = for_command_line(f"{option('types', spelled(*parts), value)} casts it")
    flag, pair, *rest = shlex.split(told)
    assert (flag, rest) == ("--types", ["casts", "it"])
    found, after = split(pair, "=")
    assert [p.text for p in found] == parts
    assert after == f"={value}"


def test_every_option_of_a_hint_is_one_of_the_command_line():
    flags = {*commands.CopyFlags.__dataclass_fields__, *commands.VerifyFlags.__dataclass_fields__}
    assert set(_OPTIONS) <= {*flags, "verify", "columns"}


def test_the_command_line_says_it_in_its_own_words(capsys, monkeypatch):
    async def fail(*_: object, **__: object) -> None:
        raise errors.PlanError("x\ny", hint="mode='append' adds", table=spelled("a", "b\u202e"))

    monkeypatch.setattr("fastload.api.copy", fail)
    assert main(["copy", "memory://x", "memory://y", "--quiet"]) == 1
    told = capsys.readouterr().err
    assert told == 'plan: x\\ny\n  where: table a."b\\u202e"\n  hint: --mode append adds\n'
    assert parsed(r'a."b\u202e"') == ("a", "b\u202e")
