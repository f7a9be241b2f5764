"""What MySQL is told to make, before the rows and after them."""

from __future__ import annotations

from typing import Any

import pytest
from fastload_mysql.ddl import render
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import SchemaSpec
from fastload.errors import SchemaMismatch
from fastload.model import (
    Catalog,
    Check,
    Column,
    ExistingTable,
    ForeignKey,
    Index,
    IndexColumn,
    Inspection,
    Key,
    QualifiedName,
    Steps,
    Table,
)

NAME = QualifiedName("shop", "t")
BIG = 10_000_000
PRIMARY = Key(name="PRIMARY", columns=("id",), primary=True)


def column(name: str = "id", type_: str = "bigint", **facts: Any) -> Column:
    return Column(name=name, type=type_, arrow="int64", **facts)


def index(name: str, *columns: str, **facts: Any) -> Index:
    parts = tuple(IndexColumn(name=c) for c in columns)
    listed = ", ".join(f"`{c}`" for c in columns)
    given = {"unique": False, "definition": f"({listed})", **facts}
    return Index(name=name, columns=parts, **given)


def table(name: str = "t", *, rows: int = BIG, **facts: Any) -> Table:
    given = {"columns": (column(), column("ref")), "keys": (PRIMARY,), **facts}
    return Table(name=QualifiedName("shop", name), rows=rows, bytes=rows * 100, **given)


def refers(to: str, name: str = "fk") -> ForeignKey:
    return ForeignKey(
        name=name,
        columns=("ref",),
        references=QualifiedName("shop", to),
        referenced_columns=("id",),
    )


def there(*tables: Table) -> Inspection:
    return Inspection(tables=tuple(ExistingTable(table=t, empty=True) for t in tables))


def rendered(*tables: Table, **options: Any) -> Steps:
    catalog = Catalog(dialect="mysql", tables=tables)
    there = options.pop("existing", Inspection())
    return render(catalog, there, SchemaSpec(**{"mode": "create", **options}))


def before(*tables: Table, **options: Any) -> dict[str, str]:
    return {s.id: "; ".join(s.statements) for s in rendered(*tables, **options).before}


def after(*tables: Table, **options: Any) -> dict[str, str]:
    return {s.id: "; ".join(s.statements) for s in rendered(*tables, **options).after}


def test_a_table_is_made_with_its_primary_key_and_not_dropped_before():
    sql = before(table(extra={"options": "ENGINE=InnoDB"}))
    assert sql == {
        "schema:shop": "CREATE DATABASE IF NOT EXISTS `shop`",
        "table:shop.t": "CREATE TABLE IF NOT EXISTS `shop`.`t` (\n  `id` bigint,\n"
        "  `ref` bigint,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB",
    }


@pytest.mark.parametrize(
    ("found", "sql"),
    [
        (column(nullable=False), "`id` bigint NOT NULL"),
        (column(default="(uuid())"), "`id` bigint DEFAULT (uuid())"),
        (column(type_="timestamp"), "`id` timestamp NULL"),
        (column(on_update="now()"), "`id` bigint ON UPDATE now()"),
        (column(generated="`a` + 1"), "`id` bigint GENERATED ALWAYS AS (`a` + 1) STORED"),
        (
            column(generated="`a`", extra={"generated": "virtual"}),
            "`id` bigint GENERATED ALWAYS AS (`a`) VIRTUAL",
        ),
        (
            column(type_="varchar(9)", collation="latin1_bin", comment="it's \\"),
            "`id` varchar(9) CHARACTER SET latin1 COLLATE latin1_bin COMMENT 'it''s \\\\'",
        ),
        (column("a`; DROP TABLE b; --"), "`a``; DROP TABLE b; --` bigint"),
        (column(extra={"definition": "int DEFAULT 7"}, default="8"), "`id` int DEFAULT 7"),
        (column(extra={"invisible": "yes", "srid": "4326"}), "`id` bigint SRID 4326 INVISIBLE"),
    ],
)
def test_columns(found, sql):
    assert f"(\n  {sql}\n)" in before(table(columns=(found,), keys=()))["table:shop.t"]


