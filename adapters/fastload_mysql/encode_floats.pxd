# Binary floating point as the shortest decimal text that reads back as the same number.
#
# Method: Raffaello Giulietti, "The Schubfach way to render doubles" (2020). Its powers of ten are
# computed when the kernel is imported.
#
# FLOAT columns are read as doubles first and rounded again. So that the second rounding cannot go
# wrong, no decimal is cut short where that brings it next to the border between two floats.
from libc.math cimport isinf
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastload.kernels.encode_input cimport (
    NO_FAULT, NO_ROOM, NOT_FINITE, OUT_OF_RANGE, FaultCode, Input, Out
)
from fastload.kernels.wide_integer cimport uint128_t
from fastload_mysql.encode_fields cimport has_room
from fastload_mysql.encode_numbers cimport count_digits, put_magnitude, store_digits

cdef enum:
    LEAST_POWER = -292
    MOST_POWER = 324
    MOST_FLOAT = 32       # characters
    MOST_PLAIN = 17       # digits before the point of a number without an exponent
    LEAST_PLAIN = -5      # place of the first digit of such a number
    FINE = 16             # two units of 2**-16 are more than what reading a double rounds

cdef extern from *:
    """
    #include <stdint.h>
    static uint64_t fastload_powers[617][2];
    """
    uint64_t POWERS "fastload_powers"[617][2]  # high and low half of 10**n, scaled to 128 bits
    # The shortest text of the greatest float is a greater double, which servers refuse.
    uint32_t GREATEST_FLOAT "0x7F7FFFFFU"
    uint64_t GREATEST_AS_DOUBLE "0x47EFFFFFE0000000ULL"


cdef struct Number:
    uint64_t digits
    int32_t exponent  # of ten


