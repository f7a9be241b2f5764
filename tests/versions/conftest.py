"""Servers of other releases, and the sample schemas as far as those know their words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from fastload.testing.fixtures import running
from fastload.testing.mysql_schemas import SCHEMAS
from fastload.testing.mysql_servers import MysqlServer
from fastload.testing.sample_schemas import SampleSchema

PASSWORD = """p'a\\s"s@/w%r d#"""
_SPATIAL = ", SPATIAL KEY by_place (location)"  # InnoDB has them since 5.7
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "versions":
            item.add_marker("versions")


@pytest.fixture(scope="session")
def mysql56() -> Iterator[MysqlServer]:
    yield from running(lambda: MysqlServer.start("mysql", version="5.6", password=PASSWORD))


@pytest.fixture(scope="session")
def mariadb114() -> Iterator[MysqlServer]:
    yield from running(lambda: MysqlServer.start("mariadb", version="11.4", password=PASSWORD))


@pytest.fixture(params=["mysql56", "mariadb114"])
def release(request: pytest.FixtureRequest) -> MysqlServer:
    """Each of the other releases in turn."""
    found: MysqlServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def made() -> Iterator[Callable[[MysqlServer], str]]:
    """Make databases of servers, by their names, for one test."""
    there: list[tuple[MysqlServer, str]] = []

    def make(server: MysqlServer) -> str:
        name = f"fastload_version_{next(_numbers)}"
        server.create_database(name)
        there.append((server, name))
        return name

    yield make
    for server, name in there:
        server.drop_database(name)


@pytest.fixture(params=SCHEMAS, ids=lambda s: s.name)
def schema(request: pytest.FixtureRequest) -> SampleSchema:
    """Each sample schema, without what MySQL 5.6 does not know."""
    found: SampleSchema = request.param
    tables = tuple(replace(t, create=t.create.replace(_SPATIAL, "")) for t in found.tables)
    return replace(found, tables=tables)
