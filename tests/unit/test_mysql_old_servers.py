"""What is made of newer catalogues for servers that know less."""

from __future__ import annotations

import pytest
from fastload_mysql.flavours import server_of
from fastload_mysql.narrowing import narrowed
from fastload_mysql.state_tables import stored_key
from fastload_mysql.translation import translate

from fastload.model import (
    Catalog,
    Column,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    NotCarried,
    QualifiedName,
    Table,
)

NAME = QualifiedName("s", "t")
OLD = server_of("mysql", "5.6.24-log")
IDLE = ("idle_transaction_timeout", "idle_readonly_transaction_timeout")


def text(name: str, length: int, charset: str = "utf8mb4") -> Column:
    collation = f"{charset}_general_ci"
    return Column(name=name, type=f"varchar({length})", arrow="string", collation=collation)


@pytest.mark.parametrize(
    ("flavour", "version", "limits"),
    [
        ("mysql", "5.6.51", ()),
        ("mysql", "5.7.44", ("max_execution_time",)),
        ("mariadb", "10.2.44", ("max_statement_time",)),
        ("mariadb", "10.3.39", ("max_statement_time", *IDLE, "idle_write_transaction_timeout")),
    ],
)
def test_only_limits_that_it_has_are_lifted(flavour, version, limits):
    assert server_of(flavour, version).time_limits == limits


def test_the_log_is_asked_for_by_the_name_of_its_time():
    names = [server_of("mysql", v).log_status for v in ("5.6.1", "8.1.0", "8.2.0", "9.7.0")]
    assert names == ["SHOW MASTER STATUS"] * 2 + ["SHOW BINARY LOG STATUS"] * 2
    assert server_of("mariadb", "11.4.5").log_status == "SHOW MASTER STATUS"


def test_other_databases_get_what_there_is():
    columns = (
        Column(name="doc", type="jsonb", arrow="arrow.json"),
        Column(name="name", type="text", arrow="string", nullable=False),
        Column(name="twice", type="integer", arrow="int32", generated="1 + 1"),
    )
    keys = (Key(name="k", columns=("name",), primary=True),)
    table = Table(name=NAME, columns=columns, keys=keys)
    made = translate(
        Catalog(dialect="postgres", tables=(table,)), flavour="mysql", version="5.6.24"
    )
    types = [c.type for c in made.tables[0].columns]
    assert types == ["longtext", "varchar(191)", "int"]
    assert made.tables[0].column("twice").generated is None
    assert {n.kind for n in made.not_carried} >= {"type of column", "generation of column"}


def test_indexes_of_its_own_family_are_narrowed():
    def index(name, *columns, unique=False, kind="sorted"):
        places = tuple(IndexColumn(name=c, prefix=p) for c, p in columns)
        return Index(name=name, unique=unique, definition="", columns=places, kind=kind)

    refers = ForeignKey(name="f", columns=("wide",), references=NAME, referenced_columns=("wide",))
    table = Table(
        name=NAME,
        columns=(text("wide", 255), text("fits", 191), text("bytes", 767, "latin1")),
        keys=(
            Key(name="wide", columns=("fits", "wide"), primary=False),
            Key(name="fits", columns=("fits", "bytes"), primary=False),
        ),
        indexes=(
            index("cut", ("fits", None), ("wide", None)),
            index("longer", ("wide", 200)),
            index("unique", ("wide", 200), unique=True),
            index("short", ("wide", 20), unique=True),
            index("words", ("wide", None), kind="fulltext"),
        ),
        foreign_keys=(refers,),
    )
    left: list[NotCarried] = []
    made = narrowed(table, OLD, left)
    assert [k.name for k in made.keys] == ["fits"]
    assert made.foreign_keys == ()
    assert {i.name: i.definition for i in made.indexes} == {
        "cut": "(`fits`, `wide`(191))", "longer": "(`wide`(191))", "short": "", "words": ""
    }  # fmt: skip
    assert [f"{n.kind} {n.name}" for n in left] == [
        "key s.t.wide",
        "foreign key s.t.f",
        "width of index s.t.cut",
        "width of index s.t.longer",
        "unique index s.t.unique",
    ]
    assert narrowed(table, server_of("mysql", "5.7.44"), left) is table


def test_names_of_runs_fit_a_key():
    assert stored_key("a" * 255) == "a" * 255
    long = ["é" * 200, "é" * 199 + "e", "日" * 200]
    assert len({stored_key(name) for name in long}) == 3
    assert all(len(stored_key(name).encode()) <= 255 for name in long)
