"""The demo: TPC-H from a private PostgreSQL 16 to a private 18, then both sides compared.

The comparison is made by the servers and their own psql, so that nothing of fastload has a part
in judging it.
"""

from __future__ import annotations

import shutil
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from fastload import progress, report_html
from fastload.errors import ConfigError
from fastload.tasks import task_group
from fastload.testing.servers import PostgresServer, ServerUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from fastload.report import CopyResult

T = TypeVar("T")
SOURCE, TARGET = 16, 18
_DATABASE = "tpch"
_TABLES = (
    "region", "nation", "part", "supplier", "partsupp", "customer", "orders", "lineitem",
)  # fmt: skip

# Types, keys and references as the TPC-H specification has them; the indexes are ours.
_SCHEMA = """
CREATE TABLE region (r_regionkey int NOT NULL, r_name char(25) NOT NULL, r_comment varchar(152));
CREATE TABLE nation (n_nationkey int NOT NULL, n_name char(25) NOT NULL,
  n_regionkey int NOT NULL, n_comment varchar(152));
CREATE TABLE part (p_partkey int NOT NULL, p_name varchar(55) NOT NULL, p_mfgr char(25) NOT NULL,
  p_brand char(10) NOT NULL, p_type varchar(25) NOT NULL, p_size int NOT NULL,
  p_container char(10) NOT NULL, p_retailprice numeric(15,2) NOT NULL,
  p_comment varchar(23) NOT NULL);
CREATE TABLE supplier (s_suppkey int NOT NULL, s_name char(25) NOT NULL,
  s_address varchar(40) NOT NULL, s_nationkey int NOT NULL, s_phone char(15) NOT NULL,
  s_acctbal numeric(15,2) NOT NULL, s_comment varchar(101) NOT NULL);
CREATE TABLE partsupp (ps_partkey int NOT NULL, ps_suppkey int NOT NULL, ps_availqty int NOT NULL,
  ps_supplycost numeric(15,2) NOT NULL, ps_comment varchar(199) NOT NULL);
CREATE TABLE customer (c_custkey int NOT NULL, c_name varchar(25) NOT NULL,
  c_address varchar(40) NOT NULL, c_nationkey int NOT NULL, c_phone char(15) NOT NULL,
  c_acctbal numeric(15,2) NOT NULL, c_mktsegment char(10) NOT NULL,
  c_comment varchar(117) NOT NULL);
CREATE TABLE orders (o_orderkey bigint NOT NULL, o_custkey int NOT NULL,
  o_orderstatus char(1) NOT NULL, o_totalprice numeric(15,2) NOT NULL, o_orderdate date NOT NULL,
  o_orderpriority char(15) NOT NULL, o_clerk char(15) NOT NULL, o_shippriority int NOT NULL,
  o_comment varchar(79) NOT NULL);
CREATE TABLE lineitem (l_orderkey bigint NOT NULL, l_partkey int NOT NULL, l_suppkey int NOT NULL,
  l_linenumber int NOT NULL, l_quantity numeric(15,2) NOT NULL,
  l_extendedprice numeric(15,2) NOT NULL, l_discount numeric(15,2) NOT NULL,
  l_tax numeric(15,2) NOT NULL, l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL,
  l_shipdate date NOT NULL, l_commitdate date NOT NULL, l_receiptdate date NOT NULL,
  l_shipinstruct char(25) NOT NULL, l_shipmode char(10) NOT NULL, l_comment varchar(44) NOT NULL);
"""
_CONSTRAINTS = """
ALTER TABLE region ADD PRIMARY KEY (r_regionkey);
ALTER TABLE nation ADD PRIMARY KEY (n_nationkey);
ALTER TABLE part ADD PRIMARY KEY (p_partkey);
ALTER TABLE supplier ADD PRIMARY KEY (s_suppkey);
ALTER TABLE partsupp ADD PRIMARY KEY (ps_partkey, ps_suppkey);
ALTER TABLE customer ADD PRIMARY KEY (c_custkey);
ALTER TABLE orders ADD PRIMARY KEY (o_orderkey);
ALTER TABLE lineitem ADD PRIMARY KEY (l_orderkey, l_linenumber);
ALTER TABLE nation ADD FOREIGN KEY (n_regionkey) REFERENCES region;
ALTER TABLE supplier ADD FOREIGN KEY (s_nationkey) REFERENCES nation;
ALTER TABLE partsupp ADD FOREIGN KEY (ps_partkey) REFERENCES part,
  ADD FOREIGN KEY (ps_suppkey) REFERENCES supplier;
ALTER TABLE customer ADD FOREIGN KEY (c_nationkey) REFERENCES nation;
ALTER TABLE orders ADD FOREIGN KEY (o_custkey) REFERENCES customer;
ALTER TABLE lineitem ADD FOREIGN KEY (l_orderkey) REFERENCES orders,
  ADD FOREIGN KEY (l_partkey, l_suppkey) REFERENCES partsupp;
ALTER TABLE lineitem ADD CHECK (l_discount BETWEEN 0 AND 1);
CREATE INDEX orders_custkey ON orders (o_custkey);
CREATE INDEX lineitem_part_supplier ON lineitem (l_partkey, l_suppkey);
CREATE INDEX lineitem_shipdate ON lineitem (l_shipdate DESC) WHERE l_returnflag = 'N';
CREATE UNIQUE INDEX customer_name ON customer (lower(c_name));
ANALYZE;
"""
# Order-free: the sum of 64 bits of each row's md5, as the server prints the row.
_ROWS = """
SELECT count(*), coalesce(sum(('x' || left(md5(t::text), 16))::bit(64)::bigint::numeric), 0)
FROM {table} t;
"""
# PostgreSQL 18 keeps NOT NULL as constraints too; the columns compare it for both.
_OBJECTS = {
    "columns": """
SELECT attrelid::regclass, attname, format_type(atttypid, atttypmod), attnotnull,
       attidentity, pg_get_expr(adbin, adrelid)
FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
  AND NOT attisdropped
ORDER BY attrelid::regclass::text, attnum;
""",
    "keys and checks": """
SELECT conrelid::regclass, conname, contype, convalidated, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'c', 'x')
ORDER BY 1, 2;
""",
    "foreign keys": """
SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f' ORDER BY 1, 2;
""",
    "indexes": """
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2;
""",
}


