"""Results and plans as text, as plain data and as HTML that shows hostile names as they are."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest

from fastload import describe
from fastload.model import (
    Column,
    NotCarried,
    Partition,
    Plan,
    Position,
    QualifiedName,
    Step,
    Table,
    TablePlan,
)
from fastload.report import CopyResult, Progress, TableResult, count, duration, result_of, size
from fastload.report_html import page, plan_fragment, progress_fragment

HOSTILE = "<script>alert('x')</script> & \"quoted\" </td></div>"


def result(**facts: Any) -> CopyResult:
    tables = (
        TableResult(name="public.a", rows=1200, bytes=3_400_000, seconds=1.5, route="wire"),
        TableResult(
            name="public.b", rows=1, bytes=10, seconds=0.1, route="arrow", why="types differ: c",
            partitions=3, target="shop.b",
        ),
    )  # fmt: skip
    return CopyResult(**{"run": "nightly", "tables": tables, "seconds": 2.0, **facts})


def planned(name: str = "t", target: str | None = None, **facts: Any) -> TablePlan:
    columns = (Column(name="a", type="integer", arrow="int32"),)
    source = Table(name=QualifiedName("public", name), columns=columns, rows=1000, bytes=5_000_000)
    there = Table(name=QualifiedName("public", target or name), columns=columns)
    return TablePlan(
        source=source, target=there, columns=("a",), target_columns=("a",),
        **{"route": "wire", "why": "all types are equal", **facts},
    )  # fmt: skip


def plan(*tables: TablePlan, **facts: Any) -> Plan:
    given = {"run": "r", "source": "pg:one", "target": "pg:two", "mode": "create"}
    return Plan(tables=tables, **{**given, "guarantee": "L3", **facts})


class Elements(HTMLParser):
    """What a browser would see: the elements in order, and the text outside of styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.links += [v or "" for n, v in attrs if n in ("href", "src")]

    def handle_data(self, data: str) -> None:
        self.text += data


def test_sums():
    assert (result().rows, result().bytes) == (1201, 3_400_010)


def test_text_of_a_result():
    assert str(result()) == (
        "copied 1,201 rows of 2 tables, 3.4 MB in 2.0 s (run nightly)\n"
        "  public.a                     1,200 rows     3.4 MB  wire\n"
        "  public.b -> shop.b               1 rows       10 B  arrow"
    )


def test_a_continued_run_tells_what_this_process_took_its_seconds_for():
    told = result(rows_earlier=1200, bytes_earlier=3_400_000)
    assert str(told).splitlines()[:2] == [
        "copied 1 row of 2 tables, 10 B in 2.0 s (run nightly)",
        "  an earlier start had copied 1,200 rows, 3.4 MB: 1,201 rows are there now",
    ]
    seen = Elements(told.html()).text
    assert "1 row of 2 tables, 10 B in 2.0 s" in seen
    assert "had copied 1,200 rows, 3.4 MB: 1,201 rows are there now" in seen


def test_text_tells_what_is_missing():
    left = NotCarried("view", "public.v", "views are not copied yet")
    facts = {"consistent": False, "inconsistent_because": "two cuts", "losses": ("x",)}
    told = str(result(not_carried=(left,), **facts))
    assert "not one consistent state: two cuts" in told
    assert "values may lose:\n  x" in told
    assert told.endswith("not carried:\n  view public.v: views are not copied yet")


def test_a_result_without_tables():
    assert str(result(tables=())) == "copied 0 rows of 0 tables, 0 B in 2.0 s (run nightly)"


def test_plain_data_of_a_result():
    left = NotCarried("view", "public.v", "no views")
    told = result(position=Position("0/16B3748"), not_carried=(left,)).to_dict()
    assert json.loads(json.dumps(told)) == json.loads(orjson.dumps(told))
    assert (told["rows"], told["bytes"], told["run"]) == (1201, 3_400_010, "nightly")
    assert told["position"] == "0/16B3748"
    assert told["not_carried"] == ({"kind": "view", "name": "public.v", "reason": "no views"},)
    assert told["tables"][1]["target"] == "shop.b"
    assert told["tables"][0]["target"] is None
    assert result().to_dict()["position"] is None


def test_html_of_a_result_shows_what_the_text_does():
    left = NotCarried("view", "public.v", "no views")
    done = result(consistent=False, inconsistent_because="cuts", not_carried=(left,))
    shown = Elements(done._repr_html_())
    for text in (
        "1,201 rows",
        "nightly",
        "public.b → shop.b",
        "types differ: c",
        "cuts",
        "no views",
    ):
        assert text in shown.text


