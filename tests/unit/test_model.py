"""Plans and what is stored of runs: plain data that comes back equal."""

from __future__ import annotations

import msgspec
import pytest

from fastload.model import (
    Catalog,
    Column,
    Cut,
    EnumType,
    Extent,
    ForeignKey,
    Index,
    Key,
    KeyRange,
    NullKeys,
    Partition,
    PhysicalRange,
    Position,
    QualifiedName,
    Receipt,
    Seal,
    Sequence,
    Step,
    Table,
    Whole,
)

NAME = QualifiedName("a.b", 'c"d\n')
COLUMN = Column(name="x", type="text", arrow="string", extra={"k": "v"})
TABLE = Table(
    name=NAME,
    columns=(COLUMN, Column(name="g", type="int", arrow="int32", generated="1")),
    keys=(
        Key(name="u", columns=("x",), primary=False),
        Key(name="p", columns=("x",), primary=True),
    ),
    indexes=(Index(name="i", unique=True, definition="(x)"),),
    foreign_keys=(
        ForeignKey(name="f", columns=("x",), references=NAME, referenced_columns=("x",)),
    ),
)
VALUES = [
    NAME,
    TABLE,
    Catalog(
        dialect="d",
        tables=(TABLE,),
        enums=(EnumType(name=NAME, labels=("a", "")),),
        sequences=(
            Sequence(
                name=NAME, type="bigint", start=-(2**63), increment=-1, minimum=-(2**63),
                maximum=2**63 - 1, cache=1, cycle=True, owner=(NAME, "x"),
            ),
        ),
    ),
    *(
        Partition(table=NAME, index=1, extent=extent)
        for extent in (
            Whole(),
            KeyRange(columns=("a", "b"), lower=("", "\x01"), upper=None),
            NullKeys(columns=("a",)),
            PhysicalRange(first=0, end=2**32),
        )
    ),
    Receipt(run="r", epoch=1, table=NAME, partition=0, rows=0, cut=Cut("1:2:", Position("0/1"))),
    Seal(rows=1, bytes=2**40),
    Step(id="s", title="t", statements=("a", "b"), needs=("x",), alone=True),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_everything_reads_back_equal(value):
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


@pytest.mark.parametrize("value", VALUES, ids=lambda v: type(v).__name__)
def test_nothing_changes(value):
    field = value.__struct_fields__[0]
    with pytest.raises(AttributeError):
        setattr(value, field, None)


def test_extents_keep_their_kind_in_plain_data():
    kinds = [msgspec.json.decode(msgspec.json.encode(v.extent), type=Extent) for v in VALUES[3:7]]
    assert [type(k) for k in kinds] == [Whole, KeyRange, NullKeys, PhysicalRange]


def test_a_table_knows_its_columns_and_key():
    assert TABLE.column("x") is COLUMN
    assert TABLE.primary_key is not None
    assert TABLE.primary_key.name == "p"
    assert Table(name=NAME, columns=()).primary_key is None
    with pytest.raises(KeyError):
        TABLE.column("y")


def test_a_catalogue_knows_its_tables():
    catalog = VALUES[2]
    assert catalog.table(NAME) is catalog.tables[0]
    with pytest.raises(KeyError):
        catalog.table(QualifiedName("a", "b"))


def test_names_that_look_alike_differ_and_print_differently():
    one, other = QualifiedName("a.b", "c"), QualifiedName("a", "b.c")
    assert (str(one), str(other)) == ('"a.b".c', 'a."b.c"')
    assert one != other
    assert len({one, other}) == 2
    assert sorted([one, other]) == [other, one]
