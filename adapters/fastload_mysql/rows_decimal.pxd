# Decimals, which MySQL sends as their text also in binary rows, into Arrow's.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fastload.kernels.codec cimport (
    NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, fail, take_room
)
from fastload.kernels.column cimport NULL_FIELD
from fastload.kernels.wide_integer cimport multiply_add, negate
from fastload_mysql.rows_values cimport BAD_DECIMAL

cdef enum:
    GROUP = 1000000000          # the digits that multiply_add takes at once
    MOST_SMALL_PRECISION = 18   # one word is enough


cdef struct Decimal:
    int32_t precision
    int32_t scale
    int32_t limbs  # 64-bit words of the Arrow form


cdef struct Digits:  # of one value, without point and leading zeros
    uint64_t* limbs
    int32_t count     # of those words
    uint32_t group    # what is not in them yet
    uint32_t factor   # 10 ** its digits


cdef inline int decode_decimal(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef const Decimal* decimal = <const Decimal*>codec.form
    cdef int32_t width = 8 * decimal.limbs, row
    cdef char* out = take_room(codec, <int64_t>width * count)
    cdef int code = NO_FAULT
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    memset(out, 0, <int64_t>width * count)
    for row in range(count):
        if fields[row] != NULL_FIELD:
            if decimal.precision <= MOST_SMALL_PRECISION:
                code = small_decimal(decimal, fields[row], <uint64_t*>(out + width * row))
            else:
                code = wide_decimal(decimal, fields[row], <uint64_t*>(out + width * row))
            if code != NO_FAULT:
                return fail(fault, code, fields[row], row)
    return count


cdef inline bint is_digit(char byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef inline const char* number_begin(const char* at, bint* negative) noexcept nogil:
    """Return where the number begins behind its length and sign."""
    negative[0] = at[0] != 0 and at[1] == c"-"
    return at + 2 if at[0] != 0 and (at[1] == c"-" or at[1] == c"+") else at + 1


cdef inline int small_decimal(
    const Decimal* decimal, const char* at, uint64_t* out
) noexcept nogil:
    """Write value * 10 ** scale; what is too long wraps around before it is refused."""
    cdef const char* end = at + 1 + <unsigned char>at[0]
    cdef const char* begin
    cdef const char* significant
    cdef const char* point
    cdef bint negative = False
    cdef uint64_t value = 0
    cdef int32_t left = decimal.scale
    cdef char lost = 0
    begin = at = number_begin(at, &negative)
    while at < end and at[0] == c"0":
        at += 1
    significant = at
    while at < end and is_digit(at[0]):
        value = 10 * value + (at[0] - c"0")
        at += 1
    point = at
    if at < end and at[0] == c".":
        at += 1
        while at < end and is_digit(at[0]):
            if left > 0:
                value = 10 * value + (at[0] - c"0")
                left -= 1
            else:
                lost |= at[0] - c"0"
            at += 1
    if at != end or not has_digits(begin, point, end):
        return BAD_DECIMAL
    if lost or point - significant > decimal.precision - decimal.scale:
        return NO_NATIVE_FORM
    for _ in range(left):
        value *= 10
    out[0] = value
    if negative:
        negate(out, decimal.limbs)
    return NO_FAULT


cdef inline bint has_digits(const char* begin, const char* point, const char* end) noexcept nogil:
    """Say whether there is a digit before or behind the point, where all else is digits."""
    return point > begin or end - point > 1


cdef inline int wide_decimal(
    const Decimal* decimal, const char* at, uint64_t* out
) noexcept nogil:
    """As small_decimal, for every precision."""
    cdef const char* end = at + 1 + <unsigned char>at[0]
    cdef const char* begin
    cdef const char* significant
    cdef const char* point
    cdef bint negative = False
    cdef Digits digits
    cdef int32_t left = decimal.scale
    cdef char lost = 0
    digits.limbs, digits.count, digits.group, digits.factor = out, decimal.limbs, 0, 1
    begin = at = number_begin(at, &negative)
    while at < end and at[0] == c"0":
        at += 1
    significant = at
    while at < end and is_digit(at[0]):
        add_digit(&digits, at[0] - c"0")
        at += 1
    point = at
    if at < end and at[0] == c".":
        at += 1
        while at < end and is_digit(at[0]):
            if left > 0:
                add_digit(&digits, at[0] - c"0")
                left -= 1
            else:
                lost |= at[0] - c"0"
            at += 1
    if at != end or not has_digits(begin, point, end):
        return BAD_DECIMAL
    if lost or point - significant > decimal.precision - decimal.scale:
        return NO_NATIVE_FORM
    for _ in range(left):
        add_digit(&digits, 0)
    multiply_add(out, decimal.limbs, digits.factor, digits.group)
    if negative:
        negate(out, decimal.limbs)
    return NO_FAULT


cdef inline void add_digit(Digits* digits, uint32_t digit) noexcept nogil:
    digits.group = 10 * digits.group + digit
    digits.factor *= 10
    if digits.factor == GROUP:
        multiply_add(digits.limbs, digits.count, GROUP, digits.group)
        digits.group, digits.factor = 0, 1