def hostile_documents() -> list[str]:
    table = TableResult(
        name=HOSTILE, target=HOSTILE, rows=1, bytes=1, seconds=1, route=HOSTILE, why=HOSTILE
    )
    left = NotCarried(HOSTILE, HOSTILE, HOSTILE)
    done = result(
        run=HOSTILE, tables=(table,), consistent=False, inconsistent_because=HOSTILE,
        not_carried=(left,), losses=(HOSTILE,),
    )  # fmt: skip
    step = Step(id="s", title=HOSTILE, statements=())
    made = plan(
        planned(HOSTILE, target="other", why=HOSTILE), run=HOSTILE, source=HOSTILE, target=HOSTILE,
        mode=HOSTILE, guarantee=HOSTILE, losses=(HOSTILE,), not_carried=(left,), before=(step,),
        after=(step,),
    )  # fmt: skip
    return [done._repr_html_(), done.html(), plan_fragment(made), page(HOSTILE, [])]


@pytest.mark.parametrize("html", hostile_documents())
def test_names_are_never_markup(html):
    shown = Elements(html)
    assert "script" not in shown.opened
    assert HOSTILE in shown.text
    assert html.count("<div") == html.count("</div>")


def test_a_page_needs_nothing_else():
    html = result().html()
    assert html.startswith("<!doctype html>")
    assert Elements(html).links == []
    assert "url(" not in html
    assert "http" not in html


def test_a_plan_as_text():
    parts = tuple(Partition(table=QualifiedName("public", "t"), index=i) for i in range(4))
    told = describe(
        plan(
            planned(partitions=parts, where="a > 1"),
            planned("u", target="v", route="arrow", why="asked for", merge_by=("id", "b")),
            not_carried=(NotCarried("view", "public.v", "no views"),),
            losses=("digits",),
            before=(Step(id="x", title="table", statements=("CREATE TABLE t (\n  a int\n)",)),),
            after=(Step(id="y", title="keys", statements=("ALTER TABLE t", "ANALYZE t")),),
        )
    )
    assert told == (
        "run r: pg:one -> pg:two\n"
        "mode create, guarantee exactly once\n"
        "2 tables, about 2,000 rows, 10.0 MB:\n"
        "  public.t: about 1,000 rows, 5.0 MB, 4 partitions, where a > 1\n"
        "    route wire: all types are equal\n"
        "  public.u -> public.v: about 1,000 rows, 5.0 MB, 1 partition, merged by id, b\n"
        "    route arrow: asked for\n"
        "values may lose:\n"
        "  digits\n"
        "not carried:\n"
        "  view public.v: no views\n"
        "before the rows:\n"
        "  CREATE TABLE t ( a int );\n"
        "after the rows:\n"
        "  ALTER TABLE t;\n"
        "  ANALYZE t;"
    )


def test_progress_as_html_has_a_bar_of_its_share():
    half = Progress(phase="copying", bytes=1, bytes_estimated=2)
    assert "width:50.0%" in progress_fragment(half)
    assert "width:0.0%" in progress_fragment(Progress(phase="planning"))
    assert "width:100.0%" in progress_fragment(Progress(phase="done"))


def test_the_result_of_a_planned_table():
    done = result_of(planned("u", target="v"), rows=5, bytes=6, seconds=7.0)
    assert (done.name, done.target, done.route) == ("public.u", "public.v", "wire")
    assert result_of(planned(), rows=0, bytes=0, seconds=0, route="both").route == "both"
    assert result_of(planned(), rows=0, bytes=0, seconds=0).target is None


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [(0, "0 B"), (999, "999 B"), (999.7, "1.0 kB"), (1000, "1.0 kB"), (999_949, "999.9 kB"),
     (999_951, "1.0 MB"), (1.5e9, "1.5 GB"), (2e12, "2.0 TB"), (5e15, "5000.0 TB")],
)  # fmt: skip
def test_sizes(size_bytes, text):
    assert size(size_bytes) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (200, "3 min 20 s"),
     (3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (360000, "100 h 0 min")],
)  # fmt: skip
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_counts():
    assert [count(n, "row") for n in (0, 1, 1234)] == ["0 rows", "1 row", "1,234 rows"]
