"""Names in SQL, conditions of partitions, and the order of what is made after the rows."""

from __future__ import annotations

import pytest
from fastload_postgres import ddl
from fastload_postgres.partitions import predicate
from fastload_postgres.quoting import ident, literal, qualified
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import SchemaSpec
from fastload.errors import FastloadError
from fastload.model import (
    Catalog,
    Column,
    ForeignKey,
    Index,
    Inspection,
    Key,
    KeyRange,
    NullKeys,
    PhysicalRange,
    QualifiedName,
    Table,
    Whole,
)
from fastload.steps import ways_to_end

HOSTILE = ['"; DROP TABLE x; --', "a\nb", "\\", "'", '""', "%s", "\u202ertl", "\u200b", "ünï", "$1"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_one_identifier(name):
    assert ident(name) == '"' + name.replace('"', '""') + '"'
    assert qualified(QualifiedName("s", name)) == f'"s".{ident(name)}'


@pytest.mark.parametrize("name", ["a\0b", "x" * 64, "ü" * 32, ""])
def test_names_no_server_has_are_refused(name):
    with pytest.raises(FastloadError):
        ident(name)


@given(st.text(st.characters(exclude_characters="\0", codec="utf-8")))
def test_literals_end_where_they_should(text):
    quoted = literal(text).strip()
    body = quoted.removeprefix("E").removeprefix("'").removesuffix("'")
    unescaped = body.replace("\\\\", "\\") if quoted.startswith("E") else body
    assert unescaped.replace("''", "'") == text


def column(name, *, nullable=True):
    return Column(name=name, type="integer", arrow="int32", nullable=nullable)


def table(name, *, rows=10**6, keys=True, indexes=(), refers=()):
    return Table(
        name=QualifiedName("public", name),
        columns=(column("id", nullable=False), column("n")),
        keys=(Key(name=f"{name}_pkey", columns=("id",), primary=True),) if keys else (),
        indexes=tuple(Index(name=i, unique=False, definition="USING btree (n)") for i in indexes),
        foreign_keys=tuple(
            ForeignKey(
                name=f"{name}_to_{other}",
                columns=("n",),
                references=QualifiedName("public", other),
                referenced_columns=("id",),
            )
            for other in refers
        ),
        rows=rows,
        bytes=rows * 100,
    )


def test_conditions_are_half_open_and_leave_null_keys_out():
    plain = table("t")
    assert predicate(plain, Whole()) == ""
    assert predicate(plain, KeyRange(("id",), ("1",), ("5",))) == "\"id\" >= '1' AND \"id\" < '5'"
    both = predicate(plain, KeyRange(("id", "n"), None, ("5", "6")))
    assert both == '("id", "n") < (\'5\', \'6\') AND "n" IS NOT NULL'
    assert predicate(plain, NullKeys(("n",))) == '("n" IS NULL)'
    assert predicate(plain, PhysicalRange(3)) == "ctid >= '(3,0)'::tid"
    assert predicate(plain, PhysicalRange(0, 3)).endswith("ctid < '(3,0)'::tid")


def after(*tables, mode="create", existing=(), **options):
    catalog = Catalog(dialect="postgres", tables=tables)
    want = SchemaSpec(mode=mode, **options)
    return ddl.render(catalog, Inspection(tables=existing), want).after


def order(steps):
    """Return for each step the ids of all that must be done before it."""
    direct = {s.id: set(s.needs) for s in steps}

    def before(name):
        return direct[name].union(*map(before, direct[name]))

    return {name: before(name) for name in direct}


def test_large_tables_are_vacuumed_built_keyed_and_then_referred_to():
    steps = after(table("child", indexes=["by_n"], refers=["parent"]), table("parent"))
    needs = order(steps)
    assert needs['vacuum:"public"."child"'] == set()
    assert 'vacuum:"public"."child"' in needs['index:"public"."child"."by_n"']
    assert {'index:"public"."child"."by_n"', 'index:"public"."child"."child_pkey"'} <= needs[
        'keys:"public"."child"'
    ]
    assert {'keys:"public"."child"', 'keys:"public"."parent"'} <= needs[
        'foreign keys:"public"."child"'
    ]
    assert 'foreign keys:"public"."child"' in needs['validate:"public"."child"']
    (vacuum,) = (s for s in steps if s.id == 'vacuum:"public"."child"')
    assert vacuum.alone
    assert len(vacuum.statements) == 1


def test_a_foreign_key_does_not_wait_for_other_tables():
    steps = after(table("child", refers=["parent"]), table("parent"), table("other"))
    assert not {n for n in order(steps)['validate:"public"."child"'] if "other" in n}


def test_tables_that_refer_to_each_other_lock_in_one_order():
    steps = after(table("a", refers=["b"]), table("b", refers=["a"]))
    locks = {s.statements[0] for s in steps if s.id.startswith("foreign keys:")}
    assert locks == {'LOCK TABLE "public"."a", "public"."b" IN SHARE ROW EXCLUSIVE MODE'}


def test_small_tables_share_their_steps():
    steps = after(*(table(f"t{i}", rows=10, refers=["t0"]) for i in range(100)))
    assert len(steps) < 15
    statements = [text for s in steps for text in s.statements]
    assert len([t for t in statements if "VALIDATE" in t]) == 100
    assert not [t for t in statements if t.startswith(("ANALYZE", "VACUUM"))]


def test_options_leave_work_out():
    made = table("child", indexes=["by_n"], refers=["child"])
    assert not [s for s in after(made, indexes=False) if "by_n" in s.id]
    assert not [s for s in after(made, foreign_keys=False) if "foreign" in s.id]
    plain = [t for s in after(made, statistics=False) for t in s.statements]
    assert not [t for t in plain if "ANALYZE" in t]


def test_the_heaviest_table_is_first():
    steps = after(table("small", rows=20_000), table("large", indexes=["i"], refers=["small"]))
    ways = ways_to_end(steps)
    assert max(ways, key=ways.__getitem__) == 'vacuum:"public"."large"'
