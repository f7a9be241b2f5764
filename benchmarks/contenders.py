"""What is measured, each in a process of its own: ``python -m benchmarks.contenders NAME ...``.

A Python contender prints the seconds inside its one call, without the interpreter's start and
imports; the harness takes the whole process's wall time beside it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


def fastload_copy(
    source: str, target: str, route: str, parallel: str, extent: str, mode: str
) -> float:
    import anyio._backends._asyncio  # noqa: F401
    import uvloop

    import fastload
    import fastload.api

    _import_adapter(source, "source")
    _import_adapter(target, "target")
    if route == "arrow" or _family(source) != "postgres" or _family(target) != "postgres":
        _import_arrow()
    options = {"statistics": extent != "rows", "verify": extent.endswith("verified")}

    async def call() -> float:
        began = time.perf_counter()
        await fastload.copy(
            source, target, route=route, parallel=int(parallel), mode=mode, **options
        )
        return time.perf_counter() - began

    return uvloop.run(call())


def fastload_read(source: str, table: str, parallel: str) -> float:
    import anyio._backends._asyncio  # noqa: F401
    import pyarrow
    import uvloop

    import fastload
    import fastload.api

    _import_adapter(source, "source")
    _import_arrow()

    async def call() -> float:
        began = time.perf_counter()
        async with fastload.read(source, table, parallel=int(parallel)) as reading:
            found = await reading.table()
        seconds = time.perf_counter() - began
        assert isinstance(found, pyarrow.Table)
        assert found.num_rows
        return seconds

    return uvloop.run(call())


def _import_adapter(url: str, side: str) -> None:
    importlib.import_module(f"fastload_{_family(url)}.{side}")


def _import_arrow() -> None:
    import pyarrow.compute  # noqa: F401

    import fastload.arrow_input  # noqa: F401


def _family(url: str) -> str:
    return "postgres" if url.startswith("postgresql:") else "mysql"


def adbc_read(source: str, table: str) -> float:
    import adbc_driver_postgresql.dbapi as adbc
    import pyarrow  # noqa: F401

    began = time.perf_counter()
    with adbc.connect(source) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table}")
        found = cursor.fetch_arrow_table()
    seconds = time.perf_counter() - began
    assert found.num_rows
    return seconds


def connectorx_read(source: str, table: str, parallel: str, column: str) -> float:
    import connectorx
    import pyarrow  # noqa: F401

    began = time.perf_counter()
    found = connectorx.read_sql(
        source,
        f"SELECT * FROM {table}",
        protocol="binary",
        return_type="arrow",
        partition_on=column,
        partition_num=int(parallel),
    )
    seconds = time.perf_counter() - began
    assert found.num_rows
    return seconds


def duckdb_copy(source: str, target: str, table: str) -> float:
    import duckdb

    extensions = [_duckdb_extension(family) for family in sorted({_family(source), "postgres"})]
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    began = time.perf_counter()
    for extension in extensions:
        connection.execute(f"LOAD '{extension}'")
    here = _duckdb_address(source)
    connection.execute(f"ATTACH '{here}' AS source (TYPE {_family(source)}, READ_ONLY)")
    connection.execute(f"ATTACH '{target}' AS target (TYPE postgres)")
    connection.execute(f"INSERT INTO target.{table} SELECT * FROM source.{table}")
    return time.perf_counter() - began


def _duckdb_extension(family: str) -> Path:
    package = importlib.import_module(f"duckdb_extension_{family}_scanner")
    (extension,) = Path(str(package.__file__)).parent.rglob("*.duckdb_extension")
    return extension


def _duckdb_address(url: str) -> str:
    if _family(url) == "postgres":
        return url
    parts = urlsplit(url)
    account = f"user={parts.username} password={parts.password}"
    return f"host={parts.hostname} port={parts.port} {account} database={parts.path[1:]}"


def asyncpg_pipe(source: str, target: str, table: str) -> float:
    """A bare pipe of the driver: the floor of what fastload's wire route can reach."""
    import asyncpg
    import uvloop

    async def call() -> float:
        began = time.perf_counter()
        reader, writer = await asyncpg.connect(source), await asyncpg.connect(target)
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(64)

        async def chunks() -> Any:
            while (chunk := await queue.get()) is not None:
                yield chunk

        async def read() -> None:
            await reader.copy_from_table(table, output=queue.put, format="binary")
            await queue.put(None)

        await asyncio.gather(read(), writer.copy_to_table(table, source=chunks(), format="binary"))
        await reader.close()
        await writer.close()
        return time.perf_counter() - began

    return uvloop.run(call())


CONTENDERS: dict[str, Callable[..., float]] = {
    f.__name__: f
    for f in (fastload_copy, fastload_read, adbc_read, connectorx_read, duckdb_copy, asyncpg_pipe)
}

if __name__ == "__main__":
    print(json.dumps({"seconds": CONTENDERS[sys.argv[1]](*sys.argv[2:])}))
