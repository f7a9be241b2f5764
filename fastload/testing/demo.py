"""The demo: TPC-H from a private PostgreSQL 16 to a private 18, then both sides compared.

The comparison is made by the servers and their own psql, so that nothing of fastload has a part
in judging it.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import anyio

from fastload import progress, report_html
from fastload.errors import ConfigError
from fastload.tasks import task_group
from fastload.testing import tpch
from fastload.testing.private_server import ServerUnavailable
from fastload.testing.servers import PostgresServer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from fastload.report import CopyResult

T = TypeVar("T")
SOURCE, TARGET = 16, 18
_DATABASE = "tpch"
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
ORDER BY conrelid::regclass::text, 2;
""",
    "foreign keys": """
SELECT conrelid::regclass, conname, convalidated, pg_get_constraintdef(oid)
FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype = 'f'
ORDER BY conrelid::regclass::text, 2;
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
    async with AsyncExitStack() as stack:
        print(f"starting PostgreSQL {SOURCE} and {TARGET}", flush=True)
        source, target = await _both(partial(_start, SOURCE), partial(_start, TARGET))
        await stack.enter_async_context(source)
        await stack.enter_async_context(target)
        print(f"loading TPC-H at scale {scale:g} into the source through psql", flush=True)
        await anyio.to_thread.run_sync(tpch.load, source, _DATABASE, scale)
        print("copying with fastload", flush=True)
        result = await _copy(source, target)
        print(f"{result}\ncomparing both sides with psql", flush=True)
        compared = await compare(source, target)
    print(_as_text(compared))
    await anyio.Path(html).write_text(_page(scale, result, compared))
    print(f"report: {html}")
    return 0 if all(c.equal for c in compared) else 1


async def compare(source: PostgresServer, target: PostgresServer) -> list[Compared]:
    """Compare rows and schema of both ``tpch`` databases, as their servers print them."""
    left, right = await _both(partial(_described, source), partial(_described, target))
    return [_compared(name, left[name], right[name]) for name in left]


def _compared(name: str, left: list[str], right: list[str]) -> Compared:
    if name in tpch.TABLES:
        rows = [int(lines[0].split("|")[0]) for lines in (left, right)]
        return Compared(name, rows[0], rows[1], left == right)
    return Compared(name, len(left), len(right), left == right)


def _described(server: PostgresServer) -> dict[str, list[str]]:
    queries = {table: _ROWS.format(table=table) for table in tpch.TABLES} | _OBJECTS
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
