"""Pairs of databases in which the same things go wrong, seen through what both sides can say."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import anyio
import asyncpg
import pymysql
import pytest

from tests.conftest import Database, MysqlDatabase, _database, _numbers
from tests.faults import record

Ask: TypeAlias = Callable[[str], Awaitable[Any]]


@dataclass(frozen=True)
class Postgres:
    """A database of PostgreSQL."""

    database: Database

    @property
    def kind(self) -> str:
        return "PostgreSQL"

    @property
    def url(self) -> str:
        return self.database.url

    @property
    def port(self) -> int:
        return int(self.database.server.port)

    def run(self, sql: str) -> None:
        self.database.psql(sql)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        connection = await asyncpg.connect(self.url)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    def state(self, table: str) -> str:
        return f"_fastload.{table}"

    def numbers(self, count: int) -> str:
        return f"(SELECT n FROM generate_series(1, {count}) AS n) AS numbers"

    def analyse(self, *tables: str) -> None:
        self.run("ANALYZE")

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Ask]:
        """Yield what returns the first value of a query, or None where the table is not there."""
        connection = await asyncpg.connect(self.url)

        async def ask(query: str) -> Any:
            try:
                return await connection.fetchval(query)
            except asyncpg.UndefinedTableError:
                return None

        try:
            yield ask
        finally:
            await connection.close()

    async def sessions(self) -> int:
        return int(
            self.database.psql(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'fastload' "
                "AND datname = current_database()"
            )
        )

    def working(self, what: str) -> str:
        return (
            "SELECT max(pid) FROM pg_stat_activity WHERE application_name = 'fastload' AND "
            f"datname = current_database() AND state = 'active' AND query ILIKE '{what}'"
        )

    def end(self, session: int) -> None:
        self.run(f"SELECT pg_terminate_backend({session})")


@dataclass(frozen=True)
class Mysql:
    """A database of MySQL's family."""

    database: MysqlDatabase

    @property
    def kind(self) -> str:
        return {"mysql": "MySQL", "mariadb": "MariaDB"}[self.database.server.flavour]

    @property
    def url(self) -> str:
        return self.database.url

    @property
    def port(self) -> int:
        return self.database.server.port

    def run(self, sql: str) -> None:
        self.database.execute(sql)

    async def rows(self, query: str) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in self.database.execute(query)]

    def state(self, table: str) -> str:
        return f"_fastload_{table}"

    def numbers(self, count: int) -> str:
        digits = " UNION ALL ".join(f"SELECT {i} AS d" for i in range(10))
        joined = " JOIN ".join(f"({digits}) AS d{i}" for i in range(len(str(count))))
        number = " + ".join(f"d{i}.d * {10**i}" for i in range(len(str(count))))
        return f"(SELECT {number} + 1 AS n FROM {joined} HAVING n <= {count}) AS numbers"

    def analyse(self, *tables: str) -> None:
        self.run(f"ANALYZE TABLE {', '.join(tables)}")

    @contextlib.asynccontextmanager
    async def asking(self) -> AsyncIterator[Ask]:
        """Yield what returns the first value of a query, or None where the table is not there."""
        name = self.database.name
        with self.database.server.connect(database=name) as connection:
            cursor = connection.cursor()

            async def ask(query: str) -> Any:
                try:
                    cursor.execute(query)
                except pymysql.err.ProgrammingError as error:
                    if error.args[0] != 1146:
                        raise
                    return None
                row = cursor.fetchone()
                return row[0] if row else None

            yield ask

    async def sessions(self) -> int:
        # The test's own come through the socket.
        query = "SELECT count(*) FROM information_schema.processlist WHERE db = '{}' AND {}"
        return int(self.database.server.execute(query.format(self.database.name, _BY_TCP))[0][0])

    def working(self, what: str) -> str:
        return (
            "SELECT max(id) FROM information_schema.processlist "
            f"WHERE db = '{self.database.name}' AND {_BY_TCP} AND info LIKE '{what}'"
        )

    def end(self, session: int) -> None:
        self.database.server.execute(f"KILL {session}")


_BY_TCP = "host LIKE '127.0.0.1:%'"
Side: TypeAlias = Postgres | Mysql


@dataclass(frozen=True)
class Pair:
    """A source and a target, and the route between them."""

    source: Side
    target: Side
    route: str

    async def same(self, *queries: str) -> None:
        """Check that both sides answer alike."""
        for query in queries:
            assert sorted(await self.target.rows(query)) == sorted(await self.source.rows(query))

    async def none_left(self) -> None:
        """Check that within two seconds no session of fastload's is left on either side."""
        until = anyio.current_time() + 2
        while left := (await self.source.sessions(), await self.target.sessions()) != (0, 0):
            assert anyio.current_time() < until, f"sessions are left: {left}"
            await anyio.sleep(0.05)


def _side(kind: str, end: str, request: pytest.FixtureRequest, stack: contextlib.ExitStack) -> Side:
    if kind == "postgres":
        server = request.getfixturevalue("postgres16" if end == "source" else "postgres18")
        return Postgres(stack.enter_context(contextlib.contextmanager(_database)(server)))
    family = request.getfixturevalue(kind)
    name = f"fastload_{end}_{next(_numbers)}"
    stack.enter_context(family.database(name))
    return Mysql(MysqlDatabase(family, name))


PAIRS = [
    ("postgres", "postgres", "wire"),
    ("postgres", "postgres", "arrow"),
    ("postgres", "mysql", "auto"),
    ("postgres", "mariadb", "auto"),
    ("mysql", "mariadb", "auto"),
    ("mariadb", "mysql", "auto"),
]


def with_pairs(*short: tuple[str, str, str], long: Iterable[tuple[str, str, str]] = ()) -> Any:
    """Return the decorator that runs a test for each of these pairs, some in the long tier only."""
    late = [pytest.param(p, marks=pytest.mark.long) for p in long if p not in short]
    named = ["-".join(p) for p in (*short, *(p.values[0] for p in late))]
    return pytest.mark.parametrize("pair", [*short, *late], ids=named, indirect=True)


@pytest.fixture(params=PAIRS, ids="-".join)
def pair(request: pytest.FixtureRequest) -> Any:
    """Each pair of databases, and route, in turn."""
    source, target, route = request.param
    with contextlib.ExitStack() as stack:
        yield Pair(
            _side(source, "source", request, stack), _side(target, "target", request, stack), route
        )


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if record.ROWS:
        terminalreporter.section("checks against faults")
        terminalreporter.write(record.markdown(list(record.ROWS.values())))
