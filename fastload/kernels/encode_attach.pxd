# An encoder's inputs onto Arrow's buffers. Nothing here looks at values.
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from fastload.kernels.arrow_c cimport ArrowArray
from fastload.kernels.column cimport NULL_FIELD
from fastload.kernels.encode_input cimport (
    FIXED, ITEMS, NOTHING, VARIABLE, Input, whole_extent
)


cdef inline bint attach(
    Input* input, const ArrowArray* array, int64_t before, int64_t rows
) noexcept nogil:
    """Point an input at rows of an array; False where the array is not of the input's layout."""
    cdef bint fits = array.offset >= 0 and array.length >= before + rows
    input.validity = NULL
    input.first = array.offset + before
    if not fits or input.layout == NOTHING:
        return fits
    if array.n_buffers != (3 if input.layout == VARIABLE else 2):
        return False
    if array.null_count != 0:
        input.validity = <const unsigned char*>array.buffers[0]
    if input.layout == FIXED:
        input.values = <const char*>array.buffers[1]
        return input.values != NULL or rows == 0
    input.offsets = <const char*>array.buffers[1]
    if rows and input.offsets == NULL:
        return False
    if input.layout == VARIABLE:
        input.limit = last_offset(input, array) if rows else 0
        input.values = <const char*>array.buffers[2]
        if input.values == NULL:
            input.values = NULL_FIELD
            return input.limit <= 0
        return True
    return attach_items(input, array)


cdef inline bint attach_items(Input* input, const ArrowArray* array) noexcept nogil:
    if array.n_children != 1:
        return False
    input.limit = array.children[0].length
    return attach(input.item, array.children[0], 0, input.limit)


cdef inline int64_t last_offset(const Input* input, const ArrowArray* array) noexcept nogil:
    """Return the end of the last value, which no other may pass."""
    cdef int64_t index = array.offset + array.length, wide
    cdef int32_t narrow
    if input.is_large:
        memcpy(&wide, input.offsets + 8 * index, 8)
        return wide
    memcpy(&narrow, input.offsets + 4 * index, 4)
    return narrow


cdef inline void choose_all(Input* input, int64_t rows) noexcept nogil:
    """Let inputs look at their values where they want to, items at those of these rows."""
    cdef int64_t begin = 0, size = 0
    if input.choose != NULL:
        input.choose(input, 0, rows)
    if input.layout == ITEMS and input.item.choose != NULL:
        # Without rows, or with offsets that run wild, no item is taken for granted.
        if rows == 0 or whole_extent(input, 0, rows, &begin, &size):
            begin = size = 0
        input.item.choose(input.item, begin, begin + size)
