"""What PostgreSQL is told to make of another database's tables."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastload_postgres.ddl import render
from fastload_postgres.translation import translate
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import SchemaSpec
from fastload.errors import PlanError, UnsupportedType
from fastload.model import (
    Catalog,
    Check,
    Column,
    EnumType,
    ForeignKey,
    Index,
    IndexColumn,
    Inspection,
    Key,
    NotCarried,
    QualifiedName,
    Sequence,
    Table,
)

NAME, OTHER = QualifiedName("s", "t"), QualifiedName("s", "u")
EXACT = "utf8mb4_0900_bin"


def column(name: str = "a", arrow: str = "int32", **facts: Any) -> Column:
    return Column(name=name, type="the source's", arrow=arrow, **facts)


def table(*columns: Column, name: QualifiedName = NAME, **facts: Any) -> Table:
    return Table(name=name, columns=columns or (column(),), **facts)


def catalog(*tables: Table, dialect: str = "mysql", **facts: Any) -> Catalog:
    return Catalog(dialect=dialect, tables=tables, **facts)


def sequence(**facts: Any) -> Sequence:
    given = {"start": 1, "increment": 1, "minimum": 1, "cache": 1, "cycle": False, **facts}
    return Sequence(name=QualifiedName("s", "t_a_seq"), type="bigint unsigned", **given)


def refers(column: str = "b", **facts: Any) -> ForeignKey:
    given = {"name": "f", "columns": (column,), "references": NAME, "referenced_columns": ("a",)}
    return ForeignKey(**{**given, **facts})


def key(*columns: str, name: str = "PRIMARY", primary: bool = True) -> Key:
    return Key(name=name, columns=columns, primary=primary, extra={"definition": "source's"})


def index(name: str, *columns: IndexColumn, **facts: Any) -> Index:
    return Index(
        name=name, unique=facts.pop("unique", False), definition="", columns=columns, **facts
    )


def before(made: Catalog) -> dict[str, str]:
    steps = render(made, Inspection(), SchemaSpec(mode="create")).before
    return {s.id: "; ".join(s.statements) for s in steps}


def after(made: Catalog) -> list[str]:
    steps = render(made, Inspection(), SchemaSpec(mode="create")).after
    return [statement for s in steps for statement in s.statements]


def line(given: Column, *others: Column, **facts: Any) -> str:
    """Return how the table's first column is declared."""
    sql = before(translate(catalog(table(given, *others, **facts))))["table:s.t"]
    return sql.split("\n")[1].strip().rstrip(",")


def left(made: Catalog) -> list[str]:
    return [str(n) for n in made.not_carried]


@pytest.mark.parametrize(
    ("arrow", "facts", "type_"),
    [
        ("string", {}, "text"),
        ("string", {"length": 20}, "character varying(20)"),
        ("string", {"length": 0}, "character varying(1)"),
        ("string", {"length": 10_485_760}, "character varying(10485760)"),
        ("string", {"length": 10_485_761}, "text"),
        ("binary", {"length": 16}, "bytea"),
        ("bool", {}, "boolean"),
        ("int8", {}, "smallint"),
        ("uint16", {}, "integer"),
        ("uint32", {}, "bigint"),
        ("uint64", {}, "numeric(20,0)"),
        ("float", {}, "real"),
        ("decimal256(65, 30)", {}, "numeric(65,30)"),
        ("date32[day]", {"exact": "opaque[date, Other, string]"}, "date"),
        ("timestamp[us]", {}, "timestamp without time zone"),
        ("timestamp[us, tz=UTC]", {}, "timestamp with time zone"),
        ("duration[us]", {}, "interval"),
        ("arrow.json", {}, "json"),
        ("arrow.uuid", {}, "uuid"),
        ("opaque[inet6, Other, string]", {}, "text"),
        ("opaque[vector, Other, binary]", {}, "bytea"),
    ],
)
def test_types(arrow, facts, type_):
    assert line(column(arrow=arrow, **facts)) == f'"a" {type_}'


