# Texts, bytes, bits and uuids.
#
# A batch's values are looked at as one first: where nothing needs escaping, and all is UTF-8,
# values are copied as they are.
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from fastload.kernels.encode_input cimport (
    BAD_UTF8, NO_FAULT, NO_ROOM, NO_UUID, OTHER_LENGTH, OUT_OF_RANGE, TOO_MANY_BYTES,
    TOO_MANY_CHARACTERS, TRAILING_SPACES, FaultCode, Input, Out, extent, is_valid_text, load_bit,
    load_integer, whole_extent
)
from fastload.kernels.utf8 cimport is_utf8
from fastload.kernels.uuid_text cimport read_uuid
from fastload_mysql.encode_fields cimport Form, form_of, has_room

cdef enum:
    UUID_CHARACTERS = 36


cdef inline bint is_special(const Form* form, char byte) noexcept nogil:
    return (
        byte == <char>form.specials[0] or byte == <char>form.specials[1]
        or byte == <char>form.specials[2]
    )


cdef inline int64_t count_special(const Form* form, const char* at, int64_t size) noexcept nogil:
    """Count the bytes to escape; written so that compilers vectorise it."""
    cdef char first = <char>form.specials[0], second = <char>form.specials[1]
    cdef char third = <char>form.specials[2]
    cdef int64_t found = 0, i
    for i in range(size):
        found += (at[i] == first) | (at[i] == second) | (at[i] == third)
    return found


cdef inline bint has_special(const Form* form, const char* at, int64_t size) noexcept nogil:
    """Say whether any byte needs escaping; written so that compilers vectorise it."""
    cdef char first = <char>form.specials[0], second = <char>form.specials[1]
    cdef char third = <char>form.specials[2]
    cdef unsigned char seen = 0
    cdef int64_t i
    for i in range(size):
        seen |= (at[i] == first) | (at[i] == second) | (at[i] == third)
    return seen


cdef inline uint64_t zero_bytes(uint64_t word) noexcept nogil:
    """Return a word that is not zero where one of the bytes is."""
    return (word - 0x0101010101010101ULL) & ~word & 0x8080808080808080ULL


cdef inline FaultCode put_escaped(
    const Form* form, const char* at, int64_t size, Out* out
) noexcept nogil:
    cdef const char* end = at + size
    cdef char* to = out.at
    cdef uint64_t word
    if not has_room(out, 2 * size) and not has_room(out, size + count_special(form, at, size)):
        return NO_ROOM
    while at < end:
        if end - at >= 8:
            memcpy(&word, at, 8)
            if not (
                zero_bytes(word ^ form.specials[0]) | zero_bytes(word ^ form.specials[1])
                | zero_bytes(word ^ form.specials[2])
            ):
                memcpy(to, at, 8)
                at, to = at + 8, to + 8
                continue
        to = store_escaped(form, to, at[0])
        at += 1
    out.at = to
    return NO_FAULT


cdef inline char* store_escaped(const Form* form, char* to, char byte) noexcept nogil:
    if not is_special(form, byte):
        to[0] = byte
        return to + 1
    to[0] = c"\\"
    to[1] = c"t" if byte == c"\t" else c"n" if byte == c"\n" else byte
    return to + 2


cdef inline FaultCode put_as_is(
    const Input* input, int64_t begin, int64_t size, Out* out
) noexcept nogil:
    cdef const char* at = input.values + begin
    cdef int64_t room = out.end - out.at
    if not has_room(out, size):
        return NO_ROOM
    # Fixed sizes need no call.
    if size <= 16 and begin + 16 <= input.limit and room > 16:
        memcpy(out.at, at, 16)
    elif size <= 64 and begin + 64 <= input.limit and room > 64:
        memcpy(out.at, at, 64)
    else:
        memcpy(out.at, at, size)
    out.at += size
    return NO_FAULT


cdef inline FaultCode length_fault(
    const Form* form, const char* at, int64_t size
) noexcept nogil:
    """Say whether the column takes a value of this length, and would not strip it."""
    if form.size and size != form.size:
        return OTHER_LENGTH
    if form.strips_spaces and size and at[size - 1] == c" ":
        return TRAILING_SPACES
    if form.most < 0 or size <= form.most:
        return NO_FAULT
    if not form.counts_characters:
        return TOO_MANY_BYTES
    return TOO_MANY_CHARACTERS if count_characters(at, size) > form.most else NO_FAULT


cdef inline int64_t count_characters(const char* at, int64_t size) noexcept nogil:
    cdef int64_t found = 0, i
    for i in range(size):
        found += (at[i] & 0xC0) != 0x80
    return found


