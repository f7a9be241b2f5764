"""Triggers that stand for ON UPDATE: the same statements on both sides, and what they did."""

from __future__ import annotations

import datetime

import pytest

import fastload
from fastload.errors import TargetError

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]

TABLE = """CREATE TABLE item (
  id int PRIMARY KEY, name varchar(20), note json, price decimal(5,2), twice int AS (id * 2) STORED,
  changed timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP,
  exact_ datetime(6) DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP(6), KEY (name));
CREATE TABLE plain (id int PRIMARY KEY);
INSERT INTO item (id, name, note, price, changed, exact_)
VALUES (1, 'a', '{"a": 1}', 1.5, '2001-01-01', '2001-01-01')"""
UPDATES = {
    "nothing": "SET name = name",
    "the same": "SET price = 1.50, name = 'a'",
    "a letter's case": "SET name = 'A'",
    "a space": "SET name = 'a '",
    "another column": "SET price = 2",
    "to NULL": "SET note = NULL",
    "a document": """SET note = '{"a": 2}'""",
    "with another": "SET price = 2, changed = '2005-05-05'",
    "alone": "SET changed = '2005-05-05'",
    "both": "SET exact_ = '2005-05-05', changed = '2006-06-06'",
    "to NULL alone": "SET exact_ = NULL",
    "a computed one's": "SET id = 2 - id + 5",
}
YEARS = "SELECT EXTRACT(YEAR FROM changed), EXTRACT(YEAR FROM exact_) FROM item"


def years(text):
    return tuple(None if year in ("", None) else int(year) for year in text)


@pytest.fixture
def filled(database):
    database.execute(TABLE)
    return database


async def copied(source, target, **options):
    return await fastload.copy(source.url, target.url, **{"on_update": "trigger", **options})


@pytest.mark.parametrize("change", UPDATES.values(), ids=UPDATES)
async def test_updates_do_what_they_do_on_the_source(filled, target, change):
    result = await copied(filled, target)
    assert "on update" not in {n.kind for n in result.not_carried}
    filled.execute(f"UPDATE item {change}")
    target.psql(f"UPDATE item {change}")
    wanted = years(filled.execute(YEARS)[0])
    assert years(target.psql(YEARS).split("|")) == wanted
    now = datetime.datetime.now(datetime.UTC).year
    assert set(wanted) <= {2001, 2005, 2006, None, now}


async def test_moments_are_as_precise_as_the_column(filled, target):
    await copied(filled, target)
    target.psql("UPDATE item SET price = 3")
    assert target.psql(
        "SELECT changed = date_trunc('second', changed), now() - changed < '1 minute', "
        "now() AT TIME ZONE 'UTC' - exact_ < '1 minute' FROM item"
    ) == ("t|t|t")
    assert target.psql("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == "1"


async def test_without_it_each_is_listed(filled, target):
    result = await copied(filled, target, on_update="list")
    told = {n.name: n.reason for n in result.not_carried if n.kind == "on update"}
    assert set(told) == {"public.item.changed", "public.item.exact_"}
    assert all("on_update='trigger'" in reason for reason in told.values())
    assert target.psql("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == "0"


async def test_tables_that_are_there_are_left_alone(filled, target):
    await copied(filled, target, on_update="list")
    result = await copied(filled, target, mode="append", tables="plain", run="again")
    assert not result.not_carried
    filled.execute("DELETE FROM item")
    result = await copied(filled, target, mode="append", tables="item", run="third")
    assert "there already" in {n.kind: n.reason for n in result.not_carried}["on update"]
    assert target.psql("SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal") == "0"


async def test_a_table_that_is_made_anew_has_it_again_under_new_names(filled, target):
    await copied(filled, target)
    database = filled.name
    rename = {f"{database}.item.changed": "touched at", f"{database}.item.price": "changed"}
    await copied(filled, target, mode="replace", rename=rename)
    target.psql("UPDATE item SET changed = 7")
    year = target.psql('SELECT EXTRACT(YEAR FROM "touched at") FROM item')
    assert int(year) == datetime.datetime.now(datetime.UTC).year
    assert target.psql("SELECT count(*) FROM pg_proc WHERE proname = 'item_touch'") == "1"


async def test_a_function_of_somebody_else_is_not_replaced(filled, target):
    target.psql("CREATE FUNCTION item_touch() RETURNS int LANGUAGE sql AS 'SELECT 7'")
    with pytest.raises(TargetError, match="item_touch"):
        await copied(filled, target)
    assert target.psql("SELECT item_touch()") == "7"
    target.psql("DROP FUNCTION item_touch()")
    assert (await copied(filled, target)).rows == 1
    assert target.psql("SELECT count(*) FROM pg_trigger WHERE tgname = 'item_touch'") == "1"


async def test_a_target_of_the_family_keeps_its_own(filled, server):
    name = f"{filled.name}_copy"
    with server.database(name) as url:
        result = await fastload.copy(filled.url, url, on_update="trigger", tables="item")
        assert not {n.kind for n in result.not_carried} - {"numbers and moments of column"}
        shown = server.execute("SHOW CREATE TABLE item", name)[0][1]
        assert shown.lower().count("on update current_timestamp") == 2
        assert server.execute(f"SHOW TRIGGERS FROM `{name}`") == []
