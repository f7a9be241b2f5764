# Lists as arrays of JSON, whose own backslashes are escaped once more.
from libc.stdint cimport int64_t, uint64_t

from fastload.kernels.encode_input cimport (
    BAD_OFFSETS, BAD_UTF8, NO_FAULT, NO_NUMBER, NO_ROOM, FaultCode, Input, Out, extent, is_null,
    load_bit
)
from fastload.kernels.utf8 cimport is_utf8
from fastload_mysql.encode_fields cimport form_of, has_room, put_word
from fastload_mysql.encode_numbers cimport put_decimal

cdef enum:
    MOST_ESCAPE = 7  # \\u0000


cdef inline FaultCode put_list(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, items = 0, i
    cdef FaultCode fault = extent(input, row, &begin, &items)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 2):
        return NO_ROOM
    out.at[0] = c"["
    out.at += 1
    for i in range(items):
        fault = put_item(input.item, begin + i, out)
        if fault != NO_FAULT:
            out.item = i
            return fault
        out.at[0] = c","
        out.at += 1
    if items:
        out.at -= 1
    if not has_room(out, 1):
        return NO_ROOM
    out.at[0] = c"]"
    out.at += 1
    return NO_FAULT


cdef inline FaultCode put_item(const Input* item, int64_t row, Out* out) noexcept nogil:
    cdef char* start = out.at
    cdef FaultCode fault
    if not is_null(item, row):
        fault = put_quoted(item, row, out)
        if fault == NO_FAULT or not item.null_instead:
            return fault
        if fault == NO_ROOM or fault == BAD_OFFSETS:
            return fault
        out.at = start
        out.nulled += 1
    return put_json_null(item, row, out)


cdef inline FaultCode put_quoted(const Input* item, int64_t row, Out* out) noexcept nogil:
    cdef bint is_quoted = form_of(item).is_quoted
    cdef FaultCode fault
    if not has_room(out, 2):
        return NO_ROOM
    out.at[0] = c'"'
    out.at += is_quoted
    fault = item.encode(item, row, out)
    if fault != NO_FAULT:
        return fault
    if not has_room(out, 1):
        return NO_ROOM
    out.at[0] = c'"'
    out.at += is_quoted
    return NO_FAULT


cdef inline FaultCode put_json_null(const Input* item, int64_t row, Out* out) noexcept nogil:
    if not has_room(out, 4):
        return NO_ROOM
    put_word(out, b"null", 4)
    return NO_FAULT


cdef inline FaultCode put_json_bool(const Input* item, int64_t row, Out* out) noexcept nogil:
    cdef bint value = load_bit(item, row)
    if not has_room(out, 5):
        return NO_ROOM
    if value:
        put_word(out, b"true", 4)
    else:
        put_word(out, b"false", 5)
    return NO_FAULT


cdef inline FaultCode put_json_decimal(const Input* item, int64_t row, Out* out) noexcept nogil:
    """Write a decimal, where it has no more digits than its server's JSON keeps."""
    cdef const char* at = out.at
    cdef const char* end
    cdef FaultCode fault = put_decimal(item, row, out)
    cdef uint64_t digits = 0
    if fault != NO_FAULT:
        return fault
    end = out.at
    while at < end and (at[0] == c"-" or at[0] == c"0" or at[0] == c"."):
        at += 1
    while end > at and ((end - 1)[0] == c"0" or (end - 1)[0] == c"."):
        end -= 1
    while at < end:
        digits += at[0] != c"."
        at += 1
    return NO_FAULT if digits <= form_of(item).most_magnitude else NO_NUMBER


cdef inline FaultCode put_json_text(const Input* item, int64_t row, Out* out) noexcept nogil:
    """Write the characters of a string."""
    cdef int64_t begin = 0, size = 0, i
    cdef FaultCode fault = extent(item, row, &begin, &size)
    cdef const unsigned char* at = <const unsigned char*>(item.values + begin)
    if fault != NO_FAULT:
        return fault
    if not is_utf8(item.values + begin, size):
        return BAD_UTF8
    for i in range(size):
        if not has_room(out, MOST_ESCAPE):
            return NO_ROOM
        if at[i] < 0x20:
            put_control(at[i], out)
        elif at[i] == c'"':
            put_word(out, b'\\\\"', 3)
        elif at[i] == c"\\":
            put_word(out, b"\\\\\\\\", 4)
        elif at[i] == c"'" and form_of(item).opening_bytes:
            put_word(out, b"\\'", 2)
        else:
            out.at[0] = at[i]
            out.at += 1
    return NO_FAULT


cdef inline void put_control(unsigned char byte, Out* out) noexcept nogil:
    cdef const char* digits = b"0123456789abcdef"
    put_word(out, b"\\\\u00", 5)
    out.at[0], out.at[1] = digits[byte >> 4], digits[byte & 15]
    out.at += 2
