"""Other databases' catalogues in MySQL's words, and what is told of what has none."""

from __future__ import annotations

from typing import Any

import pytest
from fastload_mysql.collations import counterpart
from fastload_mysql.declaring import declare
from fastload_mysql.expressing import default_of
from fastload_mysql.flavours import server_of
from fastload_mysql.numbering import advances, next_value
from fastload_mysql.translation import translate
from fastload_mysql.widths import INDEX_BYTES, ROW_BYTES, row_bytes, width_bytes
from hypothesis import given
from hypothesis import strategies as st

from fastload.errors import PlanError, UnsupportedType
from fastload.model import (
    Catalog,
    Check,
    Column,
    ForeignKey,
    Index,
    IndexColumn,
    Key,
    QualifiedName,
    Sequence,
    Table,
)

NAME = QualifiedName("s", "t")
VERSIONS = {"mysql": "9.7.0", "mariadb": "10.11.6"}
MYSQL, MARIADB = (server_of(f, v) for f, v in VERSIONS.items())
OLD = server_of("mysql", "5.7.44-log")


def column(name: str = "a", arrow: str = "int64", type_: str = "x", **facts: Any) -> Column:
    return Column(name=name, type=type_, arrow=arrow, **facts)


def table(*columns: Column, name: QualifiedName = NAME, **facts: Any) -> Table:
    return Table(name=name, columns=columns or (column(),), **facts)


def translated(*tables: Table, flavour: str = "mysql", **given: Any) -> Catalog:
    version = given.pop("version", VERSIONS[flavour])
    folds = given.pop("lower_case_table_names", 0)
    source = Catalog(dialect=given.pop("dialect", "postgres"), tables=tables, **given)
    return translate(source, flavour=flavour, version=version, lower_case_table_names=folds)


def the(catalog: Catalog, name: str = "a") -> Column:
    return catalog.tables[0].column(name)


def told(catalog: Catalog) -> dict[str, str]:
    return {f"{n.kind} {n.name}": n.reason for n in catalog.not_carried}


def key(*columns: str, primary: bool = True, name: str = "k", **facts: Any) -> Key:
    return Key(name=name, columns=columns, primary=primary, **facts)


def index(*columns: str, name: str = "i", **facts: Any) -> Index:
    parts = tuple(IndexColumn(name=c) for c in columns)
    return Index(name=name, **{"unique": False, "definition": "", "columns": parts, **facts})


def test_an_own_catalogue_of_the_same_flavour_is_not_translated():
    source = Catalog(
        dialect="mysql", tables=(table(),), extra={"flavour": "mysql", "version": "8.0.36"}
    )
    assert translate(source, flavour="mysql", version="9.7.0") is source
    assert translate(source, flavour="mysql", version="8.0.36") is source
    assert translate(source, flavour="mariadb", version="10.11.6") is not source


@pytest.mark.parametrize(
    ("arrow", "mysql", "mariadb"),
    [
        ("bool", "tinyint(1)", None), ("int16", "smallint", None),
        ("uint64", "bigint unsigned", None),
        ("float", "float", None), ("decimal128(10, 2)", "decimal(10,2)", None),
        ("decimal256(5, -2)", "decimal(7,0)", None), ("decimal128(2, 4)", "decimal(4,4)", None),
        ("string", "longtext", None), ("binary", "longblob", None),
        ("fixed_size_binary[16]", "binary(16)", None),
        ("fixed_size_binary[300]", "varbinary(300)", None),
        ("date32[day]", "date", None), ("time64[us]", "time(6)", None),
        ("timestamp[us]", "datetime(6)", None), ("timestamp[ms]", "datetime(3)", None),
        ("timestamp[us, tz=UTC]", "datetime(6)", None), ("arrow.json", "json", None),
        ("arrow.uuid", "char(36)", "uuid"), ("month_day_nano_interval", "varchar(120)", None),
        ("list<int32>", "json", None), ("list<decimal128(9, 2)>", "json", None),
        ("dictionary<values=string, indices=int8, ordered=0>", "longtext", None),
        ("opaque[inet, PostgreSQL, string]", "longtext", None),
    ],
)  # fmt: skip
def test_types(arrow, mysql, mariadb):
    assert declare(column(arrow=arrow), server=MYSQL).type == mysql
    assert declare(column(arrow=arrow), server=MARIADB).type == (mariadb or mysql)


