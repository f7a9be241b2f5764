"""The graph of schema work after the rows: what waits for what."""

from __future__ import annotations

from typing import Any

import pytest
from fastload_postgres.ddl_after import after_steps
from hypothesis import given
from hypothesis import strategies as st

from fastload.adapter import SchemaSpec
from fastload.model import (
    Catalog,
    Check,
    Column,
    EnumType,
    ExistingTable,
    ForeignKey,
    Index,
    Inspection,
    Key,
    QualifiedName,
    Step,
    Table,
)

BIG = 10_000_000
COLUMNS = (
    Column(name="id", type="bigint", arrow="int64", nullable=False),
    Column(name="ref", type="bigint", arrow="int64"),
)


def pk(name: str = "t_pkey") -> Key:
    return Key(name=name, columns=("id",), primary=True)


def refers(to: QualifiedName, name: str = "fk", **facts: Any) -> ForeignKey:
    return ForeignKey(
        name=name, columns=("ref",), references=to, referenced_columns=("id",), **facts
    )


def table(name: str, *, rows: int = BIG, schema: str = "public", **facts: Any) -> Table:
    given = {"keys": (pk(f"{name}_pkey"),), "bytes": rows * 100, **facts}
    return Table(name=QualifiedName(schema, name), columns=COLUMNS, rows=rows, **given)


def after(
    *tables: Table, existing: Inspection | None = None, mode: str = "create", **given: Any
) -> list[Step]:
    catalog = Catalog(dialect="postgres", tables=tables, enums=given.pop("enums", ()))
    want = SchemaSpec(mode=mode, **given)
    return list(after_steps(catalog, existing or Inspection(), want))


def the(steps: list[Step], word: str, statement: str = "") -> Step:
    """Return the one step whose id begins with a word, and that says this."""
    found = [s for s in steps if s.id.startswith(word) and statement in "; ".join(s.statements)]
    assert len(found) == 1, [s.id for s in steps]
    return found[0]


def needed(steps: list[Step], step: Step) -> set[str]:
    """Return the ids of all that must be done before a step."""
    by_id = {s.id: s for s in steps}
    return set(step.needs).union(*(needed(steps, by_id[n]) for n in step.needs))


NAMES = st.sampled_from(["a", "b", "a.b", "b.a", 'a"b', "A"])
SIZES = st.sampled_from([10, 5_000, BIG])


@st.composite
def databases(draw: st.DrawFn) -> list[Table]:
    """Draw tables of any size with hostile names that refer to each other in any way."""
    pairs = draw(st.lists(st.tuples(NAMES, NAMES), unique=True, min_size=1, max_size=8))
    names = [QualifiedName(*pair) for pair in pairs]
    return [
        table(
            name.name,
            schema=name.schema,
            rows=draw(SIZES),
            keys=(pk(),) if draw(st.booleans()) else (),
            indexes=tuple(
                Index(name=i, unique=False, definition="USING btree (ref)", comment="why")
                for i in draw(st.lists(NAMES, unique=True, max_size=2))
            ),
            foreign_keys=tuple(
                refers(to, f"fk{i}") for i, to in enumerate(draw(st.lists(st.sampled_from(names))))
            ),
        )
        for name in names
    ]


@given(tables=databases(), statistics=st.booleans())
def test_every_graph_can_be_run(tables, statistics):
    """Ids are unique, every need is there and comes before."""
    seen: set[str] = set()
    for step in after(*tables, statistics=statistics):
        assert step.id not in seen
        assert set(step.needs) <= seen
        assert step.statements
        assert not step.alone or len(step.statements) == 1
        seen.add(step.id)


@given(tables=databases())
def test_everything_is_made_once_and_foreign_keys_after_the_keys_they_need(tables):
    steps = after(*tables)
    place = {s: i for i, step in enumerate(steps) for s in step.statements}
    told = [s for step in steps for s in step.statements]
    for kind, count in (
        ("PRIMARY KEY USING INDEX", sum(len(t.keys) for t in tables)),
        ("CREATE UNIQUE INDEX", sum(len(t.keys) for t in tables)),
        ("CREATE INDEX", sum(len(t.indexes) for t in tables)),
        ("FOREIGN KEY", sum(len(t.foreign_keys) for t in tables)),
        ("VALIDATE CONSTRAINT", sum(len(t.foreign_keys) for t in tables)),
    ):
        assert sum(kind in s for s in told) == count
    keys = {s.split(" ADD ")[0]: place[s] for s in told if "PRIMARY KEY USING" in s}
    for statement in (s for s in told if "FOREIGN KEY" in s):
        to = statement.split(" REFERENCES ")[1].split(" (")[0]
        made = keys.get(f"ALTER TABLE {to}")
        if made is not None:
            assert steps[made].id in needed(steps, steps[place[statement]])


def test_a_large_table_is_vacuumed_indexed_keyed_in_this_order():
    index = Index(name="i", unique=True, definition="USING btree (ref)")
    steps = after(table("t", indexes=(index,)))
    assert [(s.id.split(":")[0], len(s.needs)) for s in steps] == [
        ("vacuum", 0), ("index", 1), ("index", 1), ("keys", 2),
    ]  # fmt: skip
    assert steps[0].alone
    assert the(steps, "index", "t_pkey").statements == (
        'CREATE UNIQUE INDEX "t_pkey" ON "public"."t" ("id")',
    )
    assert the(steps, "keys").statements == (
        'ALTER TABLE "public"."t" ADD CONSTRAINT "t_pkey" PRIMARY KEY USING INDEX "t_pkey"',
    )


