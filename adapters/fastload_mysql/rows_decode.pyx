# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""MySQL's binary rows into Arrow record batches.

Sources: MySQL Internals, "Binary Protocol Resultset Row", "MySQL Packets", "EOF_Packet",
"OK_Packet" and "ERR_Packet"; MariaDB Knowledge Base, "Resultset row", "0-packet", "EOF_Packet",
"OK_Packet" and "ERR_Packet".
"""
import json
import struct

cimport cython
from libc.stdint cimport int64_t, uint32_t
from libc.stdlib cimport calloc, free

from fastload.kernels.arrow_export cimport field_metadata
from fastload.kernels.block cimport Stop, decode_block
from fastload.kernels.byteorder cimport load_little_uint24
from fastload.kernels.codec cimport (
    AFTER_TRAILER, BAD_LENGTH, BAD_UTF8, CUT_OFF, NO_FAULT, Codec, Decode, Fault, add_form,
    add_scratch
)
from fastload.kernels.decoder cimport BlockDecoder
from fastload.kernels.fixed cimport copy_1_byte, copy_2_bytes, copy_4_bytes, copy_8_bytes
from fastload_mysql.rows_decimal cimport Decimal, decode_decimal
from fastload_mysql.rows_framing cimport (
    LENGTH_BEFORE, MOST_PAYLOAD, PACKET_HEADER, Form, Packets, header_fault, lay_out_block
)
from fastload_mysql.rows_values cimport (
    BAD_BIT, BAD_DATE, BAD_DECIMAL, BAD_PACKET, BAD_ROW, BAD_ROW_END, BAD_ROW_HEADER,
    BAD_ROW_SIZE, BAD_SEQUENCE, BAD_TIME, BAD_TRAILER, BAD_UUID, decode_bit, decode_bit1,
    decode_bool, decode_bytes, decode_checked, decode_date, decode_datetime, decode_time,
    decode_uuid
)

from fastload.errors import SourceError

cdef int64_t MOST_ROW_BYTES = 4 << 30
_MESSAGES = {
    BAD_SEQUENCE: "a packet has another number than the one that follows the last",
    BAD_PACKET: "a packet is empty",
    BAD_ROW_HEADER: "a packet is neither a binary row nor the end of the rows",
    BAD_ROW: "a row ends before its last field does",
    BAD_ROW_END: "a row has bytes after its last field",
    BAD_ROW_SIZE: "a row is longer than 4 GiB",
    BAD_TRAILER: "the packet that ends the rows is neither EOF, OK nor ERR",
    BAD_LENGTH: "a field has a length that its type does not have",
    BAD_UTF8: "a text is not UTF-8",
    BAD_DATE: "a date has a year, month or day that no server sends",
    BAD_TIME: "a time has fields that no server sends",
    BAD_DECIMAL: "a decimal is not digits with a point",
    BAD_BIT: "a bit is neither 0 nor 1",
    BAD_UUID: "a uuid is not 32 hexadecimal digits with four hyphens",
    AFTER_TRAILER: "bytes follow the packet that ends the rows",
    CUT_OFF: "the rows ended before their last packet: the source was cut off",
}
# Bytes and Arrow's format.
_FIXED = {
    "tiny": (1, b"c"), "utiny": (1, b"C"), "bool1": (1, b"b"), "short": (2, b"s"),
    "ushort": (2, b"S"), "year": (2, b"S"), "long": (4, b"i"), "ulong": (4, b"I"),
    "longlong": (8, b"l"), "ulonglong": (8, b"L"), "float": (4, b"f"), "double": (8, b"g"),
}
# Greatest length and Arrow's format.
_SHORT = {
    "date": (11, b"tdD"), "datetime": (11, b"tsu:"), "timestamp": (11, b"tsu:UTC"),
    "time": (12, b"tDu"), "bit": (8, b"L"), "bit1": (1, b"b"), "uuid": (36, b"w:16"),
}
_VARIABLE = {
    "text": b"u", "json": b"u", "checked_text": b"u", "checked_json": b"u", "opaque_text": b"u",
    "blob": b"z", "raw": b"z",
}
cdef int MOST_TOLD_BYTES = 40
cdef int MOST_DECIMAL_BYTES = 0xFA


cdef int set_up(Codec* codec, Form* form, str word, uint32_t most) except -1:
    """Prepare a codec and the form for their word; ValueError where there is none of this name."""
    cdef str name, rest
    name, _, rest = word.partition(":")
    form.width, form.most = LENGTH_BEFORE, most
    if name == "decimal":
        set_up_decimal(codec, form, rest)
    elif name in _FIXED:
        form.width = _FIXED[name][0]
        codec.decode = &decode_bool if name == "bool1" else verbatim_decoder(form.width)
    elif name in _SHORT:
        form.most, form.one_byte = _SHORT[name][0], True
        codec.decode = short_decoder(name)
    elif name in _VARIABLE:
        codec.column.has_offsets = True
        codec.utf8 = name not in ("blob", "raw")
        codec.decode = &decode_checked if name.startswith("checked_") else &decode_bytes
        add_scratch(codec)
    else:
        raise ValueError(f"no codec {word!r}")
    return 0


cdef int set_up_decimal(Codec* codec, Form* form, str rest) except -1:
    cdef Decimal* decimal = <Decimal*>add_form(codec, sizeof(Decimal))
    precision, scale = map(int, rest.split(","))
    if not 1 <= precision <= 76 or not 0 <= scale <= precision:
        raise ValueError(f"no decimal has precision {precision} and scale {scale}")
    decimal.precision, decimal.scale = precision, scale
    decimal.limbs = 2 if precision <= 38 else 4
    form.most, form.one_byte = MOST_DECIMAL_BYTES, True
    codec.decode = &decode_decimal
    return 0


cdef Decode verbatim_decoder(int size) except NULL:
    if size == 1:
        return &copy_1_byte
    if size == 2:
        return &copy_2_bytes
    return &copy_4_bytes if size == 4 else &copy_8_bytes


cdef Decode short_decoder(str name) except NULL:
    if name == "date":
        return &decode_date
    if name == "time":
        return &decode_time
    if name == "bit":
        return &decode_bit
    if name == "bit1":
        return &decode_bit1
    return &decode_uuid if name == "uuid" else &decode_datetime


def _field(str name, str word):
    """Return (name, format, metadata, children) of a column, all bytes but the last."""
    kind, _, rest = word.partition(":")
    if kind == "decimal":
        precision, scale = map(int, rest.split(","))
        wide = b"" if precision <= 38 else b",256"
        return (name.encode(), f"d:{precision},{scale}".encode() + wide, b"", ())
    formats = {**_FIXED, **_SHORT}
    format_ = formats[kind][1] if kind in formats else _VARIABLE[kind]
    return (name.encode(), format_, field_metadata(_extension(kind, rest)), ())


def _extension(str kind, str type_name):
    """Return the metadata of Arrow's canonical extension types."""
    if kind == "json" or kind == "checked_json":
        return {"ARROW:extension:name": "arrow.json", "ARROW:extension:metadata": ""}
    if kind == "uuid":
        return {"ARROW:extension:name": "arrow.uuid", "ARROW:extension:metadata": ""}
    if kind in ("raw", "opaque_text"):
        told = json.dumps({"type_name": type_name, "vendor_name": "MySQL"})
        return {"ARROW:extension:name": "arrow.opaque", "ARROW:extension:metadata": told}
    return {}


