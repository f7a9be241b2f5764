# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""64-bit hashes of rows by what their values are, and sums of them in any order.

Two rows hash alike where each column's value is the same by its kind, whatever Arrow type it is
kept in: a kind is what two sides of a comparison agree on. Sums are modulo 2^64, never XOR: a row
that is there twice, or a value that has moved to another row, changes them.

Kinds: ``number`` (integers, bools, decimals, and decimals as text, by value), ``float`` (bits of a
double; -0.0 is not 0.0, all NaN are one), ``text``, ``text_unpadded`` (without spaces at its end),
``binary``, ``uuid`` (16 bytes or a text), ``moment`` (days, times and instants as microseconds),
``interval`` (months, days and nanoseconds; durations too), ``json`` (what it says), and ``list:``
with the kind of its items.
"""
cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free, realloc

from fastload.kernels.encode_input cimport (
    BAD_OFFSETS, FIXED, ITEMS, NO_FAULT, NOTHING, TOO_LONG, VARIABLE, FaultCode, Input, is_null
)
from fastload.kernels.encoder cimport (
    BatchEncoder, decimal_form, integer_bytes, is_binary, is_string, set_integer
)
from fastload.kernels.hash_value cimport (
    NULL_SALT, HashValue, hash_bool, hash_bytes, hash_decimal, hash_float, hash_integer,
    hash_interval, hash_json_text, hash_list, hash_moment, hash_number_text, hash_span,
    hash_unpadded, hash_uuid, hash_uuid_text
)
from fastload.kernels.xxh64 cimport P3, P4, avalanche, chained, xxh64, xxh64_of_8

_PER_SECOND = {"s": 1, "m": 10**3, "u": 10**6, "n": 10**9}
_MOST_BITS = 24


def xxh64_of(bytes data not None, uint64_t seed=0):
    """Return XXH64 of bytes, to be compared with what its specification says."""
    return xxh64(PyBytes_AS_STRING(data), len(data), seed)


@cython.final
cdef class Buckets:
    """Counts and sums of row hashes, apart by the leading bits of the keys' hashes.

    Attributes:
        bits: How many leading bits; there are ``2 ** bits`` buckets.
        rows: Rows in all of them.
        sum: Sum of all hashes, modulo 2^64.
    """

    cdef readonly int bits
    cdef readonly int64_t rows
    cdef readonly uint64_t sum
    cdef uint64_t* counts
    cdef uint64_t* sums

    def __cinit__(self, int bits=0):
        if not 0 <= bits <= _MOST_BITS:
            raise ValueError(f"bits={bits} is not from 0 to {_MOST_BITS}")
        self.bits = bits
        self.counts = <uint64_t*>calloc(<size_t>1 << bits, sizeof(uint64_t))
        self.sums = <uint64_t*>calloc(<size_t>1 << bits, sizeof(uint64_t))
        if self.counts == NULL or self.sums == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.counts)
        free(self.sums)

    cdef inline void take(self, uint64_t key, uint64_t row) noexcept nogil:
        cdef uint64_t bucket = key >> (64 - self.bits) if self.bits else 0
        self.counts[bucket] += 1
        self.sums[bucket] += row
        self.sum += row

    def merge(self, Buckets other not None):
        """Add what another one holds, which has as many buckets."""
        cdef uint64_t i
        self._match(other)
        for i in range(<uint64_t>1 << self.bits):
            self.counts[i] += other.counts[i]
            self.sums[i] += other.sums[i]
        self.rows += other.rows
        self.sum += other.sum

    def differing(self, Buckets other not None):
        """Return number, own rows and the other's rows of each bucket that is not equal."""
        cdef uint64_t i
        self._match(other)
        return [
            (i, self.counts[i], other.counts[i])
            for i in range(<uint64_t>1 << self.bits)
            if self.counts[i] != other.counts[i] or self.sums[i] != other.sums[i]
        ]

    def _match(self, Buckets other):
        if self.bits != other.bits:
            raise ValueError(f"{1 << self.bits} buckets are not {1 << other.bits}")


