# XXH64, written from its specification ("xxHash fast digest algorithm", version 0.2.0, section
# "XXH64 algorithm description"; github.com/Cyan4973/xxHash, doc/xxhash_spec.md).
#
# Every step is a bijection of what it takes in, so that one that differs in eight bytes alone
# always hashes differently.
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #ifndef FASTLOAD_XXH64
    #define FASTLOAD_XXH64
    static const uint64_t fastload_p1 = 0x9E3779B185EBCA87ULL;
    static const uint64_t fastload_p2 = 0xC2B2AE3D27D4EB4FULL;
    static const uint64_t fastload_p3 = 0x165667B19E3779F9ULL;
    static const uint64_t fastload_p4 = 0x85EBCA77C2B2AE63ULL;
    static const uint64_t fastload_p5 = 0x27D4EB2F165667C5ULL;
    #endif
    """
    const uint64_t P1 "fastload_p1"
    const uint64_t P2 "fastload_p2"
    const uint64_t P3 "fastload_p3"
    const uint64_t P4 "fastload_p4"
    const uint64_t P5 "fastload_p5"


cdef inline uint64_t rotated(uint64_t x, int bits) noexcept nogil:
    return (x << bits) | (x >> (64 - bits))


cdef inline uint64_t rounded(uint64_t acc, uint64_t lane) noexcept nogil:
    return rotated(acc + lane * P2, 31) * P1


cdef inline uint64_t avalanche(uint64_t h) noexcept nogil:
    h ^= h >> 33
    h *= P2
    h ^= h >> 29
    h *= P3
    return h ^ (h >> 32)


cdef inline uint64_t chained(uint64_t acc, uint64_t lane) noexcept nogil:
    """Take one more lane into a hash that is not finished."""
    return rotated(acc ^ rounded(0, lane), 27) * P1 + P4


cdef inline uint64_t xxh64_of_8(uint64_t value, uint64_t seed) noexcept nogil:
    """Hash eight bytes, given as a little-endian integer."""
    return avalanche(chained(seed + P5 + 8, value))


cdef inline uint64_t load_8(const char* at) noexcept nogil:
    cdef uint64_t value
    memcpy(&value, at, 8)
    return value


cdef inline uint64_t load_4(const char* at) noexcept nogil:
    cdef uint32_t value
    memcpy(&value, at, 4)
    return value


cdef inline uint64_t merged(uint64_t acc, uint64_t lane) noexcept nogil:
    return (acc ^ rounded(0, lane)) * P1 + P4


cdef inline uint64_t xxh64(const char* at, uint64_t size, uint64_t seed) noexcept nogil:
    """Hash bytes; ``at`` is not looked at where there are none."""
    cdef const char* end = at + size
    cdef uint64_t h, a, b, c, d
    if size >= 32:
        a, b, c, d = seed + P1 + P2, seed + P2, seed, seed - P1
        while end - at >= 32:
            a = rounded(a, load_8(at))
            b = rounded(b, load_8(at + 8))
            c = rounded(c, load_8(at + 16))
            d = rounded(d, load_8(at + 24))
            at += 32
        h = rotated(a, 1) + rotated(b, 7) + rotated(c, 12) + rotated(d, 18)
        h = merged(merged(merged(merged(h, a), b), c), d)
    else:
        h = seed + P5
    h += size
    while end - at >= 8:
        h = chained(h, load_8(at))
        at += 8
    if end - at >= 4:
        h = rotated(h ^ load_4(at) * P1, 23) * P2 + P3
        at += 4
    while at < end:
        h = rotated(h ^ <uint64_t>(<unsigned char>at[0]) * P5, 11) * P1
        at += 1
    return avalanche(h)
