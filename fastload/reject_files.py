"""Files of rejected rows: one Parquet file for each partition that has any.

A file has the columns of the rows under the target's names, in their Arrow form, and after them
what is wrong with each. Its name follows from one begun run, table and partition alone, so that a
partition that is repeated replaces its file, and a later run of the same name does not.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
from collections.abc import Collection, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import anyio.to_thread

from fastload.errors import ConfigError, FastloadError, TargetError
from fastload.model import QualifiedName
from fastload.private_files import make_private_file, make_private_folder

if TYPE_CHECKING:
    import pyarrow as pa

_HELD_BYTES = 1 << 20
_LONGEST_NAME = 120
_SAFE = re.compile(r"[a-z0-9_][a-z0-9_-]*")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")
_OURS = re.compile(r".+\.\d+\.parquet|\..+\.part")
REASON = (
    "fastload_error",
    "fastload_message",
    "fastload_column",
    "fastload_key",
    "fastload_partition",
)


class Reason(NamedTuple):
    """Why a row was rejected, in the order of ``REASON``.

    Attributes:
        error: Code of the error, such as ``"constraint"``.
    """

    error: str
    message: str
    column: str | None
    key: str | None
    partition: int


def file_of(folder: Path, run: str, table: QualifiedName, partition: int) -> Path:
    """Return where the rejected rows of a partition go."""
    return folder_of(folder, run) / f"{_plain(table.schema, table.name)}.{partition}.parquet"


def folder_of(folder: Path, run: str) -> Path:
    """Return where the rejected rows of a run go."""
    return folder / _plain(run)


def _plain(*parts: str) -> str:
    """Return a file's name that tells these names apart, also where case does not count."""
    name = ".".join(_UNSAFE.sub("_", part) for part in parts)
    if len(name) <= _LONGEST_NAME and all(_SAFE.fullmatch(part) for part in parts):
        return name
    digest = hashlib.blake2b("\0".join(parts).encode(), digest_size=5).hexdigest()
    return f"{name[:_LONGEST_NAME]}-{digest}"


def make_folder(folder: Path, run: str) -> None:
    """Make the folder of a run, before anything depends on it."""
    try:
        make_private_folder(folder_of(folder, run))
    except OSError as error:
        raise ConfigError(
            f"rejects={str(folder)!r} is no folder to write to: {error.strerror}",
            hint="name one that can be made, or that this user may write to",
        ) from error


def clear(folder: Path, run: str, keep: Collection[Path] = ()) -> None:
    """Remove the files of a run that stand for no rows which its receipts say were rejected."""
    place, names = folder_of(folder, run), {path.name for path in keep}
    for file in place.iterdir() if place.is_dir() else ():
        # By name: the folder may have been spelled otherwise when the run was begun.
        if _OURS.fullmatch(file.name) and file.name not in names:
            file.unlink(missing_ok=True)
    with suppress(OSError):
        place.rmdir()


class RejectFile:
    """Rejected rows of one partition on their way into its file.

    Guarantees: the file's name stands for what ``publish`` was called for, whole and durable, or
    for what it stood for before. Holds about a megabyte of rows at a time.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        self._names = [*schema.names, *_free(REASON, schema.names)]
        self._types = [_kept_as(t) for t in schema.types]
        self._held: list[pa.RecordBatch] = []
        self._held_bytes = 0
        self._writer: Any = None

    async def add(self, row: pa.RecordBatch, reason: Reason) -> None:
        """Take a row and why it was rejected."""
        import pyarrow as pa

        # A slice would keep all of its batch.
        columns = [_kept(c.take(pa.array([0])), t) for c, t in zip(row, self._types, strict=True)]
        told = [pa.array([v], _type_of(n)) for n, v in zip(REASON, reason, strict=True)]
        self._held.append(pa.record_batch([*columns, *told], self._names))
        self._held_bytes += self._held[-1].nbytes
        if self._held_bytes >= _HELD_BYTES:
            await anyio.to_thread.run_sync(self._write)

    async def publish(self) -> str | None:
        """Give the file its name, durably; None where there were no rows, and now is no file."""
        return await anyio.to_thread.run_sync(self._publish)

    def discard(self) -> None:
        """Forget what was not published."""
        if self._writer is not None:
            with suppress(Exception):
                self._writer.close()
        self._partial.unlink(missing_ok=True)

    def _publish(self) -> str | None:
        try:
            if self._held:
                self._write()
            if self._writer is None:
                self._path.unlink(missing_ok=True)
                return None
            self._writer.close()
            _sync(self._partial)
            self._partial.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            raise _unwritten(self._path, error) from error
        return str(self._path)

    def _write(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        rows = pa.Table.from_batches(self._held)
        try:
            if self._writer is None:
                make_private_folder(self._path.parent)
                self._writer = pq.ParquetWriter(make_private_file(self._partial), rows.schema)
            self._writer.write_table(rows)
        except OSError as error:
            raise _unwritten(self._path, error) from error
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise _unwritten(self._path, error) from error
        self._held, self._held_bytes = [], 0


def _unwritten(path: Path, error: Exception) -> FastloadError:
    told = error.strerror if isinstance(error, OSError) and error.strerror else error
    return TargetError(
        f"rejected rows cannot be written to {path}: {told}",
        hint="the partition was rolled back; mend that, or name another folder in `rejects`, and "
        "start the run again",
    )


def _sync(path: Path) -> None:
    """Have the file, or the folder's list of names, written to the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _free(names: Sequence[str], taken: Collection[str]) -> list[str]:
    return [
        next(n for i in range(len(taken) + 1) if (n := name + "_" * i) not in taken)
        for name in names
    ]


def _type_of(name: str) -> pa.DataType:
    import pyarrow as pa

    return pa.int32() if name == "fastload_partition" else pa.string()


def _kept_as(type_: pa.DataType) -> pa.DataType:
    """Return the type in which Parquet keeps values of this one."""
    import pyarrow as pa

    if type_ == pa.month_day_nano_interval():
        number = pa.int32()
        return pa.struct([("months", number), ("days", number), ("nanoseconds", pa.int64())])
    if pa.types.is_list(type_) or pa.types.is_large_list(type_):
        item = _kept_as(type_.value_type)
        return type_ if item == type_.value_type else pa.list_(item)
    if pa.types.is_string_view(type_):
        return pa.large_string()
    return pa.large_binary() if pa.types.is_binary_view(type_) else type_


def _kept(values: pa.Array, type_: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if values.type == type_:
        return values
    return pa.array([_plainly(v) for v in values.to_pylist()], type_)


def _plainly(value: Any) -> Any:
    """Return an interval, or a list of them, as what a struct is made of."""
    if isinstance(value, list):
        return [_plainly(v) for v in value]
    return value._asdict() if hasattr(value, "_asdict") else value
