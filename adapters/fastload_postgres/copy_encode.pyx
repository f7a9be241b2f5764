# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""Arrow record batches into COPY's binary format.

Source: PostgreSQL documentation, "COPY", section "Binary Format"; the fields are what each type's
receive function reads (src/backend/utils/adt).

How a column is written is chosen once per batch; rows are then written one after the other with
the GIL released, into memory that is handed over as it is.
"""
import struct
from datetime import datetime, timedelta
from decimal import Context, Decimal

from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.stdint cimport INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free

from fastload.kernels.arrow_c cimport ArrowArray, ArrowSchema
from fastload.kernels.arrow_import cimport array_in, schema_in
from fastload.kernels.byteorder cimport store_int16
from fastload_postgres.encode_fields cimport (
    BAD_OFFSETS, BAD_UTF8, EPOCH_DAYS, FIXED, ITEMS, LONGEST, NO_FAULT, NO_NUMBER, NO_ROOM,
    NO_UUID, NOT_WHOLE, NOTHING, OUT_OF_RANGE, TOO_LONG, TOO_MANY_DIGITS, VARIABLE, ZERO_BYTE,
    FaultCode, Input, Out, extent, load_integer, put, put_2_bytes, put_4_bytes, put_8_bytes,
    put_bool, put_bytes, put_date, put_double_as_float, put_duration, put_fixed_bytes,
    put_float_as_double, put_integer, put_interval, put_list, put_micros, put_null, put_text,
    put_uuid_bytes, put_uuid_text
)
from fastload_postgres.encode_inputs cimport attach, choose_check
from fastload_postgres.encode_numeric cimport (
    MOST_SCALE, put_decimal, put_integer_as_numeric, put_numeric_text
)

from fastload.errors import EncodeError, SchemaMismatch

cdef extern from "Python.h":
    char* PyBytes_AS_STRING(PyObject*)
    int _PyBytes_Resize(PyObject**, Py_ssize_t) except -1
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char*, Py_ssize_t) except NULL

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"
_SHOWN_CHARACTERS = 60
cdef int64_t _SHOWN_BYTES = 240
_LEAST_BYTES = 1 << 16
_MESSAGES = {
    OUT_OF_RANGE: "{value} is out of range for {codec}",
    NOT_WHOLE: "{value} is finer than {codec}, which has {unit}",
    ZERO_BYTE: "{value} holds a zero byte, which no text in PostgreSQL can",
    BAD_UTF8: "{value} is not UTF-8",
    BAD_OFFSETS: "offsets of the Arrow array point outside it",
    TOO_LONG: "the value is longer than the server takes (1 GiB)",
    NO_NUMBER: "{value} is not a number",
    TOO_MANY_DIGITS: "{value} has more digits than numeric holds, 131072 before the point and "
    "16383 after it",
    NO_UUID: "{value} is not a uuid",
}
_HINTS = {
    NOT_WHOLE: "round the column first",
    ZERO_BYTE: "remove it first, or write the column as bytea",
    OUT_OF_RANGE: "give the column a wider type, or cast it first",
}
# Arrow format -> bytes of a value; lower case is signed.
_INTEGERS = {
    b"c": 1, b"C": 1, b"s": 2, b"S": 2, b"i": 4, b"I": 4, b"l": 8, b"L": 8,
}  # fmt: skip
_RANGES = {
    "int2": (2, -(1 << 15), (1 << 15) - 1),
    "int4": (4, -(1 << 31), (1 << 31) - 1),
    "int8": (8, -(1 << 63), (1 << 63) - 1),
    "oid": (4, 0, (1 << 32) - 1),
}
_STRINGS = (b"u", b"U")
_BINARIES = (b"z", b"Z")
_TEXTS = ("text", "enum", "json", "jsonb")
# Last letter of a temporal format -> units per second.
_PER_SECOND = {"s": 1, "m": 10**3, "u": 10**6, "n": 10**9}
_UNITS = {"s": "seconds", "m": "milliseconds", "u": "microseconds", "n": "nanoseconds"}
# Microseconds from 1970 that the field can hold: 4713 BC to 294276 AD, and the hours of a day
# (src/include/datatype/timestamp.h).
_EPOCH = 946_684_800_000_000
_TIMESTAMPS = (-211_813_488_000_000_000 + _EPOCH, 9_223_371_331_200_000_000 + _EPOCH - 1)
_TIMES = (0, 86_400_000_000)
_EVERYTHING = (INT64_MIN, INT64_MAX)
_DAYS = (-2_451_545 + EPOCH_DAYS, 2_145_031_949 + EPOCH_DAYS - 1)


cdef bint pair(Input* input, str codec, bytes form) except -1:
    """Choose how values of an Arrow format are written; False where they are not."""
    input.layout, input.is_signed, input.is_text, input.version = FIXED, True, False, 0
    input.used, input.place, input.scale = 4, 0, 0
    if form == b"n":
        input.layout, input.encode = NOTHING, &put_null
        return True
    if form in _STRINGS or form in _BINARIES:
        return pair_variable(input, codec, form)
    if codec in _RANGES:
        return form in _INTEGERS and pair_integer(input, codec, form)
    if codec in ("numeric", "numeric_text"):
        return pair_numeric(input, form)
    if codec in ("float4", "float8"):
        return pair_float(input, codec, form)
    if codec in ("date", "time", "timestamp", "timestamptz", "interval"):
        return pair_temporal(input, codec, form.decode())
    if codec == "bool" and form == b"b":
        input.encode = &put_bool
        return True
    if form.startswith(b"w:") and codec in ("uuid", "bytea", "raw"):
        input.width, input.encode = int(form[2:]), &put_fixed_bytes
        return codec != "uuid" or input.width == 16
    return False


cdef bint pair_integer(Input* input, str codec, bytes form) except -1:
    input.width, input.is_signed = _INTEGERS[form], form.islower()
    input.target_bytes, low, high = _RANGES[codec]
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


cdef bint pair_numeric(Input* input, bytes form) except -1:
    cdef list parts
    if form in _INTEGERS:
        input.width, input.is_signed = _INTEGERS[form], form.islower()
        input.encode = &put_integer_as_numeric
        return True
    if not form.startswith(b"d:"):
        return False
    parts = form[2:].split(b",")
    scale = int(parts[1])
    if not -131_072 <= scale <= MOST_SCALE:
        return False
    input.width = int(parts[2]) // 8 if len(parts) == 3 else 16
    input.used, input.place = 4 - <int>((-scale) % 4), (-scale) // 4
    input.scale, input.encode = max(scale, 0), &put_decimal
    return True


cdef bint pair_float(Input* input, str codec, bytes form) except -1:
    if form == b"f":
        input.width = 4
        input.encode = &put_4_bytes if codec == "float4" else &put_float_as_double
        return True
    input.width = 8
    input.encode = &put_double_as_float if codec == "float4" else &put_8_bytes
    return form == b"g"


cdef bint pair_variable(Input* input, str codec, bytes form) except -1:
    cdef bint is_string = form in _STRINGS
    input.layout, input.is_large = VARIABLE, form.isupper()
    if is_string and codec in _TEXTS:
        input.encode, input.is_text = &put_text, True
        input.version = codec == "jsonb"
    elif is_string and codec in ("numeric", "numeric_text"):
        input.encode = &put_numeric_text
    elif codec == "uuid":
        input.encode = &put_uuid_text if is_string else &put_uuid_bytes
    elif not is_string and codec in ("bytea", "raw"):
        input.encode = &put_bytes
    else:
        return False
    return True


cdef bint pair_temporal(Input* input, str codec, str form) except -1:
    input.width, input.epoch = 8, 0
    if codec == "date" and form in ("tdD", "tdm"):
        input.width, input.encode = 4 if form == "tdD" else 8, &put_date
        set_bounds(input, _DAYS, 1 if form == "tdD" else 86_400_000)
    elif codec == "time" and form[:2] in ("tt", "tD"):  # a duration within a day is a time
        input.width = 4 if form in ("tts", "ttm") else 8
        input.encode = &put_micros
        set_unit(input, form[2], _TIMES)
    elif codec == "timestamp" + ("tz" if form[4:] else "") and form.startswith("ts"):
        input.epoch, input.encode = _EPOCH, &put_micros
        set_unit(input, form[2], _TIMESTAMPS)
    elif codec == "interval" and form == "tin":
        input.width, input.encode = 16, &put_interval
    elif codec == "interval" and form.startswith("tD"):
        input.encode = &put_duration
        set_unit(input, form[2], _EVERYTHING)
    else:
        return False
    return True


cdef int set_unit(Input* input, str unit, tuple micros) except -1:
    input.multiplier = 10**6 // _PER_SECOND[unit]
    if unit == "n":
        set_bounds(input, micros, 1000)
    else:
        set_bounds(input, (-(-micros[0] // input.multiplier), micros[1] // input.multiplier), 1)
    return 0


cdef int set_bounds(Input* input, tuple bounds, int64_t per) except -1:
    """Set the range in a unit of which so many make one of the bounds'."""
    input.low = max(bounds[0] * <object>per, INT64_MIN)
    input.high = min(bounds[1] * <object>per + (per - 1), INT64_MAX)
    return 0


