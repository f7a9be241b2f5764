"""What is done with servers of MySQL's family, and by whom, with the ratios to reach.

MySQL where the other program can log in there; MariaDB otherwise, on both sides of a work.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import SplitResult, urlsplit

from benchmarks import data
from benchmarks.works import Contender, Work, ours, python
from fastload.testing.mysql_programs import spec_of

_PEAK_MB = 300

_LOAD_DATABASE = """
LOAD DATABASE FROM {source} INTO {target}
WITH create tables, create indexes, reset sequences, workers = 4, concurrency = 2,
  multiple readers per thread, rows per range = 250000
ALTER SCHEMA '{database}' RENAME TO 'public';
"""


def pgloader() -> Contender:
    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        url = urlsplit(source)
        text = _LOAD_DATABASE.format(
            source=url._replace(scheme="mysql").geturl(), target=target, database=url.path[1:]
        )
        file = data.scratch() / "pgloader.load"
        file.write_text(text)
        folder = data.empty_folder("pgloader")
        return [["pgloader", "--quiet", f"--root-dir={folder}", str(file)]]

    return Contender(commands=commands, program="pgloader")


def mydumper(threads: int) -> Contender:
    """Return both halves, one after the other; each table is dumped in pieces, for the threads.

    One statement of 8 MB in each takes the server a fifth less time than the defaults.
    """

    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        here, there = urlsplit(source), urlsplit(target)
        folder = str(data.empty_folder("mydumper"))
        pieces = ["--rows=50000", "--statement-size=8000000"]
        dump = ["mydumper", *_login(here), f"--threads={threads}", *pieces]
        load = ["myloader", *_login(there), f"--threads={threads}", "--enable-binlog"]
        both = (
            [*dump, f"--database={here.path[1:]}", f"--outputdir={folder}"],
            [*load, f"--database={there.path[1:]}", f"--directory={folder}"],
        )
        return [["sh", "-c", " && ".join(map(shlex.join, both))]]

    return Contender(commands=commands, program="myloader")


def load_data(table: str, make: str) -> Contender:
    """Return the server's own client, with a file that was ready before the clock ran."""

    def commands(source: str, target: str) -> Sequence[Sequence[str]]:
        url = urlsplit(target)
        client = spec_of("mysql").program("mysql")
        options = ["--no-defaults", *_login(url), "--local-infile=1", f"--database={url.path[1:]}"]
        file = data.scratch() / f"{table}.tbl"
        sql = f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {table} {data.FORMAT}"
        return [[*client, *options, f"--execute={sql}"]]

    return Contender(commands=commands, prepare=make)


def _login(url: SplitResult) -> list[str]:
    account = [f"--user={url.username}", f"--password={url.password}"]
    return [f"--host={url.hostname}", f"--port={url.port}", *account]


def _to_postgres(table: str, make: str) -> Work:
    duckdb = python("duckdb_copy", "SOURCE", "TARGET", table)
    return Work(
        source="mysql",
        database=table,
        tables=(table,),
        contenders={
            "DuckDB": Contender(commands=duckdb, prepare=make),
            "fastload": ours("auto", 2, "rows", make),
        },
        reach=(("fastload", "DuckDB", 0.67),),
        gates=(("fastload", _PEAK_MB),),
    )


def _from_postgres(table: str, make: str) -> Work:
    return Work(
        target="mysql",
        database=f"{table}_key",
        tables=(table,),
        contenders={
            "LOAD DATA": load_data(table, make),
            "fastload": ours("auto", 2, "rows", make),
        },
        reach=(("fastload", "LOAD DATA", 0.8),),
        gates=(("fastload", _PEAK_MB),),
        file_of_rows=table,
    )


def _with_indexes(target: str, name: str, other: Contender, reach: float) -> Work:
    return Work(
        source="mariadb",
        target=target,
        database="lineitem_indexes",
        tables=("lineitem",),
        indexed=True,
        contenders={name: other, "fastload": ours("auto", 2)},
        reach=(("fastload", name, reach),),
        gates=(("fastload", _PEAK_MB),),
    )


def _read(table: str, column: str) -> Work:
    connectorx = python("connectorx_read", "SOURCE", table, "2", column)
    return Work(
        source="mysql",
        target=None,
        database=table,
        tables=(),
        contenders={
            "connectorx": Contender(commands=connectorx),
            "fastload read": Contender(commands=python("fastload_read", "SOURCE", table, "2")),
        },
        reach=(("fastload read", "connectorx", 0.77),),
    )


# Neighbours share servers, and so the rows that are made in them.
WORKS = {
    "PostgreSQL to MySQL narrow": _from_postgres(
        "narrow", data.NARROW_KEY.format(moment="datetime(6)")
    ),
    "PostgreSQL to MySQL lineitem": _from_postgres("lineitem", data.LINEITEM_KEY),
    "read MySQL narrow": _read("narrow", "id"),
    "read MySQL lineitem": _read("lineitem", "l_orderkey"),
    "MySQL to PostgreSQL narrow": _to_postgres(
        "narrow", data.NARROW.replace("timestamptz", "timestamp")
    ),
    "MySQL to PostgreSQL lineitem": _to_postgres("lineitem", data.LINEITEM_VARCHAR),
    "MySQL to PostgreSQL with keys and indexes": _with_indexes(
        "postgresql 18", "pgloader", pgloader(), 0.33
    ),
    "MySQL to MySQL with keys and indexes": _with_indexes(
        "mariadb", "mydumper, myloader", mydumper(2), 0.5
    ),
}
