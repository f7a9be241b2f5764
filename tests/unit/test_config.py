"""Options are checked before anything is contacted, and every refusal says what is allowed."""

from __future__ import annotations

import msgspec
import pytest

from fastload.config import CopyOptions, parse_size
from fastload.errors import ConfigError
from fastload.model import QualifiedName

WRONG = [
    ({"mode": "creat"}, "create"),
    ({"route": "wires"}, "wire"),
    ({"parallel": 0}, "1 to 256"),
    ({"parallel": True}, "1 to 256"),
    ({"parallel": 2.0}, "1 to 256"),
    ({"memory": "lots"}, "192MiB"),
    ({"memory": "1MiB"}, "16MiB"),
    ({"memory": True}, "192MiB"),
    ({"partition_by": "key"}, "keys"),
    ({"partition_by": {"t": "id"}}, "schema.table"),
    ({"on_unrepresentable": "ignore"}, "null"),
    ({"on_unrepresentable": {"public.t": "null"}}, "schema.table.column"),
    ({"types": {"public.t": "text"}}, "schema.table.column"),
    ({"where": {"t": "x"}}, "schema.table"),
    ({"where": {"public.t": " "}}, None),
    ({"where": "id > 5"}, None),
    ({"rename": {"public.t": ""}}, "schema.table"),
    ({"rename": {"a.t": "x.u", "b.t": "x.u"}}, None),
    ({"rename": {"a.t.x": "z", "a.t.y": "z"}}, None),
    ({"tables": []}, "every user table"),
    ({"tables": ["a.b.c"]}, "tuple"),
    ({"tables": [("a",)]}, "schema.table"),
    ({"exclude": [7]}, "public.*"),
    ({"indexes": "no"}, None),
    ({"statistics": 1}, None),
    ({"triggers": "ignore"}, "fire"),
    ({"run": ""}, "printable"),
    ({"run": "a\nb"}, "printable"),
]


@pytest.mark.parametrize(("options", "told"), WRONG, ids=[str(o) for o, _ in WRONG])
def test_wrong_options_are_named_with_what_is_allowed(options, told):
    with pytest.raises(ConfigError) as caught:
        CopyOptions.make(**options)
    (name,) = options
    assert name in str(caught.value)
    if told:
        assert told in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("192MiB", 192 << 20),
        ("1 GB", 10**9),
        ("1.5gib", 3 << 29),
        (10**8, 10**8),
        ("20000000", 2 * 10**7),
    ],
)
def test_sizes_have_units(text, size_bytes):
    assert parse_size("memory", text) == size_bytes


def test_names_with_dots_are_tuples():
    options = CopyOptions.make(
        tables=[("a.b", "c"), "public.*"],
        where={("a.b", "c"): "x"},
        types={("a.b", "c", "d.e"): "text"},
        rename={("a.b", "c"): ("x.y", "z"), "public.t": "u", "public.t.v": "w"},
        on_unrepresentable={"public.t.v": "null", "": "error"},
    )
    assert options.names == (QualifiedName("a.b", "c"),)
    assert options.tables == ("public.*",)
    assert options.target_name(QualifiedName("a.b", "c")) == QualifiedName("x.y", "z")
    assert options.target_name(QualifiedName("public", "t")) == QualifiedName("public", "u")
    assert options.target_columns(QualifiedName("public", "t")) == {"v": "w"}
    assert options.policies(QualifiedName("public", "t")) == {"": "error", "v": "null"}


def test_options_are_plain_data_and_their_shape_leaves_speed_out():
    one = CopyOptions.make(parallel=2, memory="64MiB", where={"b.t": "1", "a.t": "2"})
    two = CopyOptions.make(parallel=7, memory="32MiB", where={"a.t": "2", "b.t": "1"}, run="x")
    assert one.shape() == two.shape()
    assert CopyOptions.make(mode="append").shape() != one.shape()
    assert msgspec.structs.asdict(one)["mode"] == "create"
