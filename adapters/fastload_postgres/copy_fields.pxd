# Arrow values into PostgreSQL's binary fields, one function per pairing of types.
#
# Each writes a field with its length word and returns NO_FAULT, or why it cannot; what it has
# written then is void. The receiving side is each type's receive function (src/backend/utils/adt).
from libc.stdint cimport (
    INT32_MAX, INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
)
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


cdef struct Input

ctypedef FaultCode (*Encode)(const Input* input, int64_t row, Out* out) noexcept nogil

cdef struct Input:
    Encode encode
    const unsigned char* validity  # NULL where there is no null
    const char* values
    const char* offsets
    int64_t first          # index of row 0 in the buffers
    int32_t width          # bytes of a value
    bint is_signed
    bint is_large          # 64-bit offsets
    bint null_instead      # what cannot be written becomes NULL
    bint version_byte      # jsonb's
    int64_t multiplier, divisor  # to microseconds
    int32_t scale, limbs   # of decimals
    int64_t low, high      # range of integers
    int32_t target_bytes   # width of the integer field
    int32_t element_oid
    Input* item


cdef enum:
    LONGEST = 0x3FFFFFFF  # MaxAllocSize of the server (src/include/utils/memutils.h)


cdef inline bint is_null(const Input* input, int64_t row) noexcept nogil:
    cdef int64_t at = row + input.first
    return input.validity != NULL and not (input.validity[at >> 3] >> (at & 7)) & 1


