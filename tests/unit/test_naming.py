"""Names as text: what is printed can be read again, and shows everything that is in it."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import Selection
from fastload.config import CopyOptions
from fastload.errors import ConfigError, FastloadError
from fastload.model import NotCarried, QualifiedName
from fastload.naming import option, parsed, spelled, split
from fastload.selection import choose
from fastload.testing.hostile_names import HOSTILE
from fastload.wording import shows, visible, visible_lines

PARTS = st.lists(st.text(min_size=1), min_size=1, max_size=3).map(tuple)


class Relation:
    """What can be chosen."""

    plain = True

    def __init__(self, name: QualifiedName) -> None:
        self.name = name


@given(PARTS)
def test_a_printed_name_is_read_as_itself(parts):
    printed = spelled(*parts)
    assert parsed(printed) == parts
    assert visible(printed) == printed


@given(PARTS, st.text())
def test_a_name_ends_at_the_equals_sign_outside_of_quotes(parts, rest):
    found, after = split(f"{spelled(*parts)}={rest}", "=")
    assert tuple(part.text for part in found) == parts
    assert after == f"={rest}"


@given(PARTS, st.text())
def test_python_options_are_python(parts, value):
    name, _, literal = option("types", spelled(*parts), value).partition("=")
    ((key, held),) = ast.literal_eval(literal).items()
    assert (name, parsed(key), held) == ("types", parts, value)


@pytest.mark.parametrize(
    ("parts", "printed"),
    [
        (("public", "orders"), "public.orders"),
        (("läden & co-1", "a.b"), 'läden & co-1."a.b"'),
        (("public", "Kunde-Ä q"), "public.Kunde-Ä q"),
        (("s", 'a"b'), 's."a""b"'),
        (("s", "a\nb"), r's."a\nb"'),
        (("s", "a\\b"), r"s.a\b"),
        (("s", "a\\\tb"), r's."a\\\tb"'),
        (("s", "\u202eabc"), r's."\u202eabc"'),
        (("s", " a"), 's." a"'),
        (("", "a"), "a"),
    ],
)
def test_how_names_are_printed(parts, printed):
    assert spelled(*parts) == printed


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_chosen_by_what_is_printed(name):
    wanted, other = QualifiedName("a.*", name), QualifiedName("a.b", f"{name}2")
    relations = [Relation(wanted), Relation(other)]
    options = CopyOptions.make(tables=[str(wanted)], exclude=[str(other)])
    chosen = choose(relations, Selection(tables=options.tables, exclude=options.exclude))
    assert [r.name for r in chosen] == [wanted]
    chosen = choose(relations, Selection(exclude=(spelled(name),)))
    assert [r.name for r in chosen] == [other]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_for_people_hides_a_name(name):
    table = QualifiedName("public", name)
    error = FastloadError(f"{name} is bad", table=str(table), column=name, hint=f"mend {name}")
    texts = [str(error), str(NotCarried("view", table.member(name), name)), str(table)]
    for text in texts:
        assert all(shows(c) or c == "\n" for c in text)
    assert [t.count("\n") for t in texts] == [2, 0, 0]


@pytest.mark.parametrize("text", ['"a', "a.", "", r'"\q"', r'"\Uffffffff"', '"a"b', '"a"="b"'])
def test_what_is_no_name(text):
    with pytest.raises(ConfigError, match="is not a name"):
        parsed(text)


def test_escapes_keep_lines_apart():
    assert visible("a\nb\x1b[31m\u200b") == r"a\nb\x1b[31m\u200b"
    assert visible_lines("a\nb\r") == "a\nb\\r"
