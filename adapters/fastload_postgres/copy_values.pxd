# PostgreSQL's binary field values into Arrow columns, one loop per type over a block of fields.
#
# Relies on: the framing has checked that every field lies within the bytes and that its length is
# one its codec accepts; the length word stands four bytes before the value.
from libc.stdint cimport (
    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t, uint32_t
)
from libc.string cimport memcpy

from fastload.kernels.byteorder cimport load_int16, load_int32, load_int64
from fastload.kernels.column cimport NULL_FIELD, Column, finish_block
from fastload.kernels.growable cimport reserve
from fastload.kernels.utf8 cimport is_ascii, is_utf8


cdef enum FaultCode:
    NO_FAULT
    NO_MEMORY
    BAD_SIGNATURE
    BAD_FLAGS
    BAD_EXTENSION
    BAD_FIELD_COUNT
    BAD_LENGTH
    AFTER_TRAILER
    BAD_BOOL
    BAD_TIME
    BAD_NUMERIC
    BAD_UTF8
    BAD_JSONB
    BAD_ARRAY
    BAD_ITEM_LENGTH
    NO_NATIVE_FORM


cdef struct Fault:
    FaultCode code
    bint in_item    # `at` is an item of a list
    const char* at  # the value; its length word where the length is at fault
    int64_t offset  # of `at` in the stream
    int64_t row     # in the stream
    int column      # -1: the row's own framing
    const char* row_start
    const char* row_end


cdef struct Decimal:  # what numeric(precision, scale) holds, in groups of four digits
    int32_t scale
    int32_t limbs             # 64-bit words of the Arrow form
    int32_t integer_groups    # most groups before the point
    int32_t lead_bound        # bound of the first of so many groups
    int32_t fraction_groups   # groups after the point
    int32_t factor, divisor   # 10 ** digits used of the last of them, and of those not used


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
    int32_t skip             # bytes before the text: jsonb's version
    bint utf8
    Decimal decimal
    Codec* item
    const char** item_fields  # scratch


cdef enum:
    BLOCK = 256
    COPY_SLACK = 64


cdef inline int fail(Fault* fault, FaultCode code, const char* at, int row) noexcept nogil:
    fault.code, fault.at = code, at
    return row


