# Integers and decimals as text.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastload.kernels.encode_input cimport (
    NO_FAULT, NO_ROOM, NOT_WHOLE, OUT_OF_RANGE, TOO_MANY_DIGITS, FaultCode, Input, Out, load_bit,
    load_integer, load_magnitude
)
from fastload.kernels.wide_integer cimport divide, significant
from fastload_mysql.encode_fields cimport Form, form_of, has_room

cdef extern from *:
    """
    static const char fastload_digit_pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    static const unsigned long long fastload_powers_of_ten[] = {
        0ULL, 10ULL, 100ULL, 1000ULL, 10000ULL, 100000ULL, 1000000ULL, 10000000ULL, 100000000ULL,
        1000000000ULL, 10000000000ULL, 100000000000ULL, 1000000000000ULL, 10000000000000ULL,
        100000000000000ULL, 1000000000000000ULL, 10000000000000000ULL, 100000000000000000ULL,
        1000000000000000000ULL, 10000000000000000000ULL};
    """
    const char* DIGIT_PAIRS "fastload_digit_pairs"
    const uint64_t* POWERS_OF_TEN "fastload_powers_of_ten"  # the first is 0, for the digit of 0
    int __builtin_clzll(unsigned long long) noexcept nogil

cdef enum:
    MOST_INTEGER = 20    # characters of 64 bits, with a sign
    MOST_DIGITS = 80     # of 256 bits
    DIVISOR_DIGITS = 19
    MOST_WHOLE = 1000    # digits before a number's point where no column sets a limit


cdef inline int32_t count_digits(uint64_t value) noexcept nogil:
    # Bits * log10(2), one too many where the power of ten is not reached.
    cdef int32_t guess = (64 - __builtin_clzll(value | 1)) * 1233 >> 12
    return guess + 1 - (value < POWERS_OF_TEN[guess])


cdef inline void store_pair(char* at, uint32_t value) noexcept nogil:
    memcpy(at, DIGIT_PAIRS + 2 * value, 2)


cdef inline void store_four(char* at, uint32_t value) noexcept nogil:
    cdef uint32_t high = value // 100
    store_pair(at, high)
    store_pair(at + 2, value - 100 * high)


cdef inline void store_digits(char* at, uint64_t value, int32_t count) noexcept nogil:
    """Write the last digits of a number, with zeros before it where it has fewer."""
    cdef uint64_t rest
    cdef uint32_t part, high
    # Eight at a time: their halves do not wait for each other.
    while count >= 8:
        rest = value // 100000000
        part = <uint32_t>(value - 100000000 * rest)
        high = part // 10000
        count -= 8
        store_four(at + count, high)
        store_four(at + count + 4, part - 10000 * high)
        value = rest
    part = <uint32_t>(value % 100000000)
    while count >= 2:
        high = part // 100
        count -= 2
        store_pair(at + count, part - 100 * high)
        part = high
    if count:
        at[0] = <char>(c"0" + part % 10)


cdef inline FaultCode put_magnitude(uint64_t value, bint negative, Out* out) noexcept nogil:
    cdef int32_t count = count_digits(value)
    if not has_room(out, MOST_INTEGER):
        return NO_ROOM
    out.at[0] = c"-"
    out.at += negative
    store_digits(out.at, value, count)
    out.at += count
    return NO_FAULT


cdef inline FaultCode put_integer(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t value = load_integer(input, row)
    if value < input.low or value > input.high:
        return OUT_OF_RANGE
    return put_magnitude(0 - <uint64_t>value if value < 0 else <uint64_t>value, value < 0, out)


cdef inline FaultCode put_any_integer(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an unsigned integer of 64 bits, or a decimal without digits after the point."""
    cdef uint64_t limbs[4]
    cdef bint negative = False
    if load_magnitude(input, row, limbs, &negative) > 1:
        return OUT_OF_RANGE
    if limbs[0] > (0 - <uint64_t>input.low if negative else form_of(input).most_magnitude):
        return OUT_OF_RANGE
    return put_magnitude(limbs[0], negative, out)


cdef inline FaultCode put_bool(const Input* input, int64_t row, Out* out) noexcept nogil:
    if not has_room(out, 1):
        return NO_ROOM
    out.at[0] = c"0" + load_bit(input, row)
    out.at += 1
    return NO_FAULT


cdef inline FaultCode put_year(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write four digits: a single zero would be the year 2000."""
    cdef int64_t year = load_integer(input, row)
    if year and (year < 1901 or year > 2155):
        return OUT_OF_RANGE
    if not has_room(out, 4):
        return NO_ROOM
    store_digits(out.at, year, 4)
    out.at += 4
    return NO_FAULT


cdef inline FaultCode put_decimal(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an integer, or a decimal of 32 to 256 bits, where every digit of it has a place."""
    cdef uint64_t limbs[4]
    cdef char digits[MOST_DIGITS]
    cdef const Form* form = form_of(input)
    cdef bint negative = False
    cdef int32_t count = load_magnitude(input, row, limbs, &negative), size, _
    cdef int32_t end = MOST_DIGITS, begin = MOST_DIGITS
    if count == 1 and limbs[0] == 0:
        return put_magnitude(0, False, out)
    while count > 1:
        begin -= DIVISOR_DIGITS
        store_digits(digits + begin, divide(limbs, count, 10000000000000000000ULL), DIVISOR_DIGITS)
        count = significant(limbs, count)
    size = count_digits(limbs[0])
    begin -= size
    store_digits(digits + begin, limbs[0], size)
    for _ in range(form.drop):
        end -= 1
        if end == begin or digits[end] != c"0":
            return NOT_WHOLE
    return put_point(form, digits + begin, end - begin, negative, out)


cdef inline FaultCode put_point(
    const Form* form, const char* digits, int32_t count, bint negative, Out* out
) noexcept nogil:
    """Write digits, of which as many as the form's scale come after the point."""
    cdef int32_t whole = count - form.scale
    cdef char* at = out.at
    if max(whole, 0) + form.zeros > form.whole:
        return TOO_MANY_DIGITS
    if not has_room(out, MOST_DIGITS + 3 + form.scale + form.zeros):
        return NO_ROOM
    at[0] = c"-"
    at += negative
    if whole > 0:
        memcpy(at, digits, whole)
        at += whole
        digits += whole
        count -= whole
    else:
        at[0] = c"0"
        at += 1
    if form.scale:
        at[0] = c"."
        memset(at + 1, c"0", form.scale - count)
        memcpy(at + 1 + form.scale - count, digits, count)
        at += 1 + form.scale
    memset(at, c"0", form.zeros)
    out.at = at + form.zeros
    return NO_FAULT
