"""Plans: routes and why, what stands in the way, and names that are checked."""

from __future__ import annotations

import msgspec
import pytest
from fastload_postgres.fitting import DIALECT
from fastload_postgres.target import PostgresTarget
from fastload_postgres.typemap import BINARY, TEXT

from fastload import errors, planner, resume
from fastload.adapter import SourceCapabilities
from fastload.config import CopyOptions
from fastload.model import (
    Catalog,
    Column,
    ExistingTable,
    ForeignKey,
    Inspection,
    Key,
    Partition,
    Plan,
    QualifiedName,
    Receipt,
    StoredRun,
    Table,
)
from fastload.report import describe

replace = msgspec.structs.replace
T, U = QualifiedName("public", "t"), QualifiedName("public", "u")


class Source:
    """What a plan asks of a source."""

    identity = "source"
    capabilities = SourceCapabilities()


def column(name, type_="integer", arrow="int32", codec="int4", **more):
    extra = {"encode": codec, "decode": codec, "wires": f"{BINARY} {TEXT}"}
    return Column(name=name, type=type_, arrow=arrow, extra=extra, **more)


def table(name=T, *columns, **more):
    columns = columns or (column("id", nullable=False), column("v", "text", "string", "text"))
    return Table(name=name, columns=columns, wires=(BINARY, TEXT), rows=1000, bytes=1 << 20, **more)


def keyed(name=T, *columns, **more):
    return table(name, *columns, keys=(Key(name="k", columns=("id",), primary=True),), **more)


def planned(*tables, existing=(), **options):
    catalog = Catalog(dialect=DIALECT, tables=tables or (keyed(),), schemas=("public",))
    chosen = CopyOptions.make(**options)
    target = PostgresTarget(None, "target", 1)
    return planner.make(
        catalog,
        planner.renamed(target.translate(catalog), chosen),
        Inspection(tables=tuple(existing)),
        source=Source(),
        target=target,
        options=chosen,
        run="r",
    )


def there(made=None, *, empty=True, **more):
    return ExistingTable(table=made or keyed(), empty=empty, **more)


def test_the_wire_is_taken_where_types_are_equal():
    (one,) = planned().tables
    assert (one.route, one.wire) == ("wire", BINARY)
    assert "all types are equal" in one.why


def test_text_is_the_wire_where_binary_means_something_else():
    made = replace(keyed(), wires=(TEXT,))
    assert planned(made).tables[0].wire == TEXT


def test_arrow_is_taken_where_types_differ_or_it_is_asked_for():
    wider = keyed(T, column("id", "bigint", "int64", "int8", nullable=False))
    narrow = keyed(T, column("id", nullable=False))
    (one,) = planned(narrow, existing=[there(wider)], mode="append").tables
    assert (one.route, one.why) == ("arrow", "types differ: id")
    assert planned(route="arrow").tables[0].route == "arrow"


def test_a_wire_that_is_asked_for_and_impossible_says_why():
    wider = keyed(T, column("id", "bigint", "int64", "int8", nullable=False))
    narrow = keyed(T, column("id", nullable=False))
    with pytest.raises(errors.ConfigError, match="types differ: id"):
        planned(narrow, existing=[there(wider)], mode="append", route="wire")


def test_modes_and_what_is_there():
    with pytest.raises(errors.TargetNotEmpty, match="holds rows"):
        planned(existing=[there(empty=False)])
    for mode in ("append", "truncate", "upsert"):
        with pytest.raises(errors.SchemaMismatch, match="has no public"):
            planned(mode=mode)
        assert planned(mode=mode, existing=[there(empty=False)]).tables
    assert planned(mode="replace", existing=[there(empty=False)]).tables[0].restartable
    assert planned(existing=[there()]).tables[0].restartable
    assert not planned(mode="append", existing=[there(empty=False)]).tables[0].restartable


def test_upsert_wants_a_key():
    with pytest.raises(errors.SchemaMismatch, match="has none"):
        planned(mode="upsert", existing=[there(table())])
    assert planned(mode="upsert", existing=[there()]).tables[0].merge_by == ("id",)


def test_triggers_stop_the_plan_until_they_are_accepted():
    guarded = there(obstacles=("trigger audit",))
    with pytest.raises(errors.SchemaMismatch, match="trigger audit") as caught:
        planned(existing=[guarded])
    assert "triggers='fire'" in caught.value.hint
    assert planned(existing=[guarded], triggers="fire").tables


