"""Differences as files."""

from __future__ import annotations

from pathlib import Path

import orjson

from fastload.errors import ConfigError
from fastload.private_files import make_private_file, make_private_folder
from fastload.verification.result import VerifyResult

PARQUET = "differences.parquet"


def write_differences(result: VerifyResult, folder: Path) -> None:
    """Write a row for each column that differs, or one for each row that is alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        make_private_folder(folder)
    except OSError as error:
        raise ConfigError(f"report={str(folder)!r} is no folder: {error.strerror}") from error
    rows = [
        {
            "table": d.table,
            "kind": d.kind,
            "key": orjson.dumps(d.key).decode(),
            "column": c.column if c else None,
            "source": c.source if c else None,
            "target": c.target if c else None,
        }
        for d in result.differences
        for c in (d.columns or (None,))
    ]
    names = ("table", "kind", "key", "column", "source", "target")
    schema = pa.schema([(n, pa.string()) for n in names])
    pq.write_table(pa.Table.from_pylist(rows, schema), make_private_file(folder / PARQUET))
    told = orjson.dumps(result.to_dict(), option=orjson.OPT_INDENT_2)
    make_private_file(folder / "result.json").write_bytes(told)
