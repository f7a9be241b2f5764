"""Any Arrow a user brings, into the forms that the encoder takes.

The encoder itself takes every width of integer, every unit of time, decimals of every width and
large types. What is left has no flat layout (dictionaries, runs, views, list views) or another
number format (float16): Arrow's own casts bring it, per batch, without a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from fastload.errors import EncodeError, SchemaMismatch
from fastload_postgres.copy_encode import CopyEncoder

if TYPE_CHECKING:
    import pyarrow as pa

    Normaliser: TypeAlias = Callable[[pa.RecordBatch], pa.RecordBatch]

_NESTED_DEPTH = 8


def plan(schema: pa.Schema, columns: Sequence[tuple[str, str]]) -> Normaliser:
    """Return what brings batches of this schema into the encoder's columns, in their order.

    Raises:
        SchemaMismatch: Columns are missing, or there are others.
        EncodeError: A column's type is not written into its codec.
    """
    import pyarrow as pa

    names = [name for name, _ in columns]
    _check_names(schema, names)
    fields = [pa.field(n, _storage(schema.field(n).type)) for n in names]
    targets = [field.with_type(_flat(field.type)) for field in fields]
    flat = pa.schema(targets)
    CopyEncoder(columns).check(flat)
    casts = [f.type != t.type for f, t in zip(fields, targets, strict=True)]
    if not any(casts) and schema.names == names:
        return lambda batch: batch

    def normalise(batch: pa.RecordBatch) -> pa.RecordBatch:
        arrays = [
            _cast(batch.column(name), target.type) if cast else batch.column(name)
            for name, target, cast in zip(names, targets, casts, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    return normalise


def _check_names(schema: pa.Schema, names: list[str]) -> None:
    missing = [n for n in names if n not in schema.names]
    others = [n for n in schema.names if n not in names]
    if missing or others:
        told = [f"missing: {', '.join(missing)}"] if missing else []
        told += [f"not wanted: {', '.join(others)}"] if others else []
        raise SchemaMismatch(f"the batches have other columns; {'; '.join(told)}")


def _storage(type_: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    return type_.storage_type if isinstance(type_, pa.BaseExtensionType) else type_


def _flat(type_: pa.DataType, depth: int = 0) -> pa.DataType:
    """Return the type that the encoder takes instead of this one."""
    import pyarrow as pa

    types = pa.types
    if depth > _NESTED_DEPTH:
        raise EncodeError(f"the type {type_} is nested too deep")
    if types.is_dictionary(type_) or types.is_run_end_encoded(type_):
        return _flat(_storage(type_.value_type), depth + 1)
    if types.is_string_view(type_):
        return pa.large_string()
    if types.is_binary_view(type_):
        return pa.large_binary()
    if types.is_float16(type_):
        return pa.float32()
    if types.is_fixed_size_list(type_) or types.is_list(type_) or types.is_list_view(type_):
        return pa.list_(_flat(_storage(type_.value_type), depth + 1))
    if types.is_large_list(type_) or types.is_large_list_view(type_):
        return pa.large_list(_flat(_storage(type_.value_type), depth + 1))
    return type_


def _cast(array: pa.Array, type_: pa.DataType) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        return array.cast(type_)
    except pa.ArrowNotImplementedError:
        return _cast_items(array, type_)


def _cast_items(array: pa.Array, type_: pa.DataType) -> pa.Array:
    """Cast the items of a list where Arrow has no cast of the whole."""
    import pyarrow as pa

    kinds = pa.types
    if not (kinds.is_list(array.type) or kinds.is_large_list(array.type)):
        raise EncodeError(f"Arrow has no cast of {array.type} to {type_}")
    items = _cast(array.values, type_.value_type)
    made = pa.ListArray if kinds.is_list(type_) else pa.LargeListArray
    return made.from_arrays(
        array.offsets, items, mask=array.is_null() if array.null_count else None
    )
