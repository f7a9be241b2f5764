"""The SQL of a partition: row comparison, NULLs, pages; and rights to read."""

from __future__ import annotations

import pytest
from fastload_postgres.partitions import predicate
from fastload_postgres.relations import Relation, check_rights

from fastload.errors import SourceError
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


def test_what_may_not_be_read_is_told_with_the_grant():
    def relation(name: str, readable: bool) -> Relation:
        return Relation(1, QualifiedName("public", name), True, readable, "me")

    with pytest.raises(SourceError) as caught:
        check_rights([relation("a", True), relation('b"c', False)])
    assert caught.value.hint.startswith('as their owner: GRANT SELECT ON "public"."b""c" TO "me"')
