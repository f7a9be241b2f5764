"""The reference adapter keeps the seam's promises."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pytest

from fastload.model import Key, QualifiedName, Table
from fastload.testing.memory import ADAPTER, MemoryDatabase, StoredTable, forget
from fastload.testing.memory import database as named
from fastload.testing.suite import AdapterSuite
from fastload.testing.suite_hooks import tuples

_numbers = itertools.count(1)


class TestMemory(AdapterSuite):
    adapter = ADAPTER

    @pytest.fixture
    def endpoint(self) -> Iterator[MemoryDatabase]:
        name = f"test-{next(_numbers)}"
        yield named(name)
        forget(name)

    async def fill(
        self, endpoint: MemoryDatabase, name: QualifiedName, data: pa.Table, key: tuple[str, ...]
    ) -> None:
        if name not in endpoint.tables:
            endpoint.create(_declared(name, data, key))
        held = endpoint.tables[name].rows
        endpoint.tables[name] = StoredTable(
            endpoint.tables[name].table, pa.concat_tables([held, data.cast(held.schema)])
        )

    async def rows(self, endpoint: MemoryDatabase, name: QualifiedName) -> list[tuple[Any, ...]]:
        return tuples(endpoint.tables[name].rows) if name in endpoint.tables else []


def _declared(name: QualifiedName, data: pa.Table, key: tuple[str, ...]) -> Table:
    from fastload.model import Column

    columns = tuple(
        Column(name=f.name, type=str(f.type), arrow=str(f.type), nullable=f.name not in key)
        for f in data.schema
    )
    return Table(name=name, columns=columns, keys=(Key(name="key", columns=key, primary=True),))
