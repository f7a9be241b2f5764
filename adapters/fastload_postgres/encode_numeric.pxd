# Integers, decimals and decimal texts into PostgreSQL's numeric.
#
# The wire form is described in copy_numeric.pxd. Groups of zeros at either end are left out, as
# the server does, so that equal values have equal bytes.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memmove

from fastload.kernels.byteorder cimport load_int16, store_int16, store_int32
from fastload.kernels.encode_input cimport (
    NO_FAULT, NO_NUMBER, NO_ROOM, TOO_MANY_DIGITS, FaultCode, Input, Out, extent, load_magnitude
)
from fastload.kernels.wide_integer cimport divide, significant
from fastload_postgres.encode_fields cimport Form, form_of

cdef enum:
    MOST_GROUPS = 32          # of 256 bits, in whole steps of sixteen digits
    MOST_WEIGHT = 32767       # 131072 digits before the point
    MOST_SCALE = 16383
    MOST_DIGITS = 131072 + 16383
    MOST_EXPONENT = 200000
    HEAD_BYTES = 12           # length word, groups, weight, sign, scale


cdef inline void put_head(
    char* at, int64_t groups, int64_t weight, bint negative, int32_t scale
) noexcept nogil:
    store_int32(at, 8 + 2 * <int32_t>groups)
    store_int16(at + 4, <int>groups)
    store_int16(at + 6, <int>weight)
    store_int16(at + 8, 0x4000 if negative and groups else 0)
    store_int16(at + 10, scale)


cdef inline FaultCode put_groups(
    Out* out, const int32_t* groups, int32_t count, int32_t place, bint negative, int32_t scale
) noexcept nogil:
    """Write groups, most significant first, of which the last stands for 10000 ** place."""
    cdef int32_t weight = place + count - 1, i
    while count and groups[0] == 0:
        groups += 1
        count -= 1
        weight -= 1
    while count and groups[count - 1] == 0:
        count -= 1
    if count and weight > MOST_WEIGHT:
        return TOO_MANY_DIGITS
    if out.end - out.at < HEAD_BYTES + 2 * count:
        return NO_ROOM
    put_head(out.at, count, weight if count else 0, negative, scale)
    for i in range(count):
        store_int16(out.at + HEAD_BYTES + 2 * i, groups[i])
    out.at += HEAD_BYTES + 2 * count
    return NO_FAULT


cdef inline FaultCode put_small(
    const Form* form, uint64_t value, bint negative, Out* out
) noexcept nogil:
    """Write a magnitude of one word."""
    cdef int32_t groups[8]
    cdef int32_t at = 8
    # The last group may stand for fewer than four digits. Constant divisors are multiplications.
    if form.used == 2:
        at -= 1
        groups[at] = <int32_t>(value % 100) * 100
        value //= 100
    elif form.used == 1:
        at -= 1
        groups[at] = <int32_t>(value % 10) * 1000
        value //= 10
    elif form.used == 3:
        at -= 1
        groups[at] = <int32_t>(value % 1000) * 10
        value //= 1000
    while value:
        at -= 1
        groups[at] = <int32_t>(value % 10000)
        value //= 10000
    return put_groups(out, &groups[at], 8 - at, form.place, negative, form.scale)


