# MySQL's binary values into Arrow columns, one loop per type over a block of fields.
#
# Sources: MySQL Internals, "Binary Protocol Value" and "Length-Encoded Integer Type"; MariaDB
# Knowledge Base, "Resultset row", section "Binary resultset row".
#
# Relies on: the framing has checked that every field lies within its row, that a length before a
# value is one its form accepts, and that it is one byte where a loop reads one byte. A field begins
# with that length.
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from fastload.kernels.byteorder cimport (
    load_little_uint16, load_little_uint24, load_little_uint32, load_little_uint64
)
from fastload.kernels.codec cimport (
    BAD_LENGTH, BLOCK, FIRST_OWN, NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, fail,
    take_room
)
from fastload.kernels.column cimport NULL_FIELD
from fastload.kernels.fixed cimport append_bools
from fastload.kernels.growable cimport reserve
from fastload.kernels.variable cimport append_values


cdef enum RowsFault:
    BAD_SEQUENCE = FIRST_OWN
    BAD_PACKET
    BAD_ROW_HEADER
    BAD_ROW
    BAD_ROW_END
    BAD_ROW_SIZE
    BAD_TRAILER
    BAD_DATE
    BAD_TIME
    BAD_DECIMAL
    BAD_UUID
    BAD_BIT

cdef enum:
    NO_LENGTH = 0xFB  # lengths below it are their own first byte
    MOST_DAYS = 34    # of a time, whose most is 838:59:59.999999
    UUID_TEXT = 36    # digits and hyphens


cdef inline int length_bytes(int first) noexcept nogil:
    """Return the bytes of a length-encoded integer; 0 for the marks of NULL and of errors."""
    if first < 0xFB:
        return 1
    if first == 0xFC:
        return 3
    if first == 0xFD:
        return 4
    return 9 if first == 0xFE else 0


