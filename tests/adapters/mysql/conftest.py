"""A server of each flavour for the whole session, and a database of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import anyio
import pytest

from fastload.testing.fixtures import running
from fastload.testing.mysql_programs import Flavour
from fastload.testing.mysql_servers import MysqlServer, Row

# With all that URLs, option files and SQL give a meaning of its own.
PASSWORD = """p'a\\s"s@/w%r d#"""
_SESSIONS = "information_schema.processlist"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    server: MysqlServer
    name: str

    @property
    def url(self) -> str:
        return self.server.url_for(self.name)

    def execute(self, sql: str) -> list[Row]:
        """Run statements and return the rows of the last that returned any."""
        return self.server.execute(sql, self.name)

    async def running(self, what: str) -> int:
        """Wait until a session in this database runs a statement like this; return its number."""
        query = f"SELECT id FROM {_SESSIONS} WHERE db = '{self.name}' AND info LIKE '{what}'"
        with anyio.fail_after(10):
            while not (rows := self.server.execute(query)):
                await anyio.sleep(0.01)
        return int(rows[0][0])

    async def none_left(self) -> None:
        """Check that within two seconds no session in this database is left."""
        query = f"SELECT count(*) FROM {_SESSIONS} WHERE db = '{self.name}'"
        until = anyio.current_time() + 2
        while left := self.server.execute(query)[0][0]:
            assert anyio.current_time() < until, f"{left} sessions are left"
            await anyio.sleep(0.05)


def _server(flavour: Flavour) -> Iterator[MysqlServer]:
    return running(lambda: MysqlServer.start(flavour, password=PASSWORD))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MysqlServer]:
    yield from _server("mariadb")


@pytest.fixture(scope="session")
def mysql() -> Iterator[MysqlServer]:
    yield from _server("mysql")


@pytest.fixture(scope="session", params=get_args(Flavour))
def server(request: pytest.FixtureRequest) -> MysqlServer:
    """The server of each flavour in turn."""
    found: MysqlServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: MysqlServer) -> Iterator[Database]:
    name = f"fastload_test_{next(_numbers)}"
    with server.database(name):
        yield Database(server, name)