@pytest.mark.parametrize(
    ("facts", "clause"),
    [
        ({"keys": (PRIMARY,)}, "PRIMARY KEY (`id`)"),
        (
            {
                "keys": (
                    Key(name="PRIMARY", columns=("ref",), primary=True),
                    Key(name="u", columns=("id",), primary=False),
                )
            },
            "PRIMARY KEY (`ref`),\n  UNIQUE KEY `u` (`id`)",
        ),
        ({"keys": (), "indexes": (index("i", "id", "ref"),)}, "KEY `i` (`id`, `ref`)"),
    ],
)
def test_a_counting_column_has_its_key_from_the_start(facts, clause):
    columns = (column(identity="by default", nullable=False), column("ref"))
    made = table(columns=columns, **facts)
    assert "`id` bigint NOT NULL AUTO_INCREMENT" in before(made)["table:shop.t"]
    assert clause in before(made)["table:shop.t"]
    assert not [s for s in after(made) if s.startswith("index")]


def test_secondary_indexes_are_one_statement_with_a_query_that_finds_them():
    unique = Key(name="u", columns=("ref",), primary=False)
    steps = rendered(
        table(
            keys=(PRIMARY, unique), indexes=(index("i", "ref"), index("f", "ref", kind="fulltext"))
        )
    ).after
    first, second = (s for s in steps if s.id.startswith("index"))
    alter = "ALTER TABLE `shop`.`t` ADD "
    assert first.statements == (f"{alter}UNIQUE KEY `u` (`ref`), ADD KEY `i` (`ref`)",)
    assert second.statements == (f"{alter}FULLTEXT KEY `f` (`ref`)",)
    assert second.needs == (first.id,)
    assert "count(*) = 2" in first.done[0]
    assert "INDEX_NAME IN ('u', 'i')" in first.done[0]


def test_foreign_keys_are_declared_unchecked_and_then_checked():
    steps = {s.id: s for s in rendered(table("a"), table("b", foreign_keys=(refers("a"),))).after}
    declare, check = steps["foreign keys:`shop`.`b`"], steps["validate:`shop`.`b`"]
    assert declare.statements[0] == "SET SESSION foreign_key_checks = 0"
    assert declare.statements[1] == (
        "ALTER TABLE `shop`.`b` ADD CONSTRAINT `fk` FOREIGN KEY (`ref`) "
        "REFERENCES `shop`.`a` (`id`)"
    )
    assert declare.statements[2] == "SET SESSION foreign_key_checks = 1"
    assert len(declare.done) == 3
    assert check.needs == (declare.id,)
    (query,) = check.refuted_by
    assert query == (
        "SELECT c.`ref` FROM `shop`.`b` c LEFT JOIN `shop`.`a` p ON p.`id` = c.`ref` "
        "WHERE c.`ref` IS NOT NULL AND p.`id` IS NULL LIMIT 1"
    )


def test_foreign_keys_speak_of_columns_by_their_last_names():
    names = {QualifiedName("shop", "a"): {"id": "key"}, QualifiedName("shop", "b"): {"ref": "id"}}
    tables = (table("a"), table("b", foreign_keys=(refers("a"),)))
    steps = {s.id: s for s in rendered(*tables, rename_columns=names).after}
    declare = steps["foreign keys:`shop`.`b`"]
    assert "FOREIGN KEY (`id`) REFERENCES `shop`.`a` (`key`)" in declare.statements[1]
    assert {"rename:`shop`.`a`", "rename:`shop`.`b`"} <= set(declare.needs)


def test_renames_find_tables_whose_names_the_server_folds():
    names = {QualifiedName("Shop", "T"): {"ref": "new"}}
    assert (
        "RENAME COLUMN `ref` TO `new`" in after(table(), rename_columns=names)["rename:`shop`.`t`"]
    )