cdef inline FaultCode find(
    const Input* input, int64_t row, int64_t* begin, int64_t* size
) noexcept nogil:
    """Find a value that the column has room for."""
    cdef FaultCode fault = extent(input, row, begin, size)
    if fault == NO_FAULT:
        fault = length_fault(form_of(input), input.values + begin[0], size[0])
    return fault


cdef inline FaultCode put_plain(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write what is known to need neither check nor escape."""
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = find(input, row, &begin, &size)
    return fault if fault != NO_FAULT else put_as_is(input, begin, size, out)


cdef inline FaultCode put_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write bytes, or a text that is known to be UTF-8."""
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = find(input, row, &begin, &size)
    if fault != NO_FAULT:
        return fault
    return put_escaped(form_of(input), input.values + begin, size, out)


cdef inline FaultCode put_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT and not is_utf8(input.values + begin, size):
        fault = BAD_UTF8
    return fault if fault != NO_FAULT else put_bytes(input, row, out)


cdef inline void choose_text(Input* input, int64_t row, int64_t end) noexcept nogil:
    input.encode = &put_text
    if is_valid_text(input, row, end, True):
        choose_bytes(input, row, end)


cdef inline void choose_bytes(Input* input, int64_t row, int64_t end) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    input.encode = &put_bytes
    if row < end and whole_extent(input, row, end, &begin, &size) == NO_FAULT:
        if not has_special(form_of(input), input.values + begin, size):
            input.encode = &put_plain


cdef inline FaultCode put_fixed_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef const char* at = input.values + input.width * (row + input.first)
    return put_escaped(form_of(input), at, input.width, out)


cdef inline FaultCode put_bits(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write an integer's last bits as bytes, the most significant first."""
    cdef int64_t value = load_integer(input, row)
    if value < 0 and input.is_signed:
        return OUT_OF_RANGE
    return put_big_endian(form_of(input), <uint64_t>value, out)


cdef inline FaultCode put_bool_as_bits(const Input* input, int64_t row, Out* out) noexcept nogil:
    return put_big_endian(form_of(input), load_bit(input, row), out)


cdef inline FaultCode put_big_endian(const Form* form, uint64_t value, Out* out) noexcept nogil:
    cdef char digits[8]
    cdef int32_t i
    if value > form.most_magnitude:
        return OUT_OF_RANGE
    for i in range(form.size):
        digits[form.size - 1 - i] = <char>(value >> 8 * i & 0xFF)
    return put_escaped(form, digits, form.size, out)


cdef inline FaultCode put_uuid(const Input* input, const char* uuid, Out* out) noexcept nogil:
    """Write a uuid's bytes, or their text where the column is one."""
    if form_of(input).size == 16:
        # MariaDB swaps the parts of these, and no uuid comes back as it was (10.11, measured).
        if uuid[6] & -uuid[8] & 0x80:
            return OUT_OF_RANGE
        return put_escaped(form_of(input), uuid, 16, out)
    return put_hexadecimal(uuid, out)


cdef inline FaultCode put_uuid_bytes(const Input* input, int64_t row, Out* out) noexcept nogil:
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT and size != 16:
        fault = NO_UUID
    return fault if fault != NO_FAULT else put_uuid(input, input.values + begin, out)


cdef inline FaultCode put_fixed_uuid(const Input* input, int64_t row, Out* out) noexcept nogil:
    return put_uuid(input, input.values + 16 * (row + input.first), out)


cdef inline FaultCode put_uuid_text(const Input* input, int64_t row, Out* out) noexcept nogil:
    """Write a uuid that a text spells in any way."""
    cdef char uuid[16]
    cdef int64_t begin = 0, size = 0
    cdef FaultCode fault = extent(input, row, &begin, &size)
    if fault == NO_FAULT and not read_uuid(input.values + begin, size, uuid):
        fault = NO_UUID
    return fault if fault != NO_FAULT else put_uuid(input, uuid, out)


cdef inline FaultCode put_hexadecimal(const char* uuid, Out* out) noexcept nogil:
    """Write a uuid's bytes as hexadecimal digits with hyphens."""
    cdef const char* digits = b"0123456789abcdef"
    cdef unsigned char byte
    cdef char* at = out.at
    cdef int32_t i
    if not has_room(out, UUID_CHARACTERS):
        return NO_ROOM
    for i in range(16):
        if i == 4 or i == 6 or i == 8 or i == 10:
            at[0] = c"-"
            at += 1
        byte = <unsigned char>uuid[i]
        at[0], at[1] = digits[byte >> 4], digits[byte & 15]
        at += 2
    out.at = at
    return NO_FAULT
