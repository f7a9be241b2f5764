# Values of a fixed width into columns, where the wire's form is Arrow's own.
#
# Relies on: every field has all its bytes.
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from fastload.kernels.codec cimport NO_MEMORY, Codec, Fault, fail, take_room
from fastload.kernels.column cimport Column
from fastload.kernels.growable cimport reserve


cdef inline int append_bools(
    Codec* codec, const char** fields, int count, int beyond, Fault* fault
) noexcept nogil:
    """Append bytes as bits; `beyond` is the fault of a byte that is neither 0 nor 1."""
    cdef Column* column = &codec.column
    cdef int64_t at = column.length
    cdef int row
    cdef unsigned char byte = 0, value
    cdef unsigned char* bits
    if reserve(&column.values, (at + count + 7) // 8 - column.values.used):
        return fail(fault, NO_MEMORY, NULL, 0)
    bits = <unsigned char*>column.values.data
    if at & 7:
        byte = bits[at >> 3]
    for row in range(count):
        value = fields[row][0]
        if value > 1:
            return fail(fault, beyond, fields[row], row)
        byte |= value << (at & 7)
        at += 1
        if at & 7 == 0:
            bits[(at >> 3) - 1] = byte
            byte = 0
    if at & 7:
        bits[at >> 3] = byte
    column.values.used = (at + 7) // 8
    return count


cdef inline int copy_fixed(
    Codec* codec, const char** fields, int count, int size, Fault* fault
) noexcept nogil:
    """Append fields of a size that is a constant where this is inlined: each is one move."""
    cdef char* out = take_room(codec, size * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        memcpy(out + size * row, fields[row], size)
    return count


cdef inline int copy_1_byte(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return copy_fixed(codec, fields, count, 1, fault)


cdef inline int copy_2_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return copy_fixed(codec, fields, count, 2, fault)


cdef inline int copy_4_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return copy_fixed(codec, fields, count, 4, fault)


cdef inline int copy_8_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return copy_fixed(codec, fields, count, 8, fault)


cdef inline int copy_16_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return copy_fixed(codec, fields, count, 16, fault)
