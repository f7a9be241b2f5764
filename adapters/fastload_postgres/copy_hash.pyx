# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, auto_pickle=False, autotestdict=False
"""Rows of binary COPY hashed as they stand: XXH64 of each row's own bytes, summed modulo 2^64.

Nothing is decoded. Two servers that send the same bytes for a row hold the same values, as far as
its types are sent alike by every server, which is what the wire route asks for too.
PostgreSQL documentation, "COPY", section "Binary Format".
"""
cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.xxh64 cimport xxh64

from fastload.errors import DecodeError

cdef const char* _SIGNATURE = b"PGCOPY\n\xff\r\n\0"
cdef enum:
    HEADER_BYTES = 19


@cython.final
cdef class CopyHasher:
    """Hashes the rows of one COPY, whose bytes come in any pieces.

    Attributes:
        rows: Rows that were whole so far.
        sum: Sum of their hashes, modulo 2^64.
    """

    cdef readonly int64_t rows
    cdef readonly uint64_t sum
    cdef object rest       # of a row, or the header, that is not whole
    cdef int64_t needed    # bytes that it takes at least
    cdef bint begun, ended

    def __cinit__(self):
        self.rest = bytearray()

    def feed(self, data):
        """Take more bytes.

        Raises:
            DecodeError: They are no binary COPY.
        """
        cdef int64_t used
        if not self.rest:
            used = self._take(data)
            self.rest += memoryview(data)[used:]
            return
        self.rest += data
        if len(self.rest) >= self.needed:
            used = self._take(self.rest)
            del self.rest[:used]

    def finish(self):
        """Check that the trailer has come, and nothing after it.

        Raises:
            DecodeError: It has not.
        """
        if not self.ended or self.rest:
            raise DecodeError("the COPY ended before its trailer")

    def _take(self, data):
        """Hash the whole rows of some bytes; return where the next one begins."""
        cdef Py_buffer view
        cdef int64_t at
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            with nogil:
                at = self._rows_of(<const char*>view.buf, view.len)
        finally:
            PyBuffer_Release(&view)
        if at < 0:
            raise DecodeError("the bytes are no binary COPY", offset=-1 - at)
        return at

    cdef int64_t _rows_of(self, const char* data, int64_t size) noexcept nogil:
        cdef int64_t at = 0, end
        if not self.begun:
            self.needed = HEADER_BYTES
            if size < HEADER_BYTES:
                return 0
            if memcmp(data, _SIGNATURE, 11) != 0 or load_int32(data + 15) < 0:
                return -1
            self.needed = HEADER_BYTES + <int64_t>load_int32(data + 15)
            if size < self.needed:
                return 0
            at, self.begun = self.needed, True
        while not self.ended:
            end = self._end_of(data, at, size)
            if end < 0:
                return end
            if end == 0:
                return at
            if not self.ended:
                self.rows += 1
                self.sum += xxh64(data + at, end - at, 0)
            at = end
        return at

    cdef int64_t _end_of(self, const char* data, int64_t begin, int64_t size) noexcept nogil:
        """Return where a row ends; 0 where it is not whole, below 0 where it is none."""
        cdef int64_t at = begin + 2
        cdef int fields, length
        if size < at:
            self.needed = 2
            return 0
        fields = load_int16(data + begin)
        if fields == -1:
            self.ended = True
            return at
        if fields < 0:
            return -1 - begin
        while fields:
            fields -= 1
            if size < at + 4:
                self.needed = at + 4 - begin
                return 0
            length = load_int32(data + at)
            if length < -1:
                return -1 - at
            at += 4 + max(length, 0)
            if size < at:
                self.needed = at - begin
                return 0
        return at
