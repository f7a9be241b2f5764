"""Tables in files: Parquet, CSV and Arrow, read and written as streams of record batches."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa

from fastload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from fastload.adapter import Reading

    Save: TypeAlias = Callable[[Reading], Awaitable[int]]

_SUFFIXES = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}
_CELL_WIDTH = 32
_UUID_GROUPS = ((0, 8), (8, 12), (12, 16), (16, 20), (20, 32))


def form_of(file: Path) -> str:
    """Return ``parquet``, ``csv`` or ``arrow``, by the file's suffix."""
    form = _SUFFIXES.get(file.suffix.lower())
    if form is None:
        raise ConfigError(
            f"{file} has no suffix of a known form", hint=f"one of {', '.join(_SUFFIXES)}"
        )
    return form


def saver(file: Path) -> Save:
    """Return what writes a reading to this file and returns the rows.

    The file gets its name when it is complete; a failure leaves what was there before.
    """
    form = form_of(file)
    if not file.parent.is_dir():
        raise ConfigError(f"the folder {file.parent} does not exist", hint="make it first")

    async def save(reading: Reading) -> int:
        partial = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            rows = await _written(partial, form, reading)
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        return rows

    return save


async def preview(reading: Reading, limit: int) -> str:
    """Return the first rows as a text table."""
    batches, rows = [], 0
    async for batch in reading:
        batches.append(batch.slice(0, limit - rows))
        rows += batches[-1].num_rows
        if rows >= limit:
            break
    table = pa.Table.from_batches(batches, reading.schema)
    return _as_text(table)


@contextmanager
def opened(file: Path) -> Iterator[pa.RecordBatchReader]:
    """Open a file as a stream of record batches."""
    form = form_of(file)
    try:
        with file.open("rb") as raw:
            yield _stream(form, raw)
    except FileNotFoundError:
        raise ConfigError(f"there is no file {file}", hint="check the path") from None
    except pa.ArrowInvalid as error:
        raise ConfigError(f"{file} cannot be read as {form}: {error}") from error


def _stream(form: str, raw: Any) -> pa.RecordBatchReader:
    if form == "parquet":
        import pyarrow.parquet as pq

        parquet = pq.ParquetFile(raw)
        return pa.RecordBatchReader.from_batches(parquet.schema_arrow, parquet.iter_batches())
    if form == "csv":
        # Guessed types change values: 007 to 7, digits beyond the sixteenth, 1e400 to infinity.
        raise ConfigError(
            "a CSV file does not say the types of its columns",
            hint="read it with types of your choice (pyarrow.csv, polars, DuckDB) and hand the "
            "result to fastload.write; or write .parquet or .arrow",
        )
    with suppress(pa.ArrowInvalid):
        source = pa.ipc.open_file(raw)
        batches = (source.get_batch(i) for i in range(source.num_record_batches))
        return pa.RecordBatchReader.from_batches(source.schema, batches)
    raw.seek(0)
    return pa.ipc.open_stream(raw)


async def _written(file: Path, form: str, reading: Reading) -> int:
    assert isinstance(reading.schema, pa.Schema)
    schema = _plain_schema(reading.schema) if form == "csv" else reading.schema
    rows = 0
    with _explained(form), _writer(file, form, schema) as writer:
        async for batch in reading:
            writer.write_batch(_plain_batch(batch, schema) if form == "csv" else batch)
            rows += batch.num_rows
    return rows


@contextmanager
def _explained(form: str) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        other = ".arrow" if form == "parquet" else ".parquet or .arrow"
        raise ConfigError(
            f"{form} cannot hold every column: {error}", hint=f"write {other}"
        ) from error


def _writer(file: Path, form: str, schema: pa.Schema) -> Any:
    if form == "parquet":
        import pyarrow.parquet as pq

        return pq.ParquetWriter(file, schema)
    if form == "arrow":
        return pa.ipc.new_file(file, schema)
    import pyarrow.csv

    return pyarrow.csv.CSVWriter(file, schema)


def _plain_schema(schema: pa.Schema) -> pa.Schema:
    return pa.schema([pa.field(f.name, _plain_type(f.type), f.nullable) for f in schema])


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if isinstance(type_, pa.UuidType):
        return pa.string()
    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def _plain_batch(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([_plain(c) for c in batch.columns], schema=schema)


def _plain(column: pa.Array) -> pa.Array:
    if isinstance(column.type, pa.UuidType):
        return _uuids_as_text(column.storage)
    return column.storage if isinstance(column, pa.ExtensionArray) else column


def _uuids_as_text(values: pa.Array) -> pa.Array:
    """Return 16-byte values as 8-4-4-4-12 hexadecimal digits, for all rows at once."""
    import pyarrow.compute as pc

    data = values.buffers()[1]
    start, size = values.offset * 16, len(values) * 16
    digits = pa.py_buffer(data.slice(start, size).to_pybytes().hex().encode() if data else b"")
    offsets = pa.array(range(0, 32 * len(values) + 1, 32), pa.int64()).buffers()[1]
    text = pa.LargeStringArray.from_buffers(len(values), offsets, digits).cast(pa.string())
    groups = [pc.utf8_slice_codeunits(text, *cut) for cut in _UUID_GROUPS]
    joined = pc.binary_join_element_wise(*groups, "-")
    return pc.if_else(values.is_valid(), joined, None)


def _as_text(table: pa.Table) -> str:
    columns = [[n, *map(_cell, table[i].to_pylist())] for i, n in enumerate(table.column_names)]
    widths = [max(map(len, column)) for column in columns]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in zip(*columns, strict=True)
    ]
    return "\n".join(lines)


def _cell(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(value).replace("\n", "\\n")
    return text if len(text) <= _CELL_WIDTH else text[: _CELL_WIDTH - 1] + "…"