@cython.final
cdef class RowsDecoder(BlockDecoder):
    """Decodes the rows of one prepared statement, as they follow the columns' definitions.

    Timestamps count as UTC: the session's ``time_zone`` has to be ``+00:00``.

    Args:
        columns: Name and codec word of each field, in order.
        batch_bytes: Size of the columns at which a batch is full.
        max_field_bytes: Longest field accepted.
        nulls_instead: Names of columns in which values without a native form become NULL.
        noted: Likewise, and ``take_notes`` tells which.
        sequence: Number that the first packet has to have; None accepts any.
    """

    cdef Packets packets
    cdef bint goes_on  # after the packet of the carried row that is coming in
    cdef readonly int warnings, status
    cdef readonly tuple error

    def __cinit__(
        self, columns, *, batch_bytes=4 << 20, max_field_bytes=1 << 30, nulls_instead=(), noted=(),
        sequence=None
    ):
        cdef int i
        self.packets.sequence = -1 if sequence is None else sequence & 0xFF
        self.set_columns(columns, batch_bytes, nulls_instead, noted)
        self.packets.bitmap_bytes = (self.frame.columns + 9) // 8
        self.packets.forms = <Form*>calloc(self.frame.columns + 1, sizeof(Form))
        if self.packets.forms == NULL:
            raise MemoryError
        for i in range(self.frame.columns):
            set_up(&self.frame.codecs[i], &self.packets.forms[i], self.words[i], max_field_bytes)
        self.begin_rows(tuple(_field(name, word) for name, word in columns), _MESSAGES)
        self.frame.row_header, self.in_rows = PACKET_HEADER, True

    def __dealloc__(self):
        free(self.packets.forms)

    def finish(self):
        """Check that the rows were complete.

        Raises:
            DecodeError: They ended before the packet that ends them.
            SourceError: The server ended them with an error, which ``error`` has in parts.
        """
        BlockDecoder.finish(self)
        if self.error is not None:
            code, state, message = self.error
            raise SourceError(f"the server ended the rows: {message} ({code}, {state})")

    cdef Stop lay_out(
        self, const char** at, const char* end, int64_t most_bytes, int* rows, Fault* fault
    ) noexcept nogil:
        return lay_out_block(&self.packets, &self.frame, at, end, most_bytes, rows, fault)

    cdef int decode_laid_out(self, int rows, const char* limit, Fault* fault) noexcept nogil:
        return decode_block(&self.frame, rows, limit, fault)

    cdef int64_t missing_bytes(self) noexcept:
        # scan_at: end of the packet that is coming in; scan_step: how many came before it.
        while True:
            if self.scan_at == 0:
                if self.carry.used < PACKET_HEADER:
                    return PACKET_HEADER - self.carry.used
                if header_fault(&self.packets, self.carry.data) != NO_FAULT:
                    return 0
                self.expect_packet(PACKET_HEADER, load_little_uint24(self.carry.data))
            if self.carry.used < self.scan_at:
                return self.scan_at - self.carry.used
            if not self.goes_on:
                self.packets.continued = self.scan_step
                return 0
            if self.carry.used < self.scan_at + PACKET_HEADER:
                return self.scan_at + PACKET_HEADER - self.carry.used
            self.packets.broken = self.join_packet()
            if self.packets.broken != NO_FAULT:
                return 0

    cdef int expect_packet(self, int64_t begin, int64_t size) noexcept:
        self.scan_at = begin + size
        self.goes_on = size == MOST_PAYLOAD
        return 0

    cdef int join_packet(self) noexcept:
        """Take the header of a following packet out of the carried row; return its fault."""
        cdef const char* header = self.carry.data + self.scan_at
        cdef int64_t size = load_little_uint24(header)
        cdef int first = <unsigned char>self.carry.data[3]
        if <unsigned char>header[3] != (first + 1 + self.scan_step) & 0xFF:
            return BAD_SEQUENCE
        if self.scan_at + size > MOST_ROW_BYTES:
            return BAD_ROW_SIZE
        self.carry.used = self.scan_at
        self.scan_step += 1
        self.expect_packet(self.scan_at, size)
        return NO_FAULT

    cdef int64_t distance(self, int64_t carried) noexcept:
        cdef int64_t joined = (carried - PACKET_HEADER) // MOST_PAYLOAD
        return carried + PACKET_HEADER * min(max(joined, 0), self.scan_step)

    @cython.boundscheck(True)
    cdef int read_trailer(self, bytes trailer, int64_t offset) except -1:
        payload = trailer[PACKET_HEADER:]
        try:
            if payload[0] == 0xFF:
                self.error = _read_error(payload)
            elif len(payload) == 5:
                self.warnings, self.status = struct.unpack_from("<HH", payload, 1)
            else:
                # Rows affected and the last id made come first; what follows is not needed.
                at = _after_length(payload, _after_length(payload, 1))
                self.status, self.warnings = struct.unpack_from("<HH", payload, at)
        except (IndexError, ValueError, struct.error):
            self.fail_at(BAD_TRAILER, offset, -1)
        return 0

    cdef str told(self, int column, bytes row):
        return _told(self.words[column], _wire_value(row, self.words, column))


