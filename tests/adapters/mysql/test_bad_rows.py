"""Rows that cannot be written: the right error, with table and column, and nothing left."""

from __future__ import annotations

import pyarrow as pa
import pytest

import fastload
from fastload.errors import ConstraintError, EncodeError

TABLE = """
CREATE TABLE parent (id int PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
CREATE TABLE t (
  id int PRIMARY KEY, small smallint, name varchar(20) NOT NULL DEFAULT '', code varchar(3),
  narrow varchar(20) CHARACTER SET latin1, parent int, UNIQUE (code),
  CONSTRAINT not_thirteen CHECK (small <> 13),
  CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id));
INSERT INTO t (id) VALUES (-1)"""
IDS = pa.array([1, 2], pa.int32())
CASES = {
    "out of range": ({"small": pa.array([1, 40_000])}, EncodeError, "small", "range"),
    "too long": ({"code": ["abc", "abcd"]}, EncodeError, "code", "long"),
    "other characters": ({"narrow": ["é", "日本"]}, EncodeError, "narrow", "Incorrect string"),
    "NULL": ({"name": ["a", None]}, ConstraintError, "name", "null"),
    "check": ({"small": pa.array([1, 13], pa.int16())}, ConstraintError, None, "not_thirteen"),
    "foreign key": ({"parent": pa.array([1, 3], pa.int32())}, ConstraintError, None, "of_parent"),
    "unique": ({"code": ["a", "a"]}, ConstraintError, None, "Duplicate entry"),
    "key": ({"id": pa.array([7, 7], pa.int32())}, ConstraintError, None, "Duplicate entry '7'"),
    "key that is there": ({"id": pa.array([7, -1], pa.int32())}, ConstraintError, None, "'-1'"),
}


@pytest.mark.parametrize(("columns", "error", "column", "told"), CASES.values(), ids=CASES)
async def test_bad_rows_are_refused_and_leave_nothing(database, columns, error, column, told):
    database.execute(TABLE)
    data = pa.table({"id": IDS, **columns})
    with pytest.raises(error, match=f"(?i){told}") as caught:
        await fastload.write(data, database.url, f"{database.name}.t", mode="append")
    assert caught.value.table == f"{database.name}.t"
    if column:
        assert caught.value.column == column
    assert database.execute("SELECT id FROM t") == [(-1,)]
    assert not database.execute("SHOW TABLES LIKE '\\_fastload%'")


async def test_a_trigger_stops_the_plan(database):
    database.execute(
        f"{TABLE}; CREATE TRIGGER changes BEFORE INSERT ON t FOR EACH ROW SET NEW.small = 1"
    )
    with pytest.raises(fastload.PlanError, match="trigger changes"):
        await fastload.write(
            pa.table({"id": IDS}), database.url, f"{database.name}.t", mode="append"
        )
    assert database.execute("SELECT id FROM t") == [(-1,)]
