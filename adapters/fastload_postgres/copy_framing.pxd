# The framing of COPY's binary format: rows of length-prefixed fields, laid out for block decoding.
#
# Source: PostgreSQL documentation, "COPY", section "Binary Format".
from libc.stdint cimport int16_t, int32_t, int64_t, uint32_t

from fastload.kernels.byteorder cimport load_int16, load_int32
from fastload.kernels.column cimport NULL_FIELD, Column, finish_block
from fastload.kernels.growable cimport Buffer
from fastload_postgres.copy_values cimport (
    BAD_FIELD_COUNT, BAD_LENGTH, NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault
)


cdef struct Frame:
    Codec* codecs
    int columns
    int block_rows            # at most BLOCK
    const char** fields       # [column][row of the block]
    const char** row_starts   # [row of the block], and the end of the last
    bint* has_null            # [column]
    bint* nulls_instead       # [column]: what has no native form becomes NULL


cdef enum Stop:
    ROW_INCOMPLETE
    BLOCK_FULL
    TRAILER
    FAULTY


cdef inline Stop lay_out(
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
            at[0] = row_at + 2
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


cdef inline int decode_block(
    Frame* frame, int rows, const char* limit, Fault* fault
) noexcept nogil:
    """Append the laid out rows to the columns; return them, or the row that failed first."""
    cdef int column, done
    cdef Fault found
    for column in range(frame.columns):
        found = fault[0]
        done = decode_column(frame, column, rows, limit, &found)
        if done < rows:
            # A later column may fail in an earlier row: that one is reported.
            rows, fault[0] = done, found
            fault.column = column
            if rows == 0:
                return 0
    return rows


cdef inline int decode_column(
    Frame* frame, int column, int rows, const char* limit, Fault* fault
) noexcept nogil:
    cdef Codec* codec = &frame.codecs[column]
    cdef const char** fields = frame.fields + column * frame.block_rows
    cdef Mark mark = mark_of(codec)
    cdef int done = codec.decode(codec, fields, rows, limit, fault)
    while done < rows and fault.code == NO_NATIVE_FORM and frame.nulls_instead[column]:
        roll_back(codec, &mark)
        fields[done] = NULL_FIELD
        frame.has_null[column] = True
        fault.code, fault.in_item = NO_FAULT, False
        done = codec.decode(codec, fields, rows, limit, fault)
    if done == rows and finish_block(&codec.column, fields, rows, frame.has_null[column]):
        fault.code = NO_MEMORY
        return 0
    return done


cdef struct ColumnMark:
    int64_t validity, offsets, values, length, null_count


cdef struct Mark:
    ColumnMark own, item


cdef inline ColumnMark mark_of_column(const Column* column) noexcept nogil:
    cdef ColumnMark mark
    mark.validity, mark.offsets = column.validity.used, column.offsets.used
    mark.values, mark.length = column.values.used, column.length
    mark.null_count = column.null_count
    return mark


cdef inline Mark mark_of(Codec* codec) noexcept nogil:
    cdef Mark mark
    mark.own = mark_of_column(&codec.column)
    mark.item = mark_of_column(&codec.item.column if codec.item != NULL else &codec.column)
    return mark


cdef inline void roll_back(Codec* codec, const Mark* mark) noexcept nogil:
    """Take back what a failed block appended, to decode it again."""
    roll_back_column(&codec.column, &mark.own)
    if codec.item != NULL:
        roll_back_column(&codec.item.column, &mark.item)


cdef inline void roll_back_column(Column* column, const ColumnMark* mark) noexcept nogil:
    column.validity.used, column.offsets.used = mark.validity, mark.offsets
    column.values.used, column.length = mark.values, mark.length
    column.null_count = mark.null_count
    clear_after(&column.validity, column.length)
    clear_after(&column.values, column.length)


cdef inline void clear_after(Buffer* bits, int64_t length) noexcept nogil:
    """Clear the unused bits of the last byte, where these are bits: appending relies on it."""
    if length & 7 and bits.used == (length + 7) // 8:
        bits.data[bits.used - 1] &= (1 << (length & 7)) - 1