@pytest.mark.parametrize(
    "arrow",
    ["struct<a: int8>", "list<list<int8>>", "list<binary>", "x", "decimal256(66, 2)",
     "decimal128(38, 31)", "opaque[numeric, PostgreSQL, string]"],
)  # fmt: skip
def test_a_type_without_a_counterpart_is_refused_with_its_place(arrow):
    with pytest.raises(UnsupportedType) as caught:
        translated(table(column(arrow=arrow)))
    assert (caught.value.table, caught.value.column) == ("s.t", "a")
    assert "types={'s.t.a': " in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("labels", "type_"),
    [
        (("a", "it's", "A"), "enum('a','it''s','A')"),
        (("a", "b "), "varchar(2)"),
        (("a" * 256,), "varchar(256)"),
    ],
)
def test_labels_are_an_enum_unless_they_would_change(labels, type_):
    catalog = translated(table(column(arrow="string", labels=labels)))
    assert the(catalog).type == type_
    assert ("labels of column s.t.a" in told(catalog)) == type_.startswith("varchar")


def test_texts_are_compared_by_their_bytes_with_spaces():
    source = table(column(arrow="string"))
    assert the(translated(source)).collation == "utf8mb4_0900_bin"
    assert the(translated(source, flavour="mariadb")).collation == "utf8mb4_nopad_bin"


def test_what_is_compared_in_another_way_is_told():
    languages = column("a", "string", collation='"de_DE"'), column("b", "string", collation='"C"')
    late = key("a", primary=False, nulls_distinct=False, deferrable=True, include=("b",))
    made = translated(table(*languages, keys=(late,)))
    assert len(made.tables[0].keys) == 1
    assert set(told(made)) == {
        "collation of column s.t.a",
        "length of column s.t.a",
        "NULL in unique key s.t.k",
        "deferral of unique key s.t.k",
        "further columns of unique key s.t.k",
    }


def test_keys_give_texts_a_length_that_an_index_has_room_for():
    texts = (column("a", "string"), column("b", "string"), column("c", "string", length=20))
    made = translated(table(*texts, keys=(key("a"), key("b", "c", primary=False))))
    assert [c.type for c in made.tables[0].columns] == [
        "varchar(768)",
        "varchar(748)",
        "varchar(20)",
    ]
    assert "leaves room for 768 characters" in told(made)["length of column s.t.a"]
    assert "length of column s.t.c" not in told(made)
    assert made.tables[0].primary_key.name == "PRIMARY"


def test_a_plain_index_takes_the_first_characters_and_no_length_from_its_column():
    made = translated(
        table(
            column("a", "string"),
            column("b", "binary"),
            column("c", "string", length=2000),
            indexes=(index("a", "b"), index("c", name="j")),
        )
    )
    assert [c.type for c in made.tables[0].columns] == ["longtext", "longblob", "varchar(2000)"]
    assert [i.definition for i in made.tables[0].indexes] == ["(`a`(384), `b`(1536))", "(`c`(768))"]
    assert "only the first 384 of a are indexed" in told(made)["width of index s.t.i"]


@given(
    lengths=st.lists(st.none() | st.integers(1, 20_000), min_size=1, max_size=6),
    arrows=st.lists(
        st.sampled_from(["string", "binary", "int64", "arrow.uuid"]), min_size=6, max_size=6
    ),
    sets=st.lists(st.sets(st.integers(0, 5), min_size=1), max_size=3),
)
def test_every_key_and_row_fits(lengths, arrows, sets):
    columns = [
        column(f"c{i}", arrows[i], length=n if arrows[i] in ("string", "binary") else None)
        for i, n in enumerate(lengths)
    ]
    names = [[f"c{i}" for i in sorted(s) if i < len(columns)] for s in sets]
    keys = tuple(key(*n, primary=False, name=f"k{i}") for i, n in enumerate(names) if n)
    made = translated(table(*columns, keys=keys)).tables[0]
    assert row_bytes(made.columns) <= ROW_BYTES
    for found in made.keys:
        assert sum(width_bytes(made.column(c)) for c in found.columns) <= INDEX_BYTES


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (index("a", kind="gin"), "kind gin"),
        (index("a", where="a > 0"), "a part of the rows"),
        (index("a", columns=()), "no list of columns"),
        (index("j"), "no index over json"),
        (index(*(["a"] * 17)), "up to 16"),
    ],
)
def test_indexes_without_a_counterpart(found, reason):
    made = translated(table(column(), column("j", "arrow.json"), indexes=(found,)))
    assert made.tables[0].indexes == ()
    assert reason in told(made)["index s.t.i"]


