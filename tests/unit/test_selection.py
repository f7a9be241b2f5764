"""What a selection means, and the help where it means nothing."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from fastload.adapter import Selection
from fastload.errors import TableNotFound
from fastload.model import QualifiedName
from fastload.selection import choose


class Relation(NamedTuple):
    name: QualifiedName
    plain: bool


def relation(name: str, schema: str = "public", *, plain: bool = True) -> Relation:
    return Relation(QualifiedName(schema, name), plain)


RELATIONS = [
    relation("orders"),
    relation("orders_2024", plain=False),
    relation("order[1]"),
    relation("order1"),
    relation("customers", "shop"),
    relation("far", "shop", plain=False),
    relation("a.b", "c.d"),
]


def chosen(*tables: str, **select: Any) -> list[str]:
    selection = Selection(tables=tables or None, **select)
    return [str(r.name) for r in choose(RELATIONS, selection)]


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (
            (),
            ["public.orders", "public.order[1]", "public.order1", "shop.customers", '"c.d"."a.b"'],
        ),
        (("orders",), ["public.orders"]),
        (("public.orders", "shop.customers"), ["public.orders", "shop.customers"]),
        (("shop.*",), ["shop.customers"]),
        (("*.order?",), ["public.order1", "public.orders"]),
        (("cust*",), ["shop.customers"]),
        (("order[1]*",), ["public.order[1]"]),
        (("far",), ["shop.far"]),
        (("orders_2024",), ["public.orders_2024"]),
        (('"c.d"."a.b"',), ['"c.d"."a.b"']),
    ],
)
def test_what_patterns_mean(patterns, names):
    assert sorted(chosen(*patterns)) == sorted(names)


def test_exclude_takes_out_what_was_named():
    assert chosen("public.*", exclude=("order[1]", "order1")) == ["public.orders"]
    exact = QualifiedName("public", "orders")
    assert chosen(names=(exact,), exclude=("orders",)) == []


def test_exact_names_are_no_patterns():
    assert chosen(names=(QualifiedName("c.d", "a.b"),)) == ['"c.d"."a.b"']
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