@cython.final
cdef class RowHasher(BatchEncoder):
    """Hashes the rows of record batches of one schema.

    Args:
        columns: Name and kind of each column, in the batches' order. The place of a column counts,
            and its name does not.
        key: Places of the columns that the buckets go by; none is the whole row.
    """

    cdef tuple key
    cdef HashValue* functions
    cdef bint* in_key
    cdef uint64_t* row_hashes
    cdef uint64_t* key_hashes
    cdef int64_t capacity

    def __init__(self, columns, key=()):
        cdef Py_ssize_t i
        self.set_columns(columns, ())
        self.key = tuple(key)
        free(self.functions)
        free(self.in_key)
        self.functions = <HashValue*>calloc(len(self.names) + 1, sizeof(HashValue))
        self.in_key = <bint*>calloc(len(self.names) + 1, sizeof(bint))
        if self.functions == NULL or self.in_key == NULL:
            raise MemoryError
        for i in range(len(self.names)):
            self.in_key[i] = i in self.key

    def __dealloc__(self):
        free(self.functions)
        free(self.in_key)
        free(self.row_hashes)
        free(self.key_hashes)

    def encode(self, batch, int64_t row=0, int64_t max_bytes=0):
        """Hashes are no rows of a wire."""
        raise NotImplementedError

    def add(self, batch, Buckets into not None):
        """Add the hashes of a batch's rows.

        Raises:
            SchemaMismatch: The batch has other columns.
            EncodeError: A column's type is not one of its kind, or its array is damaged.
        """
        cdef int64_t row
        self._hash(batch)
        with nogil:
            for row in range(self.length):
                into.take(self.key_hashes[row], self.row_hashes[row])
        into.rows += self.length
        self.close()

    def hashes(self, batch):
        """Return the rows' hashes and their keys' hashes, as bytes of 64-bit integers each."""
        self._hash(batch)
        self.close()
        return (
            PyBytes_FromStringAndSize(<char*>self.row_hashes, 8 * self.length),
            PyBytes_FromStringAndSize(<char*>self.key_hashes, 8 * self.length),
        )

    def pick(self, batch, bytes wanted not None):
        """Return the places of rows whose bucket is wanted, as bytes of 64-bit integers.

        Args:
            batch: As in ``add``.
            wanted: One byte for each bucket, a power of two of them: 0 is not wanted.
        """
        cdef int64_t row, found = 0
        cdef int bits = len(wanted).bit_length() - 1
        cdef const char* mask = PyBytes_AS_STRING(wanted)
        cdef int64_t* places
        if len(wanted) != 1 << bits:
            raise ValueError("the buckets are no power of two")
        self._hash(batch)
        self.close()
        data = PyBytes_FromStringAndSize(NULL, 8 * self.length)
        places = <int64_t*>PyBytes_AS_STRING(data)
        with nogil:
            for row in range(self.length):
                if mask[self.key_hashes[row] >> (64 - bits) if bits else 0]:
                    places[found] = row
                    found += 1
        return data[:8 * found]

    def _hash(self, batch):
        """Fill the rows' and the keys' hashes of a batch."""
        cdef FaultCode fault = NO_FAULT
        cdef int64_t row = 0
        cdef int i = 0
        self.open(batch)
        self._room(self.length)
        with nogil:
            for row in range(self.length):
                self.row_hashes[row] = self.key_hashes[row] = P4
            for i in range(self.columns):
                fault = self._hash_column(i, &row)
                if fault != NO_FAULT:
                    break
            else:
                self._finish()
        if fault != NO_FAULT:
            self.close()
            if fault == BAD_OFFSETS or fault == TOO_LONG:
                raise self.error(i, "offsets of the Arrow array point outside it", row)
            raise MemoryError

    cdef int _room(self, int64_t rows) except -1:
        cdef void* grown
        if rows > self.capacity:
            grown = realloc(self.row_hashes, 8 * rows)
            if grown == NULL:
                raise MemoryError
            self.row_hashes = <uint64_t*>grown
            grown = realloc(self.key_hashes, 8 * rows)
            if grown == NULL:
                raise MemoryError
            self.key_hashes = <uint64_t*>grown
            self.capacity = rows
        return 0

    cdef FaultCode _hash_column(self, int i, int64_t* failed) noexcept nogil:
        cdef const Input* input = &self.inputs[i]
        cdef HashValue hash_value = self.functions[i]
        cdef uint64_t seed = (i + 1) * P3, value = 0
        cdef uint64_t null = xxh64_of_8(NULL_SALT, seed + NULL_SALT)
        cdef bint in_key = self.in_key[i]
        cdef FaultCode fault
        cdef int64_t row
        for row in range(self.length):
            if input.layout == NOTHING or is_null(input, row):
                value = null
            else:
                fault = hash_value(input, row, seed, &value)
                if fault != NO_FAULT:
                    failed[0] = row
                    return fault
            self.row_hashes[row] = chained(self.row_hashes[row], value)
            if in_key:
                self.key_hashes[row] = chained(self.key_hashes[row], value)
        return NO_FAULT

    cdef void _finish(self) noexcept nogil:
        cdef bint by_row = self.columns > 0
        cdef int64_t row
        cdef int i
        for i in range(self.columns):
            by_row = by_row and not self.in_key[i]
        for row in range(self.length):
            self.row_hashes[row] = avalanche(self.row_hashes[row])
            self.key_hashes[row] = (
                self.row_hashes[row] if by_row else avalanche(self.key_hashes[row])
            )

    cdef bint pair(self, int64_t i, tuple form) except -1:
        cdef Input* input = &self.inputs[i]
        cdef HashValue of_item
        kind = self.words[i]
        if kind.startswith("list:"):
            if form[0] not in (b"+l", b"+L") or len(form) != 2:
                return form[0] == b"n" and _choose(input, "text", form[0]) != NULL
            of_item = _choose(&self.items[i], kind[5:], form[1])
            input.layout, input.is_large = ITEMS, form[0] == b"+L"
            input.item, input.form = &self.items[i], <void*>of_item
            self.functions[i] = hash_list
            return of_item != NULL
        self.functions[i] = _choose(input, kind, form[0])
        return self.functions[i] != NULL

    cdef str spelled(self, int64_t i, bint of_item):
        return f"a {self.words[i]}"


