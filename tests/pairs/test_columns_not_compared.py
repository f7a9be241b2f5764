"""Columns that were not compared are never passed off as equal."""

from __future__ import annotations

import pytest

import fastload
from fastload.cli import main
from tests.conftest import MysqlDatabase

TABLE = """
CREATE TABLE t (id int PRIMARY KEY, tags text[], v text);
INSERT INTO t SELECT i, ARRAY['a', 'b'], 'v' || i FROM generate_series(1, 5) AS i"""


@pytest.fixture
def there(mariadb):
    with mariadb.database("not_compared"):
        yield MysqlDatabase(mariadb, "not_compared")


async def test_a_column_without_a_common_form_is_told_in_the_first_line(source, there):
    source.psql(TABLE)
    result = await fastload.copy(source.url, there.url, verify=True)
    assert result.verification is not None
    assert (result.verification.equal, result.verification.complete) == (True, False)
    told = str(result.verification).splitlines()
    assert told[0].startswith("equal, but for 1 column not compared: 5 rows of 1 table")
    assert "equal but for tags" in told[1]
    assert result.verification.to_dict()["complete"] is False


def test_the_command_says_so_by_its_exit_code(source, target, there, capsys):
    source.psql(TABLE)
    assert main(["copy", source.url, there.url, "--quiet"]) == 0
    assert main(["verify", source.url, there.url]) == 5
    assert main(["copy", source.url, target.url, "--quiet"]) == 0
    assert main(["verify", source.url, target.url]) == 0
    assert "not compared" in capsys.readouterr().out


async def test_a_column_that_is_lost_is_a_difference(source, target):
    source.psql(TABLE)
    await fastload.copy(source.url, target.url)
    target.psql("ALTER TABLE t DROP COLUMN tags")
    result = await fastload.verify(source.url, target.url)
    assert not result.equal
    assert "the target has no column tags" in str(result).splitlines()[1]


async def test_a_table_that_is_lost_is_told_with_its_rows(source, target):
    source.psql(f"{TABLE}; ANALYZE t; CREATE TABLE u (id int PRIMARY KEY)")
    await fastload.copy(source.url, target.url)
    target.psql("DROP TABLE t")
    result = await fastload.verify(source.url, target.url)
    assert not result.equal
    assert "the source's has about 5 rows" in str(result)


async def test_long_values_are_shown_where_they_differ(source, target):
    source.psql("CREATE TABLE t (id int PRIMARY KEY, v text, b bytea)")
    source.psql("INSERT INTO t VALUES (1, repeat('a', 300000), decode(repeat('ab', 9000), 'hex'))")
    await fastload.copy(source.url, target.url)
    target.psql(
        "UPDATE t SET v = overlay(v PLACING 'Z' FROM 200001), b = set_byte(b, 4000, 0) WHERE id = 1"
    )
    (found,) = (await fastload.verify(source.url, target.url)).differences
    text, raw = found.columns
    assert text.source == f"…{'a' * 100}… (from character 199,981 of 300,000)"
    assert text.target == f"…{'a' * 20}Z{'a' * 79}… (from character 199,981 of 300,000)"
    assert raw.target == f"…{'ab' * 20}00{'ab' * 79}… (from byte 3,981 of 9,000)"