def test_a_rename_says_anew_what_names_the_column():
    found = table(
        columns=(
            column("a"),
            column("b", generated="`a` + length('`a`')"),
            column("c", default="(`a`)", extra={"definition": "int DEFAULT (`a`)"}),
        ),
        keys=(),
        checks=(Check(name="t_chk_1", definition="CONSTRAINT `t_chk_1` CHECK (`a` > 0)"),),
    )
    sql = after(found, rename_columns={NAME: {"a": "z"}})["rename:`shop`.`t`"]
    assert sql == (
        "ALTER TABLE `shop`.`t` DROP CONSTRAINT `t_chk_1`, RENAME COLUMN `a` TO `z`, "
        "CHANGE COLUMN `b` `b` bigint GENERATED ALWAYS AS (`z` + length('`a`')) STORED, "
        "CHANGE COLUMN `c` `c` int DEFAULT (`z`), ADD CONSTRAINT `t_chk_1` CHECK (`z` > 0)"
    )


def test_nothing_is_made_that_is_there():
    found = table(indexes=(index("i", "ref"),), foreign_keys=(refers("t"),))
    other = table(
        indexes=(index("j", "ref", definition="KEY `j` (`ref`)"),), foreign_keys=(refers("t"),)
    )
    steps = rendered(found, existing=there(other))
    assert steps.before == ()
    assert [s.id for s in steps.after] == ["analyse:`shop`.`t`"]


def test_an_index_whose_name_is_taken_gets_another():
    other = table(indexes=(index("I", "id"),))
    sql = after(table(indexes=(index("i", "ref"),)), existing=there(other))
    assert "ADD KEY `i_2` (`ref`)" in sql["index:`shop`.`t`:0"]


@pytest.mark.parametrize(
    ("mode", "statement"),
    [
        ("truncate", "TRUNCATE TABLE `shop`.`t`; TRUNCATE TABLE `shop`.`u`"),
        ("replace", "DROP TABLE IF EXISTS `shop`.`t`, `shop`.`u`"),
    ],
)
def test_tables_are_cleared_together(mode, statement):
    tables = (table(), table("u"))
    sql = before(*tables, existing=there(*tables), mode=mode)
    assert statement in sql["truncate" if mode == "truncate" else "drop"]
    referred = table(extra={"referred_by": "shop.u\nshop.z"})
    with pytest.raises(SchemaMismatch) as caught:
        before(*tables, existing=there(referred, tables[1]), mode=mode)
    assert "shop.z refers to shop.t" in str(caught.value)


def test_options_leave_work_out():
    found = table(indexes=(index("i", "ref"),), foreign_keys=(refers("t"),))
    assert after(found, indexes=False, foreign_keys=False, statistics=False) == {}


NAMES = st.sampled_from(["a", "b", "a.b", "b.a", "a`b", "A"])


@st.composite
def databases(draw: st.DrawFn) -> list[Table]:
    """Draw tables of any size with hostile names that refer to each other in any way."""
    names = draw(st.lists(NAMES, unique=True, min_size=1, max_size=6))
    return [
        table(
            name,
            rows=draw(st.sampled_from([10, 5_000, BIG])),
            indexes=tuple(index(i, "ref") for i in draw(st.lists(NAMES, unique=True, max_size=2))),
            foreign_keys=tuple(
                refers(to, f"fk{i}") for i, to in enumerate(draw(st.lists(st.sampled_from(names))))
            ),
        )
        for name in names
    ]


@given(tables=databases(), statistics=st.booleans())
def test_every_graph_can_be_run_and_repeated(tables, statistics):
    seen: set[str] = set()
    for step in rendered(*tables, statistics=statistics).after:
        assert step.id not in seen
        assert set(step.needs) <= seen
        assert bool(step.statements) != bool(step.refuted_by)
        seen.add(step.id)
        for place, statement in enumerate(step.statements):
            done = step.done[place] if step.done else ""
            assert done or statement.startswith(("ANALYZE", "SET SESSION"))


@given(tables=databases())
def test_everything_is_made_once(tables):
    told = "\n".join(s for step in rendered(*tables).after for s in step.statements)
    assert told.count("ADD KEY") == sum(len(t.indexes) for t in tables)
    assert told.count("FOREIGN KEY") == sum(len(t.foreign_keys) for t in tables)
