# PostgreSQL's numeric into Arrow decimals and into text.
#
# Wire form (numeric_send, src/backend/utils/adt/numeric.c): counts of groups, weight of the first
# group, sign, digits after the point; then groups of four decimal digits, most significant first.
# The value is the sum of group[i] * 10000 ** (weight - i).
from libc.stdint cimport INT32_MAX, int32_t, int64_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.codec cimport (
    NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, fail, take_room
)
from fastload.kernels.column cimport NULL_FIELD, Column
from fastload.kernels.growable cimport reserve
from fastload.kernels.wide_integer cimport multiply_add, negate
from fastload_postgres.copy_values cimport BAD_NUMERIC

cdef enum:
    POSITIVE = 0x0000
    NEGATIVE = 0x4000
    NOT_A_NUMBER = 0xC000
    INFINITE = 0xD000
    NEGATIVE_INFINITE = 0xF000
    MOST_SCALE = 16383


cdef struct Decimal:  # what numeric(precision, scale) holds, in groups of four digits
    int32_t scale
    int32_t limbs             # 64-bit words of the Arrow form
    int32_t integer_groups    # most groups before the point
    int32_t lead_bound        # bound of the first of so many groups
    int32_t fraction_groups   # groups after the point
    int32_t factor, divisor   # 10 ** digits used of the last of them, and of those not used


cdef inline bint is_numeric(const char* at) noexcept nogil:
    """Say whether counts, sign and scale are ones that the server could have sent."""
    cdef int32_t groups = load_int16(at)
    cdef uint16_t sign = <uint16_t>load_int16(at + 4)
    if groups < 0 or load_int32(at - 4) != 8 + 2 * groups:
        return False
    # Also where there is nothing to scale: text_room counts on it.
    if not 0 <= load_int16(at + 6) <= MOST_SCALE:
        return False
    return (
        sign == POSITIVE or sign == NEGATIVE or sign == NOT_A_NUMBER or sign == INFINITE
        or sign == NEGATIVE_INFINITE
    )


