# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False
"""Rows of any wire format into Arrow record batches.

Bytes are laid out as blocks of rows, then decoded column by column with the GIL released. Whole
chunks are decoded where they lie; only a row that is cut by a chunk's end is copied together.

A format is a subclass: its constructor calls ``set_columns``, prepares a codec for each column and
calls ``begin_rows``. It lays out blocks and says how much of a cut row is missing. Both are called
once per block or cut row, never per value.
"""
from collections import deque

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from fastload.kernels.arrow_export cimport Shared, array_capsule, drop, schema_capsule
from fastload.kernels.block cimport (
    BLOCK_FULL, FAULTY, ROW_IN_PIECES, ROW_INCOMPLETE, TRAILER, Frame, Note, Stop
)
from fastload.kernels.codec cimport (
    AFTER_TRAILER, BLOCK, CUT_OFF, NO_MEMORY, NO_NATIVE_FORM, Codec, Fault, begin_columns,
    tear_down
)
from fastload.kernels.column cimport Column, expect_as_much, start, trim_buffers
from fastload.kernels.growable cimport Buffer, append, dispose

from fastload.errors import DecodeError, Unrepresentable

cdef int64_t MOST_EXPECTED_BYTES = 64 << 20


cdef class Batch:
    """Decoded rows; ``pyarrow.record_batch`` and others take them without copying."""

    cdef Shared** shared
    cdef int columns
    cdef readonly int64_t num_rows
    cdef tuple schema

    def __cinit__(self):
        self.schema = (b"", b"+s", b"", ())

    def __dealloc__(self):
        cdef int i
        if self.shared != NULL:
            for i in range(self.columns):
                drop(self.shared[i])
            free(self.shared)

    def __arrow_c_schema__(self):
        """Return the schema's capsule."""
        return schema_capsule(self.schema)

    def __arrow_c_array__(self, requested_schema=None):
        """Return the capsules of schema and columns; a requested schema is not looked at."""
        return (
            schema_capsule(self.schema), array_capsule(self.shared, self.columns, self.num_rows)
        )


cdef Shared* share(Codec* codec) except NULL:
    """Move a column out of its codec, which begins a new one."""
    cdef Shared* shared = <Shared*>calloc(1, sizeof(Shared))
    if shared == NULL:
        raise MemoryError
    if codec.item != NULL:
        try:
            shared.item = share(codec.item)
        except BaseException:
            free(shared)
            raise
    shared.references = 1
    trim_buffers(&codec.column)
    shared.column = codec.column
    memset(&codec.column, 0, sizeof(Column))
    codec.column.has_offsets = shared.column.has_offsets
    expect_as_much(&codec.column, &shared.column, MOST_EXPECTED_BYTES)
    if start(&codec.column):
        drop(shared)
        raise MemoryError
    return shared


cdef int64_t held_by(const Codec* codec) noexcept nogil:
    cdef int64_t size = codec.column.validity.used + codec.column.offsets.used
    return size + codec.column.values.used + (held_by(codec.item) if codec.item != NULL else 0)


