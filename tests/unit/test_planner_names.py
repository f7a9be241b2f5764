"""Names in options: renames land where they should, and the misspelt get the nearest."""

from __future__ import annotations

from typing import Any

import pytest

from fastload import planner
from fastload.config import CopyOptions
from fastload.errors import ConfigError, SchemaMismatch
from fastload.model import (
    Catalog,
    Column,
    ExistingTable,
    ForeignKey,
    Inspection,
    Plan,
    QualifiedName,
    Table,
)
from fastload.testing.memory import MemoryDatabase
from fastload.testing.memory.source import MemorySource
from fastload.testing.memory.target import MemoryTarget

SOURCE = MemorySource(MemoryDatabase("source"))
TARGET = MemoryTarget(MemoryDatabase("target"))


def table(name: str, *columns: str, **facts: Any) -> Table:
    return Table(
        name=QualifiedName("public", name),
        columns=tuple(Column(name=c, type="int32", arrow="int32") for c in columns),
        **facts,
    )


ORDERS = table("orders", "id", "amount", "customer_id")
CUSTOMERS = table("customers", "id", "name")
CATALOG = Catalog(dialect="memory", tables=(ORDERS, CUSTOMERS))


def plan(existing: tuple[Table, ...] = (), catalog: Catalog = CATALOG, **options: Any) -> Plan:
    checked = CopyOptions.make(**options)
    return planner.make(
        catalog,
        planner.renamed(TARGET.translate(catalog), checked),
        Inspection(tables=tuple(ExistingTable(table=t, empty=False) for t in existing)),
        source=SOURCE,
        target=TARGET,
        options=checked,
        run="r",
    )


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"where": {"public.order": "x"}}, "public.orders"),
        ({"partition_by": {"public.custmers": "id"}}, "public.customers"),
        ({"rename": {"public.ordrs": "o"}}, "public.orders"),
        ({"rename": {"public.orders.amuont": "a"}}, "amount"),
        ({"types": {"public.orders.customerid": "text"}}, "customer_id"),
        ({"types": {"publik.orders.id": "text"}}, "public.orders"),
        ({"on_unrepresentable": {"public.customers.nam": "null"}}, "name"),
    ],
)
def test_a_misspelt_name_gets_the_nearest(options, near):
    option = next(iter(options))
    with pytest.raises(ConfigError, match=f"{option} names") as caught:
        plan(**options)
    assert near in caught.value.hint


def test_a_name_unlike_any_gets_no_guess():
    with pytest.raises(ConfigError) as caught:
        plan(where={"zzz.qqq": "x"})
    assert caught.value.hint == "check the name"


def test_a_filter_stands_in_its_table_alone():
    made = plan(where={"public.orders": "amount > 0"})
    assert [t.where for t in made.tables] == ["amount > 0", None]


def test_renamed_tables_keep_their_source_name_beside():
    made = plan(rename={"public.orders": "shop.bestellungen"})
    assert made.tables[0].source.name == QualifiedName("public", "orders")
    assert made.tables[0].target.name == QualifiedName("shop", "bestellungen")
    assert made.table(QualifiedName("public", "orders")) is made.tables[0]


def test_two_tables_do_not_get_one_name():
    with pytest.raises(ConfigError, match=r"two tables public\.customers"):
        plan(rename={"public.orders": "customers"})


def test_tables_may_change_places():
    made = plan(rename={"public.orders": "customers", "public.customers": "orders"})
    assert [t.target.name.name for t in made.tables] == ["customers", "orders"]


def test_foreign_keys_follow_a_renamed_table():
    key = ForeignKey(
        name="f", columns=("customer_id",), references=CUSTOMERS.name, referenced_columns=("id",)
    )
    orders = table("orders", "id", "customer_id", foreign_keys=(key,))
    catalog = Catalog(dialect="memory", tables=(orders, CUSTOMERS))
    new = planner.renamed(catalog, CopyOptions.make(rename={"public.customers": "clients"}))
    assert new.tables[0].foreign_keys[0].references == QualifiedName("public", "clients")


def test_columns_of_a_new_table_are_renamed_after_the_rows():
    made = plan(rename={"public.orders.amount": "total"})
    assert made.tables[0].target_columns == ("id", "amount", "customer_id")
    assert [s.id for s in made.after if s.id.startswith("rename")] == ["rename:public.orders"]


def test_columns_of_an_existing_table_are_written_under_their_new_names():
    there = table("orders", "customer_id", "total", "id")
    made = plan((there, CUSTOMERS), mode="append", rename={"public.orders.amount": "total"}).tables[
        0
    ]
    assert made.columns == ("id", "amount", "customer_id")
    assert made.target_columns == ("id", "total", "customer_id")


@pytest.mark.parametrize("existing", [(), (ORDERS, CUSTOMERS)])
def test_a_column_does_not_take_the_name_of_another(existing):
    mode = "append" if existing else "create"
    with pytest.raises(ConfigError, match=r"two columns of public\.orders amount"):
        plan(existing, mode=mode, rename={"public.orders.id": "amount"})


def test_columns_may_change_places():
    swap = {"public.orders.id": "amount", "public.orders.amount": "id"}
    made = plan((ORDERS, CUSTOMERS), mode="append", rename=swap).tables[0]
    assert made.target_columns == ("amount", "id", "customer_id")


def test_a_column_that_the_target_lacks_gets_a_rename_to_the_nearest():
    there = table("orders", "id", "amounts", "customer_id")
    with pytest.raises(SchemaMismatch, match="no column amount") as caught:
        plan((there, CUSTOMERS), mode="append")
    assert "rename={'public.orders.amount': 'amounts'}" in caught.value.hint


def test_a_column_that_nothing_feeds_and_that_takes_no_null_stops_the_plan():
    needed = Column(name="region", type="int32", arrow="int32", nullable=False)
    there = table("orders", "id", "amount", "customer_id")
    bigger = Table(name=there.name, columns=(*there.columns, needed))
    with pytest.raises(SchemaMismatch, match="region takes no NULL"):
        plan((bigger, CUSTOMERS), mode="append")


@pytest.mark.parametrize(
    "facts", [{"nullable": True}, {"default": "0"}, {"identity": "always"}, {"generated": "id"}]
)
def test_columns_that_fill_themselves_need_no_source(facts):
    extra = Column(name="region", type="int32", arrow="int32", **{"nullable": False, **facts})
    bigger = Table(name=ORDERS.name, columns=(*ORDERS.columns, extra))
    made = plan((bigger, CUSTOMERS), mode="append")
    assert "region" not in made.tables[0].target_columns


def test_columns_of_a_read_are_checked_likewise():
    assert planner.known_columns("columns", ORDERS, ("amount",)) == ("amount",)
    with pytest.raises(ConfigError, match="columns names amuont") as caught:
        planner.known_columns("columns", ORDERS, ("id", "amuont"))
    assert "amount" in caught.value.hint


def test_create_does_not_rename_columns_of_a_table_that_is_there():
    """It would go on to make keys and indexes, whose definitions have the old names."""
    empty = Inspection(tables=(ExistingTable(table=ORDERS, empty=True),))
    options = CopyOptions.make(rename={"public.orders.amount": "customer"})
    with pytest.raises(SchemaMismatch, match="to be renamed") as caught:
        planner.make(
            CATALOG, CATALOG, empty, source=SOURCE, target=TARGET, options=options, run="r"
        )
    assert "append" in caught.value.hint
