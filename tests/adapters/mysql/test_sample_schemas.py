"""The schemas with rows that other tests copy: whole, true to their keys, and always the same."""

from __future__ import annotations

import pytest

from fastload.testing.mysql_schemas import RENTAL, SCHEMAS, STAFF

pytestmark = pytest.mark.mysql


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: s.name)
def test_they_hold_what_they_say(database, schema):
    schema.load(database.server, database.name)
    for table in schema.tables:
        [(count,)] = database.execute(f"SELECT COUNT(*) FROM {table.name}")
        assert count == len(list(table.rows(1)))


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: s.name)
def test_every_reference_is_kept(database, schema):
    schema.load(database.server, database.name)
    references = database.execute(
        "SELECT table_name, column_name, referenced_table_name, referenced_column_name "
        "FROM information_schema.key_column_usage "
        "WHERE table_schema = DATABASE() AND referenced_table_name IS NOT NULL"
    )
    assert references
    for table, column, other, key in references:
        orphans = database.execute(
            f"SELECT COUNT(*) FROM {table} t LEFT JOIN {other} o ON o.{key} = t.{column} "
            f"WHERE t.{column} IS NOT NULL AND o.{key} IS NULL"
        )
        assert orphans == [(0,)], (table, column)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda s: s.name)
def test_rows_grow_with_the_scale_and_stay_the_same(schema):
    for table in schema.tables:
        assert list(table.rows(1)) == list(table.rows(1))
    few, many = (sum(len(list(t.rows(s))) for t in schema.tables) for s in (0.1, 2))
    assert few < many / 10


def test_they_have_a_few_thousand_rows():
    for schema in (RENTAL, STAFF):
        assert 2000 < sum(len(list(t.rows(1))) for t in schema.tables) < 10_000


def test_values_arrive_as_they_are(database):
    RENTAL.load(database.server, database.name, 0.2)
    films = database.execute("SELECT film_id, title, release_year, features FROM film")
    wanted = {row[0]: row for row in RENTAL.tables[2].rows(0.2)}
    assert len(films) == len(wanted)
    for film, title, year, features in films:
        assert (title, year, features) == (wanted[film][1], wanted[film][3], wanted[film][10])
    places = dict(database.execute("SELECT address_id, location FROM address"))
    assert places == {row[0]: row[5] for row in RENTAL.tables[4].rows(0.2)}
