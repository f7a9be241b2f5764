# What all fields of LOAD DATA's text have in common, and literals of SQL with them.
#
# Fields end with a tab, rows with a newline; a backslash escapes these and itself; \N is NULL
# (MySQL Reference Manual, "LOAD DATA Statement", section "Field and Line Handling"). In a quoted
# literal it escapes itself and the quote ("String Literals"); encode_literals.pxd has the rest.
#
# Guarantees: a function that returns NO_FAULT has left room for the byte that ends its field.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.encode_input cimport (
    BAD_OFFSETS, NO_FAULT, NO_ROOM, FaultCode, Input, Out, is_null
)


cdef struct Form:
    int64_t most             # characters, or bytes, that the column takes; -1 without a limit
    bint counts_characters   # else bytes
    bint strips_spaces       # char columns do, at the end
    uint64_t most_magnitude  # of integers that come from unsigned ones or decimals
    int32_t whole            # of decimals: digits before the point that the column has
    int32_t scale            # of decimals: digits after the point that are written
    int32_t drop             # of decimals: digits of the value that must be zero, and are left out
    int32_t zeros            # of decimals: zeros after the value's digits
    int32_t fraction         # of moments: digits of a second's fraction
    uint32_t step            # of moments: microseconds that the last of these stands for
    int32_t size             # of bit and binary: bytes
    bint is_quoted           # an item of a JSON array that is a string there
    uint64_t specials[3]     # what a backslash has to escape, each byte eight times over
    const char* opening      # of a literal: what comes before the value
    int32_t opening_bytes


cdef inline const Form* form_of(const Input* input) noexcept nogil:
    return <const Form*>input.form


cdef inline bint has_room(const Out* out, int64_t size) noexcept nogil:
    """Say whether so many bytes fit, and the one that ends the field."""
    return out.end - out.at > size


cdef inline FaultCode put(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a field, or NULL."""
    cdef char* start = out.at
    cdef FaultCode fault
    if not is_null(input, row):
        fault = input.encode(input, row, out)
        if fault == NO_FAULT or not input.null_instead:
            return fault
        if fault == NO_ROOM or fault == BAD_OFFSETS:
            return fault
        out.at = start
        out.nulled += 1
    return put_null(input, row, out)


cdef inline FaultCode put_null(const Input* input, int64_t row, Out* out) noexcept nogil:
    if not has_room(out, 2):
        return NO_ROOM
    put_word(out, b"\\N", 2)
    return NO_FAULT


cdef inline void put_word(Out* out, const char* word, int64_t size) noexcept nogil:
    memcpy(out.at, word, size)
    out.at += size