def test_columns_that_do_not_meet():
    other = keyed(T, column("id", nullable=False), column("vv", "text", "string", "text"))
    with pytest.raises(errors.SchemaMismatch, match="has no column v") as caught:
        planned(mode="append", existing=[there(other)])
    assert "'public.t.v': 'vv'" in caught.value.hint
    renamed = planned(mode="append", existing=[there(other)], rename={"public.t.v": "vv"})
    assert renamed.tables[0].target_columns == ("id", "vv")
    unfed = keyed(T, *keyed().columns, column("must", nullable=False))
    with pytest.raises(errors.SchemaMismatch, match="column must takes no NULL"):
        planned(mode="append", existing=[there(unfed)])


def test_lossy_pairs_are_refused_with_a_remedy():
    fine = keyed(T, column("id", nullable=False), column("v", "numeric(9,3)", "x", "numeric"))
    coarse = keyed(T, column("id", nullable=False), column("v", "numeric(9,2)", "x", "numeric"))
    with pytest.raises(errors.LossyType, match="digits after the point") as caught:
        planned(fine, mode="append", existing=[there(coarse)])
    assert caught.value.column == "v"
    assert "types={'public.t.v': 'numeric(9,2)'}" in caught.value.hint


def test_generated_columns_are_not_copied():
    made = keyed(T, column("id", nullable=False), column("twice", generated="id * 2"))
    assert planned(made).tables[0].columns == ("id",)


MISSPELT = [
    ({"where": {"public.tt": "x"}}, "public.t"),
    ({"rename": {"public.tt": "x"}}, "public.t"),
    ({"rename": {"public.t.w": "x"}}, "v"),
    ({"types": {"public.t.idd": "text"}}, "id"),
    ({"partition_by": {"public.tt": "id"}}, "public.t"),
    ({"on_unrepresentable": {"public.t.idd": "null"}}, "id"),
]


@pytest.mark.parametrize(("options", "near"), MISSPELT, ids=[str(o) for o, _ in MISSPELT])
def test_names_in_options_that_mean_nothing_are_refused(options, near):
    with pytest.raises(errors.ConfigError, match="not among what is read") as caught:
        planned(**options)
    assert near in caught.value.hint or "check the name" in caught.value.hint


def test_existing_references_decide_the_order_of_tables():
    key = ForeignKey(name="f", columns=("id",), references=T, referenced_columns=("id",))
    child = keyed(U, foreign_keys=(key,))
    plan = planned(keyed(), child, mode="append", existing=[there(), there(child)])
    assert [t.level for t in plan.tables] == [0, 1]


def test_a_plan_is_plain_data_and_can_be_read():
    plan = planned(where={"public.t": "id > 5"})
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    told = describe(plan)
    for words in ("public.t", "wire", "exactly once", "CREATE TABLE", "CREATE UNIQUE INDEX"):
        assert words in told


def stored(plan, rows=5):
    receipt = Receipt(run="r", epoch=1, table=T, partition=0, rows=rows)
    parts = (Partition(table=T, index=0), Partition(table=T, index=1))
    tables = (replace(plan.tables[0], partitions=parts),)
    return StoredRun(plan=replace(plan, tables=tables), epoch=2, receipts=(receipt,))


def check(run, catalog_tables, existing, source="source", **options):
    catalog = Catalog(dialect=DIALECT, tables=catalog_tables)
    resume.check(run, catalog, Inspection(tables=existing), CopyOptions.make(**options), source)


def test_a_run_goes_on_only_as_it_was_begun():
    run = stored(planned())
    full = (there(empty=False),)
    check(run, (keyed(),), full)
    differences = {
        "mode was 'create', and is 'append'": ({"mode": "append"}, (keyed(),), full),
        "table public.u is new": ({}, (keyed(), keyed(U)), full),
        "table public.t is gone": ({}, (), full),
        "column public.t.w was missing, and is integer": (
            {},
            (keyed(T, *keyed().columns, column("w")),),
            full,
        ),
        "was emptied after 5 rows": ({}, (keyed(),), (there(),)),
        "the target's table public.t is gone": ({}, (keyed(),), ()),
    }
    for told, (options, tables, existing) in differences.items():
        with pytest.raises(errors.ResumeRefused, match=told):
            check(run, tables, existing, **options)
    with pytest.raises(errors.ResumeRefused, match="the source was source, and is other"):
        check(run, (keyed(),), full, source="other")