cdef inline FaultCode put_number(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an integer, or a decimal of 32 to 256 bits."""
    cdef uint64_t limbs[4]
    cdef bint negative = False
    cdef int32_t count = load_magnitude(input, row, limbs, &negative)
    if count == 1:
        return put_small(form_of(input), limbs[0], negative, out)
    return put_wide(form_of(input), limbs, count, negative, out)


cdef inline FaultCode put_wide(
    const Form* form, uint64_t* limbs, int32_t count, bint negative, Out* out
) noexcept nogil:
    cdef int32_t groups[MOST_GROUPS]
    cdef int32_t at = MOST_GROUPS, _
    cdef uint64_t rest
    if form.used < 4:
        at -= 1
        rest = 10 if form.used == 1 else 100 if form.used == 2 else 1000
        groups[at] = <int32_t>(divide(limbs, count, rest) * (10000 // rest))
    count = significant(limbs, count)
    while count:
        rest = divide(limbs, count, 10000000000000000ULL)
        for _ in range(4):
            at -= 1
            groups[at] = <int32_t>(rest % 10000)
            rest //= 10000
        count = significant(limbs, count)
    return put_groups(out, &groups[at], MOST_GROUPS - at, form.place, negative, form.scale)


cdef inline bint is_space(char byte) noexcept nogil:
    return byte == c" " or c"\t" <= byte <= c"\r"


cdef inline bint is_digit(char byte) noexcept nogil:
    return c"0" <= byte <= c"9"


cdef inline FaultCode put_numeric_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write the number that a text spells, with as many digits after the point."""
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    cdef const char* at = input.values + begin
    cdef int sign = 0
    if fault != NO_FAULT:
        return fault
    while size and is_space(at[0]):
        at, size = at + 1, size - 1
    while size and is_space(at[size - 1]):
        size -= 1
    if size and (at[0] == c"-" or at[0] == c"+"):
        sign = -1 if at[0] == c"-" else 1
        at, size = at + 1, size - 1
    if size and not is_digit(at[0]) and at[0] != c".":
        return put_special(at, size, sign, out)
    while size > 1 and at[0] == c"0" and is_digit(at[1]):
        at, size = at + 1, size - 1
    return put_digits(at, size, sign < 0, out)


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
    const char* at, int64_t size, int sign, Out* out
) noexcept nogil:
    cdef int32_t wire_sign
    if sign == 0 and spells(at, size, b"nan", 3):
        wire_sign = 0xC000
    elif spells(at, size, b"infinity", 8) or spells(at, size, b"inf", 3):
        wire_sign = 0xF000 if sign < 0 else 0xD000
    else:
        return NO_NUMBER
    if out.end - out.at < HEAD_BYTES:
        return NO_ROOM
    put_head(out.at, 0, 0, False, 0)
    store_int16(out.at + 8, wire_sign)
    out.at += HEAD_BYTES
    return NO_FAULT


cdef inline FaultCode put_digits(
    const char* at, int64_t size, bint negative, Out* out
) noexcept nogil:
    cdef int64_t end = 0, digits = 0, point = -1, exponent = 0
    cdef int64_t scale, weight, before, groups
    while end < size and (is_digit(at[end]) or (at[end] == c"." and point < 0)):
        if at[end] == c".":
            point = digits
        else:
            digits += 1
        end += 1
    if digits == 0 or (end < size and not exponent_of(at + end, size - end, &exponent)):
        return NO_NUMBER
    if point < 0:
        point = digits
    scale = max(digits - point - exponent, 0)
    if digits > MOST_DIGITS or scale > MOST_SCALE or exponent > MOST_EXPONENT:
        return TOO_MANY_DIGITS
    # The first digit stands for 10 ** (point + exponent - 1), in a group that begins earlier by
    # up to three digits.
    weight = floor_divide(point + exponent - 1, 4)
    before = 4 * (weight + 1) - (point + exponent)
    groups = (before + digits + 3) // 4
    if out.end - out.at < HEAD_BYTES + 2 * groups:
        return NO_ROOM
    gather(at, end, before, groups, out.at + HEAD_BYTES)
    return finish_digits(out, groups, weight, negative, <int32_t>scale)


cdef inline int64_t floor_divide(int64_t number, int64_t by) noexcept nogil:
    return number // by if number >= 0 else -((by - 1 - number) // by)


cdef inline bint exponent_of(const char* at, int64_t size, int64_t* value) noexcept nogil:
    """Read ``e`` and a signed number, no farther from zero than just beyond MOST_EXPONENT."""
    cdef int64_t i = 1
    cdef bint negative = False
    if at[0] | 0x20 != c"e":
        return False
    if size > 1 and (at[1] == c"-" or at[1] == c"+"):
        negative = at[1] == c"-"
        i = 2
    if i == size:
        return False
    while i < size:
        if not is_digit(at[i]):
            return False
        value[0] = min(10 * value[0] + at[i] - c"0", MOST_EXPONENT + 1)
        i += 1
    if negative:
        value[0] = -value[0]
    return True


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
    groups -= first
    weight = weight - first if groups else 0
    if weight > MOST_WEIGHT:
        return TOO_MANY_DIGITS
    if first:
        memmove(digits, digits + 2 * first, 2 * groups)
    put_head(out.at, groups, weight, negative, scale)
    out.at += HEAD_BYTES + 2 * groups
    return NO_FAULT
