# Packets with binary rows, laid out for block decoding.
#
# Sources: MySQL Internals, "MySQL Packets" (Protocol::Packet) and "Binary Protocol Resultset Row";
# MariaDB Knowledge Base, "0-packet" and "Resultset row", section "Binary resultset row".
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t

from fastload.kernels.block cimport (
    BLOCK_FULL, FAULTY, ROW_IN_PIECES, ROW_INCOMPLETE, TRAILER, Frame, Stop
)
from fastload.kernels.byteorder cimport (
    load_little_uint16, load_little_uint24, load_little_uint64
)
from fastload.kernels.codec cimport BAD_LENGTH, NO_FAULT, Fault
from fastload.kernels.column cimport NULL_FIELD
from fastload_mysql.rows_values cimport (
    BAD_PACKET, BAD_ROW, BAD_ROW_END, BAD_ROW_HEADER, BAD_SEQUENCE, NO_LENGTH, length_bytes
)

cdef enum:
    PACKET_HEADER = 4
    MOST_PAYLOAD = 0xFFFFFF  # such a packet goes on in the next one
    LENGTH_BEFORE = 0        # instead of a width: a length-encoded integer, then the value


cdef struct Form:  # how a column stands in a row
    int32_t width   # its bytes, or LENGTH_BEFORE
    uint32_t most   # the greatest length before it
    bint one_byte   # the length is one byte, never more


cdef struct Packets:
    Form* forms
    int bitmap_bytes
    int sequence     # number of the next packet; -1: whatever comes first
    int continued    # packets that the carried row has after its first
    int broken       # the fault of the last of them


cdef inline int header_fault(const Packets* packets, const char* at) noexcept nogil:
    """Return what is wrong with the header of a row's first packet."""
    if packets.sequence >= 0 and <unsigned char>at[3] != packets.sequence:
        return BAD_SEQUENCE
    if load_little_uint24(at) == 0:
        return BAD_PACKET
    return NO_FAULT


cdef inline Stop lay_out_block(
    Packets* packets, Frame* frame, const char** at, const char* end, int64_t most_bytes,
    int* rows, Fault* fault
) noexcept nogil:
    """Find the fields of whole rows from `at` on, which is moved behind them.

    Stops early once the rows make up `most_bytes`.
    """
    cdef const char* begin = at[0]
    cdef Stop stop
    cdef int column
    rows[0] = 0
    fault.column = -1
    for column in range(frame.columns):
        frame.has_null[column] = False
    while rows[0] < frame.block_rows and at[0] - begin < most_bytes:
        stop = lay_out_packet(packets, frame, at, end, rows[0], fault)
        if stop != BLOCK_FULL:
            return stop
        rows[0] += 1
    return BLOCK_FULL


cdef inline Stop lay_out_packet(
    Packets* packets, Frame* frame, const char** at, const char* end, int row, Fault* fault
) noexcept nogil:
    """Find one row's fields and move `at` behind it; BLOCK_FULL where all is well."""
    cdef const char* start = at[0]
    cdef const char* row_end
    cdef int64_t size
    if end - start < PACKET_HEADER:
        return ROW_INCOMPLETE
    fault.code, fault.at = header_fault(packets, start), start
    if fault.code != NO_FAULT:
        return FAULTY
    size = load_little_uint24(start)
    if size == MOST_PAYLOAD:
        if packets.broken != NO_FAULT:
            fault.code, fault.at = packets.broken, end - PACKET_HEADER
            return FAULTY
        if packets.continued == 0:
            return ROW_IN_PIECES
        size = end - start - PACKET_HEADER
    if end - start - PACKET_HEADER < size:
        return ROW_INCOMPLETE
    row_end = start + PACKET_HEADER + size
    if start[PACKET_HEADER] != 0:
        if <unsigned char>start[PACKET_HEADER] >= 0xFE and size < MOST_PAYLOAD:
            frame.trailer, at[0] = start, row_end
            return TRAILER
        fault.code, fault.at = BAD_ROW_HEADER, start + PACKET_HEADER
        return FAULTY
    if not lay_out_row(packets, frame, start + PACKET_HEADER, row_end, row, fault):
        return FAULTY
    packets.sequence = (<unsigned char>start[3] + 1 + packets.continued) & 0xFF
    packets.continued = 0
    frame.row_starts[row], frame.row_starts[row + 1] = start, row_end
    at[0] = row_end
    return BLOCK_FULL


cdef inline bint lay_out_row(
    const Packets* packets, Frame* frame, const char* row_at, const char* end, int row,
    Fault* fault
) noexcept nogil:
    """Find the fields of a row that lies in full before its end; False where it is faulty."""
    cdef const unsigned char* bitmap = <const unsigned char*>row_at + 1
    cdef const char* at = row_at + 1 + packets.bitmap_bytes
    cdef const char** field = frame.fields + row
    cdef const Form* form = packets.forms
    cdef int64_t size
    cdef int column
    if end - row_at < 1 + packets.bitmap_bytes:
        fault.code, fault.at = BAD_ROW, row_at
        return False
    for column in range(frame.columns):
        # The bitmap's first two bits belong to the protocol.
        if bitmap[(column + 2) >> 3] >> ((column + 2) & 7) & 1:
            field[0] = NULL_FIELD
            frame.has_null[column] = True
        else:
            size = form.width
            if size == LENGTH_BEFORE:
                size = prefixed_size(form, at, end, fault)
                if fault.code != NO_FAULT:
                    fault.at, fault.column = at, column
                    return False
            if end - at < size:
                fault.code, fault.at, fault.column = BAD_ROW, at, column
                return False
            field[0] = at
            at += size
        form += 1
        field += frame.block_rows
    if at != end:
        fault.code, fault.at = BAD_ROW_END, at
        return False
    return True


cdef inline int64_t prefixed_size(
    const Form* form, const char* at, const char* end, Fault* fault
) noexcept nogil:
    """Return the bytes of a value and the length before it; any number with the fault set."""
    cdef uint64_t length
    cdef int before
    if at == end:
        fault.code = BAD_ROW
        return 0
    length = <unsigned char>at[0]
    if length < NO_LENGTH:
        if length > form.most:
            fault.code = BAD_LENGTH
        return 1 + <int64_t>length
    before = length_bytes(<int>length)
    if before == 0 or form.one_byte:
        fault.code = BAD_LENGTH
        return 0
    if end - at < before:
        fault.code = BAD_ROW
        return 0
    length = long_length(at, before)
    if length > form.most:
        fault.code = BAD_LENGTH
        return 0
    return before + <int64_t>length


cdef inline uint64_t long_length(const char* at, int before) noexcept nogil:
    """Return the length that follows the marks FC, FD and FE."""
    if before == 3:
        return load_little_uint16(at + 1)
    return load_little_uint24(at + 1) if before == 4 else load_little_uint64(at + 1)