cdef inline int decode_decimal(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef const Decimal* decimal = <const Decimal*>codec.form
    cdef int32_t width = 8 * decimal.limbs, row
    cdef char* out = take_room(codec, <int64_t>width * count)
    cdef int code
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        code = decimal_of(decimal, fields[row], <uint64_t*>(out + width * row))
        if code != NO_FAULT:
            return fail(fault, code, fields[row], row)
    return count


cdef inline int decimal_of(
    const Decimal* decimal, const char* at, uint64_t* out
) noexcept nogil:
    """Write value * 10 ** scale as a little-endian integer of `limbs` words."""
    cdef int32_t groups = load_int16(at), weight = load_int16(at + 2), width
    cdef uint16_t sign = <uint16_t>load_int16(at + 4)
    cdef int code
    if groups == 0 and (sign == POSITIVE or at == NULL_FIELD):
        memset(out, 0, 8 * decimal.limbs)
        if at == NULL_FIELD or is_numeric(at):
            return NO_FAULT
    if not is_numeric(at):
        return BAD_NUMERIC
    if sign > NEGATIVE or weight >= decimal.integer_groups:
        return NO_NATIVE_FORM
    if weight == decimal.integer_groups - 1 and weight >= 0:
        if load_int16(at + 8) >= decimal.lead_bound:
            return NO_NATIVE_FORM
    width = 4 * max(weight + 1, 0) + decimal.scale
    if width <= 19:
        code = small_decimal(decimal, at + 8, groups, weight, out)
    else:
        code = wide_decimal(decimal, at + 8, groups, weight, out)
    if code == NO_FAULT and sign == NEGATIVE:
        negate(out, decimal.limbs)
    return code


cdef inline int small_decimal(
    const Decimal* decimal, const char* at, int32_t groups, int32_t weight, uint64_t* out
) noexcept nogil:
    """As decimal_of, for magnitudes below 10 ** 19: one word is enough."""
    cdef uint64_t value = 0
    cdef int32_t i, place = weight, last = -decimal.fraction_groups
    cdef int32_t group
    for i in range(groups):
        group = load_int16(at + 2 * i)
        if <uint16_t>group > 9999:
            return BAD_NUMERIC
        if place > last or (place == last and last == 0):
            value = value * 10000 + group
        elif place == last:
            if group % decimal.divisor:
                return NO_NATIVE_FORM
            value = value * decimal.factor + group // decimal.divisor
        elif group:
            return NO_NATIVE_FORM
        place -= 1
    while place >= last and value:
        value *= 10000 if place > last or last == 0 else decimal.factor
        place -= 1
    memset(out, 0, 8 * decimal.limbs)
    out[0] = value
    return NO_FAULT


cdef inline int wide_decimal(
    const Decimal* decimal, const char* at, int32_t groups, int32_t weight, uint64_t* out
) noexcept nogil:
    """As decimal_of, for any magnitude that the checks of the first group let pass."""
    cdef int32_t i, place = weight, last = -decimal.fraction_groups
    cdef int32_t group
    memset(out, 0, 8 * decimal.limbs)
    for i in range(groups):
        group = load_int16(at + 2 * i)
        if <uint16_t>group > 9999:
            return BAD_NUMERIC
        if place > last or (place == last and last == 0):
            multiply_add(out, decimal.limbs, 10000, group)
        elif place == last:
            if group % decimal.divisor:
                return NO_NATIVE_FORM
            multiply_add(out, decimal.limbs, decimal.factor, group // decimal.divisor)
        elif group:
            return NO_NATIVE_FORM
        place -= 1
    while place >= last:
        multiply_add(out, decimal.limbs, 10000 if place > last or last == 0 else decimal.factor, 0)
        place -= 1
    return NO_FAULT


cdef inline int decode_numeric_text(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    """Append the text that the server itself would print."""
    cdef Column* column = &codec.column
    cdef int32_t* ends
    cdef int64_t room
    cdef int row
    if reserve(&column.offsets, 4 * count):
        return fail(fault, NO_MEMORY, NULL, 0)
    ends = <int32_t*>(column.offsets.data + column.offsets.used)
    for row in range(count):
        if fields[row] != NULL_FIELD:
            if not is_numeric(fields[row]):
                return fail(fault, BAD_NUMERIC, fields[row], row)
            room = text_room(fields[row])
            if column.values.used + room > INT32_MAX:
                return fail(fault, NO_NATIVE_FORM, fields[row], row)
            if reserve(&column.values, room):
                return fail(fault, NO_MEMORY, NULL, 0)
            room = write_text(fields[row], column.values.data + column.values.used)
            if room < 0:
                return fail(fault, BAD_NUMERIC, fields[row], row)
            column.values.used += room
        ends[row] = <int32_t>column.values.used
    column.offsets.used += 4 * count
    return count


cdef inline int64_t text_room(const char* at) noexcept nogil:
    """Return a bound of the text's length: sign, digits in whole groups, point, fraction."""
    return 16 + 4 * max(<int64_t>load_int16(at + 2) + 1, 1) + load_int16(at + 6) + 4


cdef inline int64_t write_text(const char* at, char* out) noexcept nogil:
    """Write the number and return its length; -1 where a group is not of four digits."""
    cdef int32_t groups = load_int16(at), weight = load_int16(at + 2), scale = load_int16(at + 6)
    cdef uint16_t sign = <uint16_t>load_int16(at + 4)
    cdef char* end = out
    cdef int32_t i, fraction
    if sign > NEGATIVE:
        return write_special(sign, out)
    for i in range(groups):
        if <uint16_t>load_int16(at + 8 + 2 * i) > 9999:
            return -1
    if sign == NEGATIVE:
        end[0] = c"-"
        end += 1
    if weight < 0:
        end[0] = c"0"
        end += 1
    for i in range(weight + 1):
        end = write_group(group_at(at, i, groups), end, i == 0)
    if scale > 0:
        end[0] = c"."
        end += 1
        for fraction in range((scale + 3) // 4):
            write_group(group_at(at, weight + 1 + fraction, groups), end + 4 * fraction, False)
        end += scale
    return end - out


cdef inline int32_t group_at(const char* at, int32_t i, int32_t groups) noexcept nogil:
    """Return a group, zero outside those that were sent."""
    return load_int16(at + 8 + 2 * i) if 0 <= i < groups else 0


cdef inline char* write_group(int32_t group, char* out, bint first) noexcept nogil:
    """Write four digits, less leading zeros in the first group, and return the end."""
    cdef char digits[4]
    cdef int skip = 0, i
    for i in range(3, -1, -1):
        digits[i] = <char>(c"0" + group % 10)
        group //= 10
    if first:
        while skip < 3 and digits[skip] == c"0":
            skip += 1
    memcpy(out, digits + skip, 4 - skip)
    return out + 4 - skip


cdef inline int64_t write_special(uint16_t sign, char* out) noexcept nogil:
    if sign == NOT_A_NUMBER:
        memcpy(out, b"NaN", 3)
        return 3
    if sign == INFINITE:
        memcpy(out, b"Infinity", 8)
        return 8
    memcpy(out, b"-Infinity", 9)
    return 9