cdef int64_t put_rows(
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


cdef class CopyEncoder:
    """Encodes the batches of one COPY; its own bytes are header, rows, trailer, in that order.

    Args:
        columns: Name and codec of each column in wire order. An array's codec is
            ``<codec>[]:<oid of the element's type on the target>``.
        nulls_instead: Names of columns in which a value that the type cannot hold is written as
            NULL; ``nulled`` counts them.

    Raises:
        ValueError: A codec has no such name.
    """

    cdef Input* inputs
    cdef Input* items
    cdef readonly int64_t rows, bytes, nulled
    cdef tuple names, codecs
    cdef list forms                 # Arrow formats that the inputs are set up for
    cdef object batch, capsules     # being encoded
    cdef int64_t length

    def __cinit__(self, columns, *, nulls_instead=()):
        cdef Py_ssize_t i
        self.names = tuple(name for name, _ in columns)
        self.codecs = tuple(_parsed(codec) for _, codec in columns)
        self.inputs = <Input*>calloc(len(self.names) + 1, sizeof(Input))
        self.items = <Input*>calloc(len(self.names) + 1, sizeof(Input))
        if self.inputs == NULL or self.items == NULL:
            raise MemoryError
        for i in range(len(self.names)):
            self.inputs[i].null_instead = self.names[i] in nulls_instead
            self.items[i].null_instead = self.inputs[i].null_instead
            if self.codecs[i][1]:
                self.inputs[i].item = &self.items[i]
                self.inputs[i].element_oid = <int32_t><uint64_t>self.codecs[i][1]

    def __dealloc__(self):
        free(self.inputs)
        free(self.items)

    def header(self):
        """Return what comes before the first row."""
        return _HEADER

    def trailer(self):
        """Return what comes after the last row."""
        return _TRAILER

    def check(self, schema):
        """Check a schema, which is anything with ``__arrow_c_schema__``, before any row.

        Raises:
            SchemaMismatch: It has other columns.
            EncodeError: A column has a form that its codec does not take.
        """
        capsule = schema.__arrow_c_schema__()
        self._match(schema_in(capsule))

    def encode(self, batch, int64_t row=0, int64_t max_bytes=1 << 20):
        """Encode whole rows, beginning with this one, and return them with the next row's number.

        The bytes are at most ``max_bytes`` unless a single row is longer. There are no bytes only
        where there are no rows left.

        Args:
            batch: What has ``__arrow_c_array__``, with these columns in this order, in forms
                that their codecs take as they are.
            row: Where to begin.
            max_bytes: How much to encode.

        Raises:
            SchemaMismatch: The batch has other columns.
            EncodeError: A column has another form, or a value cannot be written.
        """
        if self.batch is not batch:
            self._open(batch)
        if not 0 <= row <= self.length:
            raise IndexError(f"row {row} of {self.length}")
        try:
            data, end = self._encode(row, max(max_bytes, 2))
        except BaseException:
            self._close()
            raise
        if end == self.length:
            self._close()
        self.rows += end - row
        self.bytes += len(data)
        return data, end

    cdef int _close(self) except -1:
        self.batch = self.capsules = None
        return 0

    cdef int _open(self, object batch) except -1:
        """Import a batch and choose how its columns are written."""
        cdef ArrowSchema* schema
        cdef ArrowArray* array
        cdef int64_t i
        self._close()
        capsules = batch.__arrow_c_array__()
        schema, array = schema_in(capsules[0]), array_in(capsules[1])
        self._match(schema)
        if array.n_children != schema.n_children or (
            array.null_count != 0 and array.n_buffers and array.buffers[0] != NULL
        ):
            raise SchemaMismatch("a struct array with rows that are null is not a record batch")
        for i in range(array.n_children):
            if not attach(&self.inputs[i], array.children[i], array.offset, array.length):
                raise self._error(i, "the Arrow array does not have the buffers of its type", -1)
            with nogil:
                choose_check(&self.inputs[i], 0, array.length)
        self.batch, self.capsules, self.length = batch, capsules, array.length
        return 0

    cdef int _match(self, const ArrowSchema* schema) except -1:
        """Choose how columns are written, unless that is known from the batch before."""
        cdef int64_t i
        if schema.format != b"+s":
            raise SchemaMismatch("not a record batch, nor a struct array")
        names = [schema.children[i].name.decode() for i in range(schema.n_children)]
        if tuple(names) != self.names:
            raise SchemaMismatch(
                f"the batch has the columns {', '.join(names)}; "
                f"the target takes {', '.join(self.names)}"
            )
        forms = [_form(schema.children[i]) for i in range(schema.n_children)]
        if forms != self.forms:
            self.forms = None
            for i in range(schema.n_children):
                if not self._pair(i, forms[i]):
                    raise self._unfit(i, forms[i])
            self.forms = forms
        return 0

    cdef bint _pair(self, int64_t i, tuple form) except -1:
        cdef Input* input = &self.inputs[i]
        if not self.codecs[i][1]:
            return len(form) == 1 and pair(input, self.codecs[i][0], form[0])
        if form[0] == b"n":
            return pair(input, "null", form[0])
        if form[0] not in (b"+l", b"+L") or len(form) != 2:
            return False
        input.layout, input.encode, input.is_large = ITEMS, &put_list, form[0] == b"+L"
        return pair(input.item, self.codecs[i][0], form[1])

    cdef object _unfit(self, int64_t i, tuple form):
        text = " of ".join(part.decode(errors="replace") for part in form)
        return self._error(i, f"Arrow format {text} is not written as {_word(self.codecs[i])}", -1)

    cdef object _error(self, int64_t i, str message, int64_t row, str hint=None):
        return EncodeError(
            message, row=row, column_index=i, column=self.names[i], hint=hint, side="target"
        )

    cdef tuple _encode(self, int64_t row, int64_t max_bytes):
        """Return the bytes, of which there is no copy, and the next row."""
        cdef int64_t capacity = self._expected(row, max_bytes), last = self.length, end, used
        cdef PyObject* data = new_bytes(NULL, capacity)
        cdef Out out
        cdef FaultCode fault = NO_FAULT
        cdef int column = 0, columns = <int>len(self.names)
        out.nulled, out.item = 0, -1
        try:
            while True:
                out.at = PyBytes_AS_STRING(data)
                out.end = out.at + capacity
                with nogil:
                    end = put_rows(
                        self.inputs, columns, row, last, &out, &fault, &column
                    )
                if fault != NO_ROOM or end > row or capacity >= LONGEST:
                    break
                capacity, last = min(2 * capacity, LONGEST), row + 1
                _PyBytes_Resize(&data, capacity)
            if fault != NO_FAULT and (fault != NO_ROOM or end == row):
                raise self._fault(fault, column, end, out.item)
            used = out.at - PyBytes_AS_STRING(data)
            _PyBytes_Resize(&data, used)
            self.nulled += out.nulled
            return <object>data, end
        finally:
            Py_XDECREF(data)

    cdef int64_t _expected(self, int64_t row, int64_t max_bytes):
        """Return how many bytes the rest may come to, so that small batches take little memory."""
        cdef int64_t most = 2, i
        for i in range(len(self.names)):
            most += 20 if self.inputs[i].layout == FIXED else 4
            if self.inputs[i].layout == VARIABLE and self.length:
                most += 2 * max(self.inputs[i].limit, 0) // self.length
        return min(max_bytes, max(_LEAST_BYTES, most * (self.length - row)))

    cdef object _fault(self, FaultCode fault, int column, int64_t row, int64_t item):
        cdef Input* input = &self.inputs[column]
        cdef str codec = self.codecs[column][0]
        if fault == NO_ROOM:
            return EncodeError("the row is longer than the server takes (1 GiB)", row=row,
                               side="target")
        if fault == BAD_OFFSETS or fault == TOO_LONG:
            return self._error(column, _MESSAGES[fault], row)
        form, where = self.forms[column][0], ""
        if input.item != NULL:
            row_of_item = first_item(input, row) + item
            form, where = self.forms[column][1], f"item {item} of the list: "
            value = _shown(form, value_of(input.item, row_of_item, form))
        else:
            value = _shown(form, value_of(input, row, form))
        unit = "whole days" if codec == "date" else "microseconds"
        message = where + _MESSAGES[fault].format(value=value, codec=codec, unit=unit)
        return self._error(column, message, row, _HINTS.get(fault))


cdef int64_t first_item(const Input* input, int64_t row) noexcept:
    cdef int64_t begin = 0, size = 0
    extent(input, row, &begin, &size)
    return begin


cdef object value_of(const Input* input, int64_t row, bytes form):
    """Return a value as bytes, or as the integer that stands in the buffer."""
    cdef int64_t begin = 0, size = 0, value
    if input.layout == VARIABLE:
        extent(input, row, &begin, &size)
        return input.values[begin:begin + min(size, _SHOWN_BYTES)]
    if form in _INTEGERS or (form.startswith(b"t") and input.width <= 8):
        value = load_integer(input, row)
        return value & 0xFFFF_FFFF_FFFF_FFFF if form == b"L" else value
    begin = input.width * (row + input.first)
    return input.values[begin:begin + min(input.width, _SHOWN_BYTES)]


def _shown(bytes form, value):
    """Return a value as text for a message."""
    if form in _STRINGS:
        return _shortened(_shown_text(value))
    if form == b"g":
        return str(struct.unpack("=d", value)[0])
    if form.startswith(b"d:"):
        scale = int(form[2:].split(b",")[1])
        number = Decimal(int.from_bytes(value, "little", signed=True))
        return str(number.scaleb(-scale, Context(prec=100)))
    if form == b"tin":
        return "{} months {} days {} nanoseconds".format(*struct.unpack("=iiq", value))
    if form.startswith(b"t"):
        return _shown_time(form.decode(), value)
    return _shortened(repr(value))


def _shown_text(bytes value):
    try:
        return repr(value.decode())
    except UnicodeDecodeError as error:
        was_cut = len(value) == _SHOWN_BYTES and error.start > _SHOWN_BYTES - 4
        return repr(value[:error.start].decode() if was_cut else value)


def _shortened(text):
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."


def _shown_time(form, value):
    """Return the moment that a count stands for, or the count where Python has no such moment."""
    if form == "tdD":
        per_second, unit, seconds, rest = 1, "days", value * 86_400, 0
    else:
        unit, per_second = _UNITS[form[2]], _PER_SECOND[form[2]]
        seconds, rest = divmod(value, per_second)
    if form.startswith(("tt", "tD")):
        return f"{value} {unit}"
    try:
        text = str(datetime(1970, 1, 1) + timedelta(seconds=seconds))
    except OverflowError:
        return f"{value} {unit} from 1970"
    text = text.removesuffix(" 00:00:00") if form == "tdD" else text
    return text + (f".{rest:0{len(str(per_second)) - 1}}" if rest else "")


cdef tuple _form(const ArrowSchema* schema):
    """Return the format of a column, and that of its items; dictionaries count as unknown."""
    cdef list found = [schema.format + (b" dictionary" if schema.dictionary != NULL else b"")]
    if schema.n_children == 1 and found[0] in (b"+l", b"+L"):
        found += _form(schema.children[0])
    return tuple(found)


def _parsed(str codec):
    """Return the codec of a value, or of an item and the oid of its type."""
    name, is_array, oid = codec.partition("[]")
    if name not in _CODECS or (is_array and not oid.removeprefix(":").isdecimal()):
        raise ValueError(f"no codec {codec!r}")
    return name, int(oid.removeprefix(":")) if is_array else 0


def _word(codec):
    return f"{codec[0]}[]" if codec[1] else codec[0]


_CODECS = frozenset({
    "bool", "bytea", "date", "enum", "float4", "float8", "int2", "int4", "int8", "interval", "json",
    "jsonb", "numeric", "numeric_text", "oid", "raw", "text", "time", "timestamp", "timestamptz",
    "uuid",
})
