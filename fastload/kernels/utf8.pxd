# UTF-8 as RFC 3629 has it: no surrogates, no overlong forms, nothing above U+10FFFF.
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy


cdef inline bint is_ascii(const char* data, int64_t size) noexcept nogil:
    """Say whether no byte has its high bit set; written so that compilers vectorise it."""
    cdef const unsigned char* at = <const unsigned char*>data
    cdef unsigned char seen = 0
    cdef int64_t i
    for i in range(size):
        seen |= at[i]
    return seen < 0x80


cdef inline bint is_utf8(const char* data, int64_t size) noexcept nogil:
    cdef const unsigned char* at = <const unsigned char*>data
    cdef const unsigned char* end = at + size
    cdef uint64_t word
    cdef int length
    while at < end:
        if end - at >= 8:
            memcpy(&word, at, 8)
            if word & 0x8080808080808080ULL == 0:
                at += 8
                continue
        length = 1 if at[0] < 0x80 else sequence_length(at, end - at)
        if length == 0:
            return False
        at += length
    return True


cdef inline int sequence_length(const unsigned char* at, int64_t size) noexcept nogil:
    """Return the length of the valid sequence of two to four bytes here, or 0."""
    cdef unsigned char lead = at[0]
    if lead < 0xC2 or lead > 0xF4:
        return 0
    if lead < 0xE0:
        return 2 if size >= 2 and continues(at[1]) else 0
    if lead < 0xF0:
        return 3 if size >= 3 and second_fits(lead, at[1]) and continues(at[2]) else 0
    if size < 4 or not second_fits(lead, at[1]):
        return 0
    return 4 if continues(at[2]) and continues(at[3]) else 0


cdef inline bint continues(unsigned char byte) noexcept nogil:
    return byte & 0xC0 == 0x80


cdef inline bint second_fits(unsigned char lead, unsigned char second) noexcept nogil:
    """Say whether the second byte of a longer sequence is in the range its lead allows."""
    if lead == 0xE0:
        return 0xA0 <= second <= 0xBF
    if lead == 0xED:
        return 0x80 <= second <= 0x9F
    if lead == 0xF0:
        return 0x90 <= second <= 0xBF
    if lead == 0xF4:
        return 0x80 <= second <= 0x8F
    return continues(second)
