"""The executable form of ``fastload.adapter``: tests that every adapter inherits.

::

    class TestMemory(AdapterSuite):
        adapter = ADAPTER

        @pytest.fixture
        def endpoint(self): ...            # an empty database
        async def fill(self, endpoint, name, data, key): ...
        async def rows(self, endpoint, name): ...

``fill`` and ``rows`` use the database's own means, so that it is the oracle and not the adapter.
An adapter that only reads, or only writes, inherits ``SourceSuite`` or ``TargetSuite``. Needs
pytest-asyncio in its automatic mode.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest

import fastload
from fastload.adapter import Endpoint
from fastload.testing.cases import CASES, TypeCase
from fastload.testing.suite_source import SourceSuite
from fastload.testing.suite_target import TargetSuite


class AdapterSuite(SourceSuite, TargetSuite):
    """Everything that a source and a target promise, and that values survive both."""

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    async def test_values_survive(self, endpoint: Endpoint, case: TypeCase) -> None:
        """What was written is read back equal, or as ``given_back`` says."""
        if reason := self.unsupported(case):
            with pytest.raises(fastload.FastloadError, match=reason):
                await fastload.write(pa.table({"v": case.column()}), endpoint, "public.cases")
            return
        number = pa.array(range(len(case.values)), pa.int32())
        data = pa.table({"number": number, "v": case.column()})
        await fastload.write(data, endpoint, "public.cases")
        async with fastload.read(endpoint, "public.cases", parallel=1) as reading:
            found = await reading.table()
        expected = pa.table({"number": number, "v": self.given_back(case)})
        assert _by_number(found) == _by_number(expected)

    def given_back(self, case: TypeCase) -> pa.Array:
        """Return what a case's values are read as, where this database has another type."""
        return case.column()

    def unsupported(self, case: TypeCase) -> str | None:
        """Return what the refusal of a case says, if this database cannot hold its values."""
        return None


def _by_number(data: pa.Table) -> dict[int, Any]:
    numbers = data["number"].to_pylist()
    return {n: _plain(v) for n, v in zip(numbers, data["v"], strict=True)}


def _plain(scalar: pa.Scalar) -> Any:
    """Return a value that equals itself: NaN does not, and 0.0 equals -0.0."""
    value = scalar.as_py()
    return repr(value) if isinstance(value, float) else value


__all__ = ["AdapterSuite", "SourceSuite", "TargetSuite"]