cdef inline int decode_bool(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
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
            return fail(fault, BAD_BOOL, fields[row], row)
        byte |= value << (at & 7)
        at += 1
        if at & 7 == 0:
            bits[(at >> 3) - 1] = byte
            byte = 0
    if at & 7:
        bits[at >> 3] = byte
    column.values.used = (at + 7) // 8
    return count


cdef inline char* take_room(Codec* codec, int64_t size) noexcept nogil:
    """Return the end of the values with room for this many bytes, which count as used."""
    if reserve(&codec.column.values, size):
        return NULL
    codec.column.values.used += size
    return codec.column.values.data + codec.column.values.used - size


cdef inline int decode_2_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int16_t* out = <int16_t*>take_room(codec, 2 * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        out[row] = load_int16(fields[row])
    return count


cdef inline int decode_4_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int32_t* out = <int32_t*>take_room(codec, 4 * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        out[row] = load_int32(fields[row])
    return count


cdef inline int decode_8_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int64_t* out = <int64_t*>take_room(codec, 8 * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        out[row] = load_int64(fields[row])
    return count


cdef inline int decode_16_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef char* out = take_room(codec, 16 * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        memcpy(out + 16 * row, fields[row], 16)
    return count


cdef inline int decode_date(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    # Days since 2000-01-01; the extremes are the infinities.
    cdef int32_t* out = <int32_t*>take_room(codec, 4 * count)
    cdef int32_t days
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        days = load_int32(fields[row])
        if days > INT32_MAX - 10957 or days == INT32_MIN:
            return fail(fault, NO_NATIVE_FORM, fields[row], row)
        out[row] = days + 10957
    return count


cdef inline int decode_timestamp(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    # Microseconds since 2000-01-01; the extremes are the infinities, and the calendar's last
    # 29 years do not fit a count from 1970.
    cdef int64_t* out = <int64_t*>take_room(codec, 8 * count)
    cdef int64_t micros
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        micros = load_int64(fields[row])
        if micros > INT64_MAX - 946684800000000LL or micros == INT64_MIN:
            return fail(fault, NO_NATIVE_FORM, fields[row], row)
        out[row] = micros + 946684800000000LL
    return count


cdef inline int decode_time(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int64_t* out = <int64_t*>take_room(codec, 8 * count)
    cdef int64_t micros
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        micros = load_int64(fields[row])
        if micros == 86400000000LL:
            return fail(fault, NO_NATIVE_FORM, fields[row], row)
        if not 0 <= micros < 86400000000LL:
            return fail(fault, BAD_TIME, fields[row], row)
        out[row] = micros
    return count


cdef inline int decode_interval(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    # Wire: microseconds, days, months. Arrow: months, days, nanoseconds. The infinities of
    # PostgreSQL 17 have the extreme microseconds, which overflow like any other so large.
    cdef char* out = take_room(codec, 16 * count)
    cdef int64_t micros, nanos
    cdef int32_t days, months
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        micros = load_int64(fields[row])
        if not -9223372036854775LL <= micros <= 9223372036854775LL:
            return fail(fault, NO_NATIVE_FORM, fields[row], row)
        nanos = micros * 1000
        days = load_int32(fields[row] + 8)
        months = load_int32(fields[row] + 12)
        memcpy(out, &months, 4)
        memcpy(out + 4, &days, 4)
        memcpy(out + 8, &nanos, 8)
        out += 16
    return count


cdef inline int decode_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    """Append the bytes of variable values, less what stands before them, checked as UTF-8."""
    cdef Column* column = &codec.column
    cdef int64_t before = column.values.used
    cdef int64_t end
    cdef const int32_t* offsets
    cdef int row
    if reserve(&column.offsets, 4 * count):
        return fail(fault, NO_MEMORY, NULL, 0)
    end = append_offsets(codec, fields, count)
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


cdef inline int64_t append_offsets(Codec* codec, const char** fields, int count) noexcept nogil:
    """Write the end of each value; return the last, which may be more than an int32 holds."""
    cdef int32_t* out = <int32_t*>(codec.column.offsets.data + codec.column.offsets.used)
    cdef int64_t end = codec.column.values.used
    cdef int32_t skip = codec.skip
    cdef int row
    for row in range(count):
        end += max(load_int32(fields[row] - 4) - skip, 0)
        out[row] = <int32_t>end
    return end


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


cdef inline int decode_jsonb(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int row
    for row in range(count):
        if fields[row][0] != 1 and fields[row] != NULL_FIELD:
            # Rows before this one may fail first, in their text.
            count = decode_bytes(codec, fields, row, limit, fault)
            return count if count < row else fail(fault, BAD_JSONB, fields[row], row)
    return decode_bytes(codec, fields, count, limit, fault)


cdef inline int decode_list(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef Column* column = &codec.column
    cdef FaultCode code
    cdef int32_t* ends
    cdef int row
    if reserve(&column.offsets, 4 * count):
        return fail(fault, NO_MEMORY, NULL, 0)
    ends = <int32_t*>(column.offsets.data + column.offsets.used)
    for row in range(count):
        if fields[row] != NULL_FIELD:
            code = decode_array(codec, fields[row], limit, fault)
            if code != NO_FAULT:
                if fault.at == NULL:
                    fault.at = fields[row]
                return fail(fault, code, fault.at, row)
        ends[row] = <int32_t>codec.item.column.length
    column.offsets.used += 4 * count
    return count


cdef inline FaultCode decode_array(
    Codec* codec, const char* at, const char* limit, Fault* fault
) noexcept nogil:
    """Append the items of one array: dimensions, flags, item type; length and lower bound."""
    cdef const char* end = at + load_int32(at - 4)
    cdef int32_t dimensions = load_int32(at), items
    if not 0 <= dimensions <= 6 or not 0 <= load_int32(at + 4) <= 1:
        return BAD_ARRAY
    if end - at < 12 + 8 * dimensions or (dimensions == 0 and end - at > 12):
        return BAD_ARRAY
    if dimensions == 0:
        return NO_FAULT
    items = load_int32(at + 12)
    if dimensions > 1 or load_int32(at + 16) != 1:
        return NO_NATIVE_FORM
    # Every item takes four bytes at least, so this also bounds what is reserved for them.
    if not 0 <= items <= (end - at - 20) // 4:
        return BAD_ARRAY
    return decode_items(codec, at + 20, end, items, limit, fault)


cdef inline FaultCode decode_items(
    Codec* codec, const char* at, const char* end, int32_t items, const char* limit, Fault* fault
) noexcept nogil:
    cdef int32_t left = items, size
    cdef int count = 0
    cdef bint has_null = False
    while left or count:
        if count == BLOCK or left == 0:
            if decode_item_block(codec, count, has_null, limit, fault):
                return fault.code
            count, has_null = 0, False
            continue
        if end - at < 4:
            return BAD_ARRAY
        size = load_int32(at)
        at += 4
        if <uint32_t>size - codec.item.shortest <= codec.item.span:
            if end - at < size:
                return BAD_ARRAY
            codec.item_fields[count] = at
            at += size
        elif size == -1:
            codec.item_fields[count] = NULL_FIELD
            has_null = True
        else:
            fault.at, fault.in_item = at - 4, True
            return BAD_ITEM_LENGTH
        count += 1
        left -= 1
    return NO_FAULT if at == end else BAD_ARRAY


cdef inline int decode_item_block(
    Codec* codec, int count, bint has_null, const char* limit, Fault* fault
) noexcept nogil:
    cdef Codec* item = codec.item
    if item.decode(item, codec.item_fields, count, limit, fault) < count:
        fault.in_item = True
        return -1
    if finish_block(&item.column, codec.item_fields, count, has_null):
        fault.code = NO_MEMORY
        return -1
    return 0
