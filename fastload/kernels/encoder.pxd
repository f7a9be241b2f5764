# The class under every kernel that encodes rows; encoder.pyx says how to build on it.
from libc.stdint cimport int64_t

from fastload.kernels.arrow_c cimport ArrowSchema
from fastload.kernels.encode_input cimport FaultCode, Input, Out


cdef class BatchEncoder:
    cdef Input* inputs
    cdef Input* items       # of lists, one for each column
    cdef readonly int64_t rows, bytes, nulled
    cdef tuple names, words
    cdef tuple unrepresentable   # faults that say that the type has no such value
    cdef list forms         # Arrow formats that the inputs are set up for
    cdef object batch, capsules  # being encoded
    cdef int64_t length
    cdef int columns, value_bytes  # how many; bytes that a value of fixed width mostly takes

    # What a format calls when it is constructed.
    cdef int set_columns(self, columns, nulls_instead) except -1

    # What a format says about itself.
    cdef bint pair(self, int64_t i, tuple form) except -1
    cdef int64_t put_rows(
        self, int64_t row, int64_t end, Out* out, FaultCode* fault, int* column
    ) noexcept nogil
    cdef tuple told(self, FaultCode fault, int64_t i, str value)
    cdef str spelled(self, int64_t i, bint of_item)

    cdef int close(self) except -1
    cdef int open(self, object batch) except -1
    cdef int match(self, const ArrowSchema* schema) except -1
    cdef object error(self, int64_t i, str message, int64_t row, str hint=*)
    cdef tuple encode_some(self, int64_t row, int64_t max_bytes)
    cdef int64_t expected_bytes(self, int64_t row, int64_t max_bytes)
    cdef object failure(self, FaultCode fault, int column, int64_t row, int64_t item)


# What an Arrow format says, for pairing it with a function.
cdef int integer_bytes(bytes form) except -1
cdef bint is_string(bytes form) except -1
cdef bint is_binary(bytes form) except -1
cdef tuple decimal_form(bytes form)
cdef int set_integer(Input* input, bytes form) except -1
cdef int set_unit(Input* input, str unit, low, high) except -1
cdef int set_days(Input* input, bint in_milliseconds, low, high) except -1
