"""The SQL of a partition: row comparison, NULLs, pages; and what a selection means."""

from __future__ import annotations

from typing import Any

import pytest
from fastload_postgres.partitions import predicate
from fastload_postgres.selection import choose

from fastload.adapter import Selection
from fastload.errors import SourceError, TableNotFound
from fastload.model import Column, KeyRange, NullKeys, PhysicalRange, QualifiedName, Table, Whole

TABLE = Table(
    name=QualifiedName("public", "t"),
    columns=(
        Column(name="id", type="bigint", arrow="int64", nullable=False),
        Column(name='a"b', type="text", arrow="string", nullable=True),
        Column(name="n", type="integer", arrow="int32", nullable=True),
    ),
)


def keys(
    *columns: str, lower: tuple[str, ...] | None = None, upper: tuple[str, ...] | None = None
) -> KeyRange:
    return KeyRange(columns=columns, lower=lower, upper=upper)


@pytest.mark.parametrize(
    ("extent", "sql"),
    [
        (Whole(), ""),
        (keys("id"), ""),
        (keys("id", upper=("7",)), "\"id\" < '7'"),
        (keys("id", lower=("7",)), "\"id\" >= '7'"),
        (keys("id", lower=("-1",), upper=("7",)), "\"id\" >= '-1' AND \"id\" < '7'"),
        (
            keys("id", 'a"b', lower=("1", "x'y"), upper=("2", "\\")),
            (
                r"""("id", "a""b") >= ('1', 'x''y') AND ("id", "a""b") < ('2', E'\\') """
                r"""AND "a""b" IS NOT NULL"""
            ),
        ),
        (keys('a"b', upper=("",)), '"a""b" < \'\' AND "a""b" IS NOT NULL'),
        (keys("n"), '"n" IS NOT NULL'),
        (NullKeys(columns=("n",)), '("n" IS NULL)'),
        (NullKeys(columns=("id", "n")), '("id" IS NULL OR "n" IS NULL)'),
        (PhysicalRange(first=0, end=9), "ctid >= '(0,0)'::tid AND ctid < '(9,0)'::tid"),
        (PhysicalRange(first=9), "ctid >= '(9,0)'::tid"),
    ],
)
def test_the_condition_of_an_extent(extent, sql):
    assert predicate(TABLE, extent) == sql


def relation(name: str, schema: str = "public", **facts: Any) -> dict[str, Any]:
    plain = {"kind": "r", "is_partition": False, "readable": True, "role": "me"}
    return {"schema": schema, "name": name, **plain, **facts}


RELATIONS = [
    relation("orders"),
    relation("orders_2024", is_partition=True),
    relation("order[1]"),
    relation("order1"),
    relation("customers", "shop"),
    relation("far", "shop", kind="f"),
    relation("a.b", "c.d"),
]


def chosen(*tables: str, **select: Any) -> list[str]:
    selection = Selection(tables=tables or None, **select)
    return [f"{r['schema']}.{r['name']}" for r in choose(RELATIONS, selection)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        ((), ["public.orders", "public.order[1]", "public.order1", "shop.customers", "c.d.a.b"]),
        (("orders",), ["public.orders"]),
        (("public.orders", "shop.customers"), ["public.orders", "shop.customers"]),
        (("shop.*",), ["shop.customers"]),
        (("*.order?",), ["public.order1", "public.orders"]),
        (("cust*",), ["shop.customers"]),
        (("order[1]*",), ["public.order[1]"]),
        (("far",), ["shop.far"]),
        (("orders_2024",), ["public.orders_2024"]),
        (("c.d.a.b",), ["c.d.a.b"]),
    ],
)
def test_what_patterns_mean(patterns, names):
    assert sorted(chosen(*patterns)) == sorted(names)


def test_exclude_takes_out_what_was_named():
    assert chosen("public.*", exclude=("order[1]", "order1")) == ["public.orders"]
    exact = QualifiedName("public", "orders")
    assert chosen(names=(exact,), exclude=("orders",)) == []


def test_exact_names_are_no_patterns():
    assert chosen(names=(QualifiedName("c.d", "a.b"),)) == ["c.d.a.b"]
    with pytest.raises(TableNotFound):
        chosen(names=(QualifiedName("public", "orders*"),))


@pytest.mark.parametrize(
    ("wanted", "hint"),
    [("ordrs", "public.orders"), ("public.custmers", "shop.customers"), ("zzz", "no table like")],
)
def test_a_name_that_means_nothing_gets_the_nearest(wanted, hint):
    with pytest.raises(TableNotFound, match="no table matches") as caught:
        chosen(wanted)
    assert hint in caught.value.hint


def test_no_more_than_three_names_are_offered():
    with pytest.raises(TableNotFound) as caught:
        chosen("order")
    assert caught.value.hint.count(".") <= 3


def test_what_may_not_be_read_is_told_with_the_grant():
    relations = [relation("a"), relation('b"c', readable=False)]
    with pytest.raises(SourceError) as caught:
        choose(relations, Selection())  # type: ignore[arg-type]
    assert caught.value.hint.startswith('as their owner: GRANT SELECT ON "public"."b""c" TO "me"')