@pytest.mark.parametrize("arrow", ["struct<a: int8>", "opaque[box, PostgreSQL, string]"])
def test_a_type_without_a_counterpart_is_refused_with_its_place(arrow):
    with pytest.raises(UnsupportedType) as caught:
        translate(catalog(table(column(arrow=arrow))))
    assert (caught.value.table, caught.value.column) == ("s.t", "a")


def test_types_that_only_their_own_database_knows_are_told():
    made = translate(
        catalog(
            table(
                column("a", "opaque[inet6, Other, string]"),
                column("b", "opaque[geometry, Other, binary]"),
            )
        )
    )
    assert left(made) == [
        "type s.t.a: inet6 is kept as text",
        "type s.t.b: geometry is kept as bytes, in the source's own form",
    ]


def test_labels_become_an_enum_with_a_name_that_no_table_has():
    columns = (
        column("a", "string", labels=("x", "it's", "")),
        column("b", "string", labels=("x",), default="'x'"),
    )
    made = translate(catalog(table(*columns), table(name=QualifiedName("s", "t_a"))))
    sql = before(made)
    assert sql["enum:s.t_a_type"] == "CREATE TYPE \"s\".\"t_a_type\" AS ENUM ('x', 'it''s', '')"
    assert sql["enum:s.t_b"] == 'CREATE TYPE "s"."t_b" AS ENUM (\'x\')'
    assert '"a" "s"."t_a_type"' in sql["table:s.t"]
    assert '"b" "s"."t_b" DEFAULT \'x\'' in sql["table:s.t"]
    assert left(made) == []


def test_enums_that_refer_to_each_other_are_one():
    labels = ("x", "y")
    made = translate(
        catalog(
            table(column("a", "string", labels=labels), keys=(key("a"),)),
            table(column("b", "string", labels=labels), name=OTHER, foreign_keys=(refers(),)),
        )
    )
    assert made.enums == (EnumType(name=QualifiedName("s", "t_a"), labels=labels),)
    assert {c.type for t in made.tables for c in t.columns} == {'"s"."t_a"'}
    assert len(made.tables[1].foreign_keys) == 1


def test_labels_that_are_too_long_become_text():
    made = translate(catalog(table(column("a", "string", labels=("ü" * 32,), length=32))))
    assert (made.enums, made.tables[0].columns[0].type) == ((), "text")
    assert "longer than 63 bytes" in left(made)[0]


def test_an_unsigned_identity_is_bigint_and_so_is_all_that_refers_to_it():
    made = translate(
        catalog(
            table(column("a", "uint64", identity="by default"), keys=(key("a"),)),
            table(
                column("b", "uint64"),
                column("c", "uint64"),
                name=OTHER,
                keys=(key("b"),),
                foreign_keys=(refers(),),
            ),
            table(
                column("b", "uint64"),
                name=QualifiedName("s", "v"),
                foreign_keys=(refers(references=OTHER, referenced_columns=("b",)),),
            ),
            sequences=(
                sequence(
                    owner=(NAME, "a"),
                    identity=True,
                    maximum=2**64 - 1,
                    last_value=2**64 - 2,
                    is_called=True,
                ),
            ),
        )
    )
    types = {(t.name.name, c.name): c.type for t in made.tables for c in t.columns}
    assert types == {
        ("t", "a"): "bigint",
        ("u", "b"): "bigint",
        ("u", "c"): "numeric(20,0)",
        ("v", "b"): "bigint",
    }
    assert [len(t.foreign_keys) for t in made.tables] == [0, 1, 1]
    (numbers,) = made.sequences
    assert (numbers.type, numbers.maximum, numbers.last_value) == ("bigint", 2**63 - 1, 2**63 - 1)
    assert 'SEQUENCE NAME "s"."t_a_seq" START WITH 1' in before(made)["table:s.t"]


def test_an_identity_without_a_whole_number_is_told():
    numbers = sequence(owner=(NAME, "a"), identity=True, maximum=100)
    made = translate(
        catalog(table(column(arrow="double", identity="by default")), sequences=(numbers,))
    )
    assert made.sequences == ()
    assert left(made) == ["identity s.t.a: PostgreSQL has none of type double precision"]


