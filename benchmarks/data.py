"""The two servers and what is copied between them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fastload.testing import tpch
from fastload.testing.servers import PostgresServer

# Sizes that a small production server has, equal on both sides; checkpoints are asked for between
# the runs, so that none falls into one. fsync is on.
OPTIONS: dict[str, str | int | bool] = {
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "maintenance_work_mem": "256MB",
    "autovacuum": False,
}
NARROW = """
CREATE TABLE narrow (id bigint, n integer, amount numeric(12,2), name text, at timestamptz);
INSERT INTO narrow SELECT i, i % 1000, (i * 7 % 1000003) / 100.0, 'customer number ' || i,
  '2024-01-01'::timestamptz + i * '1 s'::interval FROM generate_series(1, 2000000) AS i;
VACUUM ANALYZE narrow;"""
SMALL_TABLES = 1000
SMALL = f"""
DO $$ BEGIN FOR i IN 1..{SMALL_TABLES} LOOP
  EXECUTE format('CREATE TABLE small_%s (id int PRIMARY KEY, name text, at timestamptz)', i);
  EXECUTE format('INSERT INTO small_%s SELECT g, ''row '' || g, now() '
                 'FROM generate_series(1, 10) AS g', i);
  EXECUTE format('CREATE INDEX ON small_%s (name)', i);
  COMMIT;
END LOOP; END $$;"""
WIDE = """
CREATE TABLE wide (id int, body bytea);
INSERT INTO wide SELECT i, decode(repeat(md5(i::text), 2 << 20), 'hex')
  FROM generate_series(1, 64) AS i;"""


@contextmanager
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """Start the source, PostgreSQL 16, and the target, 18."""
    with (
        PostgresServer.start(version=16, fsync=True, options=OPTIONS) as source,
        PostgresServer.start(version=18, fsync=True, options=OPTIONS) as target,
    ):
        yield source, target


def make(server: PostgresServer, database: str, *, scale: float) -> None:
    """Make and fill one of the source databases."""
    server.psql(f"CREATE DATABASE {database}")
    if database in ("tpch", "lineitem"):
        tpch.load(server, database, scale, keys=database == "tpch")
    else:
        server.psql({"narrow": NARROW, "small": SMALL, "wide": WIDE}[database], database)
    if database == "lineitem":
        others = ", ".join(t for t in tpch.TABLES if t != "lineitem")
        server.psql(f"DROP TABLE {others}", database)
    server.psql("VACUUM ANALYZE", database)