cdef HashValue _choose(Input* input, str kind, bytes form) except *:
    """Set up an input for an Arrow format and return its function; NULL where the kind has none."""
    input.layout = FIXED
    if form == b"n":
        input.layout = NOTHING
        return hash_bool
    if kind == "number":
        return _choose_number(input, form)
    if kind == "float":
        input.width = {b"f": 4, b"g": 8}.get(form, 0)
        if input.width:
            return hash_float
        return NULL
    if kind == "interval" and form == b"tin":
        input.width = 16
        return hash_interval
    if kind == "moment" or kind == "interval":
        return _choose_moment(input, kind, form)
    if form.startswith(b"w:") and kind in ("binary", "uuid"):
        input.width = int(form[2:])
        if kind == "uuid":
            return hash_uuid
        return hash_bytes
    return _choose_variable(input, kind, form)


cdef HashValue _choose_number(Input* input, bytes form) except *:
    if form == b"b":
        return hash_bool
    if integer_bytes(form):
        set_integer(input, form)
        return hash_integer
    if (found := decimal_form(form)) is not None:
        input.low, input.width = found
        input.is_signed = True
        if found[0] >= 0:
            return hash_decimal
        return NULL
    if is_string(form):
        input.layout, input.is_large = VARIABLE, form == b"U"
        return hash_number_text
    return NULL


cdef HashValue _choose_moment(Input* input, str kind, bytes form) except *:
    """Set width and microseconds per unit; days are no interval."""
    cdef str word = form.decode(errors="replace")
    if word in ("tdD", "tdm"):
        input.width = 4 if word == "tdD" else 8
        input.multiplier = 86_400_000_000 if word == "tdD" else 1000
        if kind == "moment":
            return hash_moment
        return NULL
    if len(word) < 3 or word[:2] not in ("tt", "ts", "tD") or word[2:3] not in _PER_SECOND:
        return NULL
    if kind == "interval" and word[:2] == "ts":
        return NULL
    input.width = 4 if word in ("tts", "ttm") else 8
    input.multiplier = 10**6 // _PER_SECOND[word[2:3]]
    if kind == "moment":
        return hash_moment
    return hash_span


cdef HashValue _choose_variable(Input* input, str kind, bytes form) except *:
    input.layout, input.is_large = VARIABLE, form in (b"U", b"Z")
    if is_string(form):
        if kind == "text":
            return hash_bytes
        if kind == "text_unpadded":
            return hash_unpadded
        if kind == "json":
            return hash_json_text
        if kind == "uuid":
            return hash_uuid_text
        return NULL
    if is_binary(form) and kind == "uuid":
        return hash_uuid
    if is_binary(form) and kind == "binary":
        return hash_bytes
    return NULL
