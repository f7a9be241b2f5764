# Hashes of numbers by their value: 7, 7.0 and '7.00' hash alike, whatever they are kept in.
#
# A number is digits and a scale, as few of both as there can be; of at most 256 bits it is hashed
# as an integer, which is what every fixed layout holds, and beyond that by its digits.
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.wide_integer cimport divide, multiply_add, significant
from fastload.kernels.xxh64 cimport P2, P3, xxh64, xxh64_of_8

cdef enum:
    MOST_DIGITS = 76  # that 256 bits always hold


cdef inline uint64_t number_hash(
    uint64_t* limbs, int count, bint negative, int64_t scale, uint64_t seed
) noexcept nogil:
    """Hash a magnitude of up to four limbs, which are overwritten, and its sign."""
    cdef uint64_t rest[4]
    count = significant(limbs, count)
    if count == 0:
        return xxh64_of_8(0, seed)
    while scale > 0:
        memcpy(rest, limbs, 8 * count)
        if divide(rest, count, 10):
            break
        memcpy(limbs, rest, 8 * count)
        count = significant(limbs, count)
        scale -= 1
    seed += <uint64_t>scale * P3
    if count == 1 and limbs[0] <= <uint64_t>INT64_MAX:
        return xxh64_of_8(0 - limbs[0] if negative else limbs[0], seed)
    return xxh64(<const char*>limbs, 8 * count, seed + P2 + negative)


cdef inline bint is_digit(char c) noexcept nogil:
    return b'0' <= c <= b'9'


cdef inline uint64_t number_text_hash(const char* at, int64_t size, uint64_t seed) noexcept nogil:
    """Hash a decimal written out; what is no such number, as NaN, is hashed as its text."""
    cdef const char* end = at + size
    cdef const char* text = at
    cdef const char* whole
    cdef const char* whole_end
    cdef const char* fraction
    cdef bint negative = False
    cdef uint64_t limbs[4]
    cdef uint64_t h
    cdef int64_t scale, i
    if at < end and (at[0] == b'-' or at[0] == b'+'):
        negative = at[0] == b'-'
        at += 1
    while at < end and at[0] == b'0':
        at += 1
    whole = at
    while at < end and is_digit(at[0]):
        at += 1
    whole_end = at
    if at < end and at[0] == b'.':
        at += 1
    fraction = at
    while at < end and is_digit(at[0]):
        at += 1
    if at != end or not is_digit(end[-1] if size else 0):
        return xxh64(text, size, seed + P2 + 2)
    while end > fraction and end[-1] == b'0':
        end -= 1
    scale = end - fraction
    if whole_end - whole + scale > MOST_DIGITS:
        h = xxh64(whole, whole_end - whole, seed + P2 + 3 + negative)
        return xxh64(fraction, scale, h)
    limbs[0] = limbs[1] = limbs[2] = limbs[3] = 0
    for i in range(whole_end - whole):
        multiply_add(limbs, 4, 10, whole[i] - 48)
    for i in range(scale):
        multiply_add(limbs, 4, 10, fraction[i] - 48)
    return number_hash(limbs, 4, negative, scale, seed)
