"""What an adapter's test file supplies to the suite, and the data the suite uses."""

from __future__ import annotations

from typing import Any, ClassVar

import pyarrow as pa

from fastload.adapter import Adapter, Endpoint
from fastload.model import QualifiedName

NAME = QualifiedName("public", "items")


class Hooks:
    """What a test class gives the suite.

    Attributes:
        adapter: The adapter under test.
    """

    adapter: ClassVar[Adapter]

    async def fill(
        self, endpoint: Endpoint, name: QualifiedName, data: pa.Table, key: tuple[str, ...]
    ) -> None:
        """Make a table with this primary key, unless it is there, and add the rows to it."""
        raise NotImplementedError

    async def rows(self, endpoint: Endpoint, name: QualifiedName) -> list[tuple[Any, ...]]:
        """Return the rows of a table, ordered by their first column; none if it is missing."""
        raise NotImplementedError


def items(count: int, *, first: int = 0) -> pa.Table:
    """Return rows ``(id, name)``, where every seventh name is NULL."""
    numbers = range(first, first + count)
    return pa.table(
        {
            "id": pa.array(numbers, pa.int64()),
            "name": pa.array([None if i % 7 == 0 else f"item {i}" for i in numbers], pa.string()),
        }
    )


def tuples(data: pa.Table) -> list[tuple[Any, ...]]:
    """Return an Arrow table's rows, ordered by their first column."""
    columns = [column.to_pylist() for column in data.columns]
    return sorted(zip(*columns, strict=True), key=lambda row: row[0])
