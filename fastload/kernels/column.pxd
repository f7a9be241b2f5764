# One Arrow column under construction. Values are appended a block at a time: the kernel lays out
# pointers to the block's fields, a null being NULL_FIELD, so that the loops over values need no
# branch for nulls and the validity bits are a pass of their own, made only where there are any.
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from fastload.kernels.growable cimport Buffer, append, dispose, reserve, trim

cdef extern from *:
    """
    #ifndef FASTLOAD_NULL_FIELD
    #define FASTLOAD_NULL_FIELD
    /* Length zero, then zeros: reads as an empty or zero value of every type, and copying up to
       64 bytes from it is safe. */
    static const char fastload_null_block[80] = {0};
    #define fastload_null_field (fastload_null_block + 8)
    #endif
    """
    const char* NULL_FIELD "fastload_null_field"


cdef struct Column:
    Buffer validity  # unused while there is no null
    Buffer offsets   # int32; used by variable widths and lists only
    Buffer values    # bits, fixed widths, or the bytes the offsets point into
    int64_t length
    int64_t null_count
    bint has_offsets


cdef inline int start(Column* column) noexcept nogil:
    """Begin an empty column; -1 when memory has run out."""
    cdef int32_t zero = 0
    column.length = column.null_count = 0
    return append(&column.offsets, <const char*>&zero, 4) if column.has_offsets else 0


cdef inline void release_buffers(Column* column) noexcept nogil:
    """Free every buffer."""
    dispose(&column.validity)
    dispose(&column.offsets)
    dispose(&column.values)


cdef inline void trim_buffers(Column* column) noexcept nogil:
    """Give back unused memory."""
    trim(&column.validity)
    trim(&column.offsets)
    trim(&column.values)


cdef inline void expect_as_much(Column* column, const Column* last, int64_t most) noexcept nogil:
    """Let the first allocations be as large as the last batch's buffers, up to a limit."""
    column.validity.expected = min(last.validity.used + last.validity.used // 8, most)
    column.offsets.expected = min(last.offsets.used + last.offsets.used // 8, most)
    column.values.expected = min(last.values.used + last.values.used // 8, most)


cdef inline int finish_block(
    Column* column, const char** fields, int count, bint has_null
) noexcept nogil:
    """Add the block's validity and its length; -1 when memory has run out."""
    cdef int64_t before = column.length
    column.length += count
    if not has_null and column.null_count == 0:
        return 0
    if reserve(&column.validity, (column.length + 7) // 8 - column.validity.used):
        return -1
    if column.null_count == 0:
        set_bits(column.validity.data, 0, before)
    if has_null:
        mark_nulls(column, fields, before, count)
    else:
        set_bits(column.validity.data, before, count)
    column.validity.used = (column.length + 7) // 8
    return 0


cdef inline void mark_nulls(
    Column* column, const char** fields, int64_t at, int count
) noexcept nogil:
    cdef unsigned char* bits = <unsigned char*>column.validity.data
    cdef unsigned char byte = bits[at >> 3] if at & 7 else 0
    cdef int row, valid, nulls = 0
    for row in range(count):
        valid = fields[row] != NULL_FIELD
        nulls += 1 - valid
        byte |= valid << (at & 7)
        at += 1
        if at & 7 == 0:
            bits[(at >> 3) - 1] = byte
            byte = 0
    if at & 7:
        bits[at >> 3] = byte
    column.null_count += nulls


cdef inline void set_bits(char* data, int64_t first, int64_t count) noexcept nogil:
    """Set bits, leaving the rest of the last byte zero; those before the first keep theirs."""
    cdef unsigned char* bits = <unsigned char*>data
    cdef int64_t end = first + count
    if count <= 0:
        return
    if first & 7:
        bits[first >> 3] |= 0xFF << (first & 7)
        first = (first | 7) + 1
    if first < end:
        memset(bits + (first >> 3), 0xFF, (end - first + 7) // 8)
    if end & 7:
        bits[end >> 3] &= (1 << (end & 7)) - 1
