"""The command run in this process, on databases in memory: no server is needed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from fastload.cli import main
from fastload.model import Column, Key, QualifiedName, Table
from fastload.testing.memory import StoredTable, database, forget

CANARY = "canary4711"
NAME = QualifiedName("public", "t")


class Output(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Output]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs a command line here and tells its code and output."""

    def run(*tokens: str) -> Output:
        code = main(tokens)
        out, err = capfd.readouterr()
        assert CANARY not in out + err
        assert "Traceback" not in out + err
        return Output(code, out, err)

    return run


@pytest.fixture
def shop() -> Iterator[str]:
    """A database with one table of three rows."""
    columns = (
        Column(name="id", type="int64", arrow="int64", nullable=False),
        Column(name="note", type="string", arrow="string"),
    )
    made = Table(name=NAME, columns=columns, keys=(Key(name="k", columns=("id",), primary=True),))
    rows = pa.table({"id": [1, 2, 3], "note": ["a", None, "c"]})
    database("shop").tables[NAME] = StoredTable(made, rows.cast(pa.schema(
        [pa.field("id", pa.int64(), False), pa.field("note", pa.string())]
    )))  # fmt: skip
    yield "memory://shop"
    forget("shop")
    forget("target")
