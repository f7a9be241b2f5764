"""The private servers of a work, and what the harness asks of any of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TypeAlias, cast, get_args

from benchmarks import digests
from benchmarks.flushing import flush
from fastload.testing import mysql_programs
from fastload.testing import servers as postgres_programs
from fastload.testing.mysql_programs import Flavour
from fastload.testing.mysql_servers import MysqlServer
from fastload.testing.servers import PostgresServer

Options: TypeAlias = dict[str, str | int | bool]

# Sizes that a small production server has, equal on both sides; checkpoints are asked for between
# the runs, so that none falls into one. fsync is on.
_POSTGRES_OPTIONS: Options = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "256MB",
    "autovacuum": False,
}
# The binary log is written, by rows, and synchronised as either server does by default. Nothing is
# encrypted, as on the PostgreSQL servers: some contenders would do it by themselves, some not.
_MYSQL_OPTIONS: Options = {"innodb_buffer_pool_size": "1G", "innodb_flush_log_at_trx_commit": 1}
_FLAVOUR_OPTIONS: dict[Flavour, Options] = {
    "mysql": {"innodb_redo_log_capacity": "2G", "sync_binlog": 1, "tls_version": ""},
    "mariadb": {
        "innodb_log_file_size": "2G",
        "sync_binlog": 0,
        "ssl": False,
        "innodb_io_capacity": 10_000,  # MySQL's default; MariaDB's is for a rotating disk
        "innodb_io_capacity_max": 20_000,
    },
}


class Server(ABC):
    """One server, whatever it is; see ``find``."""

    programs: Path | None = None  # the folder of its own, to be found first

    @abstractmethod
    def stop(self) -> None:
        """End it and delete its data."""

    @abstractmethod
    def url_for(self, database: str) -> str:
        """Return the URL of a database."""

    @abstractmethod
    def execute(self, sql: str, database: str | None = None) -> list[tuple[str, ...]]:
        """Run statements and return the rows of the last, as texts."""

    @abstractmethod
    def has(self, database: str) -> bool:
        """Return whether there is such a database."""

    @abstractmethod
    def drop(self, database: str) -> None:
        """Drop a database if it is there."""

    @abstractmethod
    def settle(self) -> None:
        """Write to the data files what is only in memory and in the log."""

    @abstractmethod
    def digest(self, database: str, table: str, *, portable: bool) -> list[tuple[str, ...]]:
        """Return what is the same where the rows are; portable between kinds of servers."""

    @abstractmethod
    def indexes(self, database: str, table: str) -> list[str]:
        """Return the columns of each index, and whether it is unique."""

    def create(self, database: str) -> None:
        """Make an empty database."""
        self.execute(f"CREATE DATABASE {database}")


class Postgres(Server):
    def __init__(self, version: int) -> None:
        self.private = PostgresServer.start(version, fsync=True, options=_POSTGRES_OPTIONS)
        self.programs = self.private.program("psql").parent

    def stop(self) -> None:
        self.private.stop()

    def url_for(self, database: str) -> str:
        return self.private.url_for(database)

    def execute(self, sql: str, database: str | None = None) -> list[tuple[str, ...]]:
        lines = self.private.psql(sql, database or "postgres").splitlines()
        return [tuple(line.split("|")) for line in lines]

    def has(self, database: str) -> bool:
        return bool(self.execute(f"SELECT 1 FROM pg_database WHERE datname = '{database}'"))

    def drop(self, database: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def settle(self) -> None:
        self.execute("CHECKPOINT")

    def digest(self, database: str, table: str, *, portable: bool) -> list[tuple[str, ...]]:
        if not portable:
            return self.execute(digests.postgres_rows(table), database)
        columns = self.execute(digests.COLUMNS.format(schema="public", table=table), database)
        names = tuple(name for name, _ in columns)
        return [names, *self.execute(digests.postgres(table, columns), database)]

    def indexes(self, database: str, table: str) -> list[str]:
        found = self.execute(digests.POSTGRES_INDEXES.format(table=table), database)
        return sorted(row[0] for row in found)


class Mysql(Server):
    def __init__(self, flavour: Flavour) -> None:
        options = {**_MYSQL_OPTIONS, **_FLAVOUR_OPTIONS[flavour]}
        # A password that needs no quotes anywhere. MySQL takes it without encryption because the
        # first connection, the harness's own through the socket, has told it that it is right.
        self._own = MysqlServer.start(flavour, fsync=True, options=options, password="benchmark")

    def stop(self) -> None:
        self._own.stop()

    def url_for(self, database: str) -> str:
        return self._own.url_for(database)

    def execute(self, sql: str, database: str | None = None) -> list[tuple[str, ...]]:
        return [tuple(map(str, row)) for row in self._own.execute(sql, database)]

    def has(self, database: str) -> bool:
        return bool(self.execute(f"SHOW DATABASES LIKE '{database}'"))

    def drop(self, database: str) -> None:
        self._own.drop_database(database)

    def settle(self) -> None:
        with self._own.connect() as connection, connection.cursor() as cursor:
            flush(cursor)

    def digest(self, database: str, table: str, *, portable: bool) -> list[tuple[str, ...]]:
        assert portable
        columns = self.execute(digests.COLUMNS.format(schema=database, table=table))
        names = tuple(name for name, _ in columns)
        return [names, *self.execute(digests.mysql(table, columns), database)]

    def indexes(self, database: str, table: str) -> list[str]:
        found = self.execute(digests.MYSQL_INDEXES.format(schema=database, table=table))
        return sorted(row[0] for row in found)


def find(kind: str) -> Callable[[], Server]:
    """Return what starts a server: ``postgresql 16``, ``postgresql 18``, ``mysql``, ``mariadb``.

    Raises:
        ServerUnavailable: Its programs are not here; with what brings them.
    """
    if kind in get_args(Flavour):
        flavour = cast(Flavour, kind)
        mysql_programs.spec_of(flavour)
        return partial(Mysql, flavour)
    version = int(kind.removeprefix("postgresql "))
    postgres_programs.spec_of(version)
    return partial(Postgres, version)


class Fleet:
    """The servers that the work at hand needs: those of the work before are kept or stopped."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, str], Server] = {}

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._keep(set())

    def servers(self, source: str, target: str | None) -> tuple[Server, Server | None]:
        """Return the work's source and target, started if they are not running."""
        wanted = {("source", source)} | ({("target", target)} if target else set())
        self._keep(wanted)
        for role, kind in sorted(wanted - self._running.keys()):
            self._running[role, kind] = find(kind)()
        return self._running["source", source], self._running.get(("target", target or ""))

    def _keep(self, wanted: set[tuple[str, str]]) -> None:
        with ExitStack() as stack:  # each is stopped, even if another cannot be
            for key in self._running.keys() - wanted:
                stack.callback(self._running.pop(key).stop)