@pytest.mark.parametrize(
    ("given", "sql"),
    [
        (column(nullable=False, default="7"), '"a" integer DEFAULT 7 NOT NULL'),
        (column(arrow="bool", default="TRUE"), '"a" boolean DEFAULT TRUE'),
        (column(arrow="string", default="'it''s'"), "\"a\" text DEFAULT 'it''s'"),
        (column(collation="utf8mb4_general_ci"), '"a" integer'),
    ],
)
def test_columns(given, sql):
    assert line(given, column("b")) == sql


def test_a_column_is_computed_from_others():
    sql = line(column(arrow="int64", generated="(`b` + 1)"), column("b"))
    assert re.fullmatch(r'"a" bigint GENERATED ALWAYS AS \(.*"b".*\) STORED', sql)


def test_what_columns_cannot_keep_is_told():
    made = translate(
        catalog(
            table(
                column("a", "timestamp[us]", on_update="nonsense(1)"),
                column("b", default="nonsense(1)"),
                column("c", "string", folds="case"),
                column("d", "string", folds="case and accents"),
                column("e", "string", collation=EXACT),
            )
        )
    )
    assert left(made)[0].startswith("on update s.t.a: ")
    assert left(made)[1].startswith("default s.t.b: ")
    assert left(made)[2:] == [
        "collation s.t.c: comparisons and unique keys no longer ignore case",
        "collation s.t.d: comparisons and unique keys no longer ignore case and accents",
    ]
    made_columns = made.tables[0].columns
    assert {(c.on_update, c.default, c.collation, c.folds) for c in made_columns} == {(None,) * 4}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (column(generated="nonsense(`b`)"), ""),
        (column(generated="(`c` + 1)"), "it is computed from one that is"),
        (column(arrow="string", labels=("x",), generated="'x'"), "computes no enum"),
    ],
)
def test_what_cannot_be_computed_is_copied(given, reason):
    made = translate(
        catalog(table(given, column("b"), column("c", "int64", generated="(`b` + 1)")))
    )
    (told,) = made.not_carried
    assert (told.kind, told.name) == ("generated column", "s.t.a")
    assert reason in told.reason
    assert [c.generated is None for c in made.tables[0].columns] == [True, True, False]


def test_names_that_tables_share_are_told_apart():
    tables = [
        table(
            column("a"),
            name=QualifiedName("s", name),
            keys=(key("a"), key("a", name="k", primary=False)),
            indexes=(
                index("i", IndexColumn(name="a")),
                index(f"own_{name}", IndexColumn(name="a")),
            ),
            checks=(Check(name="c", definition="CHECK (`a` > 0)"),),
        )
        for name in ("t", "u")
    ]
    for made in translate(catalog(*tables)).tables:
        name = made.name.name
        assert [k.name for k in made.keys] == [f"{name}_pkey", f"{name}_k"]
        assert [i.name for i in made.indexes] == [f"{name}_i", f"own_{name}"]
        assert [c.name for c in made.checks] == ["c"]


def test_a_foreign_key_and_a_check_do_not_share_a_name():
    made = translate(
        catalog(
            table(column("a"), keys=(key("a"),)),
            table(
                column("b", nullable=False),
                name=OTHER,
                foreign_keys=(refers(name="c"), refers(name="u_b_not_null")),
                checks=(Check(name="c", definition="`b` > 0"),),
            ),
        )
    )
    names = [
        *(f.name for f in made.tables[1].foreign_keys),
        *(c.name for c in made.tables[1].checks),
    ]
    assert len({*names, "c", "u_b_not_null"}) == 5


@pytest.mark.parametrize(
    ("given", "definition"),
    [
        ((IndexColumn(name="a"), IndexColumn(name="b", descending=True)), '("a", "b" DESC)'),
        ((IndexColumn(name="b", prefix=5),), '("left"("b", 5))'),
        ((IndexColumn(name="c", prefix=5, descending=True),), '("left"(("c")::text, 5) DESC)'),
        ((IndexColumn(name="d", prefix=5),), '(SUBSTRING("d" FROM 1 FOR 5))'),
        ((IndexColumn(name="e", prefix=5),), '("e")'),
        ((IndexColumn(expression="`a`"),), '(("a"))'),
    ],
)
@pytest.mark.parametrize("unique", [True, False])
def test_indexes(given, definition, unique):
    columns = (
        column("a"),
        column("b", "string"),
        column("c", "string", length=9),
        column("d", "binary"),
        column("e", "string", labels=("x",)),
    )
    made = translate(catalog(table(*columns, indexes=(index("i", *given, unique=unique),))))
    word = "UNIQUE " if unique else ""
    assert after(made)[0].startswith(f'CREATE {word}INDEX "i" ON "s"."t" USING btree {definition}')
    assert left(made) == []


