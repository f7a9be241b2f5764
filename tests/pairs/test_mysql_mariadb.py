"""Between MySQL and MariaDB, and between databases of one server: every type with its extremes."""

from __future__ import annotations

import pytest

import fastload
from tests.pairs import matrix

pytestmark = pytest.mark.mysql


def texts(database, types):
    query = f"SELECT {', '.join(matrix.expressions(types, 'mysql'))} FROM t ORDER BY id"
    return matrix.told(types, database.execute(f"SET time_zone = '+00:00'; {query}"))


def declared(database):
    return dict(
        database.execute(
            "SELECT column_name, column_type FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = 't'"
        )
    )


def shown(database, name="t"):
    return database.execute(f"SHOW CREATE TABLE {name}")[0][1]


@pytest.mark.parametrize("way", ["mysql to mariadb", "mariadb to mysql"])
async def test_every_type_reaches_the_other_flavour(in_mysql, in_mariadb, way):
    types = matrix.of_flavour(way.split()[0])
    source, target = in_mysql, in_mariadb
    if way.startswith("mariadb"):
        source, target = target, source
    matrix.fill(source, types)
    await fastload.copy(source.url, target.url)
    here, there = texts(source, types), texts(target, types)
    assert {n: (here[n], there[n]) for n in here if there[n] != here[n]} == {}
    print(declared(target))


async def test_every_type_reaches_another_database_of_the_server(database):
    types = matrix.of_flavour(database.server.flavour)
    matrix.fill(database, types)
    with database.server.database("beside") as url:
        await fastload.copy(database.url, url)
        beside = type(database)(database.server, "beside")
        assert shown(beside) == shown(database)
        assert texts(beside, types) == texts(database, types)
