# Little-endian integers of several 64-bit limbs: Arrow's decimal128 (2) and decimal256 (4).
from libc.stdint cimport uint32_t, uint64_t

cdef extern from *:
    """
    #ifndef FASTLOAD_UINT128
    #define FASTLOAD_UINT128
    typedef unsigned __int128 fastload_uint128;
    #endif
    """
    ctypedef unsigned long long uint128_t "fastload_uint128"


cdef inline void multiply_add(
    uint64_t* limbs, int count, uint32_t factor, uint32_t addend
) noexcept nogil:
    """Set limbs to limbs * factor + addend; the caller knows that it fits."""
    cdef uint128_t carry = addend
    cdef int i
    for i in range(count):
        carry += <uint128_t>limbs[i] * factor
        limbs[i] = <uint64_t>carry
        carry >>= 64


cdef inline void negate(uint64_t* limbs, int count) noexcept nogil:
    """Two's complement."""
    cdef uint64_t carry = 1
    cdef int i
    for i in range(count):
        limbs[i] = ~limbs[i] + carry
        carry = carry and limbs[i] == 0


cdef inline uint64_t divide(uint64_t* limbs, int count, uint64_t divisor) noexcept nogil:
    """Divide limbs in place and return the remainder."""
    cdef uint128_t rest = 0
    cdef uint64_t quotient
    cdef int i
    for i in range(count - 1, -1, -1):
        rest = (rest << 64) | limbs[i]
        quotient = <uint64_t>(rest // divisor)
        rest -= <uint128_t>quotient * divisor
        limbs[i] = quotient
    return <uint64_t>rest


cdef inline int significant(const uint64_t* limbs, int count) noexcept nogil:
    """Return how many limbs are left without the zeros at the top."""
    while count and limbs[count - 1] == 0:
        count -= 1
    return count
