"""Servers, and a database of its own for each test."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fastload import doctor
from fastload.testing import servers
from fastload.testing.servers import PostgresServer, ServerUnavailable

_numbers = itertools.count(1)
_REQUIRED = os.environ.get("CI") == "true" or os.environ.get("FASTLOAD_REQUIRE_SERVERS") == "1"


def pytest_report_header() -> list[str]:
    found = [f"{s.version} ({s.origin})" for s in servers.available()]
    kernels = "; ".join(f"{f.subject}: {f.text}" for f in doctor.kernels())
    return [f"PostgreSQL servers: {', '.join(found) or 'none'}", f"kernels: {kernels}"]


@dataclass(frozen=True)
class Database:
    """A database of a private server; dropped with the server."""

    server: PostgresServer
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


def _server(version: int) -> Iterator[PostgresServer]:
    try:
        server = PostgresServer.start(version=version, fsync=False)
    except ServerUnavailable as error:
        if _REQUIRED:
            raise
        pytest.skip(str(error))
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres16() -> Iterator[PostgresServer]:
    yield from _server(16)


@pytest.fixture(scope="session")
def postgres18() -> Iterator[PostgresServer]:
    yield from _server(18)


def _database(server: PostgresServer) -> Database:
    name = f"test_{next(_numbers)}"
    server.psql(f"CREATE DATABASE {name}")
    return Database(server, name)


@pytest.fixture
def source(postgres16: PostgresServer) -> Database:
    return _database(postgres16)


@pytest.fixture
def target(postgres18: PostgresServer) -> Database:
    return _database(postgres18)
