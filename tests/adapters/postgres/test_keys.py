"""What the catalogue says of keys in words that other databases' adapters read."""

from __future__ import annotations

import pytest
from fastload_postgres import ADAPTER

from fastload import Url
from fastload.adapter import Selection

pytestmark = pytest.mark.postgres


async def test_keys_tell_when_they_are_checked_and_what_they_hold(source):
    source.psql(
        """CREATE TABLE t (a int, b int, c int, PRIMARY KEY (a) INCLUDE (c, b),
             CONSTRAINT late UNIQUE (b, a) DEFERRABLE, CONSTRAINT plain UNIQUE (c),
             CONSTRAINT one UNIQUE NULLS NOT DISTINCT (c, b))"""
    )
    async with ADAPTER.source(Url.parse(source.url), connections=1) as opened:
        (table,) = (await opened.catalog(Selection())).tables
    found = {k.name: (k.columns, k.deferrable, k.include, k.nulls_distinct) for k in table.keys}
    assert found == {
        "t_pkey": (("a",), False, ("c", "b"), True),
        "late": (("b", "a"), True, (), True),
        "plain": (("c",), False, (), True),
        "one": (("c", "b"), False, (), False),
    }
