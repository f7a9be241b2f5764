"""PostgreSQL keeps the seam's promises."""

from __future__ import annotations

from typing import Any

import asyncpg
import pyarrow as pa
import pytest
from fastload_postgres import ADAPTER

from fastload import Url
from fastload.model import QualifiedName
from fastload.testing.suite import AdapterSuite

_TYPES = {"int64": "bigint", "string": "text"}


class TestPostgres(AdapterSuite):
    adapter = ADAPTER

    @pytest.fixture
    def endpoint(self, target) -> Url:
        return Url.parse(target.url)

    async def fill(
        self, endpoint: Url, name: QualifiedName, data: pa.Table, key: tuple[str, ...]
    ) -> None:
        columns = ", ".join(f'"{f.name}" {_TYPES[str(f.type)]}' for f in data.schema)
        connection = await _connect(endpoint)
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({', '.join(key)}))"
        )
        rows = zip(*(c.to_pylist() for c in data.columns), strict=True)
        places = ", ".join(f"${i + 1}" for i in range(data.num_columns))
        await connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)
        await connection.execute(f"ANALYZE {name}")
        await connection.close()

    async def rows(self, endpoint: Url, name: QualifiedName) -> list[tuple[Any, ...]]:
        connection = await _connect(endpoint)
        there = await connection.fetchval(f"SELECT to_regclass('{name}') IS NOT NULL")
        found = await connection.fetch(f"SELECT * FROM {name} ORDER BY 1") if there else []
        await connection.close()
        return [tuple(row) for row in found]


async def _connect(url: Url) -> asyncpg.Connection[Any]:
    return await asyncpg.connect(host=url.host, port=url.port, user=url.user, database=url.database)
