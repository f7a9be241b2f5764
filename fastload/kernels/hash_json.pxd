# Hashes of JSON by what it says: spacing, order of members and the spelling of numbers and
# strings do not count. Repeated members do, as they are not the same to every reader.
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastload.kernels.hash_number cimport is_digit
from fastload.kernels.xxh64 cimport P1, P2, P3, P4, P5, avalanche, chained, xxh64, xxh64_of_8

cdef enum:
    DEEPEST = 512


cdef struct Json

ctypedef bint (*ValueHash)(Json* json, uint64_t seed, uint64_t* out, int depth) noexcept nogil

cdef struct Json:
    const char* at
    const char* end
    char* scratch      # of as many bytes as the text has
    ValueHash value    # for what stands inside of other values


cdef inline void skip_space(Json* json) noexcept nogil:
    while json.at < json.end and json.at[0] in b" \t\r\n":
        json.at += 1


cdef inline bint takes(Json* json, char c) noexcept nogil:
    """Step over a character, if it is this one, and the space after it."""
    if json.at >= json.end or json.at[0] != c:
        return False
    json.at += 1
    skip_space(json)
    return True


cdef inline bint word_hash(Json* json, uint64_t seed, uint64_t* out) noexcept nogil:
    cdef int64_t left = json.end - json.at, size
    if left >= 4 and (memcmp(json.at, b"true", 4) == 0 or memcmp(json.at, b"null", 4) == 0):
        size = 4
    elif left >= 5 and memcmp(json.at, b"false", 5) == 0:
        size = 5
    else:
        return False
    out[0] = xxh64(json.at, size, seed)
    json.at += size
    return True


cdef inline bint object_hash(Json* json, uint64_t seed, uint64_t* out, int depth) noexcept nogil:
    cdef uint64_t total = 0, members = 0, name = 0, value = 0
    takes(json, b'{')
    if takes(json, b'}'):
        out[0] = xxh64_of_8(0, seed + P4)
        return True
    while True:
        if json.at >= json.end or json.at[0] != b'"' or not string_hash(json, seed, &name):
            return False
        skip_space(json)
        if not takes(json, b':') or not json.value(json, seed, &value, depth + 1):
            return False
        total += avalanche(chained(chained(P4, name), value))
        members += 1
        if takes(json, b'}'):
            out[0] = xxh64_of_8(chained(total, members), seed + P4)
            return True
        if not takes(json, b','):
            return False


cdef inline bint array_hash(Json* json, uint64_t seed, uint64_t* out, int depth) noexcept nogil:
    cdef uint64_t acc = seed + P5, value = 0
    takes(json, b'[')
    if takes(json, b']'):
        out[0] = avalanche(acc)
        return True
    while True:
        if not json.value(json, seed, &value, depth + 1):
            return False
        acc = chained(acc, value)
        if takes(json, b']'):
            out[0] = avalanche(acc)
            return True
        if not takes(json, b','):
            return False


cdef inline bint json_number_hash(Json* json, uint64_t seed, uint64_t* out) noexcept nogil:
    """Hash sign, digits without zeros at either end, and the place of the last one."""
    cdef char* digits = json.scratch
    cdef int64_t count = 0, place = 0, power = 0, seen = 0
    cdef bint negative = False, below = False, down = False
    if json.at[0] == b'-':
        negative = True
        json.at += 1
    if json.end - json.at > 1 and json.at[0] == b'0' and is_digit(json.at[1]):
        return False
    while json.at < json.end and (is_digit(json.at[0]) or (json.at[0] == b'.' and not below)):
        if json.at[0] == b'.':
            below = True
        else:
            seen += 1
            place -= below
            if count or json.at[0] != b'0':
                digits[count] = json.at[0]
                count += 1
        json.at += 1
    if not seen or json.at[-1] == b'.':
        return False
    if json.at < json.end and (json.at[0] == b'e' or json.at[0] == b'E'):
        json.at += 1
        if json.at < json.end and (json.at[0] == b'+' or json.at[0] == b'-'):
            down = json.at[0] == b'-'
            json.at += 1
        if json.at >= json.end or not is_digit(json.at[0]):
            return False
        while json.at < json.end and is_digit(json.at[0]):
            power = power * 10 + json.at[0] - 48
            if power > 1_000_000_000:
                return False
            json.at += 1
    place += -power if down else power
    while count and digits[count - 1] == b'0':
        count -= 1
        place += 1
    if count == 0:
        out[0] = xxh64_of_8(0, seed)
    else:
        out[0] = xxh64(digits, count, xxh64_of_8(<uint64_t>place, seed + 1 + negative))
    return True


