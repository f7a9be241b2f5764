"""Dialects are found at the adapters that are installed, also at one that nobody here knows of."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import fastload_mysql
import fastload_postgres
import pytest
from fastload_postgres.translation import translate as into_postgres

from fastload import registry
from fastload.adapter import Expressing
from fastload.expressions import Dialect, translate
from fastload.model import Catalog, Check, Column, QualifiedName, Table
from fastload.testing import memory

OUTSIDE = Path(__file__).parents[1] / "outside"
# What an adapter whose driver is missing looks like comes first by its name.
ENTRY_POINTS = """
[fastload.adapters]
absent = fastload_absent:ADAPTER
sqlite = fastload_sqlite:ADAPTER
"""
ARROW = {
    "a": "int32",
    "b": "int32",
    "n": "int64",
    "f": "double",
    "r": "float",
    "t": "string",
    "at": "timestamp[us]",
}
COLUMNS = {
    name: Column(name=name, type="text" if arrow == "string" else "", arrow=arrow)
    for name, arrow in ARROW.items()
}
ROWS = [(a, b) for a in (-1, 0, 1, None) for b in (0, 1, None)]
FOUND = """
import json, sys
from fastload import registry
import fastload.expressions
registry.expressions_of("mysql"), registry.expressions_of("postgres")
print(json.dumps(sorted({"sqlglot", "aiomysql", "asyncpg"} & set(sys.modules))))
"""


@pytest.fixture
def _installed(tmp_path, monkeypatch):
    """Install the adapter from outside, as pip would, for one test."""
    info = tmp_path / "fastload_sqlite-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: fastload-sqlite\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(OUTSIDE)
    _forget()
    yield
    _forget()


def _forget():
    registry.installed.cache_clear()
    registry.expressions_of.cache_clear()


def said(text, read, write, use="check"):
    return translate(text, read=read, write=write, use=use, columns=COLUMNS)


def test_an_adapter_offers_its_dialect_by_name():
    adapters = {"mysql": fastload_mysql.ADAPTER, "postgres": fastload_postgres.ADAPTER}
    for name, adapter in adapters.items():
        assert isinstance(adapter, Expressing)
        assert adapter.dialect == name
        assert isinstance(adapter.expressions(), Dialect)
        assert registry.expressions_of(name) is adapter.expressions()


def test_an_adapter_may_offer_none():
    assert not isinstance(memory.ADAPTER, Expressing)
    assert registry.expressions_of("memory") is None


def test_what_is_not_installed_is_a_reason():
    assert said("a > 0", "lite", "postgres").reason == (
        "expressions are not translated from lite to postgres"
    )
    assert said("a > 0", "postgres", "lite").text is None


def test_finding_a_dialect_imports_no_parser_and_no_driver():
    done = subprocess.run(
        [sys.executable, "-c", FOUND], check=True, capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout) == []


@pytest.mark.usefixtures("_installed")
class TestFromOutside:
    """The dialect of an adapter that is not part of this distribution."""

    def test_it_is_found_beside_an_adapter_that_cannot_be_imported(self):
        assert registry.expressions_of("lite").grammar == "sqlite"
        assert registry.expressions_of("sqlite") is None

    @pytest.mark.parametrize(
        ("text", "read", "words", "kept"),
        [
            ("(`A` > `b`)", "mysql", '("a" > "b")', lambda a, b: a > b),
            ("`a` + 1 <> `b`", "mysql", '(("a" + 1) <> "b")', lambda a, b: a + 1 != b),
            ("CHECK ((a >= b))", "postgres", '("a" >= "b")', lambda a, b: a >= b),
            ("(a / 2) = b", "postgres", '(("a" / 2) = "b")', lambda a, b: int(a / 2) == b),
        ],
    )
    def test_others_are_said_in_its_words(self, text, read, words, kept):
        assert said(text, read, "lite").text == words
        with sqlite3.connect(":memory:") as connection:
            connection.execute(f"CREATE TABLE t (a int, b int, CHECK {words})")
            for row in ROWS:
                connection.execute("INSERT OR IGNORE INTO t VALUES (?, ?)", row)
            found = connection.execute("SELECT a, b FROM t").fetchall()
        connection.close()
        assert found == [row for row in ROWS if None in row or kept(*row)]

    def test_its_words_are_said_in_those_of_others(self):
        words = """(("a" > 1) AND ("t" = 'it''s'))"""
        assert said("CHECK(\"A\" > 1 AND t = 'it''s')", "lite", "postgres").text == words
        assert said("a + b > 1", "lite", "mysql").text == "((`a` + `b`) > 1)"

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("f * 2 > 1", "too small"),
            ("CAST(n AS SMALLINT) > 1", "beyond the range"),
            ("CAST(at AS TIMESTAMP) > '2000-01-01'", "fewer digits of a second"),
            ("total_changes() = a", "what the session did"),
            ("t < 'x'", "comes first"),
        ],
    )
    def test_what_it_does_otherwise_is_refused(self, text, reason):
        found = said(text, "lite", "postgres")
        assert found.text is None
        assert reason in found.reason

    def test_what_it_does_as_most_do_is_not(self):
        """PostgreSQL's own sums of such floats are refused, as they have other digits."""
        assert said("r + r > f", "postgres", "lite").text is None
        assert said("r + r > f", "lite", "mysql").text == "((`r` + `r`) > `f`)"

    def test_what_it_has_no_words_for_is_refused(self):
        found = said("n::text", "postgres", "lite", use="index")
        assert found == (None, "the target has no words for to text", frozenset())

    def test_other_adapters_use_it(self):
        table = Table(
            name=QualifiedName("s", "t"),
            columns=tuple(COLUMNS.values()),
            checks=(Check(name="k", definition="CHECK(a > 0)"),),
        )
        made = into_postgres(Catalog(dialect="lite", tables=(table,)))
        assert [c.definition for c in made.tables[0].checks] == ['CHECK (("a" > 0))']
        assert not [n for n in made.not_carried if n.kind == "check"]