def _read_error(bytes payload):
    """Return code, SQLSTATE and message."""
    code = struct.unpack_from("<H", payload, 1)[0]
    if payload[3:4] != b"#":
        return code, "HY000", payload[3:].decode(errors="replace")
    if len(payload) < 9:
        raise ValueError("no SQLSTATE")
    return code, payload[4:9].decode("ascii", "replace"), payload[9:].decode(errors="replace")


# A length that is a lie leads behind the end, where nothing may be read.
@cython.boundscheck(True)
def _after_length(bytes payload, int at):
    """Return the place behind a length-encoded integer."""
    first = payload[at]
    if first in (0xFB, 0xFF):
        raise ValueError("no length")
    return at + {0xFC: 3, 0xFD: 4, 0xFE: 9}.get(first, 1)


@cython.boundscheck(True)
def _wire_value(bytes row, tuple words, int column):
    """Return a field's bytes out of a whole row's, without the length before them."""
    at = 1 + (len(words) + 9) // 8
    for i in range(column + 1):
        size = _FIXED.get(words[i], (0,))[0]
        if row[1 + (i + 2) // 8] >> (i + 2) % 8 & 1:
            size = 0
        elif size == 0:
            begin = _after_length(row, at)
            size = row[at] if begin == at + 1 else int.from_bytes(row[at + 1:begin], "little")
            at = begin
        at += size
    return row[at - size:at]


def _told(str word, bytes value):
    """Return a value that has no native form as text."""
    kind = word.partition(":")[0]
    if kind == "bool1":
        return str(struct.unpack("b", value)[0])
    if kind == "decimal":
        return value.decode("ascii", "replace")
    if kind.startswith("checked_"):
        return _told_bytes(value[1:])
    if kind not in _SHORT:
        return f"a value of {len(value)} bytes"
    year, month, day, hour, minute, second, micro = struct.unpack("<H5BI", value.ljust(11, b"\0"))
    date = f"{year:04}-{month:02}-{day:02}"
    if kind == "date" and len(value) <= 4:
        return date
    return f"{date} {hour:02}:{minute:02}:{second:02}" + (f".{micro:06}" if micro else "")


def _told_bytes(bytes value):
    """Return the bytes that stand behind the mark of a text that is none."""
    if not value:
        return "'' (the enum's error value)"
    more = "…" if len(value) > MOST_TOLD_BYTES else ""
    return f"0x{value[:MOST_TOLD_BYTES].hex()}{more} (not all of it is in Unicode)"
