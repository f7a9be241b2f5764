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

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc

from fastload.kernels.arrow_export cimport field_metadata
from fastload.kernels.block cimport Stop, decode_block
from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.codec cimport (
    AFTER_TRAILER, BAD_LENGTH, BAD_UTF8, CUT_OFF, Codec, Decode, Fault, add_form, add_scratch
)
from fastload.kernels.decoder cimport BlockDecoder
from fastload.kernels.fixed cimport copy_16_bytes
from fastload_postgres.copy_framing cimport lay_out_block
from fastload_postgres.copy_numeric cimport Decimal, decode_decimal, decode_numeric_text
from fastload_postgres.copy_values cimport (
    BAD_ARRAY, BAD_BOOL, BAD_EXTENSION, BAD_FIELD_COUNT, BAD_FLAGS, BAD_ITEM_LENGTH, BAD_JSONB,
    BAD_NUMERIC, BAD_SIGNATURE, BAD_TIME, decode_2_bytes, decode_4_bytes, decode_8_bytes,
    decode_bool, decode_bytes, decode_date, decode_interval, decode_jsonb, decode_list,
    decode_time, decode_timestamp
)

_SIGNATURE = b"PGCOPY\n\xff\r\n\0"
cdef int64_t HEADER_BYTES = 19
cdef int64_t MOST_FIXED_BYTES = 16
_MESSAGES = {
    BAD_SIGNATURE: "the stream does not begin with COPY's signature",
    BAD_FLAGS: "the header has critical flags that nobody has defined",
    BAD_EXTENSION: "the header's extension has a negative length",
    BAD_FIELD_COUNT: "a row has another number of fields than the columns asked for",
    BAD_LENGTH: "a field has a length that its type does not have",
    AFTER_TRAILER: "bytes follow the trailer",
    CUT_OFF: "the stream ended before its trailer: the source was cut off",
    BAD_BOOL: "a boolean is neither 0 nor 1",
    BAD_TIME: "a time is outside the day",
    BAD_NUMERIC: "a numeric has counts, a sign or digits that no server sends",
    BAD_UTF8: "a text is not UTF-8",
    BAD_JSONB: "a jsonb has an unknown version",
    BAD_ARRAY: "an array's dimensions or items do not fill its field",
    BAD_ITEM_LENGTH: "an array's item has a length that its type does not have",
}


cdef int set_up(Codec* codec, str word, int32_t most) except -1:
    """Prepare a codec for its word; ValueError where there is none of this name."""
    cdef str name, rest
    name, _, rest = word.partition(":")
    codec.shortest, codec.span = 0, most
    if word.endswith("[]"):
        add_scratch(codec)
        codec.item = <Codec*>calloc(1, sizeof(Codec))
        if codec.item == NULL:
            raise MemoryError
        set_up(codec.item, word.removesuffix("[]"), most)
        codec.decode, codec.column.has_offsets = &decode_list, True
        codec.shortest, codec.span = 12, most - 12
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
    cdef Decimal* decimal = <Decimal*>add_form(codec, sizeof(Decimal))
    cdef int precision, scale, digits, spare
    precision, scale = map(int, rest.split(","))
    if not 1 <= precision <= 76 or not 0 <= scale <= precision:
        raise ValueError(f"no decimal has precision {precision} and scale {scale}")
    digits = precision - scale
    codec.decode, codec.shortest = &decode_decimal, 8
    codec.span -= 8
    decimal.scale = scale
    decimal.limbs = 2 if precision <= 38 else 4
    decimal.integer_groups = (digits + 3) // 4
    decimal.lead_bound = power_of_ten(
        digits - 4 * (decimal.integer_groups - 1)
    )
    decimal.fraction_groups = (scale + 3) // 4
    spare = 4 * decimal.fraction_groups - scale
    decimal.factor = power_of_ten(4 - spare)
    decimal.divisor = power_of_ten(spare)
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
    return &decode_8_bytes if size == 8 else &copy_16_bytes


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