def test_an_index_over_what_is_computed_is_analysed_after_it_is_built():
    computed, plain = index("i", IndexColumn(expression="`a`")), index("j", IndexColumn(name="a"))
    made = translate(catalog(table(indexes=(computed, plain))))
    assert [i.extra for i in made.tables[0].indexes] == [{"expression": "yes"}, {}]


@pytest.mark.parametrize("unique", [True, False])
def test_only_an_index_that_merely_finds_may_lower_letters(unique):
    lowered = index("i", IndexColumn(expression="lower(`a`)"), unique=unique)
    made = translate(catalog(table(column("a", "string", collation=EXACT), indexes=(lowered,))))
    assert len(made.tables[0].indexes) == (not unique)


def test_an_index_for_want_of_a_primary_key_is_called_like_one():
    first = index("PRIMARY", IndexColumn(name="a", prefix=5), unique=True)
    made = translate(catalog(table(column("a", "binary"), indexes=(first,))))
    assert made.tables[0].indexes[0].name == "t_pkey"


def test_a_partial_index_keeps_its_condition():
    partial = index("i", IndexColumn(name="a"), where="`a` > 0")
    made = translate(catalog(table(indexes=(partial,))))
    assert made.tables[0].indexes[0].definition == 'USING btree ("a") WHERE ("a" > 0)'


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (index("i", IndexColumn(name="a"), kind="fulltext"), "no like of a fulltext index"),
        (index("i", IndexColumn(expression="nonsense(a)")), ""),
        (index("i", IndexColumn(name="a"), where="nonsense(a)"), ""),
        (index("i"), "another database's words alone"),
        (index("i", IndexColumn(name="j", prefix=9)), "j has no order here: its type is json"),
    ],
)
def test_an_index_that_cannot_be_is_told(given, reason):
    made = translate(catalog(table(column("a"), column("j", "arrow.json"), indexes=(given,))))
    assert made.tables[0].indexes == ()
    (told,) = made.not_carried
    assert (told.kind, told.name) == ("index", "s.t.i")
    assert reason in told.reason


@pytest.mark.parametrize(
    ("here", "there", "facts", "reason"),
    [
        ("int32", "int32", {}, None),
        ("int8", "uint32", {}, None),
        ("int64", "uint64", {}, None),
        ("string", "string", {}, None),
        ("uint64", "int64", {}, "b is of type numeric(20,0), and what it refers to of type bigint"),
        ("string", "binary", {}, "b is of type text, and"),
        ("int32", "int32", {"referenced_columns": ("x",)}, "wants a key of s.t"),
        ("int32", "int32", {"references": QualifiedName("s", "w")}, "s.w is not selected"),
    ],
)
def test_foreign_keys_that_can_be_checked(here, there, facts, reason):
    made = translate(
        catalog(
            table(column("a", there), column("x"), keys=(key("a"),)),
            table(column("b", here), name=OTHER, foreign_keys=(refers(**facts),)),
        )
    )
    assert len(made.tables[1].foreign_keys) == (reason is None)
    assert left(made) == ([] if reason is None else [left(made)[0]])
    assert reason is None or reason in left(made)[0]


def test_actions_are_kept():
    actions = {"on_delete": "SET DEFAULT", "on_update": "CASCADE", "actions": "the source's own"}
    made = translate(
        catalog(
            table(column("a"), indexes=(index("k", IndexColumn(name="a"), unique=True),)),
            table(column("b"), name=OTHER, foreign_keys=(refers(**actions),)),
        )
    )
    (found,) = (s for s in after(made) if "FOREIGN KEY" in s)
    assert found == (
        'ALTER TABLE "s"."u" ADD CONSTRAINT "f" FOREIGN KEY ("b") REFERENCES "s"."t" ("a") '
        "ON UPDATE CASCADE ON DELETE SET DEFAULT NOT VALID"
    )


