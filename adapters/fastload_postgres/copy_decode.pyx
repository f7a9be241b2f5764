# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""COPY's binary format into Arrow record batches.

Source: PostgreSQL documentation, "COPY", section "Binary Format"; the fields are what each type's
send function writes (src/backend/utils/adt).

Bytes are laid out as blocks of rows, then decoded column by column with the GIL released. Whole
chunks are decoded where they lie; only a row that is cut by a chunk's end is copied together.
"""
import json
import struct
from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from fastload.kernels.arrow_export cimport (
    Shared, array_capsule, drop, field_metadata, schema_capsule
)
from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.column cimport (
    Column, expect_as_much, release_buffers, start, trim_buffers
)
from fastload.kernels.growable cimport Buffer, append, dispose
from fastload_postgres.copy_framing cimport (
    BLOCK_FULL, FAULTY, TRAILER, Frame, Stop, decode_block, lay_out
)
from fastload_postgres.copy_numeric cimport decode_decimal, decode_numeric_text
from fastload_postgres.copy_values cimport (
    AFTER_TRAILER, BAD_ARRAY, BAD_BOOL, BAD_EXTENSION, BAD_FIELD_COUNT, BAD_FLAGS,
    BAD_ITEM_LENGTH, BAD_JSONB, BAD_LENGTH, BAD_NUMERIC, BAD_SIGNATURE, BAD_TIME, BAD_UTF8, BLOCK,
    NO_MEMORY, NO_NATIVE_FORM, Codec, Decode, Fault, decode_2_bytes, decode_4_bytes,
    decode_8_bytes, decode_16_bytes, decode_bool, decode_bytes, decode_date, decode_interval,
    decode_jsonb, decode_list, decode_time, decode_timestamp
)

from fastload.errors import DecodeError, Unrepresentable

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
cdef int64_t HEADER_BYTES = 19
cdef int64_t MOST_EXPECTED_BYTES = 64 << 20
_MESSAGES = {
    BAD_SIGNATURE: "the stream does not begin with COPY's signature",
    BAD_FLAGS: "the header has critical flags that nobody has defined",
    BAD_EXTENSION: "the header's extension has a negative length",
    BAD_FIELD_COUNT: "a row has another number of fields than the columns asked for",
    BAD_LENGTH: "a field has a length that its type does not have",
    AFTER_TRAILER: "bytes follow the trailer",
    BAD_BOOL: "a boolean is neither 0 nor 1",
    BAD_TIME: "a time is outside the day",
    BAD_NUMERIC: "a numeric has counts, a sign or digits that no server sends",
    BAD_UTF8: "a text is not UTF-8",
    BAD_JSONB: "a jsonb has an unknown version",
    BAD_ARRAY: "an array's dimensions or items do not fill its field",
    BAD_ITEM_LENGTH: "an array's item has a length that its type does not have",
}


cdef int set_up(Codec* codec, str word, uint32_most) except -1:
    """Prepare a codec for its word; ValueError where there is none of this name."""
    cdef str name, rest
    name, _, rest = word.partition(":")
    codec.shortest, codec.span = 0, <int32_t>uint32_most
    if word.endswith("[]"):
        codec.item = <Codec*>calloc(1, sizeof(Codec))
        codec.item_fields = <const char**>calloc(BLOCK, sizeof(char*))
        if codec.item == NULL or codec.item_fields == NULL:
            raise MemoryError
        set_up(codec.item, word.removesuffix("[]"), uint32_most)
        codec.decode, codec.column.has_offsets = &decode_list, True
        codec.shortest, codec.span = 12, <int32_t>uint32_most - 12
    elif name == "numeric":
        set_up_decimal(codec, rest)
    elif name in _FIXED:
        codec.shortest, codec.span = _FIXED[name][0], 0
        codec.decode = fixed_decoder(name)
    elif name in _VARIABLE:
        codec.column.has_offsets = True
        codec.utf8 = name not in ("bytea", "raw")
        codec.decode = &decode_bytes
        if name == "jsonb":
            codec.decode, codec.skip, codec.shortest = &decode_jsonb, 1, 1
            codec.span -= 1
        elif name == "numeric_text":
            codec.decode, codec.shortest = &decode_numeric_text, 8
            codec.span -= 8
    else:
        raise ValueError(f"no codec {word!r}")
    return 0


cdef int set_up_decimal(Codec* codec, str rest) except -1:
    cdef int precision, scale, digits, spare
    precision, scale = map(int, rest.split(","))
    if not 1 <= precision <= 76 or not 0 <= scale <= precision:
        raise ValueError(f"no decimal has precision {precision} and scale {scale}")
    digits = precision - scale
    codec.decode, codec.shortest = &decode_decimal, 8
    codec.span -= 8
    codec.decimal.scale = scale
    codec.decimal.limbs = 2 if precision <= 38 else 4
    codec.decimal.integer_groups = (digits + 3) // 4
    codec.decimal.lead_bound = power_of_ten(
        digits - 4 * (codec.decimal.integer_groups - 1)
    )
    codec.decimal.fraction_groups = (scale + 3) // 4
    spare = 4 * codec.decimal.fraction_groups - scale
    codec.decimal.factor = power_of_ten(4 - spare)
    codec.decimal.divisor = power_of_ten(spare)
    return 0


cdef int32_t power_of_ten(int exponent) noexcept:
    cdef int32_t power = 1
    for _ in range(exponent):
        power *= 10
    return power


_FIXED = {
    "bool": (1, b"b"), "int2": (2, b"s"), "int4": (4, b"i"), "int8": (8, b"l"), "oid": (4, b"I"),
    "float4": (4, b"f"), "float8": (8, b"g"), "uuid": (16, b"w:16"), "date": (4, b"tdD"),
    "time": (8, b"ttu"), "timestamp": (8, b"tsu:"), "timestamptz": (8, b"tsu:UTC"),
    "interval": (16, b"tin"),
}
_VARIABLE = {
    "text": b"u", "enum": b"u", "json": b"u", "jsonb": b"u", "opaque_text": b"u",
    "numeric_text": b"u", "bytea": b"z", "raw": b"z",
}


cdef Decode fixed_decoder(str name) except NULL:
    if name == "bool":
        return &decode_bool
    if name == "date":
        return &decode_date
    if name == "time":
        return &decode_time
    if name in ("timestamp", "timestamptz"):
        return &decode_timestamp
    if name == "interval":
        return &decode_interval
    return verbatim_decoder(_FIXED[name][0])


cdef Decode verbatim_decoder(int size) except NULL:
    if size == 2:
        return &decode_2_bytes
    if size == 4:
        return &decode_4_bytes
    return &decode_8_bytes if size == 8 else &decode_16_bytes


cdef void tear_down(Codec* codec) noexcept:
    release_buffers(&codec.column)
    if codec.item != NULL:
        tear_down(codec.item)
        free(codec.item)
    free(codec.item_fields)


def _field(str name, str word):
    """Return (name, format, metadata, children) of a column, all bytes but the last."""
    kind, _, rest = word.partition(":")
    if word.endswith("[]"):
        return (name.encode(), b"+l", b"", (_field("item", word.removesuffix("[]")),))
    if kind == "numeric":
        precision, scale = map(int, rest.split(","))
        wide = b"" if precision <= 38 else b",256"
        return (name.encode(), f"d:{precision},{scale}".encode() + wide, b"", ())
    format_ = _FIXED[kind][1] if kind in _FIXED else _VARIABLE[kind]
    return (name.encode(), format_, field_metadata(_extension(kind, rest)), ())


def _extension(str kind, str type_name):
    """Return the metadata of Arrow's canonical extension types."""
    if kind == "uuid":
        return {"ARROW:extension:name": "arrow.uuid", "ARROW:extension:metadata": ""}
    if kind in ("json", "jsonb"):
        return {"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}
    if kind in ("raw", "opaque_text", "numeric_text"):
        name = type_name or "numeric"
        told = json.dumps({"type_name": name, "vendor_name": "PostgreSQL"})
        return {"ARROW:extension:name": "arrow.opaque", "ARROW:extension:metadata": told}
    return {}


cdef class Batch:
    """Decoded rows; ``pyarrow.record_batch`` and others take them without copying."""

    cdef Shared** shared
    cdef int columns
    cdef readonly int64_t num_rows
    cdef object schema

    def __dealloc__(self):
        cdef int i
        if self.shared != NULL:
            for i in range(self.columns):
                drop(self.shared[i])
            free(self.shared)

    def __arrow_c_schema__(self):
        """Return the schema's capsule."""
        return schema_capsule(self.schema)

    def __arrow_c_array__(self, requested_schema=None):
        """Return the capsules of schema and columns; a requested schema is not looked at."""
        return (
            schema_capsule(self.schema), array_capsule(self.shared, self.columns, self.num_rows)
        )


cdef Shared* share(Codec* codec) except NULL:
    """Move a column out of its codec, which begins a new one."""
    cdef Shared* shared = <Shared*>calloc(1, sizeof(Shared))
    if shared == NULL:
        raise MemoryError
    if codec.item != NULL:
        try:
            shared.item = share(codec.item)
        except BaseException:
            free(shared)
            raise
    shared.references = 1
    trim_buffers(&codec.column)
    shared.column = codec.column
    memset(&codec.column, 0, sizeof(Column))
    codec.column.has_offsets = shared.column.has_offsets
    expect_as_much(&codec.column, &shared.column, MOST_EXPECTED_BYTES)
    if start(&codec.column):
        drop(shared)
        raise MemoryError
    return shared


cdef int64_t held_by(const Codec* codec) noexcept nogil:
    cdef int64_t size = codec.column.validity.used + codec.column.offsets.used
    return size + codec.column.values.used + (held_by(codec.item) if codec.item != NULL else 0)


cdef class CopyDecoder:
    """Decodes one COPY stream.

    Feed bytes in any pieces; while ``full``, take a batch and call ``feed(b"")`` to go on with
    what was fed. Nothing fed is lost, and no more than about ``batch_bytes`` is decoded ahead.
    After an error every call raises it again.

    Args:
        columns: Name and codec word of each field, in order.
        batch_bytes: Size of the columns at which a batch is full.
        max_field_bytes: Longest field accepted.
        nulls_instead: Names of columns in which values without a native form become NULL.
    """

    cdef Frame frame
    cdef Buffer carry       # the beginning of a row that the last chunk cut
    cdef int64_t batch_bytes, held_bytes, offset, decoded_rows, chunk_at
    cdef readonly int64_t rows_held
    cdef int64_t scan_at    # end of those fields of the carried row that are whole
    cdef int scan_column
    cdef bint in_rows, ended
    cdef object held, error
    cdef tuple names, words
    cdef object schema
    cdef readonly bytes failed_row
    cdef bytes head

    def __cinit__(self, columns, *, batch_bytes=4 << 20, max_field_bytes=1 << 30, nulls_instead=()):
        cdef int i, count = len(columns)
        self.names = tuple(name for name, _ in columns)
        self.words = tuple(word for _, word in columns)
        self.frame.columns = count
        self.frame.block_rows = max(8, min(BLOCK, 8192 // max(count, 1)))
        self.frame.codecs = <Codec*>calloc(count + 1, sizeof(Codec))
        self.frame.fields = <const char**>calloc(
            <size_t>(count + 1) * self.frame.block_rows, sizeof(char*)
        )
        self.frame.row_starts = <const char**>calloc(self.frame.block_rows + 1, sizeof(char*))
        self.frame.has_null = <bint*>calloc(count + 1, sizeof(bint))
        self.frame.nulls_instead = <bint*>calloc(count + 1, sizeof(bint))
        if (
            self.frame.codecs == NULL or self.frame.fields == NULL
            or self.frame.row_starts == NULL or self.frame.has_null == NULL
            or self.frame.nulls_instead == NULL
        ):
            raise MemoryError
        for i in range(count):
            set_up(&self.frame.codecs[i], self.words[i], max_field_bytes)
            self.frame.nulls_instead[i] = self.names[i] in nulls_instead
            if start_all(&self.frame.codecs[i]):
                raise MemoryError
        fields = tuple(_field(name, word) for name, word in columns)
        self.schema = (b"", b"+s", b"", fields)
        self.batch_bytes = batch_bytes
        self.held, self.head, self.failed_row = deque(), b"", b""

    def __dealloc__(self):
        cdef int i
        if self.frame.codecs != NULL:
            for i in range(self.frame.columns):
                tear_down(&self.frame.codecs[i])
        free(self.frame.codecs)
        free(self.frame.fields)
        free(self.frame.row_starts)
        free(self.frame.has_null)
        free(self.frame.nulls_instead)
        dispose(&self.carry)

    def __arrow_c_schema__(self):
        """Return the schema's capsule."""
        return schema_capsule(self.schema)

    @property
    def full(self):
        """Whether the rows held make a batch."""
        return self.held_bytes >= self.batch_bytes

    @property
    def bytes_held(self):
        """Bytes of the columns held."""
        return self.held_bytes

    @property
    def rows(self):
        """Rows decoded so far."""
        return self.decoded_rows

    def feed(self, data):
        """Decode as many whole rows as the batch has room for; return the rows held.

        Raises:
            DecodeError: The bytes are not what COPY sends, with offset and column.
            Unrepresentable: A value that its column's Arrow type cannot hold; ``failed_row`` has
                the bytes of its row.
        """
        if self.error is not None:
            raise self.error
        if len(data):
            self.held.append(data if isinstance(data, bytes) else bytes(data))
        while self.held and self.held_bytes < self.batch_bytes:
            self.decode_some(self.held[0])
            if self.chunk_at >= len(self.held[0]):
                self.offset += len(self.held.popleft())
                self.chunk_at = 0
        return self.rows_held

    def take(self):
        """Return the rows held as a batch and begin the next one."""
        if self.error is not None:
            raise self.error
        cdef Batch batch = Batch.__new__(Batch)
        cdef int i
        batch.schema = self.schema
        batch.shared = <Shared**>calloc(self.frame.columns + 1, sizeof(Shared*))
        if batch.shared == NULL:
            raise MemoryError
        batch.columns = self.frame.columns
        for i in range(self.frame.columns):
            batch.shared[i] = share(&self.frame.codecs[i])
        batch.num_rows = self.rows_held
        self.rows_held = self.held_bytes = 0
        return batch

    def finish(self):
        """Check that the stream was complete.

        Raises:
            DecodeError: It ended before its trailer.
        """
        if self.error is not None:
            raise self.error
        if not self.ended:
            self.fail(DecodeError(
                "the stream ended before its trailer: the source was cut off",
                offset=self.offset + self.chunk_at,
            ))

    cdef int decode_some(self, bytes chunk) except -1:
        """Decode from the chunk's place on, at least something of it."""
        cdef const char* data = PyBytes_AS_STRING(chunk)
        cdef int64_t size = PyBytes_GET_SIZE(chunk)
        if not self.in_rows:
            return self.skip_header(chunk)
        if self.ended:
            self.fail_at(AFTER_TRAILER, self.offset + self.chunk_at, -1)
        if self.carry.used:
            return self.complete_row(data, size)
        return self.decode_rows(data, size)

    cdef int skip_header(self, bytes chunk) except -1:
        cdef int64_t wanted = HEADER_BYTES
        if len(self.head) >= HEADER_BYTES:
            wanted += load_int32(PyBytes_AS_STRING(self.head) + 15)
        taken = chunk[self.chunk_at:self.chunk_at + wanted - len(self.head)]
        # An extension may be long, and nothing of it is needed.
        self.head += taken
        self.chunk_at += len(taken)
        if not _SIGNATURE.startswith(self.head[:11]):
            self.fail_at(BAD_SIGNATURE, 0, -1)
        if len(self.head) < HEADER_BYTES:
            return 0
        flags, extension = struct.unpack_from(">Ii", self.head, 11)
        if flags >> 16:
            self.fail_at(BAD_FLAGS, 11, -1)
        if extension < 0:
            self.fail_at(BAD_EXTENSION, 15, -1)
        if len(self.head) == HEADER_BYTES + extension:
            self.in_rows, self.head = True, b""
        return 0

    cdef int decode_rows(self, const char* data, int64_t size) except -1:
        """Decode whole rows where they lie; keep what is left of the last."""
        cdef const char* at = data + self.chunk_at
        cdef const char* end = data + size
        cdef Stop stop = BLOCK_FULL
        cdef Fault fault
        cdef bint ok = True, lost = False
        memset(&fault, 0, sizeof(Fault))
        with nogil:
            while stop == BLOCK_FULL and ok and self.held_bytes < self.batch_bytes:
                ok = self.decode_one_block(&at, end, &stop, &fault)
        self.chunk_at = at - data
        if not ok:
            self.raise_fault(&fault, data, self.offset)
        if stop == TRAILER:
            self.ended = True
        elif stop != BLOCK_FULL:
            with nogil:
                lost = append(&self.carry, at, end - at) != 0
            if lost:
                raise MemoryError
            self.chunk_at = size
        return 0

    cdef bint decode_one_block(
        self, const char** at, const char* end, Stop* stop, Fault* fault
    ) noexcept nogil:
        """Decode up to a block of rows; False where a row is faulty."""
        cdef int rows = 0, done, i
        cdef int64_t room = self.batch_bytes - self.held_bytes
        cdef Fault framing
        memset(&framing, 0, sizeof(Fault))
        stop[0] = lay_out(&self.frame, at, end, room, &rows, &framing)
        done = decode_block(&self.frame, rows, end, fault)
        self.held_bytes = 0
        for i in range(self.frame.columns):
            self.held_bytes += held_by(&self.frame.codecs[i])
        if done < rows:
            fault.row = self.decoded_rows + done
            fault.row_start = self.frame.row_starts[done]
            fault.row_end = self.frame.row_starts[done + 1]
            return False
        self.rows_held += rows
        self.decoded_rows += rows
        if stop[0] == FAULTY:
            fault[0] = framing
            fault.row = self.decoded_rows
            return False
        return True

    cdef int complete_row(self, const char* data, int64_t size) except -1:
        """Add bytes to a cut row until it is whole, and decode it from the copy."""
        cdef const char* at
        cdef Stop stop
        cdef Fault fault
        cdef bint ok, lost
        cdef int64_t carried = self.carry.used, start_at = self.chunk_at, missing
        missing = self.missing_bytes()
        while missing and self.chunk_at < size:
            missing = min(missing, size - self.chunk_at)
            with nogil:
                lost = append(&self.carry, data + self.chunk_at, missing) != 0
            if lost:
                raise MemoryError
            self.chunk_at += missing
            missing = self.missing_bytes()
        if missing:
            return 0
        memset(&fault, 0, sizeof(Fault))
        at = self.carry.data
        with nogil:
            ok = self.decode_one_block(&at, self.carry.data + self.carry.used, &stop, &fault)
        if not ok:
            self.raise_fault(&fault, self.carry.data, self.offset + start_at - carried)
        self.ended = stop == TRAILER
        self.carry.used = 0
        self.scan_at = self.scan_column = 0
        if self.carry.capacity > self.batch_bytes:
            dispose(&self.carry)
        return 0

    cdef int64_t missing_bytes(self) noexcept:
        """Return how many bytes the carried row lacks at least; 0 where it is whole or faulty."""
        cdef int64_t used = self.carry.used
        cdef int32_t field_bytes
        if self.scan_at == 0:
            if used < 2:
                return 2 - used
            if load_int16(self.carry.data) != self.frame.columns:
                return 0
            self.scan_at = 2
        while self.scan_column < self.frame.columns:
            if used < self.scan_at + 4:
                return self.scan_at + 4 - used
            field_bytes = load_int32(self.carry.data + self.scan_at)
            if not self.accepts(self.scan_column, field_bytes):
                return 0
            if used < self.scan_at + 4 + max(field_bytes, 0):
                return self.scan_at + 4 + max(field_bytes, 0) - used
            self.scan_at += 4 + max(field_bytes, 0)
            self.scan_column += 1
        return 0

    cdef bint accepts(self, int column, int32_t field_bytes) noexcept:
        cdef const Codec* codec = &self.frame.codecs[column]
        return field_bytes == -1 or (
            <unsigned int>field_bytes - codec.shortest <= codec.span
        )

    cdef int raise_fault(self, Fault* fault, const char* base, int64_t base_offset) except -1:
        cdef int column = fault.column
        if fault.code == NO_MEMORY:
            raise MemoryError
        offset = base_offset + (fault.at - base) if fault.at != NULL else -1
        if fault.code != NO_NATIVE_FORM:
            self.fail_at(fault.code, offset, column)
        self.failed_row = PyBytes_FromStringAndSize(
            fault.row_start, fault.row_end - fault.row_start
        )
        name, word = self.names[column], self.words[column]
        value = _told(word, _wire_value(self.failed_row, column))
        self.fail(Unrepresentable(
            f"{value} has no place in the column's Arrow type",
            row=fault.row, column_index=column, column=name, value=value,
            hint="on_unrepresentable='null' makes it NULL; types={...: 'text'} reads text",
        ))
        return -1

    cdef int fail_at(self, int code, int64_t offset, int column) except -1:
        self.fail(DecodeError(
            _MESSAGES[code], offset=offset, column_index=column,
            column=self.names[column] if column >= 0 else None,
        ))
        return -1

    cdef int fail(self, object error) except -1:
        self.error = error
        self.held.clear()
        raise error


cdef bint start_all(Codec* codec) noexcept:
    return start(&codec.column) or (codec.item != NULL and start_all(codec.item))


def _wire_value(bytes row, int column):
    """Return a field's bytes out of a whole row's."""
    at = 2
    for _ in range(column):
        at += 4 + max(struct.unpack_from(">i", row, at)[0], 0)
    size = struct.unpack_from(">i", row, at)[0]
    return row[at + 4:at + 4 + size]


def _told(str word, bytes value):
    """Return a value that has no native form as text."""
    if word.endswith("[]"):
        return _told_array(word.removesuffix("[]"), value)
    kind = word.partition(":")[0]
    if kind == "numeric":
        decoder = CopyDecoder([("value", "numeric_text")])
        decoder.feed(_SIGNATURE + bytes(8) + struct.pack(">hi", 1, len(value)) + value)
        import pyarrow
        return pyarrow.record_batch(decoder.take()).column(0).storage[0].as_py()
    if kind == "interval":
        micros, days, months = struct.unpack(">qii", value)
        if abs(micros) >= 2 ** 63 - 1:
            return "infinity" if micros > 0 else "-infinity"
        return f"{months} months {days} days {micros} microseconds"
    if kind == "time":
        return "24:00:00"
    number = int.from_bytes(value, "big", signed=True)
    most = 2 ** (8 * len(value) - 1)
    if number in (most - 1, -most):
        return "infinity" if number > 0 else "-infinity"
    return f"{number} {'days' if kind == 'date' else 'microseconds'} after 2000-01-01"


def _told_array(str item, bytes value):
    dimensions = struct.unpack_from(">i", value)[0]
    if dimensions > 1:
        return f"an array of {dimensions} dimensions"
    lower = struct.unpack_from(">i", value, 16)[0]
    return f"an array that begins at {lower}" if lower != 1 else "an array with such an item"