cdef inline bint string_hash(Json* json, uint64_t seed, uint64_t* out) noexcept nogil:
    """Hash a string's characters, whichever way they are escaped."""
    cdef const char* begin = json.at + 1
    cdef char* to = json.scratch
    json.at = begin
    while json.at < json.end and json.at[0] != b'"' and json.at[0] != b'\\':
        json.at += 1
    if json.at >= json.end:
        return False
    if json.at[0] == b'"':
        out[0] = xxh64(begin, json.at - begin, seed)
        json.at += 1
        return True
    memcpy(to, begin, json.at - begin)
    to += json.at - begin
    while json.at < json.end and json.at[0] != b'"':
        if json.at[0] != b'\\':
            to[0] = json.at[0]
            to += 1
            json.at += 1
        elif not put_escaped(json, &to):
            return False
    if json.at >= json.end:
        return False
    out[0] = xxh64(json.scratch, to - json.scratch, seed)
    json.at += 1
    return True


cdef inline bint put_escaped(Json* json, char** to) noexcept nogil:
    """Write the character that an escape stands for; it is never longer than the escape."""
    cdef uint32_t code = 0, low = 0
    cdef char c
    if json.end - json.at < 2:
        return False
    c = json.at[1]
    json.at += 2
    if c == b'u':
        if not put_hex(json, &code):
            return False
        if 0xD800 <= code < 0xDC00 and json.end - json.at >= 6 and json.at[0] == b'\\':
            if json.at[1] == b'u':
                json.at += 2
                if not put_hex(json, &low):
                    return False
                if 0xDC00 <= low < 0xE000:
                    code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
                else:
                    put_utf8(code, to)
                    code = low
        put_utf8(code, to)
        return True
    if c == b'n':
        c = b'\n'
    elif c == b't':
        c = b'\t'
    elif c == b'r':
        c = b'\r'
    elif c == b'b':
        c = b'\b'
    elif c == b'f':
        c = b'\f'
    elif c != b'"' and c != b'\\' and c != b'/':
        return False
    to[0][0] = c
    to[0] += 1
    return True


cdef inline bint put_hex(Json* json, uint32_t* code) noexcept nogil:
    cdef int i
    cdef char c
    if json.end - json.at < 4:
        return False
    for i in range(4):
        c = json.at[i]
        if is_digit(c):
            code[0] = code[0] * 16 + <uint32_t>(c - 48)
        elif b'a' <= (c | 32) <= b'f':
            code[0] = code[0] * 16 + <uint32_t>((c | 32) - 87)
        else:
            return False
    json.at += 4
    return True


cdef inline void put_utf8(uint32_t code, char** to) noexcept nogil:
    cdef char* at = to[0]
    if code < 0x80:
        at[0] = <char>code
        to[0] += 1
    elif code < 0x800:
        at[0], at[1] = <char>(0xC0 | code >> 6), <char>(0x80 | code & 63)
        to[0] += 2
    elif code < 0x10000:
        at[0], at[1] = <char>(0xE0 | code >> 12), <char>(0x80 | (code >> 6) & 63)
        at[2] = <char>(0x80 | code & 63)
        to[0] += 3
    else:
        at[0], at[1] = <char>(0xF0 | code >> 18), <char>(0x80 | (code >> 12) & 63)
        at[2], at[3] = <char>(0x80 | (code >> 6) & 63), <char>(0x80 | code & 63)
        to[0] += 4


cdef inline bint value_hash(Json* json, uint64_t seed, uint64_t* out, int depth) noexcept nogil:
    cdef bint known
    if json.at >= json.end or depth > DEEPEST:
        return False
    if json.at[0] == b'{':
        return object_hash(json, seed, out, depth)
    if json.at[0] == b'[':
        return array_hash(json, seed, out, depth)
    if json.at[0] == b'"':
        known = string_hash(json, seed + P1, out)
    elif json.at[0] == b'-' or is_digit(json.at[0]):
        known = json_number_hash(json, seed + P2, out)
    else:
        known = word_hash(json, seed + P3, out)
    skip_space(json)
    return known


cdef inline bint json_hash(
    const char* text, int64_t size, char* scratch, uint64_t seed, uint64_t* out
) noexcept nogil:
    """Hash a document; False where the text is none."""
    cdef Json json
    json.at, json.end, json.scratch, json.value = text, text + size, scratch, value_hash
    skip_space(&json)
    return value_hash(&json, seed, out, 0) and json.at == json.end
