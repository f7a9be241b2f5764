"""MySQL and MariaDB keep the seam's promises."""

from __future__ import annotations

import datetime
import json
import math
from typing import Any

import pyarrow as pa
import pytest
from fastload_mysql import ADAPTER

from fastload import Url
from fastload.model import QualifiedName
from fastload.testing.cases import TypeCase
from fastload.testing.suite import AdapterSuite

_TYPES = {"int64": "bigint", "string": "longtext"}


def _given(case: TypeCase) -> list[Any]:
    return [v for v in case.values if v is not None]


def _since_midnight(value: datetime.time) -> datetime.timedelta:
    return datetime.datetime.combine(datetime.date.min, value) - datetime.datetime.min


class TestMysql(AdapterSuite):
    adapter = ADAPTER

    @pytest.fixture
    def endpoint(self, server) -> Url:
        self._server = server
        server.execute("DROP DATABASE IF EXISTS public")
        server.execute("CREATE DATABASE public")
        return Url.parse(server.url_for("public"))

    def has_sequences(self, endpoint: Url) -> bool:
        return endpoint.scheme == "mariadb"

    def unsupported(self, case: TypeCase) -> str | None:
        if pa.types.is_floating(case.type) and not all(map(math.isfinite, _given(case))):
            return "is no number"
        if pa.types.is_decimal(case.type) and case.type.scale > 30:
            return "up to 65 digits, 30 of them a fraction"
        return None

    def given_back(self, case: TypeCase) -> pa.Array:
        type_, values = case.type, case.values
        if pa.types.is_time(type_):
            return pa.array([v and _since_midnight(v) for v in values], pa.duration("us"))
        if pa.types.is_timestamp(type_) and type_.tz:
            return case.column().cast(pa.timestamp(type_.unit))
        if pa.types.is_list(type_):
            # MariaDB keeps a document's text, MySQL writes it anew.
            spaced = (", ", ": ") if self._server.flavour == "mysql" else (",", ":")
            return pa.array(
                [None if v is None else json.dumps(v, separators=spaced) for v in values]
            )
        if isinstance(type_, pa.UuidType) and self._server.flavour == "mysql":
            return pa.array([v and str(v) for v in values])
        if case.name == "interval":
            return pa.array(["P1Y2M-3DT0.000001S", None, "PT0S", "P-1M31DT-24H"])
        return case.column()

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
