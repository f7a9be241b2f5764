"""Whatever the values: the same rows of two databases are equal, each changed value is named."""

from __future__ import annotations

import datetime
import struct
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import fastload
from fastload.testing.mysql_servers import MysqlServer
from tests.faults.record import check, times

TYPES = {
    "whole": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "flag": (pa.bool_(), st.booleans()),
    "amount": (pa.decimal128(18, 4), st.integers(-(10**18) + 1, 10**18 - 1).map(
        lambda n: Decimal(n).scaleb(-4))),
    "ratio": (pa.float64(), st.floats(allow_nan=False, allow_infinity=False)),
    "label": (pa.string(), st.text(st.characters(exclude_characters="\0", codec="utf-8"))),
    "raw": (pa.binary(), st.binary()),
    "day": (pa.date32(), st.dates(datetime.date(1000, 1, 1))),
    "at": (pa.timestamp("us"), st.datetimes(datetime.datetime(1000, 1, 1))),
}  # fmt: skip
ROW = st.fixed_dictionaries({name: st.none() | values for name, (_, values) in TYPES.items()})
CHANGE = st.sampled_from(list(TYPES)).flatmap(
    lambda name: st.tuples(st.integers(0, 10**6), st.just(name), st.none() | TYPES[name][1])
)
PAIRS = [("postgres16", "postgres18"), ("postgres16", "mariadb"), ("mysql", "postgres18")]

pytestmark = [pytest.mark.mysql, pytest.mark.faults, pytest.mark.harness]


def table(rows):
    """Return rows as an Arrow table, numbered."""
    columns = {n: pa.array([r[n] for r in rows], type_) for n, (type_, _) in TYPES.items()}
    return pa.table({"id": pa.array(range(len(rows)), pa.int64()), **columns})


def form(value):
    """Return what is only equal where a value is; -0.0 and 0.0 are not."""
    return struct.pack("d", value) if isinstance(value, float) else value


class Side:
    """A database of one server, with the table that rows are written to."""

    def __init__(self, server, end):
        self.name = f"canonical_{end}"
        if isinstance(server, MysqlServer):
            server.drop_database(self.name)
            server.create_database(self.name)
            run, schema = server.execute, self.name
        else:
            server.psql(f"DROP DATABASE IF EXISTS {self.name}")
            server.psql(f"CREATE DATABASE {self.name}")
            run, schema = server.psql, "public"
        self.url, self.table = server.url_for(self.name), f"{schema}.t"
        fastload.blocking.write(table([]), self.url, self.table)
        run("ALTER TABLE t ADD PRIMARY KEY (id)", self.name)

    def write(self, rows):
        fastload.blocking.write(table(rows), self.url, self.table, mode="truncate")


@pytest.mark.parametrize("servers", PAIRS, ids="-".join)
def test_the_same_values_are_equal_and_others_are_named(servers, request):
    examples = times(2, 40)
    here, there = (
        Side(request.getfixturevalue(name), end)
        for name, end in zip(servers, ("here", "there"), strict=True)
    )

    @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate])
    @given(st.lists(ROW, min_size=1, max_size=30), st.lists(CHANGE, max_size=5))
    def compare(rows, changes):
        changed = [dict(row) for row in rows]
        for place, name, value in changes:
            changed[place % len(rows)][name] = value
        here.write(rows)
        there.write(changed)
        found = fastload.blocking.verify(here.url, there.url)
        told = {(int(d.key["id"]), c.column) for d in found.differences for c in d.columns}
        assert told == {
            (i, name)
            for i, (one, other) in enumerate(zip(rows, changed, strict=True))
            for name in TYPES
            if form(one[name]) != form(other[name])
        }
        assert not found.not_compared

    with check(f"any values, {' to '.join(servers)}", "equal; changed ones named") as row:
        compare()
        row.got = f"so in {examples} pairs of tables"