def test_indexes_over_expressions_where_there_are_any():
    found = index("a", columns=(IndexColumn(expression="(a + 1)", descending=True),))
    source = table(column("a", "int64", "bigint"), indexes=(found,))
    assert translated(source).tables[0].indexes[0].definition == "((`a` + 1) DESC)"
    made = translated(source, flavour="mariadb")
    assert "no indexes over expressions" in told(made)["index s.t.i"]


def test_names_that_cannot_stand_together_are_changed():
    made = translated(
        table(
            column(),
            keys=(key("a", primary=False, name="PRIMARY"),),
            indexes=(index("a"), index("a", name="I")),
            checks=(Check(name="c", definition="CHECK ((a > 0))"),),
        ),
        table(
            column(),
            name=QualifiedName("s", "u"),
            checks=(Check(name="C", definition="CHECK ((a > 0))"),),
        ),
    )
    one, two = made.tables
    assert [k.name for k in one.keys] == ["PRIMARY_2"]
    assert [i.name for i in one.indexes] == ["i", "I_2"]
    assert [c.name for t in (one, two) for c in t.checks] == ["c", "C_2"]


@pytest.mark.parametrize(
    "source",
    [
        table(column("a"), column("A")),
        table(column("a ")),
        table(column("a" * 65)),
        table(column("\U0001f600")),
        table(name=QualifiedName("s", "t" * 65)),
    ],
)
def test_names_that_cannot_be_had_stop_the_plan(source):
    with pytest.raises(PlanError) as caught:
        translated(source)
    assert "rename" in (caught.value.hint or "")


def test_a_table_without_columns_stops_the_plan():
    with pytest.raises(PlanError, match="has no columns"):
        translated(Table(name=NAME, columns=()))


def test_names_of_tables_go_by_the_servers_variable():
    refers = ForeignKey(
        name="f", columns=("a",), references=QualifiedName("s", "T"), referenced_columns=("a",)
    )
    upper = table(name=QualifiedName("s", "T"), keys=(key("a"),), foreign_keys=(refers,))
    assert len(translated(upper, table()).tables) == 2
    for folds in (1, 2):
        with pytest.raises(PlanError, match="are one table here"):
            translated(upper, table(), lower_case_table_names=folds)
    made = translated(upper, lower_case_table_names=1).tables[0]
    assert made.name == made.foreign_keys[0].references == NAME


def counter(**facts: Any) -> Sequence:
    given = {"type": "bigint", "start": 1, "increment": 1, "minimum": 1, "maximum": 99, "cache": 1}
    return Sequence(
        name=QualifiedName("s", "q"), **{**given, "cycle": False, "owner": (NAME, "a"), **facts}
    )


def test_a_column_that_counts_is_auto_increment():
    source = table(column(default="nextval('q'::regclass)"), keys=(key("a"),))
    made = translated(source, sequences=(counter(),))
    assert (the(made).identity, the(made).default, the(made).nullable) == (
        "by default",
        None,
        False,
    )
    assert made.sequences[0].identity
    assert told(made) == {}


@pytest.mark.parametrize(
    ("source", "sequence", "reason"),
    [
        (table(column(identity="always")), counter(), "a key that begins with"),
        (table(column(identity="always"), keys=(key("a"),)), counter(increment=-1), "upwards"),
        (
            table(column(arrow="decimal128(20, 0)", identity="always"), keys=(key("a"),)),
            counter(),
            "is not for decimal(20,0)",
        ),
    ],
)
def test_what_cannot_count_is_told(source, sequence, reason):
    made = translated(source, sequences=(sequence,))
    assert the(made).identity is None
    assert made.sequences == ()
    assert reason in told(made)["numbering of column s.t.a"]


def test_only_one_column_counts():
    columns = (column(identity="by default"), column("b", identity="by default"))
    made = translated(table(*columns, keys=(key("a"), key("b", primary=False))))
    assert [c.identity for c in made.tables[0].columns] == ["by default", None]
    assert "one AUTO_INCREMENT column" in told(made)["numbering of column s.t.b"]


