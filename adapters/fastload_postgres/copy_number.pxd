# Integers, decimals and decimal texts into PostgreSQL's numeric.
#
# The wire form is described in copy_numeric.pxd. Groups of zeros at either end are left out, as
# the server does, so that equal values have equal bytes.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memmove, memset

from fastload.kernels.byteorder cimport load_int16, store_int16, store_int32
from fastload.kernels.wide_integer cimport divide, is_zero, multiply_add, negate
from fastload_postgres.copy_fields cimport (
    NO_FAULT, NO_NUMBER, NO_ROOM, TOO_MANY_DIGITS, FaultCode, Input, Out, load_integer, span
)

cdef enum:
    MOST_GROUPS = 24          # of a decimal256, whatever its scale
    MOST_WEIGHT = 32767
    MOST_SCALE = 16383
    HEAD_BYTES = 12           # length word, counts, weight, sign, scale
    MOST_EXPONENT = 200000


cdef inline FaultCode put_groups(
    Out* out, const int32_t* groups, int32_t count, int32_t weight, bint negative, int32_t scale
) noexcept nogil:
    """Write groups that stand most significant first, less zeros at both ends."""
    cdef int32_t first = 0, i
    while first < count and groups[first] == 0:
        first += 1
    while count > first and groups[count - 1] == 0:
        count -= 1
    if weight - first > MOST_WEIGHT and count > first:
        return TOO_MANY_DIGITS
    if out.end - out.at < HEAD_BYTES + 2 * (count - first):
        return NO_ROOM
    put_head(out.at, count - first, weight - first if count > first else 0, negative, scale)
    for i in range(first, count):
        store_int16(out.at + HEAD_BYTES + 2 * (i - first), groups[i])
    out.at += HEAD_BYTES + 2 * (count - first)
    return NO_FAULT


cdef inline void put_head(
    char* at, int32_t groups, int32_t weight, bint negative, int32_t scale
) noexcept nogil:
    store_int32(at, 8 + 2 * groups)
    store_int16(at + 4, groups)
    store_int16(at + 6, weight)
    store_int16(at + 8, 0x4000 if negative and groups else 0)
    store_int16(at + 10, scale)


cdef inline FaultCode put_integer_as_numeric(
    const Input* input, int64_t row, Out* out
) noexcept nogil:
    cdef int64_t value = load_integer(input, row)
    cdef bint negative = value < 0 and (input.is_signed or input.width < 8)
    return put_small(out, 0 - <uint64_t>value if negative else <uint64_t>value, negative, 0)


cdef inline FaultCode put_small(
    Out* out, uint64_t value, bint negative, int32_t scale
) noexcept nogil:
    """Write value / 10 ** scale, of one word."""
    cdef int32_t groups[8]
    cdef int32_t fraction_groups = (scale + 3) // 4, at = 8
    cdef int32_t used = scale - 4 * (fraction_groups - 1) if scale else 4
    cdef int32_t place = -fraction_groups
    # The last group may stand for fewer than four digits. Constant divisors are multiplications.
    if used == 2:
        at -= 1
        groups[at] = <int32_t>(value % 100) * 100
        value //= 100
    elif used == 1:
        at -= 1
        groups[at] = <int32_t>(value % 10) * 1000
        value //= 10
    elif used == 3:
        at -= 1
        groups[at] = <int32_t>(value % 1000) * 10
        value //= 1000
    else:
        at -= 1
        groups[at] = <int32_t>(value % 10000)
        value //= 10000
    if not scale:
        place = 0
    while value:
        at -= 1
        groups[at] = <int32_t>(value % 10000)
        value //= 10000
        place += 1
    return put_groups(out, &groups[at], 8 - at, place, negative, scale)


