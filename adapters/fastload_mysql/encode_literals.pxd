# Values as literals of SQL, and rows as an INSERT lists them.
#
# Numbers stand as they are; all else is quoted, and bytes say that they are no text. A quoted
# literal goes into a column the way that a field of LOAD DATA does. It is text of utf8mb4, which
# the session says, and the server converts it into the column's own set or refuses it.
#
# Guarantees: a function that returns NO_FAULT has left room for the byte that ends its value.
from libc.stdint cimport int64_t

from fastload.kernels.encode_input cimport (
    BAD_OFFSETS, NO_FAULT, NO_ROOM, FaultCode, Input, Out, is_null
)
from fastload_mysql.encode_fields cimport form_of, has_room, put_word


cdef inline FaultCode put_literal(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a value, or NULL."""
    cdef char* start = out.at
    cdef FaultCode fault
    if not is_null(input, row):
        fault = put_value(input, row, out)
        if fault == NO_FAULT or not input.null_instead:
            return fault
        if fault == NO_ROOM or fault == BAD_OFFSETS:
            return fault
        out.at = start
        out.nulled += 1
    return put_null_literal(input, row, out)


cdef inline FaultCode put_value(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t opening_bytes = form_of(input).opening_bytes
    cdef FaultCode fault
    if opening_bytes == 0 or input.encode == &put_null_literal:
        return input.encode(input, row, out)
    if not has_room(out, opening_bytes):
        return NO_ROOM
    put_word(out, form_of(input).opening, opening_bytes)
    fault = input.encode(input, row, out)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 1):
        return NO_ROOM
    out.at[0] = c"'"
    out.at += 1
    return NO_FAULT


cdef inline FaultCode put_null_literal(const Input* input, int64_t row, Out* out) noexcept nogil:
    if not has_room(out, 4):
        return NO_ROOM
    put_word(out, b"NULL", 4)
    return NO_FAULT


cdef inline bint put_row(
    const Input* inputs, int columns, int64_t row, bint is_first, Out* out,
    FaultCode* fault, int* column
) noexcept nogil:
    """Write one row in its parentheses, behind a comma where it is not the first."""
    cdef int i
    fault[0] = NO_ROOM
    if not has_room(out, 1):
        return False
    out.at[0] = c","
    out.at += not is_first
    out.at[0] = c"("
    out.at += 1
    for i in range(columns):
        fault[0] = put_literal(&inputs[i], row, out)
        if fault[0] != NO_FAULT:
            column[0] = i
            return False
        out.at[0] = c","
        out.at += 1
    (out.at - 1)[0] = c")"
    return True


cdef inline int64_t put_tuples(
    const Input* inputs, int columns, int64_t row, int64_t end, Out* out,
    FaultCode* fault, int* column
) noexcept nogil:
    """Write whole rows until one fails or finds no room; return its number, or the end."""
    cdef int64_t first = row, nulled
    cdef char* start
    while row < end:
        start, nulled = out.at, out.nulled
        if not put_row(inputs, columns, row, row == first, out, fault, column):
            out.at, out.nulled = start, nulled
            return row
        row += 1
    return row
