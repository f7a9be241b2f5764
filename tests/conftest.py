"""Servers, and a database of its own for each test."""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, get_args
from urllib.parse import quote

import anyio
import pytest

from fastload import doctor
from fastload.testing import mysql_programs, servers
from fastload.testing.fixtures import running
from fastload.testing.mysql_programs import Flavour
from fastload.testing.mysql_servers import MysqlServer, Row
from fastload.testing.servers import GivenServer, PostgresServer
from tests import canary
from tests.canary import CANARY

Server: TypeAlias = PostgresServer | GivenServer

_SESSIONS = "information_schema.processlist"
MYSQL_PASSWORD = CANARY
_numbers = itertools.count(1)


def pytest_configure(config: pytest.Config) -> None:
    # A shell has what it starts in the background ignore Ctrl-C, and so would all commands of ours.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not config.pluginmanager.has_plugin("tests.canary"):
        config.pluginmanager.register(canary, "tests.canary")


def pytest_report_header() -> list[str]:
    found = [f"{s.version} ({s.origin})" for s in servers.available()]
    found = [f"given by {servers.URL_VARIABLE}"] if servers.given() else found
    family = [f"{s.flavour} {s.version()}" for s in mysql_programs.available()]
    kernels = "; ".join(f"{f.subject}: {f.text}" for f in doctor.kernels())
    return [
        f"PostgreSQL servers: {', '.join(found) or 'none'}",
        f"MySQL-family servers: {', '.join(family) or 'none'}",
        f"kernels: {kernels}",
    ]


@dataclass(frozen=True)
class Database:
    """A database of its own for one test."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        """The URL, with a password that servers of the suite do not ask for and must not show."""
        return self.url_of(f"postgres:{quote(CANARY, safe='')}")

    def url_of(self, login: str) -> str:
        """Return the URL with another login in place of ``postgres``."""
        return self.server.url_for(self.name).replace("postgres@", f"{login}@")

    def psql(self, sql: str) -> str:
        """Run SQL in psql and return its unaligned output without the last line break."""
        return self.server.psql(sql, self.name).strip("\n")

    def checksum(self, table: str, columns: str = "t") -> str:
        """Return row count and an order-free sum of hashes of the rows' text."""
        return self.psql(
            f"SELECT count(*), sum(hashtextextended({columns}::text, 0)) FROM {table} AS t"
        )


def _server(version: int) -> Iterator[Server]:
    if theirs := servers.given():
        yield theirs
        return
    yield from running(lambda: PostgresServer.start(version=version, fsync=False))


@pytest.fixture(scope="session")
def postgres16() -> Iterator[Server]:
    yield from _server(16)


@pytest.fixture(scope="session")
def postgres18() -> Iterator[Server]:
    yield from _server(18)


@pytest.fixture(scope="session")
def oldest() -> Iterator[Server]:
    """The oldest server there is: Debian's where it is installed, and the only one with ICU."""
    found = servers.available()
    yield from _server(found[0].version if found else 16)


@pytest.fixture(scope="session")
def guarded() -> Iterator[PostgresServer]:
    """A server that asks for the canary."""
    yield from running(lambda: PostgresServer.start(password=CANARY))


def _database(server: Server) -> Iterator[Database]:
    name = f"fastload_test_{os.getpid()}_{next(_numbers)}"
    server.psql(f"CREATE DATABASE {name}")
    yield Database(server, name)
    # A private server goes with all its databases; there it would only cost time.
    if isinstance(server, GivenServer):
        server.psql(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def source(postgres16: Server) -> Iterator[Database]:
    yield from _database(postgres16)


@pytest.fixture
def target(postgres18: Server) -> Iterator[Database]:
    yield from _database(postgres18)


@pytest.fixture
def old(oldest: Server) -> Iterator[Database]:
    yield from _database(oldest)


@dataclass(frozen=True)
class MysqlDatabase:
    """A database of its own for one test, on a server of MySQL's family."""

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


def _mysql_server(flavour: Flavour) -> Iterator[MysqlServer]:
    return running(lambda: MysqlServer.start(flavour, password=MYSQL_PASSWORD))


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MysqlServer]:
    yield from _mysql_server("mariadb")


@pytest.fixture(scope="session")
def mysql() -> Iterator[MysqlServer]:
    yield from _mysql_server("mysql")


@pytest.fixture(scope="session", params=get_args(Flavour))
def server(request: pytest.FixtureRequest) -> MysqlServer:
    """The server of each flavour in turn."""
    found: MysqlServer = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def database(server: MysqlServer) -> Iterator[MysqlDatabase]:
    name = f"fastload_test_{next(_numbers)}"
    with server.database(name):
        yield MysqlDatabase(server, name)