def test_foreign_keys_are_declared_unchecked_and_then_checked():
    parent, child = table("p"), table("c", foreign_keys=(refers(QualifiedName("public", "p")),))
    steps = after(child, parent)
    declare, check = the(steps, "foreign keys"), the(steps, "validate")
    assert declare.statements[0].startswith('LOCK TABLE "public"."c", "public"."p"')
    assert declare.statements[1].endswith("NOT VALID")
    assert check.needs == (declare.id,)
    assert {the(steps, "keys", '"p_pkey"').id, the(steps, "keys", '"c_pkey"').id} <= set(
        declare.needs
    )


def test_a_check_of_foreign_keys_does_not_wait_for_tables_it_does_not_touch():
    child = table("c", foreign_keys=(refers(QualifiedName("public", "p")),))
    steps = after(child, table("p"), table("huge"))
    assert the(steps, "keys", "huge").id not in needed(steps, the(steps, "validate"))


def test_a_foreign_key_that_was_never_checked_stays_so():
    key = refers(QualifiedName("public", "t"), extra={"not_valid": "yes"})
    steps = after(table("t", foreign_keys=(key,)))
    assert the(steps, "foreign keys")
    assert not [s for s in steps if s.id.startswith("validate")]


def test_small_tables_share_steps():
    steps = after(*(table(f"t{i:03}", rows=60) for i in range(100)))
    assert [s.id.split(":")[0] for s in steps] == ["small"] * 3
    assert sum("PRIMARY KEY USING" in x for s in steps for x in s.statements) == 100
    assert sum("ANALYZE" in x for s in steps for x in s.statements) == 100


@pytest.mark.parametrize(
    ("off", "gone"),
    [("indexes", "CREATE INDEX"), ("foreign_keys", "FOREIGN KEY"), ("statistics", "ANALYZE")],
)
@pytest.mark.parametrize("rows", [60, BIG])
def test_what_is_not_wanted_is_not_made(off, gone, rows):
    index = Index(name="i", unique=False, definition="(ref)")
    given = table(
        "t", rows=rows, indexes=(index,), foreign_keys=(refers(QualifiedName("public", "t")),)
    )
    assert any(gone in x for s in after(given) for x in s.statements)
    kept = [x for s in after(given, **{off: False}) for x in s.statements]
    assert not [x for x in kept if gone in x]
    assert [x for x in kept if "PRIMARY KEY" in x]


@pytest.mark.parametrize("mode", ["append", "truncate", "upsert"])
def test_tables_that_are_kept_are_only_analysed(mode):
    given = table("t", foreign_keys=(refers(QualifiedName("public", "t")),))
    existing = Inspection(tables=(ExistingTable(table=given, empty=False),))
    assert [s.statements for s in after(given, existing=existing, mode=mode)] == [
        ('ANALYZE "public"."t"',)
    ]


def test_an_empty_table_that_is_there_gets_what_it_lacks():
    index = Index(name="i", unique=False, definition="(ref)")
    bare = table("t", rows=60)
    existing = Inspection(tables=(ExistingTable(table=bare, empty=True),))
    told = after(table("t", rows=60, indexes=(index,)), existing=existing)[0].statements
    assert told == ('CREATE INDEX "i" ON "public"."t" (ref)', 'ANALYZE "public"."t"')


def test_constraints_that_keys_cannot_make():
    excluding = "EXCLUDE USING gist (r WITH &&)"
    exclusion = Index(name="x", unique=False, definition=excluding, extra={"constraint": "x"})
    late_check = {"deferrable": "INITIALLY DEFERRED"}
    deferred = Key(name="u", columns=("ref",), primary=False, extra=late_check)
    late = Check(name="k", definition="CHECK (ref > 0) NOT VALID")
    told = the(
        after(table("t", keys=(pk(), deferred), indexes=(exclusion,), checks=(late,))), "keys"
    ).statements
    assert told[1].endswith('UNIQUE USING INDEX "u" DEFERRABLE INITIALLY DEFERRED')
    assert told[2].endswith('ADD CONSTRAINT "x" EXCLUDE USING gist (r WITH &&)')
    assert told[3].endswith('ADD CONSTRAINT "k" CHECK (ref > 0) NOT VALID')


def test_comments_and_new_names_come_last():
    enum = EnumType(name=QualifiedName("public", "mood"), labels=(), comment="it's\\")
    name = QualifiedName("public", "t")
    steps = after(
        table("t", comment="rows", foreign_keys=(refers(name),)),
        enums=(enum,),
        rename_columns={name: {"id": "ref", "ref": "id"}},
    )
    comments, rename = steps[-2:]
    assert comments.statements == (
        'COMMENT ON TABLE "public"."t" IS \'rows\'',
        "COMMENT ON TYPE \"public\".\"mood\" IS  E'it''s\\\\'",
    )
    assert set(rename.needs) == {s.id for s in steps[:-1]}
    assert [s.split("RENAME COLUMN ")[1] for s in rename.statements] == [
        '"id" TO "fastload_0"',
        '"ref" TO "fastload_1"',
        '"fastload_0" TO "ref"',
        '"fastload_1" TO "id"',
    ]
