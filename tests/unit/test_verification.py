"""Comparison of databases in memory, and what is compared with what."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable
from itertools import pairwise

import anyio
import anyio.lowlevel
import msgspec
import pyarrow as pa
import pytest

import fastload
from fastload.config import CopyOptions
from fastload.model import Column, Key, KeyRange, QualifiedName, Table
from fastload.testing.memory import StoredTable, database, forget
from fastload.verification import live
from fastload.verification.budget import Budget
from fastload.verification.comparison import compare
from fastload.verification.matching import shown
from fastload.verification.pairs import kind_of, pair_tables

NAME = QualifiedName("public", "t")


def column(arrow: str, type_: str = "", **facts: object) -> Column:
    return Column(name="c", type=type_ or arrow, arrow=arrow, **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("source", "target", "kind"),
    [
        ("int8", "uint64", "number"),
        ("bool", "int8", "number"),
        ("uint64", "decimal128(20, 0)", "number"),
        ("opaque[numeric, PostgreSQL, string]", "decimal128(20, 2)", "number"),
        ("float", "double", "float"),
        ("string", "opaque[inet, PostgreSQL, string]", "text"),
        ("arrow.uuid", "binary", "uuid"),
        ("arrow.uuid", "string", "uuid"),
        ("arrow.json", "string", "json"),
        ("timestamp[us, tz=UTC]", "timestamp[us]", "moment"),
        ("time64[us]", "duration[us]", "moment"),
        ("month_day_nano_interval", "duration[us]", "interval"),
        ("list<int32>", "list<int64>", "list:number"),
        ("binary", "opaque[geometry, MySQL, binary]", "binary"),
        ("double", "decimal128(20, 2)", None),
        ("list<int32>", "arrow.json", None),
        ("month_day_nano_interval", "string", None),
        ("time64[us]", "timestamp[us]", None),
        ("decimal128(5, -2)", "int64", None),
        ("struct<a: int32>", "struct<a: int32>", None),
    ],
)
def test_kinds_of_pairs(source, target, kind):
    assert kind_of(column(source), column(target), own=False) == kind
    assert kind_of(column(target), column(source), own=False) == kind


def test_the_same_type_of_one_dialect_is_compared_as_it_is_spelled():
    for arrow in ("arrow.json", "opaque[numeric, PostgreSQL, string]"):
        assert kind_of(column(arrow), column(arrow), own=True) == "text"
    assert kind_of(column("arrow.json"), column("arrow.json"), own=False) == "json"
    assert kind_of(column("arrow.json", "json"), column("arrow.json", "jsonb"), own=True) == "json"
    padded = column("string", "character(4)", padded=True)
    assert kind_of(padded, column("string", "varchar(4)"), own=True) == "text_unpadded"
    assert kind_of(padded, padded, own=True) == "text"


def test_columns_without_a_counterpart_are_told_and_not_in_the_key():
    here = Table(
        name=NAME,
        columns=(
            Column(name="id", type="int64", arrow="int64", nullable=False),
            Column(name="gone", type="string", arrow="string", nullable=False),
            Column(name="sum", type="int64", arrow="int64", generated="id + 1"),
        ),
        keys=(
            Key(name="k", columns=("id", "gone"), primary=True),
            Key(name="u", columns=("id",), primary=False),
        ),
    )
    there = msgspec.structs.replace(here, columns=(*here.columns[:1], *here.columns[2:]))
    pair = pair_tables(here, there, names={}, own=True)
    assert [p.source.name for p in pair.pairs] == ["id", "sum"]
    assert [str(n) for n in pair.not_compared] == ["gone: the target has no such column"]
    assert pair.key == (0,)
    assert pair.without("id", "why").key == ()


@pytest.fixture
def copied(shop):
    """The shop, and a copy of it."""
    fastload.blocking.copy(shop, "memory://copied")
    yield "memory://copied"
    forget("copied")


def change(name: str, rows: dict[str, list[object]]) -> None:
    tables = database(name).tables
    stored = tables[NAME]
    tables[NAME] = StoredTable(stored.table, pa.table(rows, stored.rows.schema))


def test_a_copy_is_equal_and_every_change_is_named(shop, copied):
    result = fastload.blocking.verify(shop, copied)
    assert (result.equal, result.rows, result.differences) == (True, 3, ())
    assert str(result).startswith("equal: 3 rows of 1 table")
    change("copied", {"id": [1, 2, 4], "note": ["a", "", "d"]})
    result = fastload.blocking.verify(shop, copied)
    assert not result.equal
    assert sorted(map(str, result.differences)) == [
        "public.t different id='2': note NULL -> ''",
        "public.t extra id='4'",
        "public.t missing id='3'",
    ]
    plain = msgspec.json.decode(msgspec.json.encode(result.to_dict()))
    assert plain["tables"][0]["differences"][0]["columns"] == [
        {"column": "note", "source": None, "target": ""}
    ]
    assert "id=&#x27;2&#x27;" in result._repr_html_()
    assert pickle.loads(pickle.dumps(result)).differences == result.differences


def test_moments_that_python_does_not_have_are_shown():
    day, moment = pa.scalar(-800_000, pa.date32()), pa.scalar(-(2**60), pa.timestamp("us", "UTC"))
    assert shown(day) == "-800,000 (date32[day], since 1970)"
    assert (shown(moment) or "").startswith("-1,152,921,504,606,846,976 (timestamp")
    assert shown(pa.scalar(None, pa.date32())) is None


def test_a_limit_says_that_there_is_more(shop, copied):
    change("copied", {"id": [], "note": []})
    result = fastload.blocking.verify(shop, copied, limit=2)
    assert len(result.differences) == 2
    assert result.tables[0].more
    assert "more rows differ" in str(result)
    with pytest.raises(fastload.ConfigError, match="limit"):
        fastload.blocking.verify(shop, copied, limit=0)


@pytest.mark.parametrize(
    ("limit", "named"), [(20, 20), (90, 90), (1000, 1000), (2000, 2000), (3000, 2000)]
)
async def test_as_many_rows_are_named_as_the_limit_says_whatever_parts_they_are_in(
    shop, copied, limit, named
):
    """Parts are located side by side, and share what may be named."""
    numbers = list(range(5000))
    change("shop", {"id": numbers, "note": ["a"] * 5000})
    change("copied", {"id": numbers, "note": ["b" if i % 5 < 2 else "a" for i in numbers]})
    edges = [None, "700", "1500", "1501", "4000", None]
    ranges = [KeyRange(("id",), *((e,) if e else None for e in p)) for p in pairwise(edges)]
    options = CopyOptions.make(mode="upsert", parallel=4)
    here, there = fastload.Url.parse(shop), fastload.Url.parse(copied)
    found = await compare(here, there, options, limit, {NAME: ranges})
    (table,) = found.result.tables
    assert len({d.key["id"] for d in table.differences}) == len(table.differences) == named
    assert (table.more, len(table.ranges), table.rows) == (named < 2000, 5, 5000)


async def test_rows_are_named_as_far_as_memory_goes(shop, copied):
    """Of 6,000 rows of 2 kB on either side, an eighth of the memory holds about 500."""
    numbers = list(range(6000))
    change("shop", {"id": numbers, "note": ["a" * 2000] * 6000})
    change("copied", {"id": numbers, "note": ["b" * 2000] * 6000})
    options = CopyOptions.make(mode="upsert", parallel=1, memory="16MiB")
    here, there = fastload.Url.parse(shop), fastload.Url.parse(copied)
    (table,) = (await compare(here, there, options, 6000)).result.tables
    assert 200 < len(table.differences) < 600
    assert {d.kind for d in table.differences} == {"different"}
    assert (table.more, table.unlocated) == (True, 0)


async def test_parts_wait_for_what_others_have_reserved_and_may_not_need():
    budget, taken = Budget(100, 1 << 20), []

    async def part(want: int, needed: int) -> None:
        async with budget.share(want) as share:
            reserved = share.rows
            await anyio.lowlevel.checkpoint()
            # Who gets none compares none.
            used = min(needed, share.most_rows) if reserved else 0
            share.use(used)
            share.hold(needed)
            taken.append((reserved, used))

    async with anyio.create_task_group() as group:
        for want, needed in ((60, 5), (60, 50), (10, 10), (90, 90), (1, 1)):
            group.start_soon(part, want, needed)
    assert sum(used for _, used in taken) == 100
    assert taken[:2] == [(60, 5), (40, 50)]
    assert (budget.rows, budget.held_bytes) == (0, 156)


async def test_who_comes_when_all_is_reserved_waits():
    budget, reserved = Budget(100, 1 << 20), []

    async def late() -> None:
        async with budget.share(10) as share:
            reserved.append(share.rows)

    async with anyio.create_task_group() as group, budget.share(100) as share:
        group.start_soon(late)
        await anyio.wait_all_tasks_blocked()
        assert reserved == []
        share.use(30)
    assert (reserved, budget.rows) == ([10], 70)


async def test_what_is_held_already_leaves_no_room_for_more():
    budget = Budget(100, 1000)
    async with budget.share(10) as share, budget.share(10) as other:
        assert not share.hold(400)
        assert not other.hold(600)
        assert share.hold(1)
    async with budget.share(10) as share:
        assert share.rows == 0
    assert budget.rows == 100


def test_names_filters_and_absent_tables(shop, copied):
    found = fastload.blocking.verify(shop, "memory://nothing_there")
    forget("nothing_there")
    assert [t.because for t in found.tables] == [
        "the target has no public.t, and the source's has about 3 rows"
    ]
    assert not found.equal
    found = fastload.blocking.verify(shop, copied, rename={"public.t.note": "other"})
    assert [str(n) for n in found.not_compared] == ["public.t.note: the target has no such column"]
    with pytest.raises(fastload.ConfigError, match="no_such"):
        fastload.blocking.verify(shop, copied, rename={"public.t.no_such": "x"})


def before_readings(monkeypatch: pytest.MonkeyPatch, write: Callable[[int], None]) -> None:
    """Have databases written to before each reading of them, the first of which is number 0."""
    numbers = itertools.count()

    async def compared(*given, **more):
        write(next(numbers))
        return await compare(*given, **more)

    monkeypatch.setattr(live, "compare", compared)


@pytest.mark.parametrize(
    ("changed", "moments", "differs"),
    [
        ("shop", 0, True),
        ("shop", 3, True),
        ("shop", 4, False),
        ("copied", 4, True),
        ("copied", 5, False),
    ],
)
def test_a_difference_is_told_of_rows_that_both_sides_have_left_alone_for_the_lag(
    shop, copied, monkeypatch, changed, moments, differs
):
    """There are six readings; the pauses before the last two are the lag.

    Before so many of them, after the first, one side gets a value that the other never has: the
    source may have had less time than its target needs, and a target that moves may yet follow.
    """

    def write(number: int) -> None:
        if 0 < number <= moments:
            change(changed, {"id": [1, 2, 3], "note": [f"{changed} {number}", None, "c"]})

    change("copied", {"id": [1, 2, 3], "note": ["stale", None, "c"]})
    before_readings(monkeypatch, write)
    found = fastload.blocking.verify(shop, copied, live=True, lag_s=0.02)
    assert not found.equal
    assert [d.key["id"] for d in found.differences] == (["1"] if differs else [])
    assert found.tables[0].unsettled == int(not differs)


@pytest.mark.parametrize(("moment", "differs"), [(3, True), (4, False)])
def test_a_row_that_was_read_for_less_than_the_lag_is_not_told(
    shop, copied, monkeypatch, moment, differs
):
    """Before it, more rows differed than there is room for, and none was known by its key."""

    def write(number: int) -> None:
        if number == moment:
            change("copied", {"id": [1, 2, 3], "note": ["stale", None, "c"]})

    change("copied", {"id": [1, 2, 3], "note": ["stale", "stale", "c"]})
    monkeypatch.setattr(live, "_MOST_SUSPECTS", 1)
    before_readings(monkeypatch, write)
    found = fastload.blocking.verify(shop, copied, live=True, lag_s=0.02, limit=1)
    assert not found.equal
    assert [d.key["id"] for d in found.differences] == (["1"] if differs else [])
    assert found.tables[0].unsettled == int(not differs)


def test_a_target_that_has_what_the_source_had_before_follows(shop, copied, monkeypatch):
    """As a row that changes all the time: it never is the same on both sides."""

    def write(number: int) -> None:
        for name, moment in (("shop", number), ("copied", number - 1)):
            change(name, {"id": [1, 2, 3], "note": [str(moment), None, "c"]})

    before_readings(monkeypatch, write)
    found = fastload.blocking.verify(shop, copied, live=True, lag_s=0.02)
    (table,) = found.tables
    assert (found.equal, table.caught_up, table.unsettled) == (True, 1, 0)


def test_rows_of_a_memory_database_are_mended(shop, copied):
    change("copied", {"id": [1, 2, 4], "note": ["a", "", "d"]})
    mended = fastload.blocking.repair(fastload.blocking.verify(shop, copied))
    assert mended.equal
    assert database("copied").tables[NAME].rows.sort_by("id").to_pydict() == {
        "id": [1, 2, 3], "note": ["a", None, "c"],
    }  # fmt: skip


def test_the_command_returns_3_and_writes_a_report(run, shop, copied, tmp_path):
    assert run("verify", shop, copied).code == 0
    change("copied", {"id": [1, 2, 3], "note": ["a", None, "C"]})
    told = run("verify", shop, copied, "--report", str(tmp_path / "found"))
    assert told.code == 3
    assert "note 'c' -> 'C'" in told.out
    import pyarrow.parquet as pq

    assert pq.read_table(tmp_path / "found" / "differences.parquet").to_pylist() == [
        {
            "table": "public.t",
            "kind": "different",
            "key": '{"id":"3"}',
            "column": "note",
            "source": "c",
            "target": "C",
        }
    ]
    told = run("verify", shop, copied, "--json")
    assert (told.code, told.json["equal"]) == (3, False)
    assert told.json["tables"][0]["differences"][0]["key"] == {"id": "3"}


def test_a_copy_is_verified_as_it_passes(run, shop):
    result = fastload.blocking.copy(shop, "memory://copied", verify=True)
    assert result.verification is not None
    assert result.verification.equal
    assert result.verification.rows == 3
    assert result.to_dict()["verification"]["equal"]
    assert "verified: equal" in str(result)
    assert "equal" in result._repr_html_()
    told = run("copy", shop, "memory://copied", "--mode", "replace", "--verify", "--quiet")
    assert told.code == 0
    assert "verified: equal" in told.out
    forget("copied")


def test_modes_that_keep_other_rows_are_not_verified(shop):
    for mode in ("append", "upsert"):
        with pytest.raises(fastload.ConfigError, match="verify"):
            fastload.blocking.copy(shop, "memory://copied", mode=mode, verify=True)
