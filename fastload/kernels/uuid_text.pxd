# Texts that spell a uuid: 32 digits, hyphens after every fourth, braces around all.
from libc.stdint cimport int64_t


cdef inline bint read_uuid(const char* at, int64_t size, char* out) noexcept nogil:
    """Write the 16 bytes that a text spells; False where it spells none."""
    cdef int high, low, i
    if size >= 2 and at[0] == c"{" and at[size - 1] == c"}":
        at, size = at + 1, size - 2
    for i in range(16):
        if size < 2:
            return False
        high, low = hexadecimal(at[0]), hexadecimal(at[1])
        if high < 0 or low < 0:
            return False
        out[i] = <char>(high << 4 | low)
        at, size = at + 2, size - 2
        if size and at[0] == c"-" and i % 2 == 1 and i < 15:
            at, size = at + 1, size - 1
    return size == 0


cdef inline int hexadecimal(char digit) noexcept nogil:
    if c"0" <= digit <= c"9":
        return digit - c"0"
    if c"a" <= digit <= c"f":
        return digit - c"a" + 10
    return digit - c"A" + 10 if c"A" <= digit <= c"F" else -1
