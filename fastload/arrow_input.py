"""Any Arrow a user brings, into the forms that encoders take.

An encoder itself takes every width of integer, every unit of time, decimals of every width and
large types. What is left has no flat layout (dictionaries, runs, views, list views) or another
number format (float16): Arrow's own casts bring it, per batch, without a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from fastload.errors import EncodeError, SchemaMismatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    Convert: TypeAlias = Callable[[pa.Array], pa.Array]

# Extension type -> codecs that take it; others go by what they are stored as.
_EXTENSIONS = {
    "arrow.uuid": ("uuid", "uuid_text", "binary"),
    "arrow.json": ("json", "jsonb", "text", "text_bytes"),
}


@dataclass(frozen=True, slots=True)
class _Flat:
    """A type that encoders take, and how to come to it; None where arrays are so already."""

    type: pa.DataType
    convert: Convert | None = None


@dataclass(frozen=True, slots=True)
class Normaliser:
    """Brings batches of one schema into an encoder's columns, in their order.

    Attributes:
        schema: Of the batches that come in.
        names: Of the columns that go out.
    """

    schema: pa.Schema
    names: tuple[str, ...]
    _flat: tuple[_Flat, ...]

    def __call__(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return the batch as the encoder takes it; nothing is copied that need not be.

        Raises:
            SchemaMismatch: The batch is of another schema.
            EncodeError: The batch contradicts itself.
        """
        import pyarrow as pa

        if not batch.schema.equals(self.schema):
            raise SchemaMismatch("a record batch has another schema than those before it")
        _check(batch.validate)
        arrays = [
            _converted(batch.column(name), flat.convert, name)
            for name, flat in zip(self.names, self._flat, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(self.names))


def plan(
    schema: pa.Schema, columns: Sequence[tuple[str, str]], check: Callable[[pa.Schema], None]
) -> Normaliser:
    """Return what brings batches of this schema into these columns.

    Args:
        schema: Of the batches that come in.
        columns: Name and codec of each column that goes out.
        check: The encoder's own, which refuses what it does not write.

    Raises:
        SchemaMismatch: Columns are missing, or there are others.
        EncodeError: A column's type is not written into its codec.
    """
    import pyarrow as pa

    names = [name for name, _ in columns]
    _match(list(schema.names), names)
    flat = []
    for index, (name, codec) in enumerate(columns):
        given = schema.field(name).type
        word = codec.split(":")[0]
        if word not in _EXTENSIONS.get(getattr(given, "extension_name", ""), (word,)):
            raise _unfit(given, codec, name, index)
        flat.append(_flat(given))
    try:
        check(pa.schema(zip(names, (f.type for f in flat), strict=True)))
    except EncodeError as error:
        name, codec = columns[error.column_index]
        raise _unfit(schema.field(name).type, codec, name, error.column_index) from None
    return Normaliser(schema, tuple(names), tuple(flat))


def _match(given: list[str], wanted: list[str]) -> None:
    missing = [n for n in wanted if n not in given]
    other = [n for n in given if n not in wanted]
    twice = sorted({n for n in given if given.count(n) > 1})
    found = (("missing", missing), ("not in the target", other), ("more than once", twice))
    if told := [f"{what}: {', '.join(names)}" for what, names in found if names]:
        raise SchemaMismatch(
            f"the columns do not match ({'; '.join(told)})",
            side="target",
            hint="columns are matched by name: rename, drop or add them first",
        )


def _unfit(type_: pa.DataType, codec: str, name: str, index: int) -> EncodeError:
    import pyarrow as pa

    target = codec.split(":")[0].replace("numeric_text", "numeric")
    hint = "cast the column first, or name another type for it with `types`"
    if pa.types.is_timestamp(type_) and target.startswith(("timestamp", "datetime")):
        hint = "the values say no time zone: cast the column to timestamp('us', tz='UTC') first"
        if type_.tz is not None:
            hint = "the values are instants: cast the column to the local time that is meant first"
    return EncodeError(
        f"Arrow's {type_} is not written into {target}",
        side="target",
        column=name,
        column_index=index,
        hint=hint,
    )


def _flat(type_: pa.DataType) -> _Flat:
    import pyarrow as pa
    import pyarrow.compute as pc

    kinds = pa.types
    if isinstance(type_, pa.BaseExtensionType):
        return _after(lambda array: array.storage, type_.storage_type)
    if kinds.is_dictionary(type_):
        return _after(lambda array: _sound(array).dictionary_decode(), type_.value_type)
    if kinds.is_run_end_encoded(type_):
        return _after(lambda array: pc.run_end_decode(_sound(array)), type_.value_type)
    if kinds.is_float16(type_):
        return _Flat(pa.float32(), lambda array: array.cast(pa.float32()))
    if kinds.is_string_view(type_):
        return _Flat(pa.large_string(), _flat_strings)
    if kinds.is_binary_view(type_):
        return _Flat(pa.large_binary(), lambda array: _sound(array).cast(pa.large_binary()))
    return _flat_list(type_)


def _after(first: Convert, type_: pa.DataType) -> _Flat:
    """Return what makes an array flat once the first step has made it one of this type."""
    flat = _flat(type_)
    rest = flat.convert
    return _Flat(flat.type, first if rest is None else lambda array: rest(first(array)))


def _sound(array: pa.Array) -> pa.Array:
    """Return the array after a look at every index, which Arrow's casts trust."""
    array.validate(full=True)
    return array


def _flat_strings(array: pa.Array) -> pa.Array:
    import pyarrow as pa

    # As bytes: what is not UTF-8 is the encoder's to refuse, which knows the row.
    raw = _sound(array.cast(pa.binary_view())).cast(pa.large_binary())
    return raw.view(pa.large_string())


def _flat_list(type_: pa.DataType) -> _Flat:
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_large_list(type_) or kinds.is_list(type_):
        item = _flat(type_.value_type)
        if item.convert is None:
            return _Flat(type_)
        made = (pa.large_list if kinds.is_large_list(type_) else pa.list_)(item.type)
        convert = item.convert
        return _Flat(made, lambda array: _with_items(array, made, convert(array.values)))
    if kinds.is_fixed_size_list(type_):
        plain = pa.list_(type_.value_type)
        return _after(lambda array: array.cast(plain), plain)
    if kinds.is_list_view(type_) or kinds.is_large_list_view(type_):
        return _after(_in_order, pa.large_list(type_.value_type))
    return _Flat(type_)


def _in_order(array: pa.Array) -> pa.Array:
    """Lay out the items of list views one list after the other."""
    # Arrow's own cast leaves offsets for fewer lists than there are (pyarrow 26).
    import pyarrow as pa
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(_sound(array)), 0).cast(pa.int64())
    ends = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(lengths)])
    return pa.LargeListArray.from_arrays(ends, array.flatten(), mask=array.is_null())


def _with_items(array: pa.Array, type_: pa.DataType, items: pa.Array) -> pa.Array:
    import pyarrow as pa

    buffers = array.buffers()[:2]
    return pa.Array.from_buffers(
        type_, len(array), buffers, array.null_count, array.offset, children=[items]
    )


def _converted(array: pa.Array, convert: Convert | None, name: str) -> pa.Array:
    if convert is None:
        return array
    return _check(lambda: convert(array), name)


def _check(run: Callable[[], pa.Array], name: str | None = None) -> pa.Array:
    """Run something of Arrow's that fails where its data is damaged or too large."""
    import pyarrow as pa

    try:
        return run()
    except pa.ArrowException as error:
        raise EncodeError(
            f"the Arrow data cannot be read: {error}", side="target", column=name
        ) from error
