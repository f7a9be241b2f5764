# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Arrow record batches into COPY's binary format.

Source: PostgreSQL documentation, "COPY", section "Binary Format"; the fields are what each type's
receive function reads (src/backend/utils/adt).

Batches come through the Arrow C data interface. Each column is paired once with a function for
its type; rows are then written straight into the bytes that are returned, with the GIL released.
"""
import struct

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fastload.kernels.arrow_c cimport ArrowArray, ArrowSchema
from fastload.kernels.byteorder cimport store_int16
from fastload_postgres.copy_fields cimport (
    BAD_OFFSETS, BAD_UTF8, NO_FAULT, NO_NUMBER, NO_ROOM, NO_UUID, NOT_WHOLE, OUT_OF_RANGE,
    TOO_LONG, TOO_MANY_DIGITS, ZERO_BYTE, FaultCode, Input, Out, put, put_2_bytes,
    put_4_bytes, put_8_bytes, put_bool, put_bytes, put_date, put_duration, put_fixed_bytes,
    put_float_as_double, put_integer, put_interval, put_list, put_null, put_text, put_time,
    put_timestamp, put_uuid_text
)
from fastload_postgres.copy_number cimport (
    put_decimal, put_integer_as_numeric, put_numeric_text
)

from fastload.errors import ConfigError, EncodeError

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack(">h", -1)
cdef int64_t LONGEST_ROW = 0x3FFFFFFF
_MESSAGES = {
    OUT_OF_RANGE: "is outside the range of the target's type",
    NOT_WHOLE: "has digits that the target's type would cut off",
    ZERO_BYTE: "holds a zero byte, which PostgreSQL's texts cannot",
    BAD_UTF8: "is not UTF-8",
    BAD_OFFSETS: "has offsets that run backwards: the array is damaged",
    TOO_LONG: "is longer than the 1 GB that PostgreSQL takes",
    NO_NUMBER: "is no number",
    TOO_MANY_DIGITS: "has more digits than PostgreSQL's numeric",
    NO_UUID: "is no uuid",
}
# Format letters of the Arrow C data interface: bytes, and whether signed.
_INTEGERS = {
    "c": (1, True), "C": (1, False), "s": (2, True), "S": (2, False), "i": (4, True),
    "I": (4, False), "l": (8, True), "L": (8, False),
}
_TARGETS = {
    "int2": (2, -2 ** 15, 2 ** 15 - 1), "int4": (4, -2 ** 31, 2 ** 31 - 1),
    "int8": (8, INT64_MIN, INT64_MAX), "oid": (4, 0, 2 ** 32 - 1),
}
_SAME = {"int2": "s", "int4": "i", "int8": "l", "oid": "I"}
_TEXTS = ("text", "enum", "json", "jsonb")
_UNITS = {"s": (1_000_000, 1), "m": (1_000, 1), "u": (1, 1), "n": (1, 1_000)}


cdef class CopyEncoder:
    """Encodes record batches as one COPY stream: header, rows, trailer.

    Args:
        columns: Name and codec word of each field, in order; an array's word ends in the object
            id of its element type, as in ``int4[]:23``.
        nulls_instead: Names of columns in which values that cannot be written become NULL.
    """

    cdef tuple names, words
    cdef object nulls_instead
    cdef Input* inputs
    cdef int columns_bound
    cdef readonly int64_t rows, bytes_made

    def __cinit__(self, columns, *, nulls_instead=()):
        self.names = tuple(name for name, _ in columns)
        self.words = tuple(word for _, word in columns)
        self.nulls_instead = frozenset(nulls_instead)
        self.inputs = <Input*>calloc(len(self.names) + 1, sizeof(Input))
        if self.inputs == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.inputs != NULL:
            self.unbind()
        free(self.inputs)

    def header(self):
        """Return what comes before the rows."""
        return _HEADER

    def trailer(self):
        """Return what comes after the rows."""
        return _TRAILER

    def check(self, schema):
        """Check a schema (anything with ``__arrow_c_schema__``) before any row.

        Raises:
            EncodeError: A column's type is not written into the column's codec.
        """
        capsule = schema.__arrow_c_schema__()
        cdef ArrowSchema* found = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
        try:
            self.bind(found, NULL)
        finally:
            self.unbind()

    def encode(self, batch, int64_t first=0, int64_t max_bytes=1 << 20):
        """Return the bytes of the rows from ``first`` on, and the row to go on with.

        At least one row, then as many as fit into ``max_bytes``.

        Args:
            batch: Anything with ``__arrow_c_array__``; its columns stand in the encoder's order.

        Raises:
            EncodeError: A column's type is not the codec's, or a value cannot be written; with
                the row within the batch.
        """
        schema_capsule, array_capsule = batch.__arrow_c_array__()
        cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(
            schema_capsule, "arrow_schema"
        )
        cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(array_capsule, "arrow_array")
        if not 0 <= first <= array.length:
            raise ConfigError(f"the batch has {array.length} rows; there is no row {first}")
        try:
            self.bind(schema, array)
            return self.encode_rows(first, array.length, max_bytes)
        finally:
            self.unbind()

    cdef object encode_rows(self, int64_t first, int64_t length, int64_t max_bytes):
        cdef int64_t room = max(max_bytes, 64), row = first
        cdef object made
        cdef Out out
        cdef char* data
        cdef FaultCode fault = NO_FAULT
        cdef int column = 0
        while True:
            made = PyBytes_FromStringAndSize(NULL, room)
            data = PyBytes_AS_STRING(made)
            out.at, out.end = data, data + room
            with nogil:
                fault = self.put_rows(&row, length, &out, &column)
            if fault == NO_ROOM and row == first and room < 2 * LONGEST_ROW:
                room *= 4
                continue
            break
        if fault == NO_ROOM and row == first:
            fault = TOO_LONG
        if fault != NO_FAULT and fault != NO_ROOM:
            self.refuse(fault, row, column)
        self.rows += row - first
        self.bytes_made += out.at - data
        return shortened(made, out.at - data), row

    cdef FaultCode put_rows(
        self, int64_t* row, int64_t length, Out* out, int* column
    ) noexcept nogil:
        cdef int count = self.columns_bound, i
        cdef char* start
        cdef FaultCode fault
        while row[0] < length:
            start = out.at
            if out.end - out.at < 2:
                return NO_ROOM
            store_int16(out.at, count)
            out.at += 2
            for i in range(count):
                fault = put(&self.inputs[i], row[0], out)
                if fault != NO_FAULT:
                    out.at, column[0] = start, i
                    return fault
            if out.at - start > LONGEST_ROW:
                out.at, column[0] = start, 0
                return TOO_LONG
            row[0] += 1
        return NO_FAULT

    cdef int bind(self, ArrowSchema* schema, ArrowArray* array) except -1:
        """Pair each column with its function."""
        cdef int i, count = len(self.names)
        if schema.n_children != count:
            raise EncodeError(f"the batch has {schema.n_children} columns, not {count}")
        self.unbind()
        for i in range(count):
            try:
                bind_input(
                    &self.inputs[i], self.words[i], schema.children[i],
                    array.children[i] if array != NULL else NULL,
                    array.offset if array != NULL else 0,
                )
            except EncodeError as error:
                error.column, error.column_index = self.names[i], i
                raise
            self.inputs[i].null_instead = self.names[i] in self.nulls_instead
        self.columns_bound = count
        return 0

    cdef int unbind(self) except -1:
        cdef int i
        for i in range(len(self.names)):
            release_item(&self.inputs[i])
        memset(self.inputs, 0, sizeof(Input) * len(self.names))
        self.columns_bound = 0
        return 0

    cdef int refuse(self, int fault, int64_t row, int column) except -1:
        raise EncodeError(
            f"the value {_MESSAGES[fault]}",
            row=row, column_index=column, column=self.names[column],
        )


cdef object shortened(object made, int64_t size):
    return made if len(made) == size else made[:size]


cdef int release_item(Input* input) except -1:
    if input.item != NULL:
        release_item(input.item)
        free(input.item)
        input.item = NULL
    return 0


cdef int bind_input(
    Input* input, str word, ArrowSchema* schema, ArrowArray* array, int64_t parent_offset
) except -1:
    """Set up the writing of one array as one codec."""
    cdef str codec, oid, format_ = schema.format.decode()
    codec, _, oid = word.partition("[]:")
    if schema.dictionary != NULL:
        mismatch(word, f"dictionary of {format_}")
    if format_ == "n":
        input.encode = &put_null
        return 0
    if oid:
        bind_list(input, codec, int(oid), schema, array, format_)
    else:
        bind_scalar(input, codec.partition(":")[0], format_)
    if array != NULL:
        bind_buffers(input, array, parent_offset, format_)
    return 0


cdef int bind_list(
    Input* input, str codec, oid, ArrowSchema* schema, ArrowArray* array, str format_
) except -1:
    if format_ not in ("+l", "+L") or schema.n_children != 1:
        mismatch(f"{codec}[]", format_)
    if schema.children[0].format[0] == c"+":
        mismatch(f"{codec}[]", "list of lists")
    input.item = <Input*>calloc(1, sizeof(Input))
    if input.item == NULL:
        raise MemoryError
    input.encode, input.is_large = &put_list, format_ == "+L"
    input.element_oid = <int32_t>(<unsigned int>oid)
    bind_input(
        input.item, codec, schema.children[0], array.children[0] if array != NULL else NULL, 0
    )
    return 0


cdef int bind_scalar(Input* input, str codec, str format_) except -1:
    cdef str kind = format_[:1]
    if codec in _TARGETS and kind in _INTEGERS and len(format_) == 1:
        bind_integer(input, codec, format_)
    elif codec in _TEXTS and format_ in ("u", "U"):
        input.encode, input.version_byte = &put_text, codec == "jsonb"
    elif codec in ("bytea", "raw") and format_ in ("z", "Z"):
        input.encode = &put_bytes
    elif codec in ("bytea", "raw") and format_.startswith("w:"):
        input.encode, input.width = &put_fixed_bytes, int(format_[2:])
    elif codec == "uuid" and format_ == "w:16":
        input.encode, input.width = &put_fixed_bytes, 16
    elif codec == "uuid" and format_ in ("u", "U"):
        input.encode = &put_uuid_text
    elif codec in ("numeric", "numeric_text"):
        bind_numeric(input, codec, format_)
    elif codec in _SIMPLE and format_ in _SIMPLE[codec]:
        bind_simple(input, codec, format_)
    else:
        bind_moment(input, codec, format_)
    input.is_large = format_ in ("U", "Z")
    return 0


_SIMPLE = {"bool": "b", "float4": "f", "float8": "gf"}


cdef int bind_simple(Input* input, str codec, str format_) except -1:
    if codec == "bool":
        input.encode = &put_bool
    elif codec == "float4":
        input.encode = &put_4_bytes
    else:
        input.encode = &put_8_bytes if format_ == "g" else &put_float_as_double
    return 0


cdef int bind_integer(Input* input, str codec, str format_) except -1:
    input.width, input.is_signed = _INTEGERS[format_]
    input.target_bytes, input.low, input.high = _TARGETS[codec]
    if format_ != _SAME[codec]:
        input.encode = &put_integer
    elif input.width == 2:
        input.encode = &put_2_bytes
    else:
        input.encode = &put_4_bytes if input.width == 4 else &put_8_bytes
    return 0


cdef int bind_numeric(Input* input, str codec, str format_) except -1:
    if format_ in ("u", "U"):
        input.encode = &put_numeric_text
    elif format_ in _INTEGERS:
        input.width, input.is_signed = _INTEGERS[format_]
        input.encode = &put_integer_as_numeric
    elif format_.startswith("d:"):
        parts = format_[2:].split(",")
        bits = int(parts[2]) if len(parts) > 2 else 128
        input.scale, input.width = int(parts[1]), bits // 8
        input.limbs, input.is_signed = max(bits // 64, 1), True
        if not -1000 <= input.scale <= 1000 or bits not in (32, 64, 128, 256):
            mismatch(codec, format_)
        input.encode = &put_decimal
    else:
        mismatch(codec, format_)
    return 0


cdef int bind_moment(Input* input, str codec, str format_) except -1:
    """Set up dates, times, timestamps and intervals of any unit."""
    cdef str unit = format_[2:3]
    input.width, input.is_signed = 8, True
    if codec == "date" and format_ in ("tdD", "tdm"):
        input.encode, input.width = &put_date, 4 if format_ == "tdD" else 8
        return 0
    if codec == "interval" and format_ == "tin":
        input.encode = &put_interval
        return 0
    if unit in _UNITS:
        input.multiplier, input.divisor = _UNITS[unit]
    zoned = len(format_) > 4
    if codec == "time" and format_[:2] == "tt" and len(format_) == 3:
        input.encode, input.width = &put_time, 4 if unit in "sm" else 8
    elif codec == "interval" and format_[:2] == "tD" and len(format_) == 3:
        input.encode = &put_duration
    elif format_[:2] == "ts" and codec == ("timestamptz" if zoned else "timestamp"):
        input.encode = &put_timestamp
    else:
        mismatch(codec, format_)
    return 0


cdef int mismatch(str codec, str format_) except -1:
    raise EncodeError(
        f"Arrow's {_NAMES.get(format_, format_)} is not written into {codec.partition('[]:')[0]}",
        hint="cast the column to the target's type first",
    )


_NAMES = {
    "b": "bool", "c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32",
    "I": "uint32", "l": "int64", "L": "uint64", "e": "float16", "f": "float32", "g": "float64",
    "u": "string", "U": "large_string", "z": "binary", "Z": "large_binary", "vu": "string_view",
    "vz": "binary_view", "tdD": "date32", "tdm": "date64", "+l": "list", "+L": "large_list",
    "+s": "struct", "+m": "map", "tin": "month_day_nano_interval", "tsu:": "timestamp[us]",
}


cdef int bind_buffers(
    Input* input, ArrowArray* array, int64_t parent_offset, str format_
) except -1:
    """Take over the array's buffers, after a look at what the interface lets one check."""
    cdef int wanted = 3 if format_ in ("u", "U", "z", "Z") else 2
    if format_ in ("+l", "+L"):
        if array.n_children != 1:
            raise EncodeError("the array has no items: it is damaged")
    if array.n_buffers != wanted or array.length < 0 or array.offset < 0:
        raise EncodeError("the array's buffers are not those of its type: it is damaged")
    input.first = array.offset + parent_offset
    if array.null_count != 0:
        input.validity = <const unsigned char*>array.buffers[0]
    if array.length == 0:
        return 0
    if wanted == 3 or input.item != NULL:
        input.offsets = <const char*>array.buffers[1]
        if input.offsets == NULL:
            raise EncodeError("the array has no offsets: it is damaged")
    if input.item == NULL:
        input.values = <const char*>array.buffers[wanted - 1]
    return 0