cdef inline FaultCode put_decimal(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a decimal of 32 to 256 bits."""
    cdef uint64_t limbs[4]
    cdef int64_t low
    cdef bint negative
    if input.limbs == 1:
        low = load_integer(input, row)
        negative = low < 0
        if input.scale >= 0:
            return put_small(out, 0 - <uint64_t>low if negative else <uint64_t>low, negative,
                             input.scale)
        memset(limbs, 0xFF if negative else 0, 32)
        limbs[0] = <uint64_t>low
    else:
        memset(limbs, 0, 32)
        memcpy(limbs, input.values + input.width * (row + input.first), input.width)
        negative = <int64_t>limbs[input.limbs - 1] < 0
    if negative:
        negate(limbs, max(input.limbs, 1) if input.limbs > 1 else 4)
    if input.scale >= 0 and is_zero(limbs + 1, 3):
        return put_small(out, limbs[0], negative, input.scale)
    return put_wide(out, limbs, negative, input.scale)


cdef inline FaultCode put_wide(
    Out* out, uint64_t* limbs, bint negative, int32_t scale
) noexcept nogil:
    """Write a magnitude of up to 256 bits over 10 ** scale."""
    cdef int32_t groups[MOST_GROUPS]
    cdef int32_t at = MOST_GROUPS, place, used, zeros = 0, factor
    if scale > MOST_SCALE or scale < -4 * MOST_WEIGHT:
        return TOO_MANY_DIGITS
    if scale >= 0:
        used = scale % 4
        place = -((scale + 3) // 4)
    else:
        # 10 ** -scale makes whole groups of zeros, and up to three digits that shift the rest:
        # as if the last group were cut.
        zeros = (-scale + 3) // 4
        used = 4 - (-scale) % 4 if (-scale) % 4 else 0
        place = zeros
        if used:
            place = zeros - 1
    if used:
        factor = 1000 if used == 1 else 100 if used == 2 else 10
        at -= 1
        groups[at] = <int32_t>divide(limbs, 4, 10000 // factor) * factor
    else:
        place -= 1
    while not is_zero(limbs, 4):
        at -= 1
        groups[at] = <int32_t>divide(limbs, 4, 10000)
        place += 1
    return put_groups(out, &groups[at], MOST_GROUPS - at, place, negative, max(scale, 0))


cdef inline FaultCode put_numeric_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write the number that a decimal text spells, with as many digits after the point."""
    cdef const char* at = NULL
    cdef int64_t size = 0
    cdef bint negative = False
    cdef FaultCode fault = span(input, row, &at, &size)
    if fault != NO_FAULT:
        return fault
    while size and at[0] == c" ":
        at += 1
        size -= 1
    while size and at[size - 1] == c" ":
        size -= 1
    if size and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
        size -= 1
    if size and not (c"0" <= at[0] <= c"9" or at[0] == c"."):
        return put_special(at, size, negative, out)
    return put_digits(at, size, negative, out)


cdef inline bint spells(
    const char* at, int64_t size, const char* word, int64_t length
) noexcept nogil:
    """Compare with a lower-case word, whatever the case of the text."""
    cdef int64_t i
    if size != length:
        return False
    for i in range(size):
        if (at[i] | 0x20) != word[i]:
            return False
    return True


cdef inline FaultCode put_special(
    const char* at, int64_t size, bint negative, Out* out
) noexcept nogil:
    cdef int32_t sign
    if spells(at, size, b"nan", 3):
        sign = 0xC000
    elif spells(at, size, b"infinity", 8) or spells(at, size, b"inf", 3):
        sign = 0xF000 if negative else 0xD000
    else:
        return NO_NUMBER
    if out.end - out.at < HEAD_BYTES:
        return NO_ROOM
    put_head(out.at, 0, 0, False, 0)
    store_int16(out.at + 8, sign)
    out.at += HEAD_BYTES
    return NO_FAULT


cdef inline FaultCode put_digits(
    const char* at, int64_t size, bint negative, Out* out
) noexcept nogil:
    cdef int64_t i = 0, digits = 0, point = -1, exponent = 0
    cdef int64_t scale, weight, before, groups
    while i < size and (c"0" <= at[i] <= c"9" or (at[i] == c"." and point < 0)):
        if at[i] == c".":
            point = digits
        else:
            digits += 1
        i += 1
    if digits == 0:
        return NO_NUMBER
    if i < size and (at[i] | 0x20) == c"e":
        exponent = exponent_of(at + i + 1, size - i - 1)
        if exponent > MOST_EXPONENT:
            return NO_NUMBER
        size = i
    if i < size:
        return NO_NUMBER
    if point < 0:
        point = digits
    scale = max(digits - point - exponent, 0)
    # The first digit stands for 10 ** (point + exponent - 1), in a group that begins earlier by
    # up to three digits.
    weight = floor_divide(point + exponent - 1, 4)
    before = 4 * (weight + 1) - (point + exponent)
    groups = (before + digits + 3) // 4
    if scale > MOST_SCALE:
        return TOO_MANY_DIGITS
    if out.end - out.at < HEAD_BYTES + 2 * groups:
        return NO_ROOM
    gather(at, size, before, groups, out.at + HEAD_BYTES)
    return finish_digits(out, groups, weight, negative, <int32_t>scale)


cdef inline int64_t floor_divide(int64_t number, int64_t by) noexcept nogil:
    return number // by if number >= 0 else -((by - 1 - number) // by)


cdef inline int64_t exponent_of(const char* at, int64_t size) noexcept nogil:
    """Return a signed number; more than MOST_EXPONENT where there is none, or it is too far."""
    cdef int64_t value = 0, i = 0
    cdef bint negative = size > 0 and at[0] == c"-"
    if size and (at[0] == c"-" or at[0] == c"+"):
        i = 1
    if i == size or size - i > 9:
        return MOST_EXPONENT + 1
    while i < size:
        if not c"0" <= at[i] <= c"9":
            return MOST_EXPONENT + 1
        value = 10 * value + at[i] - c"0"
        i += 1
    if value > MOST_EXPONENT:
        return MOST_EXPONENT + 1
    return -value if negative else value


cdef inline void gather(
    const char* at, int64_t size, int64_t before, int64_t groups, char* out
) noexcept nogil:
    """Write the digits as groups of four, the first led by zeros."""
    cdef int64_t i, in_group = before, group = 0
    cdef int32_t value = 0
    for i in range(size):
        if at[i] == c".":
            continue
        value = 10 * value + at[i] - c"0"
        in_group += 1
        if in_group == 4:
            store_int16(out + 2 * group, value)
            value, in_group = 0, 0
            group += 1
    if group < groups:
        while in_group < 4:
            value *= 10
            in_group += 1
        store_int16(out + 2 * group, value)


cdef inline FaultCode finish_digits(
    Out* out, int64_t groups, int64_t weight, bint negative, int32_t scale
) noexcept nogil:
    """Take the zeros off both ends of the groups written, and write the head before them."""
    cdef char* digits = out.at + HEAD_BYTES
    cdef int64_t first = 0
    while first < groups and load_int16(digits + 2 * first) == 0:
        first += 1
    while groups > first and load_int16(digits + 2 * (groups - 1)) == 0:
        groups -= 1
    if groups == first:
        weight, first, groups = 0, 0, 0
    if not -MOST_WEIGHT <= weight - first <= MOST_WEIGHT or groups - first > MOST_WEIGHT:
        return TOO_MANY_DIGITS
    if first:
        memmove(digits, digits + 2 * first, 2 * (groups - first))
    put_head(out.at, groups - first, weight - first, negative, scale)
    out.at += HEAD_BYTES + 2 * (groups - first)
    return NO_FAULT
