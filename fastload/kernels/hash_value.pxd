# One function per kind of value: its 64-bit hash, by what the value is and not by how Arrow has it.
from libc.math cimport isnan
from libc.stdint cimport INT64_MAX, INT64_MIN, int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastload.kernels.encode_input cimport (
    FIXED, NO_FAULT, NO_ROOM, NOTHING, FaultCode, Input, extent, is_null, load_bit, load_integer
)
from fastload.kernels.hash_json cimport json_hash
from fastload.kernels.hash_number cimport number_hash, number_text_hash
from fastload.kernels.uuid_text cimport read_uuid
from fastload.kernels.xxh64 cimport P5, avalanche, chained, xxh64, xxh64_of_8

cdef extern from *:
    """
    #ifndef FASTLOAD_INT128
    #define FASTLOAD_INT128
    typedef __int128 fastload_int128;
    #endif
    """
    ctypedef long long int128_t "fastload_int128"

ctypedef FaultCode (*HashValue)(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil

# What tells a null from every value, and forms that are only equal to their like.
cdef enum:
    NULL_SALT = 0x6E756C6C
    OTHER_SALT = 0x6F746872
    FINER_SALT = 0x66696E65


cdef inline FaultCode hash_bool(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    out[0] = xxh64_of_8(load_bit(input, row), seed)
    return NO_FAULT


cdef inline FaultCode hash_integer(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    cdef int64_t value = load_integer(input, row)
    cdef uint64_t limbs[4]
    if value >= 0 or input.is_signed:
        if value > INT64_MIN:
            out[0] = xxh64_of_8(<uint64_t>value, seed)
            return NO_FAULT
    limbs[0] = <uint64_t>value
    out[0] = number_hash(limbs, 1, input.is_signed, 0, seed)
    return NO_FAULT


cdef inline FaultCode hash_decimal(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash a decimal of any width; its scale stands in ``low``."""
    cdef const char* at = input.values + input.width * (row + input.first)
    cdef int count = input.width >> 3, i
    cdef uint64_t limbs[4]
    cdef uint64_t carry = 1
    cdef int64_t narrow
    cdef bint negative
    if input.width <= 8:
        narrow = load_integer(input, row)
        negative, count = narrow < 0, 1
        limbs[0] = 0 - <uint64_t>narrow if negative else <uint64_t>narrow
    else:
        memcpy(limbs, at, input.width)
        negative = <int64_t>limbs[count - 1] < 0
        if negative:
            for i in range(count):
                limbs[i] = ~limbs[i] + carry
                carry = carry and limbs[i] == 0
    out[0] = number_hash(limbs, count, negative, input.low, seed)
    return NO_FAULT


cdef inline FaultCode hash_number_text(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT:
        out[0] = number_text_hash(input.values + begin, size, seed)
    return fault


cdef inline FaultCode hash_float(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash the bits of a double; all that are no number are one."""
    cdef const char* at = input.values + input.width * (row + input.first)
    cdef float narrow
    cdef double value
    cdef uint64_t bits = 0x7FF8000000000000
    if input.width == 4:
        memcpy(&narrow, at, 4)
        value = narrow
    else:
        memcpy(&value, at, 8)
    if not isnan(value):
        memcpy(&bits, &value, 8)
    out[0] = xxh64_of_8(bits, seed)
    return NO_FAULT


cdef inline FaultCode bytes_of(
    const Input* input, int64_t row, const char** at, int64_t* size
) noexcept nogil:
    """Find a value's bytes, in a variable or a fixed layout."""
    cdef int64_t begin = 0
    cdef FaultCode fault = NO_FAULT
    if input.layout == FIXED:
        at[0], size[0] = input.values + <int64_t>input.width * (row + input.first), input.width
    else:
        fault = extent(input, row, &begin, size)
        at[0] = input.values + begin
    return fault


cdef inline FaultCode hash_bytes(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef FaultCode fault = bytes_of(input, row, &at, &size)
    if fault == NO_FAULT:
        out[0] = xxh64(at, size, seed)
    return fault


cdef inline FaultCode hash_unpadded(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash a text without the spaces at its end."""
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef FaultCode fault = bytes_of(input, row, &at, &size)
    if fault == NO_FAULT:
        while size and at[size - 1] == b' ':
            size -= 1
        out[0] = xxh64(at, size, seed)
    return fault


cdef inline FaultCode hash_uuid(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash sixteen bytes; others are equal to their like alone."""
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef FaultCode fault = bytes_of(input, row, &at, &size)
    if fault != NO_FAULT:
        return fault
    out[0] = xxh64(at, size, seed if size == 16 else seed + OTHER_SALT)
    return NO_FAULT


cdef inline FaultCode hash_uuid_text(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash the sixteen bytes that a text spells."""
    cdef const char* at = NULL
    cdef char raw[16]
    cdef int64_t size = 0
    cdef FaultCode fault = bytes_of(input, row, &at, &size)
    if fault != NO_FAULT:
        return fault
    if read_uuid(at, size, raw):
        out[0] = xxh64(raw, 16, seed)
    else:
        out[0] = xxh64(at, size, seed + OTHER_SALT)
    return NO_FAULT


cdef inline uint64_t wide_hash(int128_t value, uint64_t seed) noexcept nogil:
    """Hash a count that may be longer than 64 bits."""
    if INT64_MIN <= value <= INT64_MAX:
        return xxh64_of_8(<uint64_t>value, seed)
    return xxh64(<const char*>&value, 16, seed)


cdef inline FaultCode hash_moment(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash days, a time or an instant as microseconds; ``multiplier`` is 0 for nanoseconds."""
    cdef int64_t value = load_integer(input, row), rest
    if input.multiplier:
        out[0] = wide_hash(<int128_t>value * input.multiplier, seed)
        return NO_FAULT
    rest = value % 1000
    if rest < 0:
        rest += 1000
    out[0] = xxh64_of_8(<uint64_t>((value - rest) // 1000), seed + rest * FINER_SALT)
    return NO_FAULT


cdef inline uint64_t interval_hash(
    int64_t months, int64_t days, int128_t nanos, uint64_t seed
) noexcept nogil:
    cdef uint64_t both = (<uint64_t>months << 32) ^ <uint64_t><uint32_t>days
    return wide_hash(nanos, xxh64_of_8(both, seed))


cdef inline FaultCode hash_interval(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash months, days and nanoseconds."""
    cdef const char* at = input.values + 16 * (row + input.first)
    cdef int32_t parts[2]
    cdef int64_t nanos
    memcpy(parts, at, 8)
    memcpy(&nanos, at + 8, 8)
    out[0] = interval_hash(parts[0], parts[1], nanos, seed)
    return NO_FAULT


cdef inline FaultCode hash_span(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash a duration or a time of day as the interval it is."""
    cdef int128_t nanos = load_integer(input, row)
    if input.multiplier:
        nanos = nanos * input.multiplier * 1000
    out[0] = interval_hash(0, 0, nanos, seed)
    return NO_FAULT


cdef inline FaultCode hash_json_text(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash what a document says; what is no document by its bytes."""
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    cdef char* scratch
    if fault != NO_FAULT:
        return fault
    scratch = <char*>malloc(size + 1)
    if scratch == NULL:
        return NO_ROOM
    if not json_hash(input.values + begin, size, scratch, seed, out):
        out[0] = xxh64(input.values + begin, size, seed + OTHER_SALT)
    free(scratch)
    return NO_FAULT


cdef inline FaultCode hash_list(
    const Input* input, int64_t row, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash the items in their order; ``form`` is the function for one."""
    cdef int64_t begin = 0, size = 0, i
    cdef uint64_t acc = seed + P5, item = 0
    cdef HashValue of_item = <HashValue>input.form
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault != NO_FAULT:
        return fault
    for i in range(begin, begin + size):
        if input.item.layout == NOTHING or is_null(input.item, i):
            item = xxh64_of_8(NULL_SALT, seed + NULL_SALT)
        else:
            fault = of_item(input.item, i, seed, &item)
            if fault != NO_FAULT:
                return fault
        acc = chained(acc, item)
    out[0] = avalanche(chained(acc, size))
    return NO_FAULT