cdef inline int decode_bool(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    # tinyint(1) holds any number of its size.
    return append_bools(codec, fields, count, NO_NATIVE_FORM, fault)


cdef inline int decode_bytes(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int32_t* ends
    cdef const char** starts = codec.scratch
    cdef int64_t end = codec.column.values.used
    cdef int row, length
    if reserve(&codec.column.offsets, 4 * count):
        return fail(fault, NO_MEMORY, NULL, 0)
    ends = <int32_t*>(codec.column.offsets.data + codec.column.offsets.used)
    for row in range(count):
        length = <unsigned char>fields[row][0]
        starts[row] = fields[row] + 1
        if length < NO_LENGTH:
            end += length
        elif length == 0xFC:
            end += load_little_uint16(starts[row])
            starts[row] += 2
        elif length == 0xFD:
            end += load_little_uint24(starts[row])
            starts[row] += 3
        else:
            end += <int64_t>load_little_uint64(starts[row])
            starts[row] += 8
        ends[row] = <int32_t>end
    return append_values(codec, starts, count, end, limit, fault)


cdef inline int decode_checked(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    # Texts that begin with FF, as no UTF-8 does, are marked by the SELECT as having no form.
    cdef int row, header
    for row in range(count):
        header = length_bytes(<unsigned char>fields[row][0])
        if fields[row][0] != 0 and <unsigned char>fields[row][header] == 0xFF:
            return fail(fault, NO_NATIVE_FORM, fields[row], row)
    return decode_bytes(codec, fields, count, limit, fault)


cdef inline int decode_bit(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef uint64_t* out = <uint64_t*>take_room(codec, 8 * count)
    cdef int row, i, length
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        length = fields[row][0]
        if length == 0 and fields[row] != NULL_FIELD:
            return fail(fault, BAD_LENGTH, fields[row], row)
        out[row] = 0
        for i in range(length):
            out[row] = out[row] << 8 | <unsigned char>fields[row][1 + i]
    return count


cdef inline int decode_bit1(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef const char* bytes_at[BLOCK]
    cdef int row
    for row in range(count):
        bytes_at[row] = fields[row]
        if fields[row] != NULL_FIELD:
            if fields[row][0] != 1:
                return fail(fault, BAD_LENGTH, fields[row], row)
            bytes_at[row] += 1
    return append_bools(codec, bytes_at, count, BAD_BIT, fault)


cdef inline int decode_uuid(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef char* out = take_room(codec, 16 * count)
    cdef int row
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        if fields[row] == NULL_FIELD:
            memset(out + 16 * row, 0, 16)
        elif fields[row][0] != UUID_TEXT:
            return fail(fault, BAD_LENGTH, fields[row], row)
        elif not uuid_of(fields[row] + 1, out + 16 * row):
            return fail(fault, BAD_UUID, fields[row], row)
    return count


cdef inline bint uuid_of(const char* at, char* out) noexcept nogil:
    """Read 8, 4, 4, 4 and 12 hexadecimal digits with hyphens between them."""
    cdef int i, digits
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            if at[0] != c"-":
                return False
            at += 1
        digits = hexadecimal(at[0]) * 16 | hexadecimal(at[1])
        if digits < 0:
            return False
        out[i] = <char>digits
        at += 2
    return True


cdef inline int hexadecimal(char digit) noexcept nogil:
    if c"0" <= digit <= c"9":
        return digit - c"0"
    if c"a" <= digit <= c"f":
        return digit - c"a" + 10
    return digit - c"A" + 10 if c"A" <= digit <= c"F" else -1


cdef inline int decode_date(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int32_t* out = <int32_t*>take_room(codec, 4 * count)
    cdef int64_t micros = 0
    cdef int row, code
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        code = moment_of(fields[row], &out[row], &micros)
        if code == NO_FAULT and micros:
            code = NO_NATIVE_FORM
        if code != NO_FAULT:
            return fail(fault, code, fields[row], row)
    return count


cdef inline int decode_datetime(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int64_t* out = <int64_t*>take_room(codec, 8 * count)
    cdef int32_t days = 0
    cdef int64_t micros = 0
    cdef int row, code
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        code = moment_of(fields[row], &days, &micros)
        if code != NO_FAULT:
            return fail(fault, code, fields[row], row)
        out[row] = days * 86400000000LL + micros
    return count


cdef inline int moment_of(const char* at, int32_t* days, int64_t* micros) noexcept nogil:
    """Read days since 1970 and microseconds of the day; what is zero at the end is not sent."""
    cdef int length = at[0], year, month, day, code
    cdef int64_t micro = 0
    micros[0] = 0
    if length == 0:
        days[0] = 0
        # No date at all is 0000-00-00.
        return NO_FAULT if at == NULL_FIELD else NO_NATIVE_FORM
    if length != 4 and length != 7 and length != 11:
        return BAD_LENGTH
    year, month, day = load_little_uint16(at + 1), <unsigned char>at[3], <unsigned char>at[4]
    code = calendar_fault(year, month, day)
    if length >= 7:
        if length == 11:
            micro = load_little_uint32(at + 8)
        if not is_clock(at + 5, micro):
            return BAD_TIME
        micros[0] = clock_micros(at + 5) + micro
    if code == NO_FAULT:
        days[0] = days_since_1970(year, month, day)
    return code


cdef inline bint is_clock(const char* at, int64_t micro) noexcept nogil:
    return (
        <unsigned char>at[0] < 24 and <unsigned char>at[1] < 60 and <unsigned char>at[2] < 60
        and micro < 1000000
    )


cdef inline int64_t clock_micros(const char* at) noexcept nogil:
    return ((at[0] * 60 + at[1]) * 60 + at[2]) * <int64_t>1000000


cdef inline int calendar_fault(int year, int month, int day) noexcept nogil:
    """Say whether this is a day; servers also keep months, days and 31sts that are none."""
    cdef int last
    if year > 9999 or month > 12 or day > 31:
        return BAD_DATE
    if month == 0 or day == 0:
        return NO_NATIVE_FORM
    if day <= 28:
        return NO_FAULT
    if month == 2:
        last = 29 if year % 4 == 0 and (year % 100 or year % 400 == 0) else 28
    else:
        last = 30 + ((month + (month >> 3)) & 1)
    if day > last:
        return NO_NATIVE_FORM
    return NO_FAULT


cdef inline int32_t days_since_1970(uint32_t year, uint32_t month, uint32_t day) noexcept nogil:
    """Count in the Gregorian calendar, also before its beginning.

    Years begin in March, so that the leap day is a year's last; 400 years more keep all positive.
    """
    year += 400
    if month <= 2:
        year -= 1
        month += 12
    day += 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5
    return <int32_t>day - 1 - 719468 - 146097


cdef inline int decode_time(
    Codec* codec, const char** fields, int count, const char* limit, Fault* fault
) noexcept nogil:
    cdef int64_t* out = <int64_t*>take_room(codec, 8 * count)
    cdef int row, code
    if out == NULL:
        return fail(fault, NO_MEMORY, NULL, 0)
    for row in range(count):
        code = duration_of(fields[row], &out[row])
        if code != NO_FAULT:
            return fail(fault, code, fields[row], row)
    return count


cdef inline int duration_of(const char* at, int64_t* out) noexcept nogil:
    """Read sign, days, hours, minutes, seconds and perhaps microseconds."""
    cdef int length = at[0]
    cdef int64_t micro = 0
    out[0] = 0
    if length == 0:
        return NO_FAULT
    if length != 8 and length != 12:
        return BAD_LENGTH
    if length == 12:
        micro = load_little_uint32(at + 9)
    if not 0 <= at[1] <= 1 or not is_clock(at + 6, micro):
        return BAD_TIME
    if load_little_uint32(at + 2) > MOST_DAYS:
        return BAD_TIME
    out[0] = load_little_uint32(at + 2) * 86400000000LL + clock_micros(at + 6) + micro
    if out[0] > 3020399999999LL:
        return BAD_TIME
    if at[1]:
        out[0] = -out[0]
    return NO_FAULT