cdef inline int fill_powers() except -1:
    """Compute the powers, rounded up."""
    for power in range(LEAST_POWER, MOST_POWER + 1):
        shift = 127 - log2_of_power(power)
        if power < 0:
            scaled = -(-(1 << shift) // 10 ** -power)
        else:
            scaled = 10**power << shift if shift >= 0 else -(-(10**power) >> -shift)
        POWERS[power - LEAST_POWER][0] = scaled >> 64
        POWERS[power - LEAST_POWER][1] = scaled & 0xFFFF_FFFF_FFFF_FFFF
    return 0


cdef inline int32_t log2_of_power(int32_t power) noexcept nogil:
    """Return floor(log2(10**power))."""
    return (power * 1741647) >> 19


cdef inline uint64_t times_power(int32_t power, uint64_t factor) noexcept nogil:
    """Multiply by a power of ten; the last bit says whether anything was left."""
    cdef const uint64_t* halves = POWERS[power - LEAST_POWER]
    cdef uint128_t product = <uint128_t>halves[0] * factor
    product += (<uint128_t>halves[1] * factor) >> 64
    return <uint64_t>(product >> 64) | (<uint64_t>product > 1)


cdef inline Number shortest(
    uint64_t mantissa, int32_t exponent, bint is_power, int32_t fine
) noexcept nogil:
    """Return the shortest decimal that is nearer to this number than to any other.

    Args:
        mantissa: With the exponent, of two, the number.
        is_power: The number below is only half as far away as the one above.
        fine: Bits behind the quarters of the last digit in which all is counted; where there are
            any, short decimals keep two such units away from the border.
    """
    cdef Number found
    cdef int32_t power = (exponent * 1262611 - (524031 if is_power else 0)) >> 22
    cdef int32_t shift = exponent + log2_of_power(-power) + 1 + fine
    cdef uint64_t outside = mantissa & 1  # even numbers own their borders
    cdef uint64_t margin = 2 if fine else 0
    cdef uint64_t value = times_power(-power, 4 * mantissa << shift)
    cdef uint64_t lower = times_power(-power, 4 * mantissa - 2 + is_power << shift) + outside
    cdef uint64_t upper = times_power(-power, 4 * mantissa + 2 << shift) - outside
    cdef uint64_t digits = value >> fine + 2, tens = digits // 10, middle
    cdef bint below, above
    found.exponent = power
    if digits >= 10:
        below = lower + margin <= 40 * tens << fine
        above = (40 * tens + 40 << fine) + margin <= upper
        if below != above:
            found.digits, found.exponent = tens + above, power + 1
            return found
    below, above = lower <= 4 * digits << fine, 4 * digits + 4 << fine <= upper
    if below == above:
        middle = 4 * digits + 2 << fine
        above = value > middle or (value == middle and digits & 1)
    found.digits = digits + above
    return found


cdef inline FaultCode put_double(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef uint64_t bits
    memcpy(&bits, input.values + 8 * (row + input.first), 8)
    return put_double_bits(bits, out)


cdef inline FaultCode put_float_as_double(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    cdef float value
    cdef double wide
    cdef uint64_t bits
    memcpy(&value, input.values + 4 * (row + input.first), 4)
    wide = value
    memcpy(&bits, &wide, 8)
    return put_double_bits(bits, out)


cdef inline FaultCode put_float(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef uint32_t bits
    memcpy(&bits, input.values + 4 * (row + input.first), 4)
    return put_float_bits(bits, out)


cdef inline FaultCode put_double_as_float(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    # Digits are rounded; what would become infinite or zero is refused.
    cdef double wide
    cdef float value
    cdef uint32_t bits
    memcpy(&wide, input.values + 8 * (row + input.first), 8)
    value = <float>wide
    if (isinf(value) and not isinf(wide)) or (value == 0 and wide != 0):
        return OUT_OF_RANGE
    memcpy(&bits, &value, 4)
    return put_float_bits(bits, out)


cdef inline FaultCode put_double_bits(uint64_t bits, Out* out) noexcept nogil:
    cdef uint64_t mantissa = bits & 0xFFFFFFFFFFFFFULL
    cdef int32_t exponent = <int32_t>(bits >> 52) & 0x7FF
    if exponent == 0x7FF:
        return NOT_FINITE
    return put_parts(bits >> 63, mantissa, exponent, 52, out)


cdef inline FaultCode put_float_bits(uint32_t bits, Out* out) noexcept nogil:
    cdef int32_t exponent = <int32_t>(bits >> 23) & 0xFF
    if exponent == 0xFF:
        return NOT_FINITE
    if bits & 0x7FFFFFFF == GREATEST_FLOAT:
        return put_double_bits(GREATEST_AS_DOUBLE | <uint64_t>(bits >> 31) << 63, out)
    return put_parts(bits >> 31, bits & 0x7FFFFF, exponent, 23, out)


cdef inline FaultCode put_parts(
    bint negative, uint64_t mantissa, int32_t biased, int32_t width, Out* out
) noexcept nogil:
    """Write a number of a mantissa so many bits wide, and of IEEE 754's exponent."""
    cdef bint is_power = mantissa == 0 and biased > 1
    cdef int32_t exponent = max(biased, 1) - width - (1023 if width == 52 else 127)
    if biased:
        mantissa |= <uint64_t>1 << width
    if mantissa == 0:
        return put_magnitude(0, negative, out)
    if -width <= exponent <= 0 and mantissa & ((<uint64_t>1 << -exponent) - 1) == 0:
        return put_magnitude(mantissa >> -exponent, negative, out)
    return put_number(shortest(mantissa, exponent, is_power, FINE * (width == 23)), negative, out)


cdef inline FaultCode put_number(Number number, bint negative, Out* out) noexcept nogil:
    cdef int32_t count, point
    cdef char* at = out.at
    if not has_room(out, MOST_FLOAT):
        return NO_ROOM
    while number.digits % 10 == 0:
        number.digits //= 10
        number.exponent += 1
    count = count_digits(number.digits)
    point = count + number.exponent
    at[0] = c"-"
    at += negative
    if number.exponent >= 0 and point <= MOST_PLAIN:
        store_digits(at, number.digits, count)
        memset(at + count, c"0", number.exponent)
        out.at = at + point
    elif LEAST_PLAIN <= point <= MOST_PLAIN:
        out.at = store_fraction(at, number.digits, count, point)
    else:
        out.at = store_exponent(at, number.digits, count, point - 1)
    return NO_FAULT


cdef inline char* store_fraction(
    char* at, uint64_t digits, int32_t count, int32_t point
) noexcept nogil:
    """Write a number with a point before one of its digits, or before zeros."""
    cdef uint64_t behind
    if point <= 0:
        memset(at, c"0", 2 - point)
        at[1] = c"."
        store_digits(at + 2 - point, digits, count)
        return at + 2 - point + count
    store_digits(at + 1, digits, count)
    # The digits before the point move up to make room for it.
    for behind in range(<uint64_t>point):
        at[behind] = at[behind + 1]
    at[point] = c"."
    return at + count + 1


cdef inline char* store_exponent(
    char* at, uint64_t digits, int32_t count, int32_t exponent
) noexcept nogil:
    store_digits(at + 1, digits, count)
    at[0] = at[1]
    at[1] = c"."
    at += count + 1 if count > 1 else 1
    at[0] = c"e"
    at += 1
    if exponent < 0:
        at[0] = c"-"
        at += 1
        exponent = -exponent
    count = count_digits(exponent)
    store_digits(at, exponent, count)
    return at + count
