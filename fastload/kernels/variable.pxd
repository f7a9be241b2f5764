# Values of any length into columns: bytes, and text checked as UTF-8.
from libc.stdint cimport INT32_MAX, int32_t, int64_t
from libc.string cimport memcpy

from fastload.kernels.codec cimport BAD_UTF8, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, fail
from fastload.kernels.column cimport Column
from fastload.kernels.growable cimport reserve
from fastload.kernels.utf8 cimport is_ascii, is_utf8

cdef enum:
    COPY_SLACK = 64


cdef inline int append_values(
    Codec* codec, const char** fields, int count, int64_t end, const char* limit, Fault* fault
) noexcept nogil:
    """Append the bytes of fields, less what stands before them, checked as UTF-8.

    Their ends lie behind the used offsets, cut to 32 bits; `end` is the last of them, uncut.
    """
    cdef Column* column = &codec.column
    cdef int64_t before = column.values.used
    cdef const int32_t* offsets
    cdef int row
    if end > INT32_MAX:
        return fail(fault, NO_NATIVE_FORM, fields[0], 0)
    if reserve(&column.values, end - before + COPY_SLACK):
        return fail(fault, NO_MEMORY, NULL, 0)
    offsets = <const int32_t*>(column.offsets.data + column.offsets.used) - 1
    for row in range(count):
        copy_short(
            column.values.data + offsets[row], fields[row] + codec.skip,
            offsets[row + 1] - offsets[row], limit,
        )
    column.offsets.used += 4 * count
    column.values.used = end
    if codec.utf8 and not is_ascii(column.values.data + before, end - before):
        return check_utf8(column.values.data, offsets, fields, count, fault)
    return count


cdef inline void copy_short(
    char* out, const char* at, int32_t size, const char* limit
) noexcept nogil:
    """Copy, writing up to COPY_SLACK bytes more: fixed sizes need no call and no loop."""
    if size <= 16 and at + 16 <= limit:
        memcpy(out, at, 16)
    elif size <= 64 and at + 64 <= limit:
        memcpy(out, at, 64)
    else:
        memcpy(out, at, size)


cdef inline int check_utf8(
    const char* data, const int32_t* offsets, const char** fields, int count, Fault* fault
) noexcept nogil:
    # All values as one string, then no value may start within a sequence: the values one by one
    # only where that fails.
    cdef int row, broken = not is_utf8(data + offsets[0], offsets[count] - offsets[0])
    for row in range(count):
        if offsets[row] < offsets[row + 1]:
            broken |= data[offsets[row]] & 0xC0 == 0x80
    if not broken:
        return count
    for row in range(count):
        if not is_utf8(data + offsets[row], offsets[row + 1] - offsets[row]):
            return fail(fault, BAD_UTF8, fields[row], row)
    return count
