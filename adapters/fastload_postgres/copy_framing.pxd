# The framing of COPY's binary format: rows of length-prefixed fields, laid out for block decoding.
#
# Source: PostgreSQL documentation, "COPY", section "Binary Format".
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t

from fastload.kernels.block cimport BLOCK_FULL, FAULTY, ROW_INCOMPLETE, TRAILER, Frame, Stop
from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.codec cimport BAD_LENGTH, NO_FAULT, Codec, Fault
from fastload.kernels.column cimport NULL_FIELD
from fastload_postgres.copy_values cimport BAD_FIELD_COUNT


cdef inline Stop lay_out_block(
    Frame* frame, const char** at, const char* end, int64_t most_bytes, int* rows, Fault* fault
) noexcept nogil:
    """Find the fields of whole rows from `at` on, which is moved behind them.

    Stops early once the rows make up `most_bytes`.
    """
    cdef const char* row_at = at[0]
    cdef const char* begin = row_at
    cdef const char* next_row
    cdef int16_t count
    cdef int column
    rows[0] = 0
    for column in range(frame.columns):
        frame.has_null[column] = False
    while rows[0] < frame.block_rows and row_at - begin < most_bytes:
        if end - row_at < 2:
            return ROW_INCOMPLETE
        count = load_int16(row_at)
        if count == -1:
            frame.trailer, at[0] = row_at, row_at + 2
            return TRAILER
        if count != frame.columns:
            fault.code, fault.at, fault.column = BAD_FIELD_COUNT, row_at, -1
            return FAULTY
        next_row = lay_out_row(frame, row_at + 2, end, rows[0], fault)
        if next_row == NULL:
            return FAULTY if fault.code != NO_FAULT else ROW_INCOMPLETE
        frame.row_starts[rows[0]] = row_at
        rows[0] += 1
        row_at = next_row
        frame.row_starts[rows[0]] = row_at
        at[0] = row_at
    return BLOCK_FULL


cdef inline const char* lay_out_row(
    Frame* frame, const char* at, const char* end, int row, Fault* fault
) noexcept nogil:
    """Find one row's fields; return its end, or NULL where it is incomplete or faulty."""
    cdef Codec* codec = frame.codecs
    cdef const char** field = frame.fields + row
    cdef int column
    cdef int32_t size
    for column in range(frame.columns):
        if end - at < 4:
            return NULL
        size = load_int32(at)
        at += 4
        if <uint32_t>size - codec.shortest <= codec.span:
            if end - at < size:
                return NULL
            field[0] = at
            at += size
        elif size == -1:
            field[0] = NULL_FIELD
            frame.has_null[column] = True
        else:
            fault.code, fault.at, fault.column = BAD_LENGTH, at - 4, column
            return NULL
        codec += 1
        field += frame.block_rows
    return at