cdef inline FaultCode put(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a field, or NULL."""
    cdef char* start = out.at
    cdef FaultCode fault
    if out.end - out.at < 4:
        return NO_ROOM
    if not is_null(input, row):
        fault = input.encode(input, row, out)
        if fault == NO_FAULT or fault == NO_ROOM or not input.null_instead:
            return fault
        out.at = start
    store_int32(out.at, -1)
    out.at += 4
    return NO_FAULT


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


cdef inline FaultCode put_8_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t value
    if out.end - out.at < 12:
        return NO_ROOM
    memcpy(&value, input.values + 8 * (row + input.first), 8)
    store_int32(out.at, 8)
    store_int64(out.at + 4, value)
    out.at += 12
    return NO_FAULT


cdef inline FaultCode put_float_as_double(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    cdef float value
    cdef double wide
    cdef int64_t bits
    if out.end - out.at < 12:
        return NO_ROOM
    memcpy(&value, input.values + 4 * (row + input.first), 4)
    wide = value
    memcpy(&bits, &wide, 8)
    store_int32(out.at, 8)
    store_int64(out.at + 4, bits)
    out.at += 12
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
        return <int64_t>four if input.is_signed else <int64_t><uint32_t>four
    if input.width == 2:
        memcpy(&two, at, 2)
        return <int64_t>two if input.is_signed else <int64_t><uint16_t>two
    return <int64_t><signed char>at[0] if input.is_signed else <int64_t><unsigned char>at[0]


cdef inline FaultCode put_integer(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an integer of one width as one of another, if it is in range there."""
    cdef int64_t value = load_integer(input, row)
    cdef int32_t size = input.target_bytes
    if value < input.low or value > input.high:
        return OUT_OF_RANGE
    if input.width == 8 and not input.is_signed and value < 0:
        return OUT_OF_RANGE
    if out.end - out.at < 12:
        return NO_ROOM
    store_int32(out.at, size)
    if size == 2:
        store_int16(out.at + 4, <int16_t>value)
    elif size == 4:
        store_int32(out.at + 4, <int32_t>value)
    else:
        store_int64(out.at + 4, value)
    out.at += 4 + size
    return NO_FAULT


cdef inline FaultCode span(
    const Input* input, int64_t row, const char** at, int64_t* size
) noexcept nogil:
    """Find a variable value's bytes, or a list's items."""
    cdef int64_t index = row + input.first, begin, end
    cdef int32_t narrow[2]
    cdef int64_t wide[2]
    if input.is_large:
        memcpy(wide, input.offsets + 8 * index, 16)
        begin, end = wide[0], wide[1]
    else:
        memcpy(narrow, input.offsets + 4 * index, 8)
        begin, end = narrow[0], narrow[1]
    if begin < 0 or end < begin:
        return BAD_OFFSETS
    at[0] = input.values + begin if input.item == NULL else <const char*>begin
    size[0] = end - begin
    return TOO_LONG if size[0] > LONGEST else NO_FAULT


cdef inline FaultCode put_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef FaultCode fault = span(input, row, &at, &size)
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 4 + size:
        return NO_ROOM
    store_int32(out.at, <int32_t>size)
    memcpy(out.at + 4, at, size)
    out.at += 4 + size
    return NO_FAULT


cdef inline FaultCode put_fixed_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    if out.end - out.at < 4 + <int64_t>input.width:
        return NO_ROOM
    store_int32(out.at, input.width)
    memcpy(out.at + 4, input.values + input.width * (row + input.first), input.width)
    out.at += 4 + input.width
    return NO_FAULT


cdef inline FaultCode put_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef int32_t version = 1 if input.version_byte else 0
    cdef FaultCode fault = span(input, row, &at, &size)
    if fault == NO_FAULT:
        fault = check_text(at, size)
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 5 + size:
        return NO_ROOM
    store_int32(out.at, <int32_t>size + version)
    out.at[4] = 1
    memcpy(out.at + 4 + version, at, size)
    out.at += 4 + version + size
    return NO_FAULT


cdef inline FaultCode check_text(const char* at, int64_t size) noexcept nogil:
    """Say whether the server would take a text: UTF-8 without a zero byte."""
    cdef uint64_t word, high = 0
    cdef int64_t i = 0
    while i + 8 <= size:
        memcpy(&word, at + i, 8)
        high |= word
        # A byte is zero exactly where this has its high bit set, as long as none above 0x7F hides
        # it (H. S. Warren, Hacker's Delight, 6-1).
        if (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL:
            return ZERO_BYTE
        i += 8
    while i < size:
        if at[i] == 0:
            return ZERO_BYTE
        high |= <unsigned char>at[i]
        i += 1
    if high & 0x8080808080808080ULL and not is_utf8(at, size):
        return BAD_UTF8
    return NO_FAULT


cdef inline FaultCode put_uuid_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write the uuid that 32 hexadecimal digits spell, with or without hyphens between bytes."""
    cdef const char* at = NULL
    cdef int64_t size = 0, i
    cdef int digits = 0, value
    cdef FaultCode fault = span(input, row, &at, &size)
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 20:
        return NO_ROOM
    for i in range(size):
        if at[i] == c"-" and digits in (8, 12, 16, 20):
            continue
        value = hexadecimal(at[i])
        if value < 0 or digits == 32:
            return NO_UUID
        out.at[4 + digits // 2] = <char>(
            value << 4 if digits % 2 == 0 else out.at[4 + digits // 2] | value
        )
        digits += 1
    if digits < 32:
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


cdef inline FaultCode to_micros(const Input* input, int64_t value, int64_t* micros) noexcept nogil:
    """Convert from the unit of the input, exactly."""
    if input.divisor > 1:
        if value % input.divisor:
            return NOT_WHOLE
        micros[0] = value // input.divisor
        return NO_FAULT
    if not INT64_MIN // input.multiplier <= value <= INT64_MAX // input.multiplier:
        return OUT_OF_RANGE
    micros[0] = value * input.multiplier
    return NO_FAULT


cdef inline FaultCode put_date(const Input* input, int64_t row, Out* out) noexcept nogil:
    # From 4713 BC to 5874897 AD, counted from 2000-01-01 (src/include/datatype/timestamp.h).
    cdef int64_t days = load_integer(input, row)
    if input.width == 8:
        if days % 86400000:
            return NOT_WHOLE
        days //= 86400000
    days -= 10957
    if not -2451545 <= days < 2145031949:
        return OUT_OF_RANGE
    if out.end - out.at < 8:
        return NO_ROOM
    store_int32(out.at, 4)
    store_int32(out.at + 4, <int32_t>days)
    out.at += 8
    return NO_FAULT


cdef inline FaultCode put_micros(Out* out, int64_t micros) noexcept nogil:
    if out.end - out.at < 12:
        return NO_ROOM
    store_int32(out.at, 8)
    store_int64(out.at + 4, micros)
    out.at += 12
    return NO_FAULT


cdef inline FaultCode put_timestamp(const Input* input, int64_t row, Out* out) noexcept nogil:
    # From 4713 BC to 294276 AD, counted from 2000-01-01 (src/include/datatype/timestamp.h).
    cdef int64_t micros = 0
    cdef FaultCode fault = to_micros(input, load_integer(input, row), &micros)
    if fault != NO_FAULT:
        return fault
    if micros < -211813488000000000LL + 946684800000000LL:
        return OUT_OF_RANGE
    micros -= 946684800000000LL
    if micros >= 9223371331200000000LL:
        return OUT_OF_RANGE
    return put_micros(out, micros)


cdef inline FaultCode put_time(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t micros = 0
    cdef FaultCode fault = to_micros(input, load_integer(input, row), &micros)
    if fault != NO_FAULT:
        return fault
    if not 0 <= micros <= 86400000000LL:
        return OUT_OF_RANGE
    return put_micros(out, micros)


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
    cdef FaultCode fault = to_micros(input, load_integer(input, row), &micros)
    # The extremes are the infinities of PostgreSQL 17.
    if fault == NO_FAULT and (micros == INT64_MAX or micros == INT64_MIN):
        fault = OUT_OF_RANGE
    return fault if fault != NO_FAULT else put_interval_fields(out, micros, 0, 0)


cdef inline FaultCode put_list(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an array of one dimension, or of none where it is empty."""
    cdef const char* first = NULL
    cdef int64_t items = 0, begin, i
    cdef char* start = out.at
    cdef bint has_null = False
    cdef FaultCode fault = span(input, row, &first, &items)
    if fault != NO_FAULT:
        return fault
    if out.end - out.at < 24:
        return NO_ROOM
    begin = <int64_t>first
    store_int32(start + 4, 1 if items else 0)
    store_int32(start + 12, input.element_oid)
    store_int32(start + 16, <int32_t>items)
    store_int32(start + 20, 1)
    out.at += 24 if items else 16
    for i in range(begin, begin + items):
        has_null |= is_null(input.item, i)
        fault = put(input.item, i, out)
        if fault != NO_FAULT:
            return fault
    if out.at - start - 4 > LONGEST:
        return TOO_LONG
    store_int32(start + 8, has_null)
    store_int32(start, <int32_t>(out.at - start - 4))
    return NO_FAULT
