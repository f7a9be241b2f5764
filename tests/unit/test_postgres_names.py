"""Names of objects that share a schema: unique, valid, and the same in any order."""

from __future__ import annotations

import pytest
from fastload_postgres.names import Wanted, is_name, unique_names, wanted
from hypothesis import given
from hypothesis import strategies as st

TABLE_NAMES = st.one_of(
    st.sampled_from(["a", "a_b", "b", "c", "a_b_c", "idx", "ü" * 31, "x" * 63]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=70).filter(
        is_name
    ),
)
OTHER_NAMES = st.one_of(
    st.sampled_from(["", "a", "b", "c", "b_c", "idx", "PRIMARY", "a_b_c", "ü" * 32, "x" * 64]),
    st.text(max_size=70),
)
OBJECTS = st.builds(wanted, TABLE_NAMES, st.sampled_from(["key", "index", "type"]), OTHER_NAMES)


@given(objects=st.lists(OBJECTS, max_size=20), taken=st.sets(TABLE_NAMES), data=st.data())
def test_names_are_unique_valid_and_stable(objects, taken, data):
    names = unique_names(objects, taken)
    assert set(names) == set(objects)
    assert len(set(names.values())) == len(names)
    assert all(is_name(n) for n in names.values())
    assert not taken & set(names.values())
    assert unique_names(data.draw(st.permutations(objects)), taken) == names


def named(*objects: Wanted, taken: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    names = unique_names(objects, taken)
    return [names[o] for o in objects]


def test_a_name_of_its_own_is_kept():
    assert named(wanted("t", "index", "a"), wanted("u", "index", "b")) == ["a", "b"]
    assert named(wanted("t", "index", "A"), wanted("u", "index", "a")) == ["A", "a"]


def test_names_that_two_tables_use_get_their_tables_before_them():
    assert named(wanted("t", "index", "a"), wanted("u", "index", "a")) == ["t_a", "u_a"]


def test_a_table_keeps_its_name_before_an_index():
    assert named(wanted("t", "index", "u"), taken={"t", "u"}) == ["t_u"]


def test_an_object_without_a_name_is_called_after_its_table():
    assert named(wanted("t", "fkey", "")) == ["t_fkey"]


@pytest.mark.parametrize("objects", [
    [wanted("a", "index", "b_c"), wanted("a_b", "index", "c"), wanted("x", "index", "b_c"),
     wanted("y", "index", "c")],
    [wanted("ü" * 31, "index", "idx"), wanted("t", "index", "idx")],
])  # fmt: skip
def test_names_that_even_the_tables_do_not_tell_apart_get_a_digest(objects):
    names = named(*objects)
    assert len(set(names)) == len(names)
    assert all(is_name(n) for n in names)
    assert any(n.startswith(objects[0].table[:27]) and n[-9] == "_" for n in names)


def test_a_digest_that_is_taken_gets_another():
    long = wanted("t", "index", "x" * 64)
    (first,) = named(long)
    (second,) = named(long, taken={first})
    assert first != second
    assert first[:-8] == second[:-8]
