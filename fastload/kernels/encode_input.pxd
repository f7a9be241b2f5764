# What an encoder reads, Arrow's buffers by row, and where it writes. No wire format is known here.
#
# An encoder's function for a pairing of types writes one value and returns NO_FAULT, or why it
# cannot; what it has written then is void.
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.utf8 cimport is_utf8
from fastload.kernels.wide_integer cimport negate, significant


cdef enum FaultCode:
    NO_FAULT
    NO_ROOM
    BAD_OFFSETS
    TOO_LONG             # for any server
    OUT_OF_RANGE
    NO_MOMENT            # out of the calendar that the target has
    NOT_WHOLE            # finer than the target's unit
    NOT_FINITE
    BAD_UTF8
    ZERO_BYTE
    TOO_MANY_CHARACTERS
    TOO_MANY_BYTES
    OTHER_LENGTH
    TRAILING_SPACES
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
ctypedef void (*Choose)(Input* input, int64_t row, int64_t end) noexcept nogil

cdef enum Layout:
    NOTHING   # every value is null
    FIXED
    VARIABLE
    ITEMS

cdef struct Input:
    Encode encode
    Choose choose          # sets encode by a look at all values of a batch; may be NULL
    const void* form       # the encoder's own parameters
    Layout layout
    const unsigned char* validity  # NULL where there is no null
    const char* values
    const char* offsets
    int64_t first          # index of row 0 in the buffers
    int64_t limit          # bytes, or items, that offsets may reach
    int32_t width          # bytes of a value
    bint is_signed
    bint is_large          # 64-bit offsets
    bint null_instead      # what the type cannot hold becomes NULL
    int64_t low, high      # values that the field can hold, in the unit of the input
    int64_t multiplier     # to microseconds; 0 from nanoseconds
    Input* item


cdef enum:
    LONGEST = 0x3FFFFFF0  # 1 GiB less a header: no server takes a longer row


cdef inline bint is_null(const Input* input, int64_t row) noexcept nogil:
    cdef int64_t at = row + input.first
    return input.validity != NULL and not (input.validity[at >> 3] >> (at & 7)) & 1


cdef inline bint load_bit(const Input* input, int64_t row) noexcept nogil:
    """Load a bool, which Arrow keeps as a bit."""
    cdef int64_t at = row + input.first
    return ((<const unsigned char*>input.values)[at >> 3] >> (at & 7)) & 1


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


cdef inline int32_t load_magnitude(
    const Input* input, int64_t row, uint64_t* limbs, bint* negative
) noexcept nogil:
    """Load an integer, or a decimal's, without its sign; return how many of four limbs it takes."""
    cdef const char* at = input.values + input.width * (row + input.first)
    cdef int64_t value
    cdef bint is_small
    if input.width <= 8:
        value = load_integer(input, row)
        negative[0] = value < 0 and input.is_signed
        limbs[0] = 0 - <uint64_t>value if negative[0] else <uint64_t>value
        return 1
    # Whether a word holds it all, its sign too.
    if input.width == 16:
        memcpy(limbs, at, 16)
        negative[0] = <int64_t>limbs[1] < 0
        is_small = limbs[1] == sign_of(limbs[0])
    else:
        memcpy(limbs, at, 32)
        negative[0] = <int64_t>limbs[3] < 0
        is_small = limbs[1] == limbs[2] == limbs[3] == sign_of(limbs[0])
    if is_small:
        limbs[0] = 0 - limbs[0] if negative[0] else limbs[0]
        return 1
    if negative[0]:
        negate(limbs, input.width >> 3)
    return significant(limbs, input.width >> 3)


cdef inline uint64_t sign_of(uint64_t limb) noexcept nogil:
    """Return the limb that would extend this one: all its bits are its sign."""
    return 0 - (limb >> 63)


cdef inline FaultCode load_days(const Input* input, int64_t row, int64_t* days) noexcept nogil:
    """Load a day from 1970, counted in days or in milliseconds."""
    days[0] = load_integer(input, row)
    if days[0] < input.low or days[0] > input.high:
        return NO_MOMENT
    if input.width == 8:
        if days[0] % 86400000:
            return NOT_WHOLE
        days[0] //= 86400000
    return NO_FAULT


cdef inline FaultCode load_micros(const Input* input, int64_t row, int64_t* micros) noexcept nogil:
    """Load a count of any unit as microseconds, exactly."""
    cdef int64_t value = load_integer(input, row)
    if value < input.low or value > input.high:
        return NO_MOMENT
    if input.multiplier:
        micros[0] = value * input.multiplier
        return NO_FAULT
    if value % 1000:
        return NOT_WHOLE
    micros[0] = value // 1000
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


cdef inline FaultCode whole_extent(
    const Input* input, int64_t row, int64_t end, int64_t* begin, int64_t* size
) noexcept nogil:
    """Find the bytes, or items, of all these rows as one; at least one row there is."""
    cdef int64_t last = 0
    if extent(input, row, begin, size) or extent(input, end - 1, &last, size):
        return BAD_OFFSETS
    size[0] += last - begin[0]
    return BAD_OFFSETS if size[0] < 0 else NO_FAULT


cdef inline bint has_zero(const char* at, int64_t size) noexcept nogil:
    """Say whether any byte is zero; written so that compilers vectorise it."""
    cdef unsigned char seen = 0
    cdef int64_t i
    for i in range(size):
        seen |= at[i] == 0
    return seen


cdef inline bint is_valid_text(
    const Input* input, int64_t row, int64_t end, bint zeros
) noexcept nogil:
    """Say whether every text of these rows is UTF-8, looking at all their bytes as one."""
    cdef int64_t begin = 0, size = 0
    if row >= end or whole_extent(input, row, end, &begin, &size):
        return False
    if not zeros and has_zero(input.values + begin, size):
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
