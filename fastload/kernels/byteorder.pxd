# Loads and stores at any alignment, big-endian unless named little: the hosts' own order. Callers
# have checked the length.
from libc.stdint cimport int16_t, int32_t, int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    uint16_t __builtin_bswap16(uint16_t) noexcept nogil
    uint32_t __builtin_bswap32(uint32_t) noexcept nogil
    uint64_t __builtin_bswap64(uint64_t) noexcept nogil


cdef inline int16_t load_int16(const char* at) noexcept nogil:
    cdef uint16_t raw
    memcpy(&raw, at, 2)
    return <int16_t>__builtin_bswap16(raw)


cdef inline int32_t load_int32(const char* at) noexcept nogil:
    cdef uint32_t raw
    memcpy(&raw, at, 4)
    return <int32_t>__builtin_bswap32(raw)


cdef inline int64_t load_int64(const char* at) noexcept nogil:
    cdef uint64_t raw
    memcpy(&raw, at, 8)
    return <int64_t>__builtin_bswap64(raw)


cdef inline void store_int16(char* at, int16_t value) noexcept nogil:
    cdef uint16_t raw = __builtin_bswap16(<uint16_t>value)
    memcpy(at, &raw, 2)


cdef inline void store_int32(char* at, int32_t value) noexcept nogil:
    cdef uint32_t raw = __builtin_bswap32(<uint32_t>value)
    memcpy(at, &raw, 4)


cdef inline void store_int64(char* at, int64_t value) noexcept nogil:
    cdef uint64_t raw = __builtin_bswap64(<uint64_t>value)
    memcpy(at, &raw, 8)


cdef inline uint16_t load_little_uint16(const char* at) noexcept nogil:
    cdef uint16_t raw
    memcpy(&raw, at, 2)
    return raw


cdef inline uint32_t load_little_uint24(const char* at) noexcept nogil:
    return load_little_uint16(at) | <uint32_t>(<unsigned char>at[2]) << 16


cdef inline uint32_t load_little_uint32(const char* at) noexcept nogil:
    cdef uint32_t raw
    memcpy(&raw, at, 4)
    return raw


cdef inline uint64_t load_little_uint64(const char* at) noexcept nogil:
    cdef uint64_t raw
    memcpy(&raw, at, 8)
    return raw
