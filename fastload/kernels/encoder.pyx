# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""Arrow record batches into rows of any wire format.

How a column is written is chosen once per batch; rows are then written one after the other with
the GIL released, into memory that is handed over as it is.

A format is a subclass: its constructor calls ``set_columns``; ``pair`` chooses the function for a
column's word and Arrow format; ``put_rows`` frames the rows. Both are called once per batch or
piece, never per value.
"""
import struct
from datetime import datetime, timedelta
from decimal import Context, Decimal

from cpython.object cimport PyObject
from cpython.ref cimport Py_XDECREF
from libc.stdint cimport INT64_MAX, INT64_MIN, int64_t
from libc.stdlib cimport calloc, free

from fastload.kernels.arrow_c cimport ArrowArray, ArrowSchema
from fastload.kernels.arrow_import cimport array_in, schema_in
from fastload.kernels.encode_attach cimport attach, choose_all
from fastload.kernels.encode_input cimport (
    BAD_OFFSETS, BAD_UTF8, FIXED, LONGEST, NO_FAULT, NO_MOMENT, NO_NUMBER, NO_ROOM, NO_UUID,
    NOT_FINITE, NOT_WHOLE, OUT_OF_RANGE, TOO_LONG, VARIABLE, FaultCode, Input, Out, extent,
    load_bit, load_integer
)

from fastload.errors import EncodeError, SchemaMismatch, Unrepresentable

cdef extern from "Python.h":
    char* PyBytes_AS_STRING(PyObject*)
    int _PyBytes_Resize(PyObject**, Py_ssize_t) except -1
    PyObject* new_bytes "PyBytes_FromStringAndSize"(const char*, Py_ssize_t) except NULL

_SHOWN_CHARACTERS = 60
cdef int64_t _SHOWN_BYTES = 240
_LEAST_BYTES = 1 << 16
_MESSAGES = {
    OUT_OF_RANGE: "{value} is out of range for {codec}",
    NO_MOMENT: "{value} is out of range for {codec}",
    NOT_WHOLE: "{value} is finer than {codec}",
    NOT_FINITE: "{value} is no number that {codec} holds",
    BAD_UTF8: "{value} is not UTF-8",
    BAD_OFFSETS: "offsets of the Arrow array point outside it",
    TOO_LONG: "the value is longer than the server takes (1 GiB)",
    NO_NUMBER: "{value} is not a number",
    NO_UUID: "{value} is not a uuid",
}
_HINTS = {
    NOT_WHOLE: "round the column first",
    NO_MOMENT: "give the column a wider type, or cast it first",
    OUT_OF_RANGE: "give the column a wider type, or cast it first",
}
# Arrow format -> bytes of a value; lower case is signed.
_INTEGERS = {
    b"c": 1, b"C": 1, b"s": 2, b"S": 2, b"i": 4, b"I": 4, b"l": 8, b"L": 8,
}  # fmt: skip
# Last letter of a temporal format -> units per second.
_PER_SECOND = {"s": 1, "m": 10**3, "u": 10**6, "n": 10**9}
_CYCLE_YEARS, _CYCLE_DAYS = 400, 146_097  # of the calendar
_UNITS = {"s": "seconds", "m": "milliseconds", "u": "microseconds", "n": "nanoseconds"}


cdef int integer_bytes(bytes form) except -1:
    """Return the bytes of an integer of this format; 0 where it is another."""
    return _INTEGERS.get(form, 0)


cdef bint is_string(bytes form) except -1:
    return form in (b"u", b"U")


cdef bint is_binary(bytes form) except -1:
    return form in (b"z", b"Z")


cdef tuple decimal_form(bytes form):
    """Return a decimal's scale and bytes; None where the format is another."""
    cdef list parts
    if not form.startswith(b"d:"):
        return None
    parts = form[2:].split(b",")
    bits = int(parts[2]) if len(parts) == 3 else 128
    return (int(parts[1]), bits // 8) if bits in (32, 64, 128, 256) else None


cdef int set_integer(Input* input, bytes form) except -1:
    """Set width and sign."""
    input.width, input.is_signed = _INTEGERS[form], form.islower()
    return 0


cdef int set_unit(Input* input, str unit, low, high) except -1:
    """Set the unit, and the range, which is in microseconds."""
    input.multiplier = 10**6 // _PER_SECOND[unit]
    if unit == "n":
        set_bounds(input, low, high, 1000)
    else:
        set_bounds(input, -(-low // input.multiplier), high // input.multiplier, 1)
    return 0


cdef int set_days(Input* input, bint in_milliseconds, low, high) except -1:
    """Set the width of a day's count, and the range, which is in days."""
    input.width = 8 if in_milliseconds else 4
    return set_bounds(input, low, high, 86_400_000 if in_milliseconds else 1)


cdef int set_bounds(Input* input, low, high, int64_t per) except -1:
    """Set the range in a unit of which so many make one of the bounds'."""
    input.low = max(low * <object>per, INT64_MIN)
    input.high = min(high * <object>per + (per - 1), INT64_MAX)
    return 0


cdef class BatchEncoder:
    """Encodes the batches of one stream of rows.

    Attributes:
        rows: How many were encoded.
        bytes: How many they made.
        nulled: Values written as NULL because the type cannot hold them.
    """

    def __dealloc__(self):
        free(self.inputs)
        free(self.items)

    def check(self, schema):
        """Check a schema, which is anything with ``__arrow_c_schema__``, before any row.

        Raises:
            SchemaMismatch: It has other columns.
            EncodeError: A column has a form that its codec does not take.
        """
        capsule = schema.__arrow_c_schema__()
        self.match(schema_in(capsule))

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
            Unrepresentable: The target's type has no form for a value, such as for an infinity.
        """
        if self.batch is not batch:
            self.open(batch)
        if not 0 <= row <= self.length:
            raise IndexError(f"row {row} of {self.length}")
        try:
            data, end = self.encode_some(row, max(max_bytes, 2))
        except BaseException:
            self.close()
            raise
        if end == self.length:
            self.close()
        self.rows += end - row
        self.bytes += len(data)
        return data, end

    cdef int set_columns(self, columns, nulls_instead) except -1:
        """Take names and codec words, and make room for how they are written."""
        cdef Py_ssize_t i
        self.unrepresentable, self.value_bytes = (), 20
        self.names = tuple(name for name, _ in columns)
        self.words = tuple(word for _, word in columns)
        self.columns = <int>len(self.names)
        self.inputs = <Input*>calloc(len(self.names) + 1, sizeof(Input))
        self.items = <Input*>calloc(len(self.names) + 1, sizeof(Input))
        if self.inputs == NULL or self.items == NULL:
            raise MemoryError
        for i in range(len(self.names)):
            self.inputs[i].null_instead = self.names[i] in nulls_instead
            self.items[i].null_instead = self.inputs[i].null_instead
        return 0

    cdef bint pair(self, int64_t i, tuple form) except -1:
        """Choose how a column's values are written; False where they are not.

        The form is the column's Arrow format, and for a list that of its items.
        """
        raise NotImplementedError

    cdef int64_t put_rows(
        self, int64_t row, int64_t end, Out* out, FaultCode* fault, int* column
    ) noexcept nogil:
        """Write whole rows until one fails or finds no room; return its number, or the end."""
        return row

    cdef tuple told(self, FaultCode fault, int64_t i, str value):
        """Return message and hint, where the format has its own."""
        return None, None

    cdef str spelled(self, int64_t i, bint of_item):
        """Return a column's type for a message, or that of its items."""
        return self.words[i]

    cdef int close(self) except -1:
        self.batch = self.capsules = None
        return 0

    cdef int open(self, object batch) except -1:
        """Import a batch and choose how its columns are written."""
        cdef ArrowSchema* schema
        cdef ArrowArray* array
        cdef int64_t i
        self.close()
        capsules = batch.__arrow_c_array__()
        schema, array = schema_in(capsules[0]), array_in(capsules[1])
        self.match(schema)
        if array.n_children != schema.n_children or (
            array.null_count != 0 and array.n_buffers and array.buffers[0] != NULL
        ):
            raise SchemaMismatch("a struct array with rows that are null is not a record batch")
        for i in range(array.n_children):
            if not attach(&self.inputs[i], array.children[i], array.offset, array.length):
                raise self.error(i, "the Arrow array does not have the buffers of its type", -1)
            with nogil:
                choose_all(&self.inputs[i], array.length)
        self.batch, self.capsules, self.length = batch, capsules, array.length
        return 0

    cdef int match(self, const ArrowSchema* schema) except -1:
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
                _reset(&self.inputs[i])
                _reset(&self.items[i])
                if not self.pair(i, forms[i]):
                    text = " of ".join(part.decode(errors="replace") for part in forms[i])
                    told = f"Arrow format {text} is not written as {self.spelled(i, False)}"
                    raise self.error(i, told, -1)
            self.forms = forms
        return 0

    cdef object error(self, int64_t i, str message, int64_t row, str hint=None):
        return EncodeError(
            message, row=row, column_index=i, column=self.names[i], hint=hint, side="target"
        )

    cdef tuple encode_some(self, int64_t row, int64_t max_bytes):
        """Return the bytes, of which there is no copy, and the next row."""
        cdef int64_t capacity = self.expected_bytes(row, max_bytes), last = self.length, end, used
        cdef PyObject* data = new_bytes(NULL, capacity)
        cdef Out out
        cdef FaultCode fault = NO_FAULT
        cdef int column = 0
        out.nulled, out.item = 0, -1
        try:
            while True:
                out.at = PyBytes_AS_STRING(data)
                out.end = out.at + capacity
                with nogil:
                    end = self.put_rows(row, last, &out, &fault, &column)
                if fault != NO_ROOM or end > row or capacity >= LONGEST:
                    break
                capacity, last = min(2 * capacity, LONGEST), row + 1
                _PyBytes_Resize(&data, capacity)
            if fault != NO_FAULT and (fault != NO_ROOM or end == row):
                raise self.failure(fault, column, end, out.item)
            used = out.at - PyBytes_AS_STRING(data)
            _PyBytes_Resize(&data, used)
            self.nulled += out.nulled
            return <object>data, end
        finally:
            Py_XDECREF(data)

    cdef int64_t expected_bytes(self, int64_t row, int64_t max_bytes):
        """Return how many bytes the rest may come to, so that small batches take little memory."""
        cdef int64_t most = 2, i
        for i in range(len(self.names)):
            most += self.value_bytes if self.inputs[i].layout == FIXED else 4
            if self.inputs[i].layout == VARIABLE and self.length:
                most += 2 * max(self.inputs[i].limit, 0) // self.length
        return min(max_bytes, max(_LEAST_BYTES, most * (self.length - row)))

    cdef object failure(self, FaultCode fault, int column, int64_t row, int64_t item):
        cdef Input* input = &self.inputs[column]
        if fault == NO_ROOM:
            return EncodeError("the row is longer than the server takes (1 GiB)", row=row,
                               side="target")
        if fault == BAD_OFFSETS or fault == TOO_LONG:
            return self.error(column, _MESSAGES[fault], row)
        form, where = self.forms[column][0], ""
        if input.item != NULL:
            row_of_item = first_item(input, row) + item
            form, where = self.forms[column][1], f"item {item} of the list: "
            value = _shown(form, value_of(input.item, row_of_item, form))
        else:
            value = _shown(form, value_of(input, row, form))
        message, hint = self.told(fault, column, value)
        if message is None:
            codec = self.spelled(column, input.item != NULL)
            message = _MESSAGES[fault].format(value=value, codec=codec)
        error = self.error(column, where + message, row, hint or _HINTS.get(fault))
        if fault in self.unrepresentable:
            return Unrepresentable(
                error.message, row=row, column_index=column, column=self.names[column],
                hint=error.hint, side="target", value=value,
            )
        return error


cdef int _reset(Input* input) except -1:
    input.layout, input.is_signed, input.is_large, input.width = FIXED, True, False, 0
    input.choose, input.item = NULL, NULL
    return 0


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
    if form == b"b":
        return load_bit(input, row)
    if form in _INTEGERS or (form.startswith(b"t") and input.width <= 8):
        value = load_integer(input, row)
        return value & 0xFFFF_FFFF_FFFF_FFFF if form == b"L" else value
    begin = input.width * (row + input.first)
    return input.values[begin:begin + min(input.width, _SHOWN_BYTES)]


def _shown(bytes form, value):
    """Return a value as text for a message."""
    if is_string(form):
        return _shortened(_shown_text(value))
    if form == b"f" or form == b"g":
        return str(struct.unpack("=f" if form == b"f" else "=d", value)[0])
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
    """Return the moment that a count stands for, in the calendar without an end."""
    if form == "tdD":
        per_second, unit, seconds, rest = 1, "days", value * 86_400, 0
    else:
        unit, per_second = _UNITS[form[2]], _PER_SECOND[form[2]]
        seconds, rest = divmod(value, per_second)
    if form.startswith(("tt", "tD")):
        return f"{value} {unit}"
    # The calendar repeats, and Python's has the years from 1 to 9999 alone.
    cycles, seconds = divmod(seconds, _CYCLE_DAYS * 86_400)
    moment = datetime(1970, 1, 1) + timedelta(seconds=seconds)
    year = moment.year + _CYCLE_YEARS * cycles
    text = f"{year if year > 0 else 1 - year:04}-{moment:%m-%d}"
    if form != "tdD":
        text += f" {moment:%H:%M:%S}" + (f".{rest:0{len(str(per_second)) - 1}}" if rest else "")
    return text if year > 0 else f"{text} BC"


cdef tuple _form(const ArrowSchema* schema):
    """Return the format of a column, and that of its items; dictionaries count as unknown."""
    cdef list found = [schema.format + (b" dictionary" if schema.dictionary != NULL else b"")]
    if schema.n_children == 1 and found[0] in (b"+l", b"+L"):
        found += _form(schema.children[0])
    return tuple(found)
