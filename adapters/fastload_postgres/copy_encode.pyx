# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""Arrow record batches into COPY's binary format.

Source: PostgreSQL documentation, "COPY", section "Binary Format"; the fields are what each type's
receive function reads (src/backend/utils/adt).
"""
cimport cython
from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

from fastload.kernels.byteorder cimport store_int16
from fastload.kernels.encode_input cimport (
    ITEMS, NO_FAULT, NO_ROOM, NOT_WHOLE, NOTHING, TOO_MANY_DIGITS, VARIABLE, ZERO_BYTE,
    FaultCode, Input, Out
)
from fastload.kernels.encoder cimport (
    BatchEncoder, decimal_form, integer_bytes, is_binary, is_string, set_days, set_integer, set_unit
)
from fastload_postgres.encode_fields cimport (
    EPOCH_DAYS, Form, choose_text, put, put_2_bytes, put_4_bytes, put_8_bytes, put_bool, put_bytes,
    put_date, put_double_as_float, put_duration, put_fixed_bytes, put_float_as_double, put_integer,
    put_interval, put_list, put_micros, put_null, put_text, put_uuid_bytes, put_uuid_text
)
from fastload_postgres.encode_numeric cimport MOST_SCALE, put_number, put_numeric_text

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_MESSAGES = {
    NOT_WHOLE: "{value} is finer than {codec}, which has {unit}",
    ZERO_BYTE: "{value} holds a zero byte, which no text in PostgreSQL can",
    TOO_MANY_DIGITS: "{value} has more digits than numeric holds, 131072 before the point and "
    "16383 after it",
}
_HINTS = {ZERO_BYTE: "remove it first, or write the column as bytea"}
_RANGES = {
    "int2": (2, -(1 << 15), (1 << 15) - 1),
    "int4": (4, -(1 << 31), (1 << 31) - 1),
    "int8": (8, -(1 << 63), (1 << 63) - 1),
    "oid": (4, 0, (1 << 32) - 1),
}
_TEXTS = ("text", "enum", "json", "jsonb")
# Microseconds from 1970 that the field can hold: 4713 BC to 294276 AD, and the hours of a day
# (src/include/datatype/timestamp.h).
_EPOCH = 946_684_800_000_000
_TIMESTAMPS = (-211_813_488_000_000_000 + _EPOCH, 9_223_371_331_200_000_000 + _EPOCH - 1)
_TIMES = (0, 86_400_000_000)
_EVERYTHING = (INT64_MIN, INT64_MAX)
_DAYS = (-2_451_545 + EPOCH_DAYS, 2_145_031_949 + EPOCH_DAYS - 1)


cdef bint pair_value(Input* input, Form* out, str codec, bytes form) except -1:
    """Choose how values of an Arrow format are written; False where they are not."""
    out.version, out.used, out.place, out.scale = 0, 4, 0, 0
    if form == b"n":
        input.layout, input.encode = NOTHING, &put_null
        return True
    if is_string(form) or is_binary(form):
        return pair_variable(input, out, codec, form)
    if codec in _RANGES:
        return integer_bytes(form) and pair_integer(input, out, codec, form)
    if codec in ("numeric", "numeric_text"):
        return pair_numeric(input, out, form)
    if codec in ("float4", "float8"):
        return pair_float(input, codec, form)
    if codec in ("date", "time", "timestamp", "timestamptz", "interval"):
        return pair_temporal(input, out, codec, form.decode())
    if codec == "bool" and form == b"b":
        input.encode = &put_bool
        return True
    if form.startswith(b"w:") and codec in ("uuid", "bytea", "raw"):
        input.width, input.encode = int(form[2:]), &put_fixed_bytes
        return codec != "uuid" or input.width == 16
    return False


cdef bint pair_integer(Input* input, Form* out, str codec, bytes form) except -1:
    set_integer(input, form)
    out.target_bytes, low, high = _RANGES[codec]
    input.low, input.high, input.encode = low, high, &put_integer
    if form == b"L":  # what is beyond int64 loads as negative
        input.low = 0
    if form == b"s" and codec == "int2":
        input.encode = &put_2_bytes
    elif (form == b"i" and codec == "int4") or (form == b"I" and codec == "oid"):
        input.encode = &put_4_bytes
    elif form == b"l" and codec == "int8":
        input.encode = &put_8_bytes
    return True


cdef bint pair_numeric(Input* input, Form* out, bytes form) except -1:
    cdef tuple decimal = decimal_form(form)
    input.encode = &put_number
    if integer_bytes(form):
        set_integer(input, form)
        return True
    if decimal is None:
        return False
    scale, input.width = decimal
    if not -131_072 <= scale <= MOST_SCALE:
        return False
    out.used, out.place = 4 - <int>((-scale) % 4), (-scale) // 4
    out.scale = max(scale, 0)
    return True


cdef bint pair_float(Input* input, str codec, bytes form) except -1:
    if form == b"f":
        input.width = 4
        input.encode = &put_4_bytes if codec == "float4" else &put_float_as_double
        return True
    input.width = 8
    input.encode = &put_double_as_float if codec == "float4" else &put_8_bytes
    return form == b"g"


cdef bint pair_variable(Input* input, Form* out, str codec, bytes form) except -1:
    cdef bint of_text = is_string(form)
    input.layout, input.is_large = VARIABLE, form.isupper()
    if of_text and codec in _TEXTS:
        input.encode, input.choose = &put_text, &choose_text
        out.version = codec == "jsonb"
    elif of_text and codec in ("numeric", "numeric_text"):
        input.encode = &put_numeric_text
    elif codec == "uuid":
        input.encode = &put_uuid_text if of_text else &put_uuid_bytes
    elif not of_text and codec in ("bytea", "raw"):
        input.encode = &put_bytes
    else:
        return False
    return True


cdef bint pair_temporal(Input* input, Form* out, str codec, str form) except -1:
    input.width, out.epoch = 8, 0
    if codec == "date" and form in ("tdD", "tdm"):
        input.encode = &put_date
        set_days(input, form == "tdm", _DAYS[0], _DAYS[1])
    elif codec == "time" and form[:2] in ("tt", "tD"):  # a duration within a day is a time
        input.width = 4 if form in ("tts", "ttm") else 8
        input.encode = &put_micros
        set_unit(input, form[2], _TIMES[0], _TIMES[1])
    elif codec == "timestamp" + ("tz" if form[4:] else "") and form.startswith("ts"):
        out.epoch, input.encode = _EPOCH, &put_micros
        set_unit(input, form[2], _TIMESTAMPS[0], _TIMESTAMPS[1])
    elif codec == "interval" and form == "tin":
        input.width, input.encode = 16, &put_interval
    elif codec == "interval" and form.startswith("tD"):
        input.encode = &put_duration
        set_unit(input, form[2], _EVERYTHING[0], _EVERYTHING[1])
    else:
        return False
    return True


cdef int64_t put_all(
    const Input* inputs, int columns, int64_t row, int64_t end, Out* out,
    FaultCode* fault, int* column
) noexcept nogil:
    """Write whole rows until one fails or finds no room; return its number, or the end."""
    cdef char* start
    cdef int64_t nulled
    cdef int i
    while row < end:
        start, nulled = out.at, out.nulled
        fault[0] = NO_ROOM
        if out.end - out.at >= 2:
            fault[0] = NO_FAULT
            store_int16(out.at, <int16_t>columns)
            out.at += 2
            for i in range(columns):
                fault[0] = put(&inputs[i], row, out)
                if fault[0] != NO_FAULT:
                    column[0] = i
                    break
        if fault[0] != NO_FAULT:
            out.at, out.nulled = start, nulled
            return row
        row += 1
    return row


@cython.final
cdef class CopyEncoder(BatchEncoder):
    """Encodes the batches of one COPY; its own bytes are header, rows, trailer, in that order.

    Args:
        columns: Name and codec of each column in wire order. An array's codec is
            ``<codec>[]:<oid of the element's type on the target>``.
        nulls_instead: Names of columns in which a value that the type cannot hold is written as
            NULL; ``nulled`` counts them.

    Raises:
        ValueError: A codec has no such name.
    """

    cdef Form* fields  # of columns, then of their items
    cdef tuple codecs

    def __cinit__(self, columns, *, nulls_instead=()):
        cdef Py_ssize_t i, count
        self.set_columns(columns, nulls_instead)
        self.codecs, count = tuple(_parsed(codec) for codec in self.words), len(self.words)
        self.fields = <Form*>calloc(2 * count + 1, sizeof(Form))
        if self.fields == NULL:
            raise MemoryError
        for i in range(count):
            self.inputs[i].form, self.items[i].form = &self.fields[i], &self.fields[count + i]
            self.fields[i].element_oid = <int32_t><uint64_t>self.codecs[i][1]

    def __dealloc__(self):
        free(self.fields)

    def header(self):
        """Return what comes before the first row."""
        return _HEADER

    def trailer(self):
        """Return what comes after the last row."""
        return _TRAILER

    cdef bint pair(self, int64_t i, tuple form) except -1:
        cdef Input* input = &self.inputs[i]
        cdef Form* field = &self.fields[i]
        if not self.codecs[i][1] or form[0] == b"n":
            return len(form) == 1 and pair_value(input, field, self.codecs[i][0], form[0])
        if form[0] not in (b"+l", b"+L") or len(form) != 2:
            return False
        input.layout, input.encode, input.is_large = ITEMS, &put_list, form[0] == b"+L"
        input.item, field = &self.items[i], &self.fields[len(self.names) + i]
        return pair_value(input.item, field, self.codecs[i][0], form[1])

    cdef int64_t put_rows(
        self, int64_t row, int64_t end, Out* out, FaultCode* fault, int* column
    ) noexcept nogil:
        return put_all(self.inputs, self.columns, row, end, out, fault, column)

    cdef tuple told(self, FaultCode fault, int64_t i, str value):
        cdef str codec = self.codecs[i][0]
        if fault not in _MESSAGES:
            return None, None
        unit = "whole days" if codec == "date" else "microseconds"
        message = _MESSAGES[fault].format(value=value, codec=codec, unit=unit)
        return message, _HINTS.get(fault)

    cdef str spelled(self, int64_t i, bint of_item):
        name, oid = self.codecs[i]
        return f"{name}[]" if oid and not of_item else name


def _parsed(str codec):
    """Return the codec of a value, or of an item and the oid of its type."""
    name, is_array, oid = codec.partition("[]")
    if name not in _CODECS or (is_array and not oid.removeprefix(":").isdecimal()):
        raise ValueError(f"no codec {codec!r}")
    return name, int(oid.removeprefix(":")) if is_array else 0


_CODECS = frozenset({
    "bool", "bytea", "date", "enum", "float4", "float8", "int2", "int4", "int8", "interval", "json",
    "jsonb", "numeric", "numeric_text", "oid", "raw", "text", "time", "timestamp", "timestamptz",
    "uuid",
})
