"""MySQL and MariaDB keep the seam's promises."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from fastload_mysql import ADAPTER

from fastload import Url
from fastload.model import QualifiedName
from fastload.testing.suite import AdapterSuite

_TYPES = {"int64": "bigint", "string": "longtext"}


class TestMysql(AdapterSuite):
    adapter = ADAPTER

    @pytest.fixture
    def endpoint(self, server) -> Url:
        self._server = server
        server.execute("DROP DATABASE IF EXISTS public")
        server.execute("CREATE DATABASE public")
        return Url.parse(server.url_for("public"))

    async def fill(
        self, endpoint: Url, name: QualifiedName, data: pa.Table, key: tuple[str, ...]
    ) -> None:
        columns = ", ".join(f"`{f.name}` {_TYPES[str(f.type)]}" for f in data.schema)
        made = f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({', '.join(key)}))"
        rows = zip(*(c.to_pylist() for c in data.columns), strict=True)
        with self._server.connect(database="public") as connection, connection.cursor() as cursor:
            cursor.execute(made)
            places = ", ".join("%s" for _ in data.schema)
            cursor.executemany(f"INSERT INTO {name} VALUES ({places})", list(rows))
            connection.commit()
            cursor.execute(f"ANALYZE TABLE {name}")

    async def rows(self, endpoint: Url, name: QualifiedName) -> list[tuple[Any, ...]]:
        there = self._server.execute(
            "SELECT 1 FROM information_schema.tables "
            f"WHERE table_schema = '{name.schema}' AND table_name = '{name.name}'"
        )
        found = self._server.execute(f"SELECT * FROM {name} ORDER BY 1") if there else []
        return [tuple(row) for row in found]
