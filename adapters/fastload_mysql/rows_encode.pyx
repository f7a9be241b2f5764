# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""Arrow record batches into the text that LOAD DATA reads, or into the rows of an INSERT.

Source: MySQL Reference Manual, "LOAD DATA Statement" and "String Literals". ``load_statement`` has
the clauses that say how a file is written.

The server turns what a column cannot hold into something else, with a warning where the file is
the client's. So every range, length and number of digits is checked here, where the row is known.
"""
cimport cython
from libc.stdint cimport INT64_MAX, int64_t
from libc.stdlib cimport calloc, free

from fastload.kernels.encode_input cimport (
    ITEMS, NO_FAULT, NO_MOMENT, NO_NUMBER, NOT_FINITE, NOT_WHOLE, NOTHING, OTHER_LENGTH,
    TOO_MANY_BYTES, TOO_MANY_CHARACTERS, TOO_MANY_DIGITS, TRAILING_SPACES, VARIABLE, FaultCode,
    Input, Out
)
from fastload.kernels.encoder cimport (
    BatchEncoder, decimal_form, integer_bytes, is_binary, is_string, set_days, set_integer, set_unit
)
from fastload_mysql.encode_fields cimport Form, put, put_null
from fastload_mysql.encode_floats cimport (
    fill_powers, put_double, put_double_as_float, put_float, put_float_as_double
)
from fastload_mysql.encode_literals cimport put_null_literal, put_tuples
from fastload_mysql.encode_lists cimport (
    put_json_bool, put_json_decimal, put_json_null, put_json_text, put_list
)
from fastload_mysql.encode_moments cimport put_date, put_interval, put_moment, put_time
from fastload_mysql.encode_numbers cimport (
    MOST_WHOLE, put_any_integer, put_bool, put_decimal, put_integer, put_year
)
from fastload_mysql.encode_texts cimport (
    choose_bytes, choose_text, put_bits, put_bool_as_bits, put_bytes, put_fixed_bytes,
    put_fixed_uuid, put_text, put_uuid_bytes, put_uuid_text
)

cdef int FIELD_BYTES = 24
cdef int QUOTES_BYTES = 9
_MESSAGES = {
    NOT_WHOLE: "{value} is finer than {codec}",
    TOO_MANY_DIGITS: "{value} has more digits before the point than {codec}",
    TOO_MANY_CHARACTERS: "{value} is longer than the column's {most} characters",
    TOO_MANY_BYTES: "{value} is longer than the column's {most} bytes",
    OTHER_LENGTH: "{value} does not have the length of the column, {size} bytes",
    NO_NUMBER: "{value} has more digits than a double, which numbers of a json document are",
    TRAILING_SPACES: "{value} ends with a space, which a char column strips",
}
_HINTS = {
    TOO_MANY_DIGITS: "give the column a wider type, or cast it first",
    TOO_MANY_CHARACTERS: "widen the target's column, or shorten the text first",
    TOO_MANY_BYTES: "widen the target's column, or shorten the value first",
    OTHER_LENGTH: "the server would fill it with zero bytes: make the target's column varbinary",
    NO_NUMBER: "cast the items first: to text, to keep every digit, or to double precision",
    TRAILING_SPACES: "make the target's column varchar, or strip the text first",
}
# Codec word -> type, and the range of an integer's.
_INTEGERS = {
    "tiny": ("tinyint", -(1 << 7), (1 << 7) - 1),
    "utiny": ("tinyint unsigned", 0, (1 << 8) - 1),
    "bool1": ("tinyint(1)", -(1 << 7), (1 << 7) - 1),
    "short": ("smallint", -(1 << 15), (1 << 15) - 1),
    "ushort": ("smallint unsigned", 0, (1 << 16) - 1),
    "medium": ("mediumint", -(1 << 23), (1 << 23) - 1),
    "umedium": ("mediumint unsigned", 0, (1 << 24) - 1),
    "long": ("int", -(1 << 31), (1 << 31) - 1),
    "ulong": ("int unsigned", 0, (1 << 32) - 1),
    "longlong": ("bigint", -(1 << 63), (1 << 63) - 1),
    "ulonglong": ("bigint unsigned", 0, (1 << 64) - 1),
    "year": ("year", 0, 2155),
}
_TEXTS = ("text", "text_bytes", "char", "json", "opaque_text")
_BYTES = ("blob", "binary", "geometry", "raw")
_WITH_ZONE = ("datetime_utc", "timestamp")
_MOMENTS = ("datetime", *_WITH_ZONE)
# Codecs that make digits alone, which need no quotes in SQL, and those that make bytes.
_BARE = (*(name for name in _INTEGERS if name != "year"), "decimal")
_OF_BYTES = (*_BYTES, "bit", "uuid")
_FORMS = ("file", "values")
_OTHERS = ("float", "double", "decimal", "date", "time", "bit", "uuid", "uuid_text", "interval")
_NAMES = frozenset((*_INTEGERS, *_TEXTS, *_BYTES, *_MOMENTS, *_OTHERS))
# What a word says behind its colon: how many numbers there may be.
_LEAST_NUMBERS = {"decimal": 2, "bit": 1, "binary": 1, "char": 1}
_MOST_NUMBERS = {
    "decimal": 2, "bit": 1, "binary": 1, "char": 1, "text": 1, "text_bytes": 1, "blob": 1,
    "datetime": 1, "datetime_utc": 1, "timestamp": 1, "time": 1, "json": 1,
}  # fmt: skip
_DAYS = (-719_162, 2_932_896)  # 0001-01-01 to 9999-12-31
_DATETIMES = (-62_135_596_800_000_000, 253_402_300_799_999_999)
_TIMESTAMPS = (1_000_000, 2_147_483_647_999_999)  # what 31 bits of seconds hold, but zero
_TIMES = (-3_020_399_999_999, 3_020_399_999_999)  # 838:59:59.999999
_MOST_DECIMAL_WIDTH = 65
_MOST_FRACTION = 6
# What is escaped, each byte eight times over: tab, newline and backslash; quote and backslash.
_IN_FILES = (0x0909090909090909, 0x0A0A0A0A0A0A0A0A, 0x5C5C5C5C5C5C5C5C)
_IN_QUOTES = (0x2727272727272727, 0x5C5C5C5C5C5C5C5C, 0x5C5C5C5C5C5C5C5C)


cdef bint pair_value(Input* input, Form* field, str name, tuple numbers, bytes form) except -1:
    """Choose how values of an Arrow format are written; False where they are not."""
    if form == b"n":
        input.layout, input.encode = NOTHING, &put_null
        return True
    if is_string(form) or is_binary(form):
        return pair_variable(input, name, form)
    if name in _INTEGERS:
        return pair_integer(input, field, name, form)
    if name == "decimal":
        precision, scale = numbers
        return pair_decimal(input, field, precision - scale, scale, form)
    if name == "float" or name == "double":
        return pair_float(input, name, form)
    if name == "bit":
        return pair_bit(input, form)
    if form.startswith(b"t"):
        return pair_temporal(input, name, form.decode())
    if form.startswith(b"w:"):
        return pair_fixed(input, field, name, int(form[2:]))
    return False


cdef bint pair_integer(Input* input, Form* field, str name, bytes form) except -1:
    cdef tuple decimal = decimal_form(form)
    _, low, high = _INTEGERS[name]
    input.low, input.high, field.most_magnitude = low, min(high, INT64_MAX), high
    if form == b"b" and name != "year":
        input.encode = &put_bool
    elif integer_bytes(form):
        set_integer(input, form)
        input.encode = &put_any_integer if form == b"L" else &put_integer
        if name == "year":
            input.encode = &put_year
    elif decimal is not None and decimal[0] == 0 and name != "year":
        input.width, input.encode = decimal[1], &put_any_integer
    else:
        return False
    return True


cdef bint pair_decimal(Input* input, Form* field, int whole, int scale, bytes form) except -1:
    """Pair with a column of so many digits before and after the point."""
    cdef tuple decimal = decimal_form(form)
    cdef int given = 0
    if integer_bytes(form):
        set_integer(input, form)
    elif decimal is not None:
        given, input.width = decimal
    else:
        return False
    if given < -_MOST_DECIMAL_WIDTH:
        return False
    field.whole, field.scale = whole, min(max(given, 0), scale)
    field.drop, field.zeros = max(given - scale, 0), max(-given, 0)
    input.encode = &put_decimal
    return True


cdef bint pair_float(Input* input, str name, bytes form) except -1:
    if form == b"f":
        input.width = 4
        input.encode = &put_float if name == "float" else &put_float_as_double
        return True
    input.width = 8
    input.encode = &put_double_as_float if name == "float" else &put_double
    return form == b"g"


cdef bint pair_bit(Input* input, bytes form) except -1:
    if form == b"b":
        input.encode = &put_bool_as_bits
        return True
    if not integer_bytes(form):
        return False
    set_integer(input, form)
    input.encode = &put_bits
    return True


cdef bint pair_variable(Input* input, str name, bytes form) except -1:
    cdef bint of_text = is_string(form)
    input.layout, input.is_large = VARIABLE, form.isupper()
    if name == "uuid" or name == "uuid_text":
        input.encode = &put_uuid_text if of_text else &put_uuid_bytes
    elif of_text and name in _TEXTS:
        input.encode, input.choose = &put_text, &choose_text
    elif not of_text and name in _BYTES:
        input.encode, input.choose = &put_bytes, &choose_bytes
    else:
        return False
    return True


cdef bint pair_fixed(Input* input, Form* field, str name, int width) except -1:
    input.width, input.encode = width, &put_fixed_bytes
    if name == "uuid" or name == "uuid_text":
        input.encode = &put_fixed_uuid
        return width == 16
    if name == "binary":
        return width == field.size
    return name in _BYTES and (field.most < 0 or width <= field.most)


cdef bint pair_temporal(Input* input, str name, str form) except -1:
    cdef bint has_zone = form.startswith("ts") and form[4:] != ""
    input.width = 8
    if name == "date" and form in ("tdD", "tdm"):
        input.encode = &put_date
        set_days(input, form == "tdm", _DAYS[0], _DAYS[1])
    elif name == "time" and form.startswith(("tt", "tD")):
        input.width = 4 if form in ("tts", "ttm") else 8
        input.encode = &put_time
        set_unit(input, form[2], _TIMES[0], _TIMES[1])
    elif name == "interval" and form == "tin":
        input.width, input.encode = 16, &put_interval
    elif form.startswith("ts") and name in (_WITH_ZONE if has_zone else ("datetime",)):
        low, high = _TIMESTAMPS if name == "timestamp" else _DATETIMES
        input.encode = &put_moment
        set_unit(input, form[2], low, high)
    else:
        return False
    return True


cdef bint pair_item(Input* input, Form* field, bytes form) except -1:
    """Choose how items of a JSON array are written."""
    field.is_quoted = form.startswith(b"t") or is_string(form)
    field.step, field.fraction = 1, _MOST_FRACTION
    if form == b"n":
        input.layout, input.encode = NOTHING, &put_json_null
    elif form == b"b":
        input.encode = &put_json_bool
    elif is_string(form):
        input.layout, input.is_large, input.encode = VARIABLE, form.isupper(), &put_json_text
    elif form == b"f" or form == b"g":
        return pair_float(input, "float" if form == b"f" else "double", form)
    elif form.startswith(b"t"):
        name = {"d": "date", "s": "datetime" if form[4:] == b"" else "datetime_utc"}
        return pair_temporal(input, name.get(chr(form[1]), "time"), form.decode())
    elif form.startswith(b"d:"):
        return pair_decimal(input, field, MOST_WHOLE, max(decimal_form(form)[0], 0), form)
    elif integer_bytes(form):
        return pair_decimal(input, field, MOST_WHOLE, 0, form)
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
        fault[0] = NO_FAULT
        for i in range(columns):
            fault[0] = put(&inputs[i], row, out)
            if fault[0] != NO_FAULT:
                column[0] = i
                out.at, out.nulled = start, nulled
                return row
            out.at[0] = c"\t"
            out.at += 1
        (out.at - 1)[0] = c"\n"
        row += 1
    return row


@cython.final
cdef class RowsEncoder(BatchEncoder):
    """Encodes the batches of one LOAD DATA, or of INSERTs; its bytes are the rows alone.

    Args:
        columns: Name and codec of each column, in the statement's order.
        nulls_instead: Names of columns in which a value that the type cannot hold is written as
            NULL; ``nulled`` counts them.
        form: ``"file"``, or ``"values"``: what follows VALUES in a session of utf8mb4 whose
            sql_mode leaves the backslash its meaning. Each call's rows are a list of their own.

    Raises:
        ValueError: A codec has no such name, or there are no columns, or no such form.
    """

    cdef Form* fields  # of columns, then of their items
    cdef tuple codecs
    cdef bint is_values

    def __cinit__(self, columns, nulls_instead=(), *, form="file"):
        cdef Py_ssize_t i, count
        if form not in _FORMS:
            raise ValueError(f"no form {form!r} of rows")
        self.is_values = form == "values"
        self.set_columns(columns, nulls_instead)
        self.value_bytes = FIELD_BYTES + QUOTES_BYTES * self.is_values
        self.unrepresentable = (NOT_FINITE, NO_MOMENT)
        if not self.words:
            raise ValueError("a row without columns has no text")
        self.codecs, count = tuple(map(_parsed, self.words)), len(self.words)
        self.fields = <Form*>calloc(2 * count, sizeof(Form))
        if self.fields == NULL:
            raise MemoryError
        for i in range(count):
            self.inputs[i].form, self.items[i].form = &self.fields[i], &self.fields[count + i]
            set_limits(&self.fields[i], self.codecs[i][0], self.codecs[i][1])
            set_quotes(&self.fields[i], self.codecs[i][0], self.is_values)
            set_quotes(&self.fields[count + i], self.codecs[i][0], self.is_values)

    def __dealloc__(self):
        free(self.fields)

    cdef bint pair(self, int64_t i, tuple form) except -1:
        cdef Input* input = &self.inputs[i]
        cdef Form* field = &self.fields[i]
        cdef str name
        cdef tuple numbers
        name, numbers = self.codecs[i]
        if form[0] == b"n" and self.is_values:
            input.layout, input.encode = NOTHING, &put_null_literal
            return True
        if len(form) == 1:
            return pair_value(input, field, name, numbers, form[0])
        # What a limited column would cut is known only once it is written.
        if len(form) != 2 or name not in ("json", "text") or (numbers and name == "text"):
            return False
        input.layout, input.encode, input.is_large = ITEMS, &put_list, form[0] == b"+L"
        input.item = &self.items[i]
        if not pair_item(input.item, &self.fields[len(self.names) + i], form[1]):
            return False
        if numbers and form[1].startswith(b"d:"):
            self.fields[len(self.names) + i].most_magnitude = numbers[0]
            input.item.encode = &put_json_decimal
        return True

    cdef int64_t put_rows(
        self, int64_t row, int64_t end, Out* out, FaultCode* fault, int* column
    ) noexcept nogil:
        if self.is_values:
            return put_tuples(self.inputs, self.columns, row, end, out, fault, column)
        return put_all(self.inputs, self.columns, row, end, out, fault, column)

    cdef tuple told(self, FaultCode fault, int64_t i, str value):
        if fault not in _MESSAGES:
            return None, None
        field = self.fields[i]
        message = _MESSAGES[fault].format(
            value=value, codec=self.spelled(i, False), most=field.most, size=field.size
        )
        return message, _HINTS.get(fault)

    cdef str spelled(self, int64_t i, bint of_item):
        name, numbers = self.codecs[i]
        if name in _INTEGERS:
            return _INTEGERS[name][0]
        name = {"text_bytes": "text", "datetime_utc": "datetime", "opaque_text": "text"}.get(
            name, name
        )
        return f"{name}({','.join(map(str, numbers))})" if numbers else name


cdef int set_limits(Form* field, str name, tuple numbers) except -1:
    """Set what a column takes, whatever the Arrow format."""
    field.most, field.step = -1, 1
    if name in ("text", "char", "text_bytes", "blob") and numbers:
        field.most = numbers[0]
        field.counts_characters = name in ("text", "char")
    field.strips_spaces = name == "char"
    if name == "bit":
        field.size, field.most_magnitude = (numbers[0] + 7) // 8, (1 << numbers[0]) - 1
    elif name == "binary" or name == "uuid":
        # MariaDB takes the bytes of a uuid as one, and no text in a binary file.
        field.size = numbers[0] if numbers else 16
    elif name == "time" or name in _MOMENTS:
        field.fraction = numbers[0] if numbers else 0
        field.step = 10 ** (_MOST_FRACTION - field.fraction)
    return 0


cdef int set_quotes(Form* field, str name, bint is_values) except -1:
    """Set what stands around a column's values, and what is escaped in them."""
    cdef int i
    for i in range(3):
        field.specials[i] = (_IN_QUOTES if is_values else _IN_FILES)[i]
    if is_values and name in _OF_BYTES:
        field.opening, field.opening_bytes = b"_binary'", 8
    elif is_values and name not in _BARE:
        field.opening, field.opening_bytes = b"'", 1
    return 0


def _parsed(str word):
    """Return a codec's name and the numbers behind its colon."""
    name, _, rest = word.partition(":")
    parts = rest.split(",") if rest else []
    least, most = _LEAST_NUMBERS.get(name, 0), _MOST_NUMBERS.get(name, 0)
    known = name in _NAMES and all(part.isdecimal() for part in parts)
    if not known or not least <= len(parts) <= most:
        raise ValueError(f"no codec {word!r}")
    numbers = tuple(map(int, parts))
    if not _is_possible(name, numbers):
        raise ValueError(f"no column has codec {word!r}")
    return name, numbers


def _is_possible(str name, tuple numbers):
    if name == "decimal":
        return 1 <= numbers[0] <= _MOST_DECIMAL_WIDTH and numbers[1] <= numbers[0]
    if name == "bit":
        return 1 <= numbers[0] <= 64
    if name == "time" or name in _MOMENTS:
        return not numbers or numbers[0] <= _MOST_FRACTION
    return not numbers or numbers[0] < 1 << 32


fill_powers()