def test_a_check_is_made_or_told():
    good = Check(name="good", definition="CHECK ((`a` > 0))", comment="why")
    bad = Check(name="bad", definition="CHECK (nonsense(`a`))")
    made = translate(catalog(table(checks=(good, bad))))
    assert made.tables[0].checks == (
        Check(name="good", definition='CHECK (("a" > 0))', comment="why"),
    )
    assert [(n.kind, n.name) for n in made.not_carried] == [("check", "s.t.bad")]


@pytest.mark.parametrize(
    ("check", "made"), [("`a` = 'no label'", 0), ("concat(`a`, 'x') = 'xx'", 0), ("`a` IS NULL", 1)]
)
def test_nothing_is_said_of_an_enum_that_only_texts_can_do(check, made):
    labelled = column("a", "string", labels=("x",), collation=EXACT)
    given = table(labelled, checks=(Check(name="c", definition=f"CHECK ({check})"),))
    assert len(translate(catalog(given)).tables[0].checks) == made


@pytest.mark.parametrize(("table_name", "column_name"), [("t" * 64, "a"), ("t", "ü" * 32)])
def test_a_name_that_would_be_cut_off_is_refused(table_name, column_name):
    given = table(column(column_name), name=QualifiedName("s", table_name))
    with pytest.raises(PlanError, match="longer than 63 bytes") as caught:
        translate(catalog(given))
    assert "rename" in (caught.value.hint or "")


def test_expressions_of_databases_that_nobody_can_read_are_told():
    given = table(
        column(arrow="uint64", default="0"),
        checks=(Check(name="k", definition="a > 0"),),
        indexes=(Index(name="i", unique=False, definition="(a)"),),
        wires=("own",),
        extra={"engine": "none"},
    )
    made = translate(catalog(given, dialect="memory"))
    found = made.tables[0]
    assert (found.wires, found.checks, found.indexes, found.extra) == ((), (), (), {})
    assert {(n.kind, n.name) for n in made.not_carried} == {
        ("default", "s.t.a"),
        ("check", "s.t.k"),
        ("index", "s.t.i"),
    }


def test_what_was_told_before_stays():
    told = NotCarried("view", "s.v", "not a table")
    made = translate(catalog(table(column("a", "string", folds="case")), not_carried=(told,)))
    assert made.not_carried[0] == told
    assert len(made.not_carried) == 2


def test_an_own_catalogue_is_not_translated():
    own = catalog(table(), dialect="postgres")
    assert translate(own) is own
    made = translate(catalog(table()))
    assert translate(made) is made


NAMES = st.sampled_from(["t", "u", "t_k", "k", "PRIMARY", "i" * 60, "t_a", "t_a_seq"])


@given(
    tables=st.lists(NAMES, unique=True, min_size=1, max_size=5),
    indexes=st.lists(NAMES, unique=True, max_size=4),
    data=st.data(),
)
def test_no_two_objects_of_a_schema_share_a_name_in_any_order(tables, indexes, data):
    given = [
        table(
            column("a", "string", labels=("x",)),
            column("b", identity="by default"),
            name=QualifiedName("s", name),
            keys=(key("a"),),
            indexes=tuple(index(i, IndexColumn(name="a")) for i in indexes),
        )
        for name in tables
    ]
    sequences = tuple(sequence(owner=(t.name, "b"), identity=True, maximum=9) for t in given)
    made = translate(catalog(*given, sequences=sequences))
    names = [t.name.name for t in made.tables]
    names += [o.name for t in made.tables for o in (*t.keys, *t.indexes)]
    names += [o.name.name for o in (*made.enums, *made.sequences)]
    assert len(set(names)) == len(names)
    again = translate(catalog(*data.draw(st.permutations(given)), sequences=sequences))
    assert {t.name: t for t in again.tables} == {t.name: t for t in made.tables}
