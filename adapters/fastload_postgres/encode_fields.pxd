# Arrow values into PostgreSQL's binary fields, one function per pairing of types.
#
# Each writes a field with its length word and returns NO_FAULT, or why it cannot; what it has
# written then is void. The receiving side is each type's receive function (src/backend/utils/adt).
from libc.math cimport isinf
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.byteorder cimport store_int16, store_int32, store_int64
from fastload.kernels.utf8 cimport is_utf8


cdef enum FaultCode:
    NO_FAULT
    NO_ROOM
    OUT_OF_RANGE
    NOT_WHOLE
    ZERO_BYTE
    BAD_UTF8
    BAD_OFFSETS
    TOO_LONG
    NO_NUMBER
    TOO_MANY_DIGITS
    NO_UUID


cdef struct Out:
    char* at
    char* end
    int64_t nulled  # values written as NULL because the type cannot hold them
    int64_t item    # place in its list of the item that failed, or -1


cdef struct Input

ctypedef FaultCode (*Encode)(const Input* input, int64_t row, Out* out) noexcept nogil

cdef enum Layout:
    NOTHING   # every value is null
    FIXED
    VARIABLE
    ITEMS

cdef struct Input:
    Encode encode
    Layout layout
    bint is_text           # bytes that must be UTF-8 without zeros
    const unsigned char* validity  # NULL where there is no null
    const char* values
    const char* offsets
    int64_t first          # index of row 0 in the buffers
    int64_t limit          # bytes, or items, that offsets may reach
    int32_t width          # bytes of a value
    bint is_signed
    bint is_large          # 64-bit offsets
    bint null_instead      # what the type cannot hold becomes NULL
    int32_t version        # bytes of jsonb's version before the text: 0 or 1
    int32_t target_bytes   # width of the integer field
    int64_t low, high      # values that the field can hold, in the unit of the input
    int64_t multiplier     # to microseconds; 0 from nanoseconds
    int64_t epoch          # microseconds from 1970 to the field's zero
    int32_t used, place    # of decimals: digits in the last group, and its power of 10000
    int32_t scale          # of decimals: digits after the point
    int32_t element_oid
    Input* item


cdef enum:
    LONGEST = 0x3FFFFFF0  # the server's largest allocation, less headers (utils/memutils.h)
    EPOCH_DAYS = 10957    # from 1970-01-01 to 2000-01-01


cdef inline bint is_null(const Input* input, int64_t row) noexcept nogil:
    cdef int64_t at = row + input.first
    return input.validity != NULL and not (input.validity[at >> 3] >> (at & 7)) & 1


