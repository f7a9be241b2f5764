"""Options: what is taken, and that each wrong value is refused with the option and a way out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastload.config import CopyOptions, parse_size, qualified_name
from fastload.errors import ConfigError
from fastload.model import QualifiedName

MIB = 1 << 20
make = CopyOptions.make


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("tables", []),
        ("tables", ""),
        ("tables", ["a.b.c"]),
        ("tables", ["public."]),
        ("tables", [5]),
        ("tables", 5),
        ("tables", [("a", "b", "c")]),
        ("tables", [("a", "")]),
        ("exclude", [""]),
        ("exclude", None),
        ("exclude", [("public", "t")]),
        ("mode", "creat"),
        ("mode", None),
        ("parallel", 0),
        ("parallel", 257),
        ("parallel", 2.0),
        ("parallel", True),
        ("parallel", "2"),
        ("memory", "lots"),
        ("memory", "12 parsecs"),
        ("memory", "1MiB"),
        ("memory", -1),
        ("memory", True),
        ("memory", None),
        ("partition_by", "key"),
        ("partition_by", {"a.b.t": "id"}),
        ("partition_by", {"public.t": ""}),
        ("route", "binary"),
        ("on_unrepresentable", "skip"),
        ("on_unrepresentable", {"public.t.c": "skip"}),
        ("on_unrepresentable", {"t": "null"}),
        ("types", {"t": "text"}),
        ("types", {"public.t.c": " "}),
        ("types", {"public.t.c": int}),
        ("types", ["public.t.c"]),
        ("where", {"a.b.t": "id > 1"}),
        ("where", {'"a': "id > 1"}),
        ("where", {"public.t": ""}),
        ("where", "id > 1"),
        ("rename", {"a.b.c.d": "u"}),
        ("rename", {"public.t": ""}),
        ("rename", {"public.t": "a.b.c"}),
        ("rename", {"public.t.c": ""}),
        ("rename", {"public.t.c": ("a", "b")}),
        ("rename", {"public.t": 5}),
        ("indexes", "no"),
        ("indexes", 1),
        ("foreign_keys", None),
        ("statistics", "yes"),
        ("triggers", "ignore"),
        ("on_update", "keep"),
        ("run", ""),
        ("run", "a\nb"),
        ("run", "x" * 201),
        ("run", 5),
        ("fresh", 0),
    ],
)
def test_a_wrong_value_is_refused_with_the_option_in_the_message(option, value):
    with pytest.raises(ConfigError) as caught:
        make(**{option: value})
    assert option in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("tables", [], "leave it out"),
        ("tables", ["a.b.c"], "tuple"),
        ("mode", "upsrt", "did you mean 'upsert'?"),
        ("memory", "1MiB", "16MiB"),
        ("memory", "lots", "192MiB"),
        ("parallel", 0, "1 to 256"),
        ("partition_by", "physicl", "physical"),
        ("route", "copy", "auto, wire, arrow"),
        ("where", {"a.b.t": "x"}, '"schema.table"'),
        ("types", {"t": "x"}, '"schema.table.column"'),
        ("run", "", "200"),
    ],
)
def test_hints_say_what_to_write(option, value, hint):
    with pytest.raises(ConfigError) as caught:
        make(**{option: value})
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("value", "size_bytes"),
    [
        ("192MiB", 192 * MIB),
        ("192 mib", 192 * MIB),
        (" 1 GB ", 10**9),
        ("1.5GiB", 3 << 29),
        ("20000000", 20_000_000),
        ("20000000B", 20_000_000),
        (20_000_000, 20_000_000),
        ("20MB", 20_000_000),
        ("20000KiB", 20_480_000),
        (16 * MIB, 16 * MIB),
    ],
)
def test_sizes(value, size_bytes):
    assert parse_size("memory", value) == size_bytes


@given(number=st.integers(16 * MIB, 1 << 53))
def test_plain_numbers_are_bytes_to_the_last(number):
    assert parse_size("memory", str(number)) == parse_size("memory", number) == number


@pytest.mark.parametrize(
    "value", ["1e9", "\u0661\u0666MiB", "16 Mi B", "16MiBs", "0x1000000", "", "inf", 1.5]
)
def test_what_is_no_size(value):
    with pytest.raises(ConfigError):
        parse_size("memory", value)


def test_names_are_dotted_texts_or_tuples():
    dotted = make(where={"public.t": "x"}, types={"public.t.c": "text"}, rename={"public.t": "s.u"})
    tuples = make(
        where={("public", "t"): "x"},
        types={("public", "t", "c"): "text"},
        rename={("public", "t"): ("s", "u")},
    )
    assert dotted == tuples


def test_tuples_hold_dots():
    options = make(tables=[("a.b", "c.d"), "public.*"], rename={("a.b", "c.d", "e.f"): "g.h"})
    assert options.names == (QualifiedName("a.b", "c.d"),)
    assert options.tables == ("public.*",)
    assert options.target_columns(QualifiedName("a.b", "c.d")) == {"e.f": "g.h"}
    assert options.target_columns(QualifiedName("a", "b.c.d")) == {}


def test_only_exact_names_leave_no_patterns():
    options = make(tables=[("public", "t")])
    assert (options.tables, options.names) == ((), (QualifiedName("public", "t"),))


@pytest.mark.parametrize(
    ("given", "tables"), [(None, None), ("t", ("t",)), (iter(["a", "b.c"]), ("a", "b.c"))]
)
def test_tables(given, tables):
    assert make(tables=given).tables == tables


def test_a_table_renamed_without_a_schema_stays_in_its_own():
    options = make(rename={"sales.t": "u"})
    assert options.target_name(QualifiedName("sales", "t")) == QualifiedName("sales", "u")
    assert options.target_name(QualifiedName("public", "t")) == QualifiedName("public", "t")


@pytest.mark.parametrize(
    "rename",
    [
        {"public.a": "c", "public.b": "c"},
        {"public.a": "s.c", "public.b": ("s", "c")},
        {"public.t.a": "c", "public.t.b": "c"},
    ],
)
def test_two_things_do_not_get_one_name(rename):
    with pytest.raises(ConfigError, match="rename gives two"):
        make(rename=rename)


def test_policies_are_by_column_with_one_for_the_rest():
    table = QualifiedName("public", "t")
    assert make().policies(table) == {"": "error"}
    assert make(on_unrepresentable="null").policies(table) == {"": "null"}
    named = make(on_unrepresentable={"": "null", "public.t.c": "error", "public.u.d": "null"})
    assert named.policies(table) == {"": "null", "c": "error"}
    assert make(on_unrepresentable={"public.t.c": "null"}).policies(table) == {
        "": "error",
        "c": "null",
    }


def test_partitioning_is_a_word_or_a_column():
    table = QualifiedName("public", "t")
    assert make().partitioning(table) == "auto"
    assert make(partition_by="physical").partitioning(table) == "physical"
    by = make(partition_by={"public.t": "id"})
    assert (by.partitioning(table), by.partitioning(QualifiedName("a", "b"))) == ("id", "auto")


def test_lanes_follow_the_machine_within_bounds():
    assert 2 <= make().parallel <= 8
    assert make(parallel=1).parallel == 1


def test_the_shape_tells_what_decides_the_outcome_and_nothing_else():
    base = make().shape()
    assert make(parallel=7, memory="1GiB", run="mine", fresh=True).shape() == base
    for change in (
        {"tables": ["t"]}, {"tables": [("public", "t")]}, {"exclude": "t"}, {"mode": "append"},
        {"partition_by": "keys"}, {"route": "arrow"}, {"on_unrepresentable": "null"},
        {"types": {"a.b.c": "text"}}, {"where": {"a.b": "x"}}, {"rename": {"a.b": "c"}},
        {"rename": {"a.b.c": "d"}}, {"indexes": False}, {"foreign_keys": False},
        {"statistics": False}, {"triggers": "fire"}, {"on_update": "trigger"},
    ):  # fmt: skip
        assert make(**change).shape() != base, change


def test_the_shape_does_not_depend_on_order():
    one = make(where={"a.b": "x", "a.c": "y"}, tables=["t", "u"], exclude=("v", "w"))
    other = make(where={"a.c": "y", "a.b": "x"}, tables=["u", "t"], exclude=("w", "v"))
    assert one.shape() == other.shape()


def test_a_qualified_name_is_taken_as_it_is():
    name = QualifiedName("a.b", "c")
    assert qualified_name(name) is name
    assert qualified_name("a.b") == qualified_name(("a", "b")) == QualifiedName("a", "b")


def test_options_do_not_change():
    with pytest.raises(AttributeError):
        make().mode = "append"  # type: ignore[misc]
    assert msgspec.json.decode(msgspec.json.encode(make().shape())) == make().shape()


def test_names_without_a_schema_are_the_default_schemas():
    options = make(
        where={"t": "x"}, types={"t.c": "text"}, rename={"t": "u"}, partition_by={"t": "c"}
    ).between("shop", "public")
    assert options.where == {("shop", "t"): "x"}
    assert options.types == {("shop", "t", "c"): "text"}
    assert options.target_name(QualifiedName("shop", "t")) == QualifiedName("public", "u")
    assert options.partitioning(QualifiedName("shop", "t")) == "c"
    with pytest.raises(ConfigError, match="without a schema"):
        make(where={"t": "x"}).between("", "public")
    with pytest.raises(ConfigError, match="with its schema and without"):
        make(where={"t": "x", "shop.t": "y"}).between("shop", "public")
