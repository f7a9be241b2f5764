"""What a table of MySQL's family loses on its way to PostgreSQL is told, all of it."""

from __future__ import annotations

import pytest

import fastload

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]


def told(result):
    return {(n.kind, n.name.rpartition(".")[2]): n.reason for n in result.not_carried}


async def test_partitions_sets_and_virtual_columns(mariadb, target):
    with mariadb.database("told") as here:
        mariadb.execute(
            "CREATE TABLE parted (id int PRIMARY KEY, s set('a','b'), v int AS (id + 1) VIRTUAL, "
            "w int AS (id + 2) STORED) PARTITION BY RANGE (id) "
            "(PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE); "
            "INSERT INTO parted (id, s) VALUES (1, 'a,b'), (20, '')",
            "told",
        )
        found = told(await fastload.plan(here, target.url))
        result = await fastload.copy(here, target.url, verify=True)
    assert told(result) == found
    assert found[("partitioning", "parted")]
    assert "lists of a, b" in found[("members", "s")]
    assert found[("virtual column", "v")] == "its values are stored"
    assert ("virtual column", "w") not in found


@pytest.mark.parametrize("type_", ["decimal(20,0)", "signed"])
async def test_a_counting_column_of_another_type(mariadb, target, type_):
    with mariadb.database("told") as here:
        mariadb.execute(
            "CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, n int); "
            "INSERT INTO t (n) VALUES (5), (6)",
            "told",
        )
        result = await fastload.copy(here, target.url, types={"told.t.id": type_})
    if type_ == "signed":
        assert told(result) == {}
        assert target.psql("INSERT INTO t (n) VALUES (7) RETURNING id").split()[0] == "3"
    else:
        assert "not counted up" in told(result)[("identity", "id")]