@cython.final
cdef class CopyDecoder(BlockDecoder):
    """Decodes one COPY stream.

    Args:
        columns: Name and codec word of each field, in order.
        batch_bytes: Size of the columns at which a batch is full.
        max_field_bytes: Longest field accepted.
        nulls_instead: Names of columns in which values without a native form become NULL.
        noted: Likewise, and ``take_notes`` tells which.
    """

    cdef bytes head

    def __cinit__(
        self, columns, *, batch_bytes=4 << 20, max_field_bytes=1 << 30, nulls_instead=(), noted=()
    ):
        cdef int i
        if max_field_bytes < MOST_FIXED_BYTES:
            raise ValueError(f"fields of {max_field_bytes} bytes hold no value of every type")
        self.head = b""
        self.set_columns(columns, batch_bytes, nulls_instead, noted)
        for i in range(self.frame.columns):
            set_up(&self.frame.codecs[i], self.words[i], max_field_bytes)
        self.begin_rows(tuple(_field(name, word) for name, word in columns), _MESSAGES)

    cdef int read_header(self, bytes chunk) except -1:
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

    cdef Stop lay_out(
        self, const char** at, const char* end, int64_t most_bytes, int* rows, Fault* fault
    ) noexcept nogil:
        return lay_out_block(&self.frame, at, end, most_bytes, rows, fault)

    cdef int decode_laid_out(self, int rows, const char* limit, Fault* fault) noexcept nogil:
        return decode_block(&self.frame, rows, limit, fault)

    cdef int64_t missing_bytes(self) noexcept:
        # scan_at: end of those fields that are whole; scan_step: how many they are.
        cdef int64_t used = self.carry.used
        cdef int32_t field_bytes
        if self.scan_at == 0:
            if used < 2:
                return 2 - used
            if load_int16(self.carry.data) != self.frame.columns:
                return 0
            self.scan_at = 2
        while self.scan_step < self.frame.columns:
            if used < self.scan_at + 4:
                return self.scan_at + 4 - used
            field_bytes = load_int32(self.carry.data + self.scan_at)
            if not self.accepts(self.scan_step, field_bytes):
                return 0
            if used < self.scan_at + 4 + max(field_bytes, 0):
                return self.scan_at + 4 + max(field_bytes, 0) - used
            self.scan_at += 4 + max(field_bytes, 0)
            self.scan_step += 1
        return 0

    cdef bint accepts(self, int column, int32_t field_bytes) noexcept:
        cdef const Codec* codec = &self.frame.codecs[column]
        return field_bytes == -1 or (
            <unsigned int>field_bytes - codec.shortest <= codec.span
        )

    cdef str told(self, int column, bytes row):
        return _told(self.words[column], _wire_value(row, column))


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
        if infinity := _infinity(value[:8], value[8:12], value[12:]):
            return infinity
        micros, days, months = struct.unpack(">qii", value)
        return f"{months} months {days} days {micros} microseconds"
    if kind == "time":
        return "24:00:00"
    if infinity := _infinity(value):
        return infinity
    number = int.from_bytes(value, "big", signed=True)
    return f"{number} {'days' if kind == 'date' else 'microseconds'} after 2000-01-01"


def _infinity(*fields):
    """Return infinity where all fields are their greatest number, or all their least."""
    if all(f == b"\x7f" + b"\xff" * (len(f) - 1) for f in fields):
        return "infinity"
    return "-infinity" if all(f == b"\x80" + bytes(len(f) - 1) for f in fields) else None


def _told_array(str item, bytes value):
    dimensions = struct.unpack_from(">i", value)[0]
    if dimensions > 1:
        return f"an array of {dimensions} dimensions"
    lower = struct.unpack_from(">i", value, 16)[0]
    return f"an array that begins at {lower}" if lower != 1 else "an array with such an item"
