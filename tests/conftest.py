"""Servers, and a database of its own for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, get_args

import pytest

from fastload import doctor
from fastload.testing import mysql_programs, servers
from fastload.testing.fixtures import running
from fastload.testing.mysql_programs import Flavour
from fastload.testing.mysql_servers import MysqlServer, Row
from fastload.testing.servers import GivenServer, PostgresServer

Server: TypeAlias = PostgresServer | GivenServer

# With all that URLs, option files and SQL give a meaning of its own.
MYSQL_PASSWORD = """p'a\\s"s@/w%r d#"""
_numbers = itertools.count(1)


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
        return self.server.url_for(self.name)

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
