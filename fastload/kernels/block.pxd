# Rows laid out as blocks, and the loop that decodes them column by column.
#
# Everything here is inline because NULL_FIELD has an address of its own in every module that
# compiles it: whoever lays a block out must also decode it.
from libc.stdint cimport int64_t

from fastload.kernels.codec cimport NO_FAULT, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault
from fastload.kernels.column cimport NULL_FIELD, Column, finish_block
from fastload.kernels.growable cimport Buffer, append


cdef struct Frame:
    Codec* codecs
    int columns
    int block_rows            # at most BLOCK
    int row_header            # bytes of framing before a row's own
    const char** fields       # [column][row of the block]
    const char** row_starts   # [row of the block], and the end of the last
    const char* trailer       # where the last row's successor begins
    bint* has_null            # [column]
    bint* nulls_instead       # [column]: what has no native form becomes NULL
    int64_t nulled            # values that have
    bint* noted               # [column]: such values are noted, each with its row's bytes
    Buffer notes              # of the batch: a Note, and then the bytes


cdef struct Note:
    int64_t row, column, row_bytes


cdef enum Stop:
    ROW_INCOMPLETE  # the rest is the beginning of one row
    ROW_IN_PIECES   # the next row has to be put together, even if all of it is there
    BLOCK_FULL
    TRAILER
    FAULTY


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
        frame.nulled += 1
        if frame.noted[column] and note(frame, column, mark.own.length + done, done):
            fault.code = NO_MEMORY
            return 0
        fault.code, fault.in_item = NO_FAULT, False
        done = codec.decode(codec, fields, rows, limit, fault)
    if done == rows and finish_block(&codec.column, fields, rows, frame.has_null[column]):
        fault.code = NO_MEMORY
        return 0
    return done


cdef inline int note(Frame* frame, int column, int64_t row, int row_of_block) noexcept nogil:
    """Keep which value became NULL; -1 when memory has run out."""
    cdef Note kept
    cdef const char* start = frame.row_starts[row_of_block] + frame.row_header
    kept.row, kept.column = row, column
    kept.row_bytes = frame.row_starts[row_of_block + 1] - start
    if append(&frame.notes, <const char*>&kept, sizeof(Note)):
        return -1
    return append(&frame.notes, start, kept.row_bytes)


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