@dataclass(frozen=True, slots=True)
class Compared:
    """What one side and the other say of one thing.

    Attributes:
        source, target: A number of rows or objects.
    """

    name: str
    source: int
    target: int
    equal: bool


async def run(scale: float, html: Path) -> int:
    """Run the demo and return 0, or 1 if both sides differ.

    Args:
        scale: TPC-H scale factor.
        html: Where the report goes.
    """
    generator = _generator()
    async with AsyncExitStack() as stack:
        print(f"starting PostgreSQL {SOURCE} and {TARGET}", flush=True)
        source, target = await _both(partial(_start, SOURCE), partial(_start, TARGET))
        await stack.enter_async_context(source)
        await stack.enter_async_context(target)
        print(f"loading TPC-H at scale {scale:g} into the source through psql", flush=True)
        await anyio.to_thread.run_sync(load, source, generator, scale)
        print("copying with fastload", flush=True)
        result = await _copy(source, target)
        print(f"{result}\ncomparing both sides with psql", flush=True)
        compared = await compare(source, target)
    print(_as_text(compared))
    await anyio.Path(html).write_text(_page(scale, result, compared))
    print(f"report: {html}")
    return 0 if all(c.equal for c in compared) else 1


def load(server: PostgresServer, generator: Path, scale: float) -> None:
    """Make TPC-H in the server's database ``tpch``, with keys, references and indexes."""
    server.psql(_SCHEMA, _DATABASE)
    for table in _TABLES:
        make = f"{generator} csv --scale-factor {scale:g} --tables {table} --stdout"
        server.psql(f"\\copy {table} FROM PROGRAM '{make}' CSV HEADER", _DATABASE)
    server.psql(_CONSTRAINTS, _DATABASE)


async def compare(source: PostgresServer, target: PostgresServer) -> list[Compared]:
    """Compare rows and schema of both ``tpch`` databases, as their servers print them."""
    left, right = await _both(partial(_described, source), partial(_described, target))
    return [_compared(name, left[name], right[name]) for name in left]


def _compared(name: str, left: list[str], right: list[str]) -> Compared:
    if name in _TABLES:
        rows = [int(lines[0].split("|")[0]) for lines in (left, right)]
        return Compared(name, rows[0], rows[1], left == right)
    return Compared(name, len(left), len(right), left == right)


def _described(server: PostgresServer) -> dict[str, list[str]]:
    queries = {table: _ROWS.format(table=table) for table in _TABLES} | _OBJECTS
    return {name: server.psql(sql, _DATABASE).splitlines() for name, sql in queries.items()}


async def _copy(source: PostgresServer, target: PostgresServer) -> CopyResult:
    from fastload import api

    with progress.display() as show:
        return await api.copy(source.url_for(_DATABASE), target.url_for(_DATABASE), progress=show)


def _start(version: int) -> PostgresServer:
    try:
        server = PostgresServer.start(version, fsync=True)
    except ServerUnavailable as error:
        raise ConfigError(str(error), hint="pip install 'fastload[demo]'") from error
    server.psql(f"CREATE DATABASE {_DATABASE}")
    return server


async def _both(first: Callable[[], T], second: Callable[[], T]) -> tuple[T, T]:
    """Run both in threads at once."""
    results: dict[int, T] = {}

    async def call(place: int, function: Callable[[], T]) -> None:
        results[place] = await anyio.to_thread.run_sync(function)

    async with task_group() as group:
        group.start_soon(call, 0, first)
        group.start_soon(call, 1, second)
    return results[0], results[1]


def _generator() -> Path:
    beside = Path(sys.executable).with_name("tpchgen-cli")
    found = str(beside) if beside.exists() else shutil.which("tpchgen-cli")
    if found is None:
        raise ConfigError("tpchgen-cli is not installed", hint="pip install 'fastload[demo]'")
    return Path(found)


def _rows_of_table(compared: Sequence[Compared]) -> list[tuple[str, ...]]:
    return [
        (c.name, f"{c.source:,}", f"{c.target:,}", "equal" if c.equal else "DIFFERENT")
        for c in compared
    ]


def _as_text(compared: Sequence[Compared]) -> str:
    rows = [("", "source", "target", "content"), *_rows_of_table(compared)]
    lines = [f"  {name:<16}{left:>12}{right:>12}  {equal}" for name, left, right, equal in rows]
    verdict = "both sides are equal" if all(c.equal for c in compared) else "BOTH SIDES DIFFER"
    return "\n".join([*lines, verdict])


def _page(scale: float, result: CopyResult, compared: Sequence[Compared]) -> str:
    title = f"fastload demo: TPC-H at scale {scale:g}, PostgreSQL {SOURCE} to {TARGET}"
    titles = ("", "source", "target", "content")
    comparison = report_html.wrapped_table(
        "Both sides, as their servers see them", titles, _rows_of_table(compared), numeric=(1, 2)
    )
    return report_html.page(title, [report_html.result_fragment(result), comparison])