def test_steps_and_cycles_are_told():
    source = table(column(identity="always"), keys=(key("a"),))
    made = translated(source, sequences=(counter(increment=5, cycle=True),))
    assert {"step of column s.t.a", "cycle of column s.t.a", "identity of column s.t.a"} == set(
        told(made)
    )


def test_where_counting_goes_on():
    assert next_value(counter(last_value=7, is_called=True)) == 8
    assert next_value(counter(last_value=7)) == 7
    assert next_value(counter()) is None
    here = [("s", "t", "A", 5)]
    known = [counter(last_value=7), counter(owner=(NAME, "b"), last_value=9)]
    alter = ["ALTER TABLE `s`.`t` AUTO_INCREMENT = 7"]
    assert advances(known, here, MYSQL, keep_higher=True) == alter
    assert advances(known, [("s", "t", "a", 8)], MYSQL, keep_higher=True) == []
    assert advances(known, [("s", "t", "a", 8)], MYSQL, keep_higher=False) == alter
    folding = server_of("mysql", "9.7.0", 2)
    assert advances(known[:1], [("s", "T", "a", 1)], folding, keep_higher=False) == alter
    alone = [counter(owner=None, last_value=7)]
    assert advances(alone, [], MYSQL, keep_higher=True) == []
    assert advances(alone, [], MARIADB, keep_higher=True) == ["SELECT SETVAL(`s`.`q`, 7, 0)"]


@pytest.mark.parametrize(
    ("text", "type_", "made"),
    [
        ("7", "int", "7"), ("(7)", "int", "7"), ("'x'", "varchar(9)", "'x'"),
        ("'x'", "longtext", "('x')"), ("uuid()", "char(36)", "(uuid())"),
        ("(1 + 2) * (3)", "int", "((1 + 2) * (3))"),
        ("now()", "datetime(6)", "CURRENT_TIMESTAMP(6)"),
        ("CURRENT_TIMESTAMP(6)", "datetime", "CURRENT_TIMESTAMP"), ("NULL", "int", "NULL"),
    ],
)  # fmt: skip
def test_defaults_stand_as_the_server_takes_them(text, type_, made):
    assert default_of(text, column(type_=type_), MYSQL).text == made


def test_old_servers_have_plain_defaults_alone():
    assert default_of("('x')", column(type_="varchar(9)"), OLD).text == "'x'"
    assert default_of("('x')", column(type_="text"), OLD).text is None
    assert default_of("uuid()", column(type_="char(36)"), OLD).text is None


def test_instants_have_defaults_of_utc():
    source = table(column("a", "timestamp[us, tz=UTC]", default="now()"))
    made = translated(source)
    assert the(made).default == "(UTC_TIMESTAMP(6))"
    assert "as UTC" in told(made)["time zone of column s.t.a"]


def test_what_is_generated_and_has_no_words_here_is_copied():
    source = table(
        column("a", "int64", "bigint", identity="always"),
        column("b", generated="frobnicate(a)"),
        column("c", generated="(a + 1)"),
        keys=(key("a"),),
    )
    made = translated(source)
    assert (the(made, "b").generated, the(made, "c").generated) == (None, None)
    assert {"generation of column s.t.b", "generation of column s.t.c"} <= set(told(made))


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("CHECK (frobnicate(b))", ""),
        ("CHECK ((b > 0)) NOT VALID", "may contradict"),
        ("CHECK ((a > 0))", "may not name a"),
    ],
)
def test_checks_without_a_counterpart(definition, reason):
    source = table(
        column("a", identity="always"),
        column("b", "int64", "bigint"),
        keys=(key("a"),),
        checks=(Check(name="c", definition=definition),),
    )
    made = translated(source)
    assert made.tables[0].checks == ()
    assert reason in told(made)["check s.t.c"]


def refers(to: str = "u", **facts: Any) -> ForeignKey:
    given = {"columns": ("a",), "references": QualifiedName("s", to), "referenced_columns": ("a",)}
    return ForeignKey(name="f", **{**given, **facts})


def parent(arrow: str = "int64") -> Table:
    return table(column("a", arrow), name=QualifiedName("s", "u"), keys=(key("a"),))