cdef class BlockDecoder:
    """Decodes one stream of rows.

    Feed bytes in any pieces; while ``full``, take a batch and call ``feed(b"")`` to go on with
    what was fed. Nothing fed is lost, and no more than about ``batch_bytes`` is decoded ahead.
    After an error every call raises it again.
    """

    def __cinit__(self):
        self.held, self.failed_row = deque(), b""
        self.names, self.words, self.messages = (), (), {}
        self.schema = (b"", b"+s", b"", ())

    cdef int set_columns(self, columns, int64_t batch_bytes, nulls_instead, noted) except -1:
        """Make room for columns and blocks of rows."""
        cdef Frame* frame = &self.frame
        cdef int i, count = len(columns)
        self.batch_bytes = batch_bytes
        self.names = tuple(name for name, _ in columns)
        self.words = tuple(word for _, word in columns)
        frame.block_rows = max(8, min(BLOCK, 8192 // max(count, 1)))
        frame.codecs = <Codec*>calloc(count + 1, sizeof(Codec))
        frame.fields = <const char**>calloc(
            <size_t>(count + 1) * frame.block_rows, sizeof(char*)
        )
        frame.row_starts = <const char**>calloc(frame.block_rows + 1, sizeof(char*))
        frame.has_null = <bint*>calloc(count + 1, sizeof(bint))
        frame.nulls_instead = <bint*>calloc(count + 1, sizeof(bint))
        frame.noted = <bint*>calloc(count + 1, sizeof(bint))
        if (
            frame.codecs == NULL or frame.fields == NULL or frame.row_starts == NULL
            or frame.has_null == NULL or frame.nulls_instead == NULL or frame.noted == NULL
        ):
            raise MemoryError
        frame.columns = count
        for i in range(count):
            frame.noted[i] = self.names[i] in noted
            frame.nulls_instead[i] = frame.noted[i] or self.names[i] in nulls_instead
        return 0

    cdef int begin_rows(self, tuple fields, dict messages) except -1:
        """Begin the columns, with an Arrow field for each and the format's words for faults."""
        cdef int i
        for i in range(self.frame.columns):
            if not begin_columns(&self.frame.codecs[i]):
                raise MemoryError
        self.schema, self.messages = (b"", b"+s", b"", fields), messages
        return 0

    def __dealloc__(self):
        cdef int i
        if self.frame.codecs != NULL:
            for i in range(self.frame.columns):
                tear_down(&self.frame.codecs[i])
        free(self.frame.codecs)
        free(self.frame.fields)
        free(self.frame.row_starts)
        free(self.frame.has_null)
        free(self.frame.nulls_instead)
        free(self.frame.noted)
        dispose(&self.frame.notes)
        dispose(&self.carry)

    def __arrow_c_schema__(self):
        """Return the schema's capsule."""
        return schema_capsule(self.schema)

    @property
    def full(self):
        """Whether the rows held make a batch."""
        return self.held_bytes >= self.batch_bytes

    @property
    def bytes_held(self):
        """Bytes of the columns held."""
        return self.held_bytes

    @property
    def rows(self):
        """Rows decoded so far."""
        return self.decoded_rows

    @property
    def nulled(self):
        """Values decoded as NULL because the Arrow type cannot hold them."""
        return self.frame.nulled

    @property
    def rest(self):
        """What was fed and lies behind the last row that was looked at, after Unrepresentable.

        It begins with a row, or with a part of one, or with what ends the rows; it is empty where
        that was looked at as well, as ``ended`` says.
        """
        chunks = list(self.held)
        if chunks:
            chunks[0] = chunks[0][self.chunk_at:]
        return b"".join(chunks)

    def feed(self, data):
        """Decode as many whole rows as the batch has room for; return the rows held.

        Raises:
            DecodeError: The bytes are not what the protocol says, with offset and column.
            Unrepresentable: A value that its column's Arrow type cannot hold; ``failed_row`` has
                the bytes of its row.
        """
        if self.failure is not None:
            raise self.failure
        if len(data):
            self.held.append(data if isinstance(data, bytes) else bytes(data))
        while self.held and self.held_bytes < self.batch_bytes:
            self.decode_some(self.held[0])
            if self.chunk_at >= len(self.held[0]):
                self.offset += len(self.held.popleft())
                self.chunk_at = 0
        return self.rows_held

    def take(self):
        """Return the rows held as a batch and begin the next one."""
        if self.failure is not None:
            raise self.failure
        cdef Batch batch = Batch.__new__(Batch)
        cdef int i
        batch.schema = self.schema
        batch.shared = <Shared**>calloc(self.frame.columns + 1, sizeof(Shared*))
        if batch.shared == NULL:
            raise MemoryError
        batch.columns = self.frame.columns
        for i in range(self.frame.columns):
            batch.shared[i] = share(&self.frame.codecs[i])
        batch.num_rows = self.rows_held
        self.rows_held = self.held_bytes = 0
        return batch

    def take_notes(self):
        """Return what became NULL and was to be noted: row of its batch, column, value as text.

        Of the batch that was taken last, before anything else is fed.
        """
        cdef Buffer* notes = &self.frame.notes
        cdef int64_t at = 0
        cdef Note kept
        found = []
        while at < notes.used:
            memcpy(&kept, notes.data + at, sizeof(Note))
            at += sizeof(Note)
            row = PyBytes_FromStringAndSize(notes.data + at, kept.row_bytes)
            at += kept.row_bytes
            found.append((kept.row, kept.column, self.told(kept.column, row)))
        dispose(notes)
        return found

    def finish(self):
        """Check that the stream was complete.

        Raises:
            DecodeError: It ended before its trailer.
        """
        if self.failure is not None:
            raise self.failure
        if not self.ended:
            self.fail_at(CUT_OFF, self.offset + self.chunk_at, -1)

    cdef int decode_some(self, bytes chunk) except -1:
        """Decode from the chunk's place on, at least something of it."""
        cdef const char* data = PyBytes_AS_STRING(chunk)
        cdef int64_t size = PyBytes_GET_SIZE(chunk)
        if not self.in_rows:
            return self.read_header(chunk)
        if self.ended:
            self.fail_at(AFTER_TRAILER, self.offset + self.chunk_at, -1)
        if self.carry.used:
            return self.complete_row(data, size)
        return self.decode_chunk(data, size)

    cdef int decode_chunk(self, const char* data, int64_t size) except -1:
        """Decode whole rows where they lie; keep what is left of the last."""
        cdef const char* at = data + self.chunk_at
        cdef const char* end = data + size
        cdef Stop stop = BLOCK_FULL
        cdef Fault fault
        cdef bint ok = True, lost = False
        memset(&fault, 0, sizeof(Fault))
        with nogil:
            while stop == BLOCK_FULL and ok and self.held_bytes < self.batch_bytes:
                ok = self.decode_one_block(&at, end, &stop, &fault)
        self.chunk_at = at - data
        if not ok:
            if stop == TRAILER:
                self.end_with(at, self.offset + (self.frame.trailer - data))
            self.raise_fault(&fault, self.offset + (fault.at - data) if fault.at != NULL else -1)
        if stop == TRAILER:
            return self.end_with(at, self.offset + (self.frame.trailer - data))
        if stop == BLOCK_FULL:
            return 0
        self.row_at = self.offset + self.chunk_at
        if stop == ROW_IN_PIECES:
            return self.complete_row(data, size)
        if at == end:
            return 0
        with nogil:
            lost = append(&self.carry, at, end - at) != 0
        if lost:
            raise MemoryError
        self.chunk_at = size
        return 0

    cdef bint decode_one_block(
        self, const char** at, const char* end, Stop* stop, Fault* fault
    ) noexcept nogil:
        """Decode up to a block of rows; False where a row is faulty."""
        cdef int rows = 0, done, i
        cdef int64_t room = self.batch_bytes - self.held_bytes
        cdef Fault framing
        memset(&framing, 0, sizeof(Fault))
        stop[0] = self.lay_out(at, end, room, &rows, &framing)
        done = self.decode_laid_out(rows, end, fault)
        self.held_bytes = 0
        for i in range(self.frame.columns):
            self.held_bytes += held_by(&self.frame.codecs[i])
        if done < rows:
            fault.row = self.decoded_rows + done
            fault.row_start = self.frame.row_starts[done] + self.frame.row_header
            fault.row_end = self.frame.row_starts[done + 1]
            return False
        self.rows_held += rows
        self.decoded_rows += rows
        if stop[0] == FAULTY:
            fault[0] = framing
            fault.row = self.decoded_rows
            return False
        return True

    cdef int complete_row(self, const char* data, int64_t size) except -1:
        """Add bytes to a cut row until it is whole, and decode it from the copy."""
        cdef const char* at
        cdef Stop stop
        cdef Fault fault
        cdef bint ok
        if self.carry_more(data, size):
            return 0
        memset(&fault, 0, sizeof(Fault))
        at = self.carry.data
        with nogil:
            ok = self.decode_one_block(&at, self.carry.data + self.carry.used, &stop, &fault)
        if not ok:
            self.raise_fault(
                &fault,
                self.row_at + self.distance(fault.at - self.carry.data)
                if fault.at != NULL else -1,
            )
        if stop == TRAILER:
            self.end_with(at, self.row_at)
        self.forget_row()
        return 0

    cdef int64_t carry_more(self, const char* data, int64_t size) except -1:
        """Add bytes to the carried row; return how many it lacks still."""
        cdef int64_t missing = self.missing_bytes()
        cdef bint lost
        while missing and self.chunk_at < size:
            missing = min(missing, size - self.chunk_at)
            with nogil:
                lost = append(&self.carry, data + self.chunk_at, missing) != 0
            if lost:
                raise MemoryError
            self.chunk_at += missing
            missing = self.missing_bytes()
        return missing

    cdef int forget_row(self) noexcept:
        self.carry.used = self.scan_at = self.scan_step = 0
        if self.carry.capacity > self.batch_bytes:
            dispose(&self.carry)
        return 0

    cdef int end_with(self, const char* end, int64_t offset) except -1:
        cdef const char* trailer = self.frame.trailer
        self.ended = True
        return self.read_trailer(PyBytes_FromStringAndSize(trailer, end - trailer), offset)

    cdef int raise_fault(self, const Fault* fault, int64_t offset) except -1:
        cdef int column = fault.column
        if fault.code == NO_MEMORY:
            raise MemoryError
        if fault.code != NO_NATIVE_FORM:
            self.fail_at(fault.code, offset, column)
        self.failed_row = PyBytes_FromStringAndSize(
            fault.row_start, fault.row_end - fault.row_start
        )
        name, value = self.names[column], self.told(column, self.failed_row)
        self.fail(Unrepresentable(
            f"{value} has no place in the column's Arrow type",
            row=fault.row, column_index=column, column=name, value=value,
            hint="on_unrepresentable='null' makes it NULL",
        ))
        return -1

    cdef int fail_at(self, int code, int64_t offset, int column) except -1:
        self.fail(DecodeError(
            self.messages[code], offset=offset, column_index=column,
            column=self.names[column] if column >= 0 else None,
        ))
        return -1

    cdef int fail(self, object error) except -1:
        self.failure = error
        if not isinstance(error, Unrepresentable):
            self.held.clear()
        raise error

    # A format takes the place of these.

    cdef int read_header(self, bytes chunk) except -1:
        """Read what stands before the rows from the chunk's place on; set in_rows behind it."""
        raise NotImplementedError

    cdef Stop lay_out(
        self, const char** at, const char* end, int64_t most_bytes, int* rows, Fault* fault
    ) noexcept nogil:
        """Find the fields of whole rows from `at` on, which is moved behind them."""
        return ROW_INCOMPLETE

    cdef int decode_laid_out(self, int rows, const char* limit, Fault* fault) noexcept nogil:
        """Return block.decode_block: it has to be compiled where lay_out is."""
        return 0

    cdef int64_t missing_bytes(self) noexcept:
        """Return how many bytes the carried row lacks at least; 0 where it is whole or faulty."""
        return 0

    cdef int64_t distance(self, int64_t carried) noexcept:
        """Return how far from the row's start in the stream this carried byte was."""
        return carried

    cdef int read_trailer(self, bytes trailer, int64_t offset) except -1:
        """Read what ends the rows."""
        return 0

    cdef str told(self, int column, bytes row):
        """Return a value that has no native form as text."""
        raise NotImplementedError
