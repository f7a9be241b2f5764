"""The planner: routes and why, what modes ask for, and every mistake it stops; no server."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest
from fastload_postgres.source import PostgresSource
from fastload_postgres.target import PostgresTarget
from fastload_postgres.typemap import BINARY, TEXT

from fastload import planner
from fastload.config import CopyOptions
from fastload.errors import ConfigError, LossyType, SchemaMismatch, TargetNotEmpty
from fastload.model import (
    Catalog,
    Column,
    ExistingTable,
    ForeignKey,
    Inspection,
    Key,
    Plan,
    QualifiedName,
    Table,
)
from fastload.model import Sequence as SequenceModel
from fastload.stream import StreamSource

# Planning needs no sessions: what it asks of either side is pure.
SOURCE = PostgresSource(None, "pg:source")  # type: ignore[arg-type]
TARGET = PostgresTarget(None, "pg:target", 2)  # type: ignore[arg-type]
ID = Column(name="id", type="bigint", arrow="int64", nullable=False, extra={"encode": "int8"})
NOTE = Column(name="note", type="text", arrow="string", extra={"encode": "text"})
KEY = Key(name="t_pkey", columns=("id",), primary=True)
NAME = QualifiedName("public", "t")


def table(name: str = "t", **facts: Any) -> Table:
    given: dict[str, Any] = {"columns": (ID, NOTE), "keys": (KEY,), "wires": (BINARY, TEXT)}
    return Table(name=QualifiedName("public", name), **{**given, **facts})


def column(name: str, type_: str, codec: str, **facts: Any) -> Column:
    return Column(name=name, type=type_, arrow="int32", extra={"encode": codec}, **facts)


def there(*tables: Table, empty: bool = False, obstacles: tuple[str, ...] = ()) -> Inspection:
    return Inspection(
        tables=tuple(ExistingTable(table=t, empty=empty, obstacles=obstacles) for t in tables)
    )


def plan(
    *tables: Table, existing: Inspection | None = None, source: Any = SOURCE, **options: Any
) -> Plan:
    catalog = Catalog(dialect="postgres", tables=tables or (table(),))
    checked = CopyOptions.make(**options)
    wanted = planner.renamed(TARGET.translate(catalog), checked)
    return planner.make(
        catalog,
        wanted,
        existing or Inspection(),
        source=source,
        target=TARGET,
        options=checked,
        run="r",
    )


def test_a_plan_says_what_it_is_for():
    made = plan(mode="create")
    assert (made.run, made.source, made.target) == ("r", "pg:source", "pg:target")
    assert (made.mode, made.guarantee) == ("create", "L3")
    assert made.options == CopyOptions.make().shape()


def test_a_plan_is_plain_data():
    made = plan(table(foreign_keys=(refers("self", "t"),)), where={"public.t": "id > 1"})
    assert msgspec.json.decode(msgspec.json.encode(made), type=Plan) == made


@pytest.mark.parametrize(
    ("facts", "options", "route", "wire", "why"),
    [
        ({}, {}, "wire", BINARY, "all types are equal"),
        ({"wires": (TEXT,)}, {}, "wire", TEXT, TEXT),
        ({}, {"route": "wire"}, "wire", BINARY, "all types are equal"),
        ({}, {"route": "arrow"}, "arrow", None, "asked for"),
        ({"wires": ()}, {}, "arrow", None, "no wire format in common"),
        ({"wires": ("other",)}, {}, "arrow", None, "no wire format in common"),
    ],
)
def test_routes(facts, options, route, wire, why):
    made = plan(table(**facts), **options).tables[0]
    assert (made.route, made.wire) == (route, wire)
    assert why in made.why


def test_a_different_type_on_the_target_takes_the_arrow_route():
    target = table(columns=(column("id", "numeric", "numeric_text"), NOTE), wires=())
    made = plan(existing=there(target), mode="append").tables[0]
    assert (made.route, made.why) == ("arrow", "types differ: id")
    assert made.target.columns[0].type == "numeric"


def test_the_wire_route_is_refused_where_types_differ():
    target = table(columns=(column("id", "integer", "int4"), NOTE))
    with pytest.raises(ConfigError, match="route='wire' is not possible") as caught:
        plan(existing=there(target), mode="append", route="wire")
    assert "types differ: id" in caught.value.message


def test_a_type_without_an_arrow_form_is_refused_on_the_arrow_route():
    odd = table(columns=(Column(name="p", type="regproc", arrow="opaque[regproc, x, string]"),))
    assert plan(odd).tables[0].route == "wire"
    with pytest.raises(SchemaMismatch, match="no way through Arrow") as caught:
        plan(odd, route="arrow")
    assert "types={'public.t.p': 'text'}" in caught.value.hint


@pytest.mark.parametrize("mode", ["append", "truncate", "upsert"])
def test_modes_that_need_a_table(mode):
    with pytest.raises(SchemaMismatch, match=r"the target has no public\.t"):
        plan(mode=mode)
    assert plan(existing=there(table()), mode=mode).tables[0].target == table()


def test_create_refuses_rows_and_names_every_other_mode():
    with pytest.raises(TargetNotEmpty) as caught:
        plan(existing=there(table()))
    assert all(m in caught.value.hint for m in ("append", "truncate", "replace", "upsert"))
    assert plan(existing=there(table(), empty=True)).tables[0].restartable


@pytest.mark.parametrize(
    ("mode", "empty", "restartable"),
    [("append", False, False), ("append", True, True), ("truncate", False, True),
     ("replace", False, True), ("upsert", False, False)],
)  # fmt: skip
def test_what_may_be_emptied_to_start_over(mode, empty, restartable):
    made = plan(existing=there(table(), empty=empty), mode=mode)
    assert made.tables[0].restartable is restartable


@pytest.mark.parametrize("mode", ["create", "append", "truncate", "upsert"])
def test_what_would_change_rows_on_their_way_stops_the_plan(mode):
    existing = there(table(), empty=True, obstacles=("trigger audit",))
    with pytest.raises(SchemaMismatch, match="trigger audit") as caught:
        plan(existing=existing, mode=mode)
    assert "triggers='fire'" in caught.value.hint
    assert plan(existing=existing, mode=mode, triggers="fire")


def test_replace_drops_what_is_in_the_way():
    assert plan(existing=there(table(), obstacles=("trigger audit",)), mode="replace")


def test_upsert_merges_by_the_targets_primary_key():
    both = table(keys=(Key(name="k", columns=("id", "note"), primary=True),))
    made = plan(existing=there(both), mode="upsert").tables[0]
    assert made.merge_by == ("id", "note")
    assert plan(existing=there(table()), mode="append").tables[0].merge_by == ()


def test_upsert_refuses_a_table_without_a_primary_key():
    unique = Key(name="u", columns=("id",), primary=False)
    with pytest.raises(SchemaMismatch, match="has none"):
        plan(existing=there(table(keys=(unique,))), mode="upsert")


def test_upsert_refuses_a_key_that_no_source_column_feeds():
    number = column("number", "bigint", "int8", nullable=False, identity="always")
    target = table(
        columns=(number, ID, NOTE), keys=(Key(name="k", columns=("number",), primary=True),)
    )
    with pytest.raises(SchemaMismatch, match="no column number") as caught:
        plan(existing=there(target), mode="upsert")
    assert caught.value.column == "number"


def refers(name: str, to: str) -> ForeignKey:
    return ForeignKey(
        name=name,
        columns=("id",),
        references=QualifiedName("public", to),
        referenced_columns=("id",),
    )


def test_existing_tables_are_filled_after_those_they_refer_to():
    child = table("child", foreign_keys=(refers("f", "parent"), refers("s", "child")))
    parent = table("parent", foreign_keys=(refers("g", "top"),))
    tables = (child, parent, table("top"))
    made = plan(*tables, existing=there(*tables), mode="append")
    assert [t.level for t in made.tables] == [2, 1, 0]
    assert [t.level for t in plan(*tables).tables] == [0, 0, 0]


def test_tables_in_a_circle_share_a_level():
    tables = (
        table("a", foreign_keys=(refers("f", "b"),)),
        table("b", foreign_keys=(refers("g", "a"),)),
    )
    made = plan(*tables, existing=there(*tables), mode="truncate")
    assert [t.level for t in made.tables] == [0, 0]


def test_generated_columns_are_not_copied():
    total = Column(name="total", type="bigint", arrow="int64", generated="id * 2")
    made = plan(table(columns=(ID, total, NOTE))).tables[0]
    assert made.columns == made.target_columns == ("id", "note")


def test_sequences_follow_their_renamed_tables():
    owned = SequenceModel(
        name=QualifiedName("public", "s"), type="bigint", start=1, increment=1, minimum=1,
        maximum=9, cache=1, cycle=False, owner=(NAME, "id"),
    )  # fmt: skip
    catalog = Catalog(dialect="postgres", tables=(table(),), sequences=(owned,))
    new = planner.renamed(catalog, CopyOptions.make(rename={"public.t": "shop.u"}))
    assert new.sequences[0].owner == (QualifiedName("shop", "u"), "id")


def test_a_lossy_type_names_what_is_lost_and_how_to_accept_it():
    exact = table(columns=(ID, column("f", "double precision", "float8")))
    narrow = table("u", columns=(ID, column("f", "real", "float4")))
    options: dict[str, Any] = {"mode": "append", "rename": {"public.t": "u"}}
    with pytest.raises(LossyType, match="digits beyond the seventh") as caught:
        plan(exact, existing=there(narrow), **options)
    # The keys of `types` are names of the source.
    assert "types={'public.t.f': 'real'}" in caught.value.hint
    assert (caught.value.table, caught.value.column) == ("public.u", "f")


def test_hints_write_names_with_dots_in_quotes():
    dotted = table(columns=(msgspec.structs.replace(ID, name="a.b"), NOTE))
    narrow = table(columns=(column("a.b", "uuid", "uuid"), NOTE))
    with pytest.raises(SchemaMismatch) as caught:
        plan(dotted, existing=there(narrow), mode="append")
    assert """types={'public.t."a.b"': 'uuid'}""" in caught.value.hint


def test_a_source_that_casts_nothing_is_told_to_cast_first():
    stream = StreamSource(pa.table({"id": [1], "note": ["a"]}), NAME)
    target = table(columns=(column("id", "uuid", "uuid"), NOTE))
    with pytest.raises(SchemaMismatch) as caught:
        plan(existing=there(target), mode="append", source=stream)
    assert caught.value.hint == "cast the column first"
