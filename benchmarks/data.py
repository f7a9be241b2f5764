"""What is copied, and how each kind of server comes to it."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.servers import Postgres, Server
from fastload.testing import tpch

NARROW_ROWS = 2_000_000
SMALL_TABLES = 1000

# Rows of 5 and of 16 columns, without keys as psql's pipe is given them, and with. The latter are
# for MySQL's family as well, which has another idea of the blanks at the end of a char.
NARROW = """
CREATE TABLE narrow (id bigint, n integer, amount numeric(12,2), name text, at timestamptz)"""
LINEITEM = next(s for s in tpch.SCHEMA.split(";") if "TABLE lineitem" in s)
NARROW_KEY = """
CREATE TABLE narrow (id bigint NOT NULL PRIMARY KEY, n int NOT NULL, amount decimal(12,2) NOT NULL,
  name varchar(40) NOT NULL, at {moment} NOT NULL)"""
LINEITEM_VARCHAR = LINEITEM.replace(" char(", " varchar(")
LINEITEM_KEY = LINEITEM_VARCHAR.rstrip()[:-1] + ", PRIMARY KEY (l_orderkey, l_linenumber))"
_LINEITEM_INDEXES = """
CREATE INDEX lineitem_part_supplier ON lineitem (l_partkey, l_suppkey);
CREATE INDEX lineitem_shipdate ON lineitem (l_shipdate);"""
_NARROW_ROWS = """
INSERT INTO narrow SELECT i, i % 1000, (i * 7 % 1000003) / 100.0, 'customer number ' || i,
  '2024-01-01'::timestamptz + i * '1 s'::interval FROM generate_series(1, {rows}) AS i;"""
_SMALL = f"""
DO $$ BEGIN FOR i IN 1..{SMALL_TABLES} LOOP
  EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text, at timestamptz)', i);
  EXECUTE format('INSERT INTO small_%s SELECT g, ''row '' || g, now() '
                 'FROM generate_series(1, 10) AS g', i);
  EXECUTE format('CREATE INDEX ON small_%s (name)', i);
  COMMIT;
END LOOP; END $$;"""
_WIDE = """
CREATE TABLE wide (id int, body bytea);
INSERT INTO wide SELECT i, decode(repeat(md5(i::text), 2 << 20), 'hex')
  FROM generate_series(1, 64) AS i;"""
_PIECE_ROWS = 100_000


def make(server: Server, database: str, *, scale: float) -> None:
    """Make and fill one of the source databases; scale 1 is what the tables tell of."""
    server.create(database)
    if isinstance(server, Postgres):
        _make_postgres(server, database, scale)
    else:
        _make_mysql(server, database, scale)


def _make_postgres(server: Postgres, database: str, scale: float) -> None:
    if database == "tpch":
        tpch.load(server.private, database, scale)
    elif database in ("lineitem", "lineitem_key"):
        server.execute(LINEITEM if database == "lineitem" else LINEITEM_KEY, database)
        command = " ".join(_generator("csv", scale))
        server.execute(f"\\copy lineitem FROM PROGRAM '{command}' CSV HEADER", database)
    else:
        server.execute(_postgres_sql(database, int(NARROW_ROWS * scale)), database)
    server.execute("VACUUM ANALYZE", database)


def _postgres_sql(database: str, rows: int) -> str:
    fill = ";" + _NARROW_ROWS.format(rows=rows)
    return {
        "narrow": NARROW + fill,
        "narrow_key": NARROW_KEY.format(moment="timestamp") + fill,
        "small": _SMALL,
        "wide": _WIDE,
    }[database]


def _make_mysql(server: Server, database: str, scale: float) -> None:
    table = database.removesuffix("_indexes").removesuffix("_key")
    create = {"narrow": NARROW_KEY.format(moment="datetime"), "lineitem": LINEITEM_KEY}[table]
    server.execute(create, database)
    rows = rows_file(table, scale)
    server.execute(f"LOAD DATA INFILE '{rows}' INTO TABLE {table} {FORMAT}", database)
    if database.endswith("_indexes"):
        server.execute(_LINEITEM_INDEXES, database)
    server.execute(f"ANALYZE TABLE {table}", database)


# As the generator of TPC-H writes its rows.
FORMAT = r"CHARACTER SET utf8mb4 FIELDS TERMINATED BY '|' LINES TERMINATED BY '|\n'"


@functools.cache
def rows_file(table: str, scale: float) -> Path:
    """Return a file of a table's rows, the same that PostgreSQL's databases hold."""
    path = scratch() / f"{table}.tbl"
    with path.open("wb") as file:
        if table == "lineitem":
            subprocess.run(_generator("tbl", scale), stdout=file, check=True)
        else:
            file.writelines(_narrow(int(NARROW_ROWS * scale)))
    path.chmod(0o644)
    return path


def _generator(form: str, scale: float) -> list[str]:
    # A million rows of lineitem are TPC-H at scale 1/6.
    share = f"--scale-factor={scale / 6:g}"
    return [str(tpch.generator()), form, share, "--tables=lineitem", "--stdout"]


def _narrow(rows: int) -> Iterator[bytes]:
    began = datetime(2024, 1, 1)
    for first in range(1, rows + 1, _PIECE_ROWS):
        lines = []
        for i in range(first, min(first + _PIECE_ROWS, rows + 1)):
            cents = i * 7 % 1000003
            at = began + timedelta(seconds=i)
            amount = f"{cents // 100}.{cents % 100:02}"
            lines.append(f"{i}|{i % 1000}|{amount}|customer number {i}|{at}|\n")
        yield "".join(lines).encode()


@functools.cache
def scratch() -> Path:
    """Return a folder for what contenders and servers read and write, in memory where it can be.

    It is gone when this process ends, unless that is killed.
    """
    memory = Path("/dev/shm")
    made = tempfile.mkdtemp(prefix="fastload-bench-", dir=memory if memory.is_dir() else None)
    Path(made).chmod(0o755)  # servers run as a user of their own
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return Path(made)


def empty_folder(name: str) -> Path:
    """Return a folder below ``scratch`` that is not there yet, or not any more."""
    path = scratch() / name
    shutil.rmtree(path, ignore_errors=True)
    return path
