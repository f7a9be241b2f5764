"""Which columns' texts are measured before they are written."""

from __future__ import annotations

import pytest
from fastload_postgres.limits import limits_of

from fastload.model import Column, QualifiedName, Table, TablePlan


@pytest.mark.parametrize(
    ("source", "length", "measured"),
    [
        ("text", None, True),
        ("another's", 6, True),
        ("another's", 5, False),
        ("another's", 0, False),
        ("character varying(5)", None, False),
        ("character varying(6)", 5, True),
    ],
)
def test_texts_are_measured_unless_the_source_keeps_the_limit(source, length, measured):
    here = Column(name="c", type=source, arrow="string", length=length)
    there = Column(name="c", type="character varying(5)", arrow="string")
    name = QualifiedName("s", "t")
    plan = TablePlan(
        source=Table(name=name, columns=(here,)),
        target=Table(name=name, columns=(there,)),
        columns=("c",),
        target_columns=("c",),
        route="arrow",
        why="",
    )
    assert [limit.characters for limit in limits_of(plan)] == [5] * measured
