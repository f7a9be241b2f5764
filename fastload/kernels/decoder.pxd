# The class under every kernel that decodes rows; decoder.pyx says how to build on it.
from libc.stdint cimport int64_t

from fastload.kernels.block cimport Frame, Stop
from fastload.kernels.codec cimport Fault
from fastload.kernels.growable cimport Buffer


cdef class BlockDecoder:
    cdef Frame frame
    cdef Buffer carry       # the beginning of a row that the last chunk cut
    cdef int64_t batch_bytes, held_bytes, decoded_rows
    cdef int64_t offset     # of the first chunk held, in the stream
    cdef int64_t chunk_at   # what of it is done
    cdef int64_t row_at     # offset of the carried row
    cdef int64_t scan_at    # notes of missing_bytes on the carried row,
    cdef int scan_step      # zero when it begins
    cdef readonly int64_t rows_held
    cdef bint in_rows
    cdef readonly bint ended
    cdef object held, failure
    cdef tuple names, words, schema
    cdef dict messages
    cdef readonly bytes failed_row

    # What a format calls when it is constructed, in this order, with its codecs in between.
    cdef int set_columns(self, columns, int64_t batch_bytes, nulls_instead, noted) except -1
    cdef int begin_rows(self, tuple fields, dict messages) except -1

    # What a format says about itself.
    cdef int read_header(self, bytes chunk) except -1
    cdef Stop lay_out(
        self, const char** at, const char* end, int64_t most_bytes, int* rows, Fault* fault
    ) noexcept nogil
    cdef int decode_laid_out(self, int rows, const char* limit, Fault* fault) noexcept nogil
    cdef int64_t missing_bytes(self) noexcept
    cdef int64_t distance(self, int64_t carried) noexcept
    cdef int read_trailer(self, bytes trailer, int64_t offset) except -1
    cdef str told(self, int column, bytes row)

    # How a format fails.
    cdef int fail_at(self, int code, int64_t offset, int column) except -1
    cdef int fail(self, object error) except -1

    cdef int decode_some(self, bytes chunk) except -1
    cdef int decode_chunk(self, const char* data, int64_t size) except -1
    cdef bint decode_one_block(
        self, const char** at, const char* end, Stop* stop, Fault* fault
    ) noexcept nogil
    cdef int complete_row(self, const char* data, int64_t size) except -1
    cdef int64_t carry_more(self, const char* data, int64_t size) except -1
    cdef int forget_row(self) noexcept
    cdef int end_with(self, const char* end, int64_t offset) except -1
    cdef int raise_fault(self, const Fault* fault, int64_t offset) except -1
