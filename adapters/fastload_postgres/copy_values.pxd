# PostgreSQL's binary field values into Arrow columns, one loop per type over a block of fields.
#
# Relies on: the framing has checked that every field lies within the bytes and that its length is
# one its codec accepts; the length word stands four bytes before the value.
from libc.stdint cimport (
    INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, int16_t, int32_t, int64_t, uint32_t
)
from libc.string cimport memcpy

from fastload.kernels.byteorder cimport load_int16, load_int32, load_int64
from fastload.kernels.codec cimport (
    BAD_LENGTH, BLOCK, FIRST_OWN, NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, fail,
    take_room
)
from fastload.kernels.column cimport NULL_FIELD, Column, finish_block
from fastload.kernels.fixed cimport append_bools
from fastload.kernels.growable cimport reserve
from fastload.kernels.variable cimport append_values


cdef enum CopyFault:
    BAD_SIGNATURE = FIRST_OWN
    BAD_FLAGS
    BAD_EXTENSION
    BAD_FIELD_COUNT
    BAD_BOOL
    BAD_TIME
    BAD_NUMERIC
    BAD_JSONB
    BAD_ARRAY
    BAD_ITEM_LENGTH


cdef inline int decode_bool(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    return append_bools(codec, fields, count, BAD_BOOL, fault)


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
    cdef int32_t* ends
    cdef int32_t skip = codec.skip
    cdef int64_t end = codec.column.values.used
    cdef int row
    if reserve(&codec.column.offsets, 4 * count):
        return fail(fault, NO_MEMORY, NULL, 0)
    ends = <int32_t*>(codec.column.offsets.data + codec.column.offsets.used)
    for row in range(count):
        end += max(load_int32(fields[row] - 4) - skip, 0)
        ends[row] = <int32_t>end
    return append_values(codec, fields, count, end, limit, fault)


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
    cdef int code
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


cdef inline int decode_array(
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


cdef inline int decode_items(
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
            codec.scratch[count] = at
            at += size
        elif size == -1:
            codec.scratch[count] = NULL_FIELD
            has_null = True
        else:
            fault.at, fault.in_item = at - 4, True
            return BAD_ITEM_LENGTH
        count += 1
        left -= 1
    if at != end:
        return BAD_ARRAY
    return NO_FAULT


cdef inline int decode_item_block(
    Codec* codec, int count, bint has_null, const char* limit, Fault* fault
) noexcept nogil:
    cdef Codec* item = codec.item
    if item.decode(item, codec.scratch, count, limit, fault) < count:
        fault.in_item = True
        return -1
    if finish_block(&item.column, codec.scratch, count, has_null):
        fault.code = NO_MEMORY
        return -1
    return 0