def test_a_foreign_key_brings_the_index_that_it_needs():
    made = translated(table(foreign_keys=(refers(),)), parent()).tables[0]
    assert [i.definition for i in made.indexes] == ["(`a`)"]
    covered = table(keys=(key("a"),), foreign_keys=(refers(),))
    assert translated(covered, parent()).tables[0].indexes == ()


def test_texts_on_both_sides_of_a_foreign_key_have_a_length():
    made = translated(table(column("a", "string"), foreign_keys=(refers(),)), parent("string"))
    assert [t.column("a").type for t in made.tables] == ["varchar(768)"] * 2
    assert len(made.tables[0].foreign_keys) == 1


@pytest.mark.parametrize(
    ("found", "kind", "reason"),
    [
        (
            refers(on_delete="SET DEFAULT"),
            "action of foreign key s.t.f",
            "no ON DELETE SET DEFAULT",
        ),
        (refers(on_update="SET NULL"), "action of foreign key s.t.f", "takes no NULL"),
        (refers(actions="DEFERRABLE"), "deferral of foreign key s.t.f", "every row"),
        (refers(actions="NOT DEFERRABLE"), "", ""),
        (refers("v"), "foreign key s.t.f", "not selected"),
        (refers("w"), "foreign key s.t.f", "a is bigint and a is int"),
    ],
)
def test_what_foreign_keys_leave(found, kind, reason):
    child = table(column("a", nullable=False), foreign_keys=(found,))
    other = table(column("a", "int32"), name=QualifiedName("s", "w"), keys=(key("a"),))
    made = translated(child, parent(), other)
    if kind:
        assert reason in told(made)[kind]
    else:
        assert told(made) == {}
    assert bool(made.tables[0].foreign_keys) == (kind != "foreign key s.t.f")


@pytest.mark.parametrize(
    ("collation", "server", "found", "changes"),
    [
        ("utf8mb4_0900_ai_ci", MARIADB, "utf8mb4_uca1400_nopad_ai_ci", True),
        ("utf8mb4_0900_bin", MARIADB, "utf8mb4_nopad_bin", False),
        ("utf8mb4_de_pb_0900_as_cs", MARIADB, "utf8mb4_uca1400_german2_nopad_as_cs", True),
        ("utf8mb4_0900_as_cs", server_of("mariadb", "10.6.1"), "utf8mb4_nopad_bin", True),
        ("utf8mb4_0900_ai_ci", server_of("mariadb", "11.8.2"), "utf8mb4_0900_ai_ci", False),
        ("utf8mb4_uca1400_ai_ci", MYSQL, "utf8mb4_0900_ai_ci", True),
        ("uca1400_as_cs", MYSQL, "utf8mb4_0900_as_cs", True),
        ("utf8mb4_uca1400_ai_cs", MYSQL, "utf8mb4_0900_as_cs", True),
        ("utf8mb4_uca1400_polish_nopad_as_cs", MYSQL, "utf8mb4_pl_0900_as_cs", True),
        ("utf8mb3_uca1400_ai_ci", MYSQL, "utf8mb3_unicode_520_ci", True),
        ("utf8mb4_nopad_bin", MYSQL, "utf8mb4_0900_bin", False),
        ("utf8mb4_general_nopad_ci", MYSQL, "utf8mb4_general_ci", True),
        ("utf8mb4_0900_ai_ci", OLD, "utf8mb4_unicode_520_ci", True),
        ("utf8mb3_general_ci", OLD, "utf8_general_ci", False),
        ("utf8_general_ci", MYSQL, "utf8mb3_general_ci", False),
        ("latin1_swedish_ci", MYSQL, "latin1_swedish_ci", False),
    ],
)
def test_collations(collation, server, found, changes):
    name, change = counterpart(collation, server)
    assert (name, change is not None) == (found, changes)


@pytest.mark.parametrize(
    ("arrow", "told"),
    [
        ("opaque[inet, PostgreSQL, string]", "inet is kept as text"),
        ("opaque[hstore, Other, binary]", "hstore is kept as bytes, in the source's own form"),
        ("month_day_nano_interval", "interval is kept as text, as ISO 8601 has it"),
        ("arrow.uuid", "uuid is kept as text"),
        ("string", None),
    ],
)
def test_a_type_that_becomes_another_is_told(arrow, told):
    note = declare(column(arrow=arrow), server=MYSQL).note
    assert (note and note[1]) == told
