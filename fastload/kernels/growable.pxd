# A byte buffer that grows by doubling and is freed or handed to Arrow by its owner.
from libc.stdint cimport int64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy


cdef struct Buffer:
    char* data
    int64_t used
    int64_t capacity
    int64_t expected  # first allocation at least this large: saves the copies of doubling


cdef inline int reserve(Buffer* buffer, int64_t more) noexcept nogil:
    """Make room for more bytes after the used ones; -1 when memory has run out."""
    if buffer.capacity - buffer.used >= more:
        return 0
    return grow(buffer, max(buffer.used + more, 2 * buffer.capacity))


cdef inline int grow(Buffer* buffer, int64_t capacity) noexcept nogil:
    """Set the capacity, at least as large as expected; -1 when memory has run out."""
    cdef int64_t wanted = max(capacity, buffer.expected, 64)
    cdef char* data = <char*>realloc(buffer.data, wanted)
    if data == NULL:
        return -1
    buffer.data = data
    buffer.capacity = wanted
    return 0


cdef inline int append(Buffer* buffer, const char* at, int64_t count) noexcept nogil:
    """Copy bytes to the end; -1 when memory has run out."""
    if reserve(buffer, count):
        return -1
    memcpy(buffer.data + buffer.used, at, count)
    buffer.used += count
    return 0


cdef inline void trim(Buffer* buffer) noexcept nogil:
    """Give back what is unused where it is a good part of the whole."""
    cdef char* data
    if buffer.used and buffer.capacity - buffer.used > buffer.used // 4 + 4096:
        data = <char*>realloc(buffer.data, buffer.used)
        if data != NULL:
            buffer.data = data
            buffer.capacity = buffer.used


cdef inline void dispose(Buffer* buffer) noexcept nogil:
    """Free the bytes and start empty."""
    free(buffer.data)
    buffer.data = NULL
    buffer.used = buffer.capacity = 0