cdef inline FaultCode put(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a field, or NULL."""
    cdef char* start = out.at
    cdef FaultCode fault
    if not is_null(input, row):
        fault = input.encode(input, row, out)
        if fault == NO_FAULT or not input.null_instead:
            return fault
        if fault == NO_ROOM or fault == BAD_OFFSETS:
            return fault
        out.at = start
        out.nulled += 1
    return put_null(input, row, out)


cdef inline FaultCode put_null(const Input* input, int64_t row, Out* out) noexcept nogil:
    if out.end - out.at < 4:
        return NO_ROOM
    store_int32(out.at, -1)
    out.at += 4
    return NO_FAULT


cdef inline FaultCode put_bool(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t at = row + input.first
    if out.end - out.at < 5:
        return NO_ROOM
    store_int32(out.at, 1)
    out.at[4] = ((<const unsigned char*>input.values)[at >> 3] >> (at & 7)) & 1
    out.at += 5
    return NO_FAULT


cdef inline FaultCode put_2_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int16_t value
    if out.end - out.at < 6:
        return NO_ROOM
    memcpy(&value, input.values + 2 * (row + input.first), 2)
    store_int32(out.at, 2)
    store_int16(out.at + 4, value)
    out.at += 6
    return NO_FAULT


cdef inline FaultCode put_4_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int32_t value
    if out.end - out.at < 8:
        return NO_ROOM
    memcpy(&value, input.values + 4 * (row + input.first), 4)
    store_int32(out.at, 4)
    store_int32(out.at + 4, value)
    out.at += 8
    return NO_FAULT


cdef inline FaultCode put_int64(Out* out, int64_t value) noexcept nogil:
    if out.end - out.at < 12:
        return NO_ROOM
    store_int32(out.at, 8)
    store_int64(out.at + 4, value)
    out.at += 12
    return NO_FAULT


cdef inline FaultCode put_8_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t value
    memcpy(&value, input.values + 8 * (row + input.first), 8)
    return put_int64(out, value)


cdef inline FaultCode put_float_as_double(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    cdef float value
    cdef double wide
    cdef int64_t bits
    memcpy(&value, input.values + 4 * (row + input.first), 4)
    wide = value
    memcpy(&bits, &wide, 8)
    return put_int64(out, bits)


cdef inline FaultCode put_double_as_float(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    # Digits are rounded; what would become infinite or zero is refused, as the server's own
    # conversion does.
    cdef double wide
    cdef float value
    cdef int32_t bits
    if out.end - out.at < 8:
        return NO_ROOM
    memcpy(&wide, input.values + 8 * (row + input.first), 8)
    value = <float>wide
    if (isinf(value) and not isinf(wide)) or (value == 0 and wide != 0):
        return OUT_OF_RANGE
    memcpy(&bits, &value, 4)
    store_int32(out.at, 4)
    store_int32(out.at + 4, bits)
    out.at += 8
    return NO_FAULT


cdef inline int64_t load_integer(const Input* input, int64_t row) noexcept nogil:
    """Load an integer of any width; unsigned 64-bit ones beyond int64 come out negative."""
    cdef const char* at = input.values + input.width * (row + input.first)
    cdef int64_t wide
    cdef int32_t four
    cdef int16_t two
    if input.width == 8:
        memcpy(&wide, at, 8)
        return wide
    if input.width == 4:
        memcpy(&four, at, 4)
        return four if input.is_signed else <int64_t><uint32_t>four
    if input.width == 2:
        memcpy(&two, at, 2)
        return two if input.is_signed else <int64_t><uint16_t>two
    return <int64_t><signed char>at[0] if input.is_signed else <int64_t><unsigned char>at[0]


cdef inline FaultCode put_integer(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an integer of one width as one of another, if it is in range there."""
    cdef int64_t value = load_integer(input, row)
    if value < input.low or value > input.high:
        return OUT_OF_RANGE
    if input.target_bytes == 8:
        return put_int64(out, value)
    if out.end - out.at < 4 + input.target_bytes:
        return NO_ROOM
    store_int32(out.at, input.target_bytes)
    if input.target_bytes == 4:
        store_int32(out.at + 4, <int32_t>value)
    else:
        store_int16(out.at + 4, <int16_t>value)
    out.at += 4 + input.target_bytes
    return NO_FAULT


cdef inline FaultCode extent(
    const Input* input, int64_t row, int64_t* begin, int64_t* size
) noexcept nogil:
    """Find where a variable value's bytes, or a list's items, begin, and how many there are."""
    cdef int64_t index = row + input.first, end
    cdef int32_t narrow[2]
    cdef int64_t wide[2]
    if input.is_large:
        memcpy(wide, input.offsets + 8 * index, 16)
        begin[0], end = wide[0], wide[1]
    else:
        memcpy(narrow, input.offsets + 4 * index, 8)
        begin[0], end = narrow[0], narrow[1]
    if begin[0] < 0 or end < begin[0] or end > input.limit:
        return BAD_OFFSETS
    size[0] = end - begin[0]
    return TOO_LONG if size[0] > LONGEST else NO_FAULT


cdef inline FaultCode put_sized(
    const Input* input, int64_t begin, int64_t size, Out* out
) noexcept nogil:
    cdef const char* at = input.values + begin
    cdef char* to = out.at + 4 + input.version
    cdef int64_t room = out.end - out.at
    if room < 5 + size:
        return NO_ROOM
    store_int32(out.at, <int32_t>size + input.version)
    out.at[4] = 1
    # Fixed sizes need no call: 64 ns less per row of five short texts.
    if size <= 16 and begin + 16 <= input.limit and room >= 21:
        memcpy(to, at, 16)
    elif size <= 64 and begin + 64 <= input.limit and room >= 69:
        memcpy(to, at, 64)
    else:
        memcpy(to, at, size)
    out.at = to + size
    return NO_FAULT


cdef inline FaultCode put_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    return fault if fault != NO_FAULT else put_sized(input, begin, size, out)


cdef inline FaultCode put_fixed_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    if input.width > LONGEST:
        return TOO_LONG
    if out.end - out.at < 4 + <int64_t>input.width:
        return NO_ROOM
    store_int32(out.at, input.width)
    memcpy(out.at + 4, input.values + input.width * (row + input.first), input.width)
    out.at += 4 + input.width
    return NO_FAULT


cdef inline FaultCode put_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT:
        fault = check_text(input.values + begin, size)
    return fault if fault != NO_FAULT else put_sized(input, begin, size, out)


cdef inline FaultCode check_text(const char* at, int64_t size) noexcept nogil:
    """Say whether the server would take a text: UTF-8 without a zero byte."""
    if has_zero(at, size):
        return ZERO_BYTE
    return NO_FAULT if is_utf8(at, size) else BAD_UTF8


cdef inline bint has_zero(const char* at, int64_t size) noexcept nogil:
    """Say whether any byte is zero; written so that compilers vectorise it."""
    cdef unsigned char seen = 0
    cdef int64_t i
    for i in range(size):
        seen |= at[i] == 0
    return seen


cdef inline bint is_clean(const Input* input, int64_t row, int64_t end) noexcept nogil:
    """Say whether every text of these rows would pass, looking at all their bytes as one."""
    cdef int64_t begin = 0, last = 0, size = 0
    if row >= end or extent(input, row, &begin, &size) or extent(input, end - 1, &last, &size):
        return False
    size += last - begin
    if size < 0 or has_zero(input.values + begin, size):
        return False
    if not is_utf8(input.values + begin, size):
        return False
    # Where the whole is valid, a part is unless it begins or ends within a sequence.
    while row < end:
        if extent(input, row, &begin, &size):
            return False
        if size and input.values[begin] & 0xC0 == 0x80:
            return False
        row += 1
    return True


cdef inline FaultCode put_uuid_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT and size != 16:
        fault = NO_UUID
    return fault if fault != NO_FAULT else put_sized(input, begin, size, out)


cdef inline FaultCode put_uuid_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write what the server takes as a uuid: 32 digits, hyphens after every fourth, braces."""
    cdef int64_t begin = 0, size = 0, i
    cdef FaultCode fault = extent(input, row, &begin, &size)
    cdef const char* at = input.values + begin
    cdef int high, low
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 20:
        return NO_ROOM
    if size >= 2 and at[0] == c"{" and at[size - 1] == c"}":
        at, size = at + 1, size - 2
    for i in range(16):
        if size < 2:
            return NO_UUID
        high, low = hexadecimal(at[0]), hexadecimal(at[1])
        if high < 0 or low < 0:
            return NO_UUID
        out.at[4 + i] = <char>(high << 4 | low)
        at, size = at + 2, size - 2
        if size and at[0] == c"-" and i % 2 == 1 and i < 15:
            at, size = at + 1, size - 1
    if size:
        return NO_UUID
    store_int32(out.at, 16)
    out.at += 20
    return NO_FAULT


cdef inline int hexadecimal(char digit) noexcept nogil:
    if c"0" <= digit <= c"9":
        return digit - c"0"
    if c"a" <= digit <= c"f":
        return digit - c"a" + 10
    return digit - c"A" + 10 if c"A" <= digit <= c"F" else -1


cdef inline FaultCode put_date(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a day, counted in days or in milliseconds."""
    cdef int64_t days = load_integer(input, row)
    if days < input.low or days > input.high:
        return OUT_OF_RANGE
    if input.width == 8:
        if days % 86400000:
            return NOT_WHOLE
        days //= 86400000
    if out.end - out.at < 8:
        return NO_ROOM
    store_int32(out.at, 4)
    store_int32(out.at + 4, <int32_t>(days - EPOCH_DAYS))
    out.at += 8
    return NO_FAULT


cdef inline FaultCode to_micros(const Input* input, int64_t row, int64_t* micros) noexcept nogil:
    """Load a count of any unit as microseconds, exactly."""
    cdef int64_t value = load_integer(input, row)
    if value < input.low or value > input.high:
        return OUT_OF_RANGE
    if input.multiplier:
        micros[0] = value * input.multiplier
        return NO_FAULT
    if value % 1000:
        return NOT_WHOLE
    micros[0] = value // 1000
    return NO_FAULT


cdef inline FaultCode put_micros(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a time or a timestamp."""
    cdef int64_t micros = 0
    cdef FaultCode fault = to_micros(input, row, &micros)
    return fault if fault != NO_FAULT else put_int64(out, micros - input.epoch)


cdef inline FaultCode put_interval_fields(
    Out* out, int64_t micros, int32_t days, int32_t months
) noexcept nogil:
    if out.end - out.at < 20:
        return NO_ROOM
    store_int32(out.at, 16)
    store_int64(out.at + 4, micros)
    store_int32(out.at + 12, days)
    store_int32(out.at + 16, months)
    out.at += 20
    return NO_FAULT


cdef inline FaultCode put_interval(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef const char* at = input.values + 16 * (row + input.first)
    cdef int32_t months, days
    cdef int64_t nanos
    memcpy(&months, at, 4)
    memcpy(&days, at + 4, 4)
    memcpy(&nanos, at + 8, 8)
    if nanos % 1000:
        return NOT_WHOLE
    return put_interval_fields(out, nanos // 1000, days, months)


cdef inline FaultCode put_duration(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t micros = 0
    cdef FaultCode fault = to_micros(input, row, &micros)
    return fault if fault != NO_FAULT else put_interval_fields(out, micros, 0, 0)


cdef inline FaultCode put_list(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an array of one dimension, or of none where it is empty."""
    cdef char* start = out.at
    cdef int64_t begin = 0, items = 0, nulled = out.nulled, i
    cdef bint has_null = False
    cdef FaultCode fault = extent(input, row, &begin, &items)
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 24:
        return NO_ROOM
    store_int32(start + 4, 1 if items else 0)
    store_int32(start + 12, input.element_oid)
    store_int32(start + 16, <int32_t>items)
    store_int32(start + 20, 1)
    out.at += 24 if items else 16
    for i in range(items):
        fault = put(input.item, begin + i, out)
        if fault != NO_FAULT:
            out.item = i
            return fault
        has_null |= is_null(input.item, begin + i)
    if out.at - start - 4 > LONGEST:
        return TOO_LONG
    store_int32(start + 8, has_null or out.nulled != nulled)
    store_int32(start, <int32_t>(out.at - start - 4))
    return NO_FAULT
