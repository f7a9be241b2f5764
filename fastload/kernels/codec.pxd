# What a decoder knows of a column: its builder, its loop, and how a value fails.
#
# A loop is chosen once per column and runs over a block of fields. The format lays out pointers to
# the fields; loops find a field's length where the format has it.
from libc.stdint cimport int32_t, int64_t, uint32_t
from libc.stdlib cimport calloc, free

from fastload.kernels.column cimport Column, release_buffers, start
from fastload.kernels.growable cimport reserve


cdef enum FaultCode:  # those of every format; a format numbers its own from FIRST_OWN on
    NO_FAULT
    NO_MEMORY
    NO_NATIVE_FORM  # a good value that the column's Arrow type cannot hold
    BAD_LENGTH
    BAD_UTF8
    AFTER_TRAILER
    CUT_OFF
    FIRST_OWN


cdef struct Fault:
    int code
    bint in_item    # `at` is an item of a list
    const char* at  # the value; its length where the length is at fault
    int64_t row     # in the stream
    int column      # -1: the row's own framing
    const char* row_start
    const char* row_end


cdef struct Codec

# Appends a block of fields; returns the rows done, fewer than given only with the fault set.
# No byte at or after `limit` may be read.
ctypedef int (*Decode)(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil

cdef struct Codec:
    Column column
    Decode decode
    uint32_t shortest, span  # accepted lengths: shortest .. shortest + span
    int32_t skip             # bytes of a field before its text
    bint utf8
    void* form               # what the format's loop needs besides; freed with the codec
    Codec* item
    const char** scratch     # [row of the block], where a loop asks for it


cdef enum:
    BLOCK = 256


cdef inline int fail(Fault* fault, int code, const char* at, int row) noexcept nogil:
    fault.code, fault.at = code, at
    return row


cdef inline char* take_room(Codec* codec, int64_t size) noexcept nogil:
    """Return the end of the values with room for this many bytes, which count as used."""
    if reserve(&codec.column.values, size):
        return NULL
    codec.column.values.used += size
    return codec.column.values.data + codec.column.values.used - size


cdef inline int add_scratch(Codec* codec) except -1:
    """Give the codec room for a pointer per row of a block."""
    codec.scratch = <const char**>calloc(BLOCK, sizeof(char*))
    if codec.scratch == NULL:
        raise MemoryError
    return 0


cdef inline void* add_form(Codec* codec, size_t size) except NULL:
    """Give the codec what its loop needs besides, all zero."""
    codec.form = calloc(1, size)
    if codec.form == NULL:
        raise MemoryError
    return codec.form


cdef inline bint begin_columns(Codec* codec) noexcept nogil:
    """Begin the codec's columns; False when memory has run out."""
    if start(&codec.column):
        return False
    return codec.item == NULL or begin_columns(codec.item)


cdef inline void tear_down(Codec* codec) noexcept nogil:
    release_buffers(&codec.column)
    if codec.item != NULL:
        tear_down(codec.item)
        free(codec.item)
    free(codec.form)
    free(codec.scratch)
