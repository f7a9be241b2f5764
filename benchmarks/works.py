"""What is done between PostgreSQL servers, and by whom, with the ratios to reach."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks import data
from fastload.testing import tpch

Commands: TypeAlias = Callable[[str, str], Sequence[Sequence[str]]]

APT_PACKAGES = {"pgcopydb": "pgcopydb", "pgloader": "pgloader", "myloader": "mydumper"}


@dataclass(frozen=True, kw_only=True)
class Contender:
    """Who does a work.

    Attributes:
        commands: From source and target URL to the commands of a pipe.
        prepare: SQL on the empty target beforehand, such as the table that psql needs.
        program: What Debian has to bring, in ``APT_PACKAGES``.
    """

    commands: Commands
    prepare: str = ""
    program: str | None = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """One work and who does it.

    Attributes:
        source: Its kind of server.
        target: Likewise; None for reads.
        tables: What is compared on the servers after each run; nothing for reads.
        indexed: Whether the indexes are compared, too.
        file_of_rows: The table whose rows a contender finds in a file.
        many_files: Whether target databases are dropped only at the end. For some minutes ext4
            passes over the inodes of deleted files one by one, which made 1,000 CREATE TABLE
            take 2.3 s instead of 0.7 s after the previous run's database was dropped.
        reach: Ours, theirs, and the ratio to reach, if there is one.
        gates: Ours, and the resident memory in MB not to exceed.
    """

    source: str = "postgresql 16"
    target: str | None = "postgresql 18"
    database: str
    tables: tuple[str, ...]
    indexed: bool = False
    contenders: dict[str, Contender]
    reach: tuple[tuple[str, str, float | None], ...] = ()
    gates: tuple[tuple[str, int], ...] = ()
    many_files: bool = False
    file_of_rows: str | None = None

    @property
    def portable(self) -> bool:
        """Whether rows are compared by what servers of different kinds can tell of them."""
        return not all(
            kind and kind.startswith("postgresql") for kind in (self.source, self.target)
        )


def python(*arguments: str) -> Commands:
    """Return the commands of a Python contender; SOURCE and TARGET stand for the URLs."""

    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        urls = {"SOURCE": source, "TARGET": target}
        filled = [urls.get(a, a) for a in arguments]
        return [[sys.executable, "-m", "benchmarks.contenders", *filled]]

    return commands


def ours(route: str, parallel: int, extent: str = "all", make: str = "") -> Contender:
    """Return fastload: into tables that are made beforehand, or that it makes itself."""
    mode = "append" if make else "create"
    arguments = ("fastload_copy", "SOURCE", "TARGET", route, str(parallel), extent, mode)
    return Contender(commands=python(*arguments), prepare=make)


def psql_pipe(table: str, make: str) -> Contender:
    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        return [
            ["psql", "-Xqd", source, "-c", f"COPY {table} TO STDOUT (FORMAT binary)"],
            ["psql", "-Xqd", target, "-c", f"COPY {table} FROM STDIN (FORMAT binary)"],
        ]

    return Contender(commands=commands, prepare=make)


def pg_dump() -> Contender:
    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        return [["pg_dump", "-d", source], ["psql", "-Xqd", target, "-o", "/dev/null"]]

    return Contender(commands=commands)


def pgcopydb(jobs: int) -> Contender:
    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        folder = f"/tmp/pgcopydb-{os.getpid()}"
        jobs_options = ["--table-jobs", str(jobs), "--index-jobs", str(jobs)]
        clone = ["pgcopydb", "clone", "--source", source, "--target", target, *jobs_options]
        return [[*clone, "--dir", folder, "--restart", "--no-owner", "--no-acl"]]

    return Contender(commands=commands, program="pgcopydb")


def _pipe_work(table: str, make: str, *, wire_2: float) -> Work:
    pipe = python("asyncpg_pipe", "SOURCE", "TARGET", table)
    duckdb = python("duckdb_copy", "SOURCE", "TARGET", table)
    return Work(
        database=table,
        tables=(table,),
        contenders={
            "psql pipe": psql_pipe(table, make),
            "asyncpg pipe": Contender(commands=pipe, prepare=make),
            "DuckDB": Contender(commands=duckdb, prepare=make),
            "fastload wire 1": ours("wire", 1, "rows"),
            "fastload wire 2": ours("wire", 2, "rows"),
            "fastload arrow 2": ours("arrow", 2, "rows"),
            "fastload wire 2, ANALYZE": ours("wire", 2),
        },
        reach=(
            ("fastload wire 1", "psql pipe", 1.05),
            ("fastload wire 2", "psql pipe", wire_2),
            ("fastload arrow 2", "psql pipe", 1.20),
            ("fastload arrow 2", "DuckDB", 0.90),
            ("fastload wire 2, ANALYZE", "psql pipe", None),
            ("asyncpg pipe", "psql pipe", None),
        ),
        gates=(("fastload wire 2", 300), ("fastload arrow 2", 300)),
    )


def _read_work(table: str, column: str, reach: float) -> Work:
    connectorx = python("connectorx_read", "SOURCE", table, "2", column)
    return Work(
        target=None,
        database=table,
        tables=(),
        contenders={
            "ADBC": Contender(commands=python("adbc_read", "SOURCE", table)),
            "connectorx": Contender(commands=connectorx),
            "fastload read": Contender(commands=python("fastload_read", "SOURCE", table, "2")),
        },
        reach=(("fastload read", "ADBC", reach), ("fastload read", "connectorx", reach)),
    )


_VALUES_IN_FLIGHT_MB = 2 * 3 * 64
WORKS = {
    "narrow": _pipe_work("narrow", data.NARROW, wire_2=0.95),
    "lineitem": _pipe_work("lineitem", data.LINEITEM, wire_2=1.0),
    "read narrow": _read_work("narrow", "id", 0.85),
    "read lineitem": _read_work("lineitem", "l_orderkey", 0.65),
    "TPC-H": Work(
        database="tpch",
        tables=tpch.TABLES,
        contenders={"pgcopydb": pgcopydb(2), "fastload": ours("auto", 2)},
        reach=(("fastload", "pgcopydb", 0.67),),
        gates=(("fastload", 300),),
    ),
    "1000 tables": Work(
        database="small",
        tables=("small_1", "small_500", "small_1000"),
        contenders={
            "pgcopydb": pgcopydb(2),
            "pg_dump to psql": pg_dump(),
            "fastload": ours("auto", 2),
        },
        reach=(("fastload", "pgcopydb", 0.25), ("fastload", "pg_dump to psql", 0.8)),
        gates=(("fastload", 300),),
        many_files=True,
    ),
    "64 values of 64 MB": Work(
        database="wide",
        tables=("wide",),
        contenders={"fastload wire": ours("wire", 2), "fastload arrow": ours("arrow", 2)},
        gates=(
            ("fastload wire", 300 + _VALUES_IN_FLIGHT_MB),
            ("fastload arrow", 300 + _VALUES_IN_FLIGHT_MB),
        ),
    ),
}
