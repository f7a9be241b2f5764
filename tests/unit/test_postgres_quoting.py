"""Names and texts as SQL: what is quoted cannot end its quotes."""

from __future__ import annotations

import re

import pytest
from fastload_postgres.quoting import ident, idents, literal, qualified
from hypothesis import given
from hypothesis import strategies as st

from fastload.errors import ConfigError
from fastload.model import QualifiedName

# Every text that a server can have; a NUL it cannot.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAMES = TEXTS.filter(lambda t: 0 < len(t.encode()) <= 63)
HOSTILE = [
    'a"b',
    '"',
    '""',
    "a'b",
    "a\nb",
    "a;DROP TABLE x;--",
    "a\\b",
    "\\",
    "$1",
    "/* */",
    "Ümläut",
    "select",
    " ",
    "a.b",
    "\ufeff",
]


def unquoted(name: str) -> str:
    """Read a quoted name as PostgreSQL's scanner does; the whole text must be one."""
    match = re.fullmatch(r'"((?:[^"]|"")+)"', name)
    assert match
    return match[1].replace('""', '"')


def untold(text: str) -> str:
    """Read a literal as PostgreSQL's scanner does; the whole text must be one."""
    if match := re.fullmatch(r"'((?:[^']|'')*)'", text):
        # Only without a backslash does it mean the same under both standard_conforming_strings.
        assert "\\" not in match[1]
        return match[1].replace("''", "'")
    match = re.fullmatch(r" E'((?:[^'\\]|''|\\\\)*)'", text)
    assert match
    return match[1].replace("''", "'").replace("\\\\", "\\")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_names(name):
    assert unquoted(ident(name)) == name


@given(name=NAMES)
def test_every_name_stays_a_name(name):
    assert unquoted(ident(name)) == name


@given(text=TEXTS)
def test_every_text_stays_a_text(text):
    assert untold(literal(text)) == text


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_stay_texts(text):
    assert untold(literal(text)) == text


@pytest.mark.parametrize("name", ["", "a\0b", "\0"])
def test_what_is_no_name(name):
    with pytest.raises(ConfigError, match="not a name"):
        ident(name)


def test_a_text_with_a_zero_byte_is_refused():
    with pytest.raises(ConfigError, match="zero byte"):
        literal("a\0b")


@pytest.mark.parametrize("name", ["x" * 63, "ü" * 31, "\U0001f600" * 15])
def test_names_up_to_what_the_server_keeps(name):
    assert unquoted(ident(name)) == name


@pytest.mark.parametrize("name", ["x" * 64, "ü" * 32, "\U0001f600" * 16])
def test_a_name_that_the_server_would_cut_is_refused(name):
    with pytest.raises(ConfigError, match="longer than 63 bytes") as caught:
        ident(name)
    assert "rename" in caught.value.hint


def test_lists_and_qualified_names():
    assert idents(["a", 'b"c']) == '"a", "b""c"'
    assert qualified(QualifiedName("a.b", 'c"d')) == '"a.b"."c""d"'
    assert qualified(QualifiedName("a.b", "c")) != qualified(QualifiedName("a", "b.c"))


def test_plain_texts_need_no_escape():
    assert literal("it's") == "'it''s'"
    assert literal("a\\b'") == " E'a\\\\b'''"
