"""A stored run is continued as it was begun, or refused with every difference."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fastload import resume, stored_plan
from fastload.config import CopyOptions
from fastload.errors import ResumeRefused, StateError, TargetNotEmpty
from fastload.model import (
    PLAN_VERSION,
    Catalog,
    Column,
    ExistingTable,
    Inspection,
    Plan,
    QualifiedName,
    Receipt,
    StoredRun,
    Table,
    TablePlan,
)

NAME = QualifiedName("public", "t")
A = Column(name="a", type="integer", arrow="int32")
B = Column(name="b", type="text", arrow="string")
TABLE = Table(name=NAME, columns=(A, B), rows=7)


def stored(*tables: Table, rows: int | None = None, **options: Any) -> StoredRun:
    tables = tables or (TABLE,)
    plan = Plan(
        run="nightly",
        source="pg:one",
        target="pg:two",
        mode=options.get("mode", "create"),
        guarantee="L3",
        tables=tuple(
            TablePlan(
                source=t, target=t, columns=("a",), target_columns=("a",), route="wire", why="w"
            )
            for t in tables
        ),
        options=CopyOptions.make(**options).shape(),
    )
    receipt = Receipt(run="nightly", epoch=1, table=NAME, partition=0, rows=rows)
    return StoredRun(plan=plan, epoch=1, receipts=() if rows is None else (receipt,))


def there(*tables: Table, empty: bool = True) -> Inspection:
    return Inspection(tables=tuple(ExistingTable(table=t, empty=empty) for t in tables or (TABLE,)))


def check(
    begun: StoredRun,
    *tables: Table,
    existing: Inspection | None = None,
    source: str = "pg:one",
    **options: Any,
) -> None:
    catalog = Catalog(dialect="postgres", tables=tables or (TABLE,))
    resume.check(begun, catalog, CopyOptions.make(**options), source)
    resume.check_target(begun, existing or there())


def refused(begun: StoredRun, *tables: Table, **given: Any) -> str:
    with pytest.raises(ResumeRefused) as caught:
        check(begun, *tables, **given)
    assert "run 'nightly' was begun otherwise" in caught.value.message
    assert "fresh=True" in caught.value.hint
    return caught.value.message


def test_the_same_again_is_continued():
    check(stored())
    check(stored(rows=5), existing=there(empty=False))
    check(stored(where={"public.t": "a > 1"}), where={("public", "t"): "a > 1"})


def test_speed_and_estimates_may_change():
    grown = msgspec.structs.replace(TABLE, rows=900, bytes=10**9)
    check(stored(parallel=2), grown, parallel=8, memory="1GiB", run="other name")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"mode": "append"}, "mode was 'create', and is 'append'"),
        ({"where": {"public.t": "a > 1"}}, "where was [], and is [(('public', 't'), 'a > 1')]"),
        ({"types": {"public.t.a": "text"}}, "types was []"),
        ({"rename": {"public.t": "u"}}, "rename_tables was []"),
        ({"rename": {"public.t.a": "z"}}, "rename_columns was []"),
        ({"exclude": ["x"]}, "exclude was [], and is ['x']"),
        ({"tables": ["t"]}, "tables was None, and is ['t']"),
        ({"partition_by": "keys"}, "partition_by was 'auto', and is 'keys'"),
        ({"on_unrepresentable": "null"}, "on_unrepresentable was"),
        ({"indexes": False}, "indexes was True, and is False"),
        ({"triggers": "fire"}, "triggers was 'stop', and is 'fire'"),
    ],
)
def test_a_changed_option_is_told(options, told):
    assert told in refused(stored(), **options)


def test_another_source_is_told():
    assert "the source was pg:one, and is pg:three" in refused(stored(), source="pg:three")


def test_a_table_that_is_gone_or_new_is_told():
    other = msgspec.structs.replace(TABLE, name=QualifiedName("public", "u"))
    told = refused(stored(), other)
    assert "table public.t is gone" in told
    assert "table public.u is new" in told


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ((A,), "column public.t.b was text, and is missing"),
        (
            (A, B, Column(name="c", type="date", arrow="date32[day]")),
            "column public.t.c was missing, and is date",
        ),
        (
            (msgspec.structs.replace(A, type="bigint"), B),
            "column public.t.a was integer, and is bigint",
        ),
        (
            (msgspec.structs.replace(A, generated="1"), B),
            "column public.t.a was integer, and is integer generated",
        ),
    ],
)
def test_a_changed_column_is_told(columns, told):
    assert told in refused(stored(), msgspec.structs.replace(TABLE, columns=columns))


def test_a_target_table_that_is_gone_is_told():
    told = refused(stored(), existing=Inspection())
    assert "the target's table public.t is gone" in told


def test_a_target_table_that_was_emptied_is_told_with_what_it_had():
    told = refused(stored(rows=5), existing=there(empty=True))
    assert "the target's table public.t was emptied after 5 rows" in told


def test_an_empty_target_table_without_receipts_is_as_it_was_left():
    check(stored(rows=0), existing=there(empty=True))


def test_receipts_speak_for_their_own_table():
    other = msgspec.structs.replace(TABLE, name=QualifiedName("public", "u"))
    both = Inspection(
        tables=(ExistingTable(table=TABLE, empty=False), ExistingTable(table=other, empty=True))
    )
    check(stored(TABLE, other, rows=5), TABLE, other, existing=both)


def test_rows_that_the_run_has_not_written_are_told_where_it_makes_the_table():
    told = refused(stored(), existing=there(empty=False))
    assert "the target's table public.t holds rows that the run has not written" in told
    for mode in ("append", "upsert"):
        check(stored(mode=mode), existing=there(empty=False), mode=mode)


@pytest.mark.parametrize("version", [PLAN_VERSION - 1, PLAN_VERSION + 1])
def test_what_another_version_has_begun_is_not_continued(version):
    begun = stored()
    plan = msgspec.structs.replace(begun.plan, version=version)
    kept = stored_plan.unpack(stored_plan.pack(plan))
    assert (kept.run, kept.source, kept.target, kept.mode) == (
        "nightly",
        "pg:one",
        "pg:two",
        "create",
    )
    assert (kept.version, kept.tables, stored_plan.is_known(kept)) == (version, (), False)
    with pytest.raises(ResumeRefused, match=f"stored form is version {version}, and this is"):
        check(msgspec.structs.replace(begun, plan=plan))
    with pytest.raises(StateError, match="another version of fastload: nightly"):
        stored_plan.check_none_unknown([begun.plan, kept])
    stored_plan.check_none_unknown([begun.plan])
    assert stored_plan.unpack(stored_plan.pack(begun.plan)) == begun.plan


@pytest.mark.parametrize(("ours", "found"), [(5, 3), (3, 5), (0, 1)])
def test_a_table_with_other_rows_than_the_runs_is_not_emptied(ours, found):
    (table,) = stored().plan.tables
    resume.check_rows(table, ours, ours)
    with pytest.raises(ResumeRefused, match=f"holds {found} rows and the run has written {ours};"):
        resume.check_rows(table, ours, found)


def test_a_run_does_not_make_itself_void():
    plan = stored(mode="replace").plan
    other = msgspec.structs.replace(plan, run="other")
    assert resume.others(plan, [plan, other]) == ["other"]


def test_a_table_that_holds_rows_is_told_of_the_run_that_fills_it():
    error = TargetNotEmpty("full", table="public.t")
    elsewhere = stored(msgspec.structs.replace(TABLE, name=QualifiedName("public", "u")))
    resume.name_owner(error, [elsewhere], CopyOptions.make(), "pg:one")
    assert error.message == "full"
    resume.name_owner(error, [elsewhere, stored()], CopyOptions.make(), "pg:one")
    assert error.message == "the target's public.t holds rows of run 'nightly', which is not done"
    resume.name_owner(error, [stored()], CopyOptions.make(mode="append"), "pg:one")
    assert "it was begun otherwise: mode was 'create', and is 'append'" in error.message


def test_every_difference_is_told_at_once():
    told = refused(stored(rows=5), source="x", mode="append", where={"public.t": "b"})
    assert told.count("; ") == 2


def test_a_table_that_another_run_is_filling_is_refused_with_what_is_different():
    begun = stored(where={"public.t": "a > 1"}).plan
    other = msgspec.structs.replace(stored(where={"public.t": "a > 2"}).plan, run="other")
    with pytest.raises(StateError) as caught:
        resume.others(other, [begun])
    assert "belongs to run 'nightly'" in caught.value.message
    assert "a > 1" in caught.value.message
    assert "a > 2" in caught.value.message
    assert resume.others(begun, [begun]) == []
    replacing = msgspec.structs.replace(other, mode="replace")
    assert resume.others(replacing, [begun]) == ["nightly"]
