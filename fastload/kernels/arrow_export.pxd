# Finished columns out to Arrow, without copying: the C data interface and its PyCapsules.
#
# Guarantees: every array and every child holds its own reference to its column's buffers, so a
# consumer may move children out and release them in any order and on any thread, without the GIL.
# The same columns may be exported any number of times.
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from fastload.kernels.arrow_c cimport ArrowArray, ArrowSchema
from fastload.kernels.column cimport NULL_FIELD, Column, release_buffers

cdef extern from *:
    int __atomic_add_fetch(int*, int, int) noexcept nogil
    int __ATOMIC_ACQ_REL


cdef struct Shared:
    int references
    Column column
    Shared* item  # a list's values


cdef struct ArrayNode:  # private_data of an ArrowArray
    Shared* shared
    const void* buffers[3]
    ArrowArray* children
    ArrowArray** pointers


cdef struct SchemaNode:  # private_data of an ArrowSchema
    ArrowSchema* children
    ArrowSchema** pointers
    char* strings


cdef inline void drop(Shared* shared) noexcept nogil:
    """Give up one reference; the last frees the buffers."""
    if shared == NULL or __atomic_add_fetch(&shared.references, -1, __ATOMIC_ACQ_REL) > 0:
        return
    release_buffers(&shared.column)
    drop(shared.item)
    free(shared)


cdef inline void release_array(ArrowArray* array) noexcept nogil:
    cdef ArrayNode* node = <ArrayNode*>array.private_data
    cdef int64_t i
    for i in range(array.n_children):
        if node.children[i].release != NULL:
            node.children[i].release(&node.children[i])
    free_array_node(node)
    array.release = NULL


cdef inline void free_array_node(ArrayNode* node) noexcept nogil:
    if node != NULL:
        drop(node.shared)
        free(node.children)
        free(node.pointers)
        free(node)


cdef inline int begin_array(ArrowArray* array, int64_t length, int64_t children) noexcept nogil:
    """Set up an array with room for children, which the caller fills; -1 out of memory."""
    cdef ArrayNode* node = <ArrayNode*>calloc(1, sizeof(ArrayNode))
    cdef int64_t i
    array.release = NULL
    if node == NULL:
        return -1
    node.children = <ArrowArray*>calloc(children + 1, sizeof(ArrowArray))
    node.pointers = <ArrowArray**>calloc(children + 1, sizeof(ArrowArray*))
    if node.children == NULL or node.pointers == NULL:
        free_array_node(node)
        return -1
    for i in range(children):
        node.pointers[i] = &node.children[i]
    array.length, array.null_count, array.offset = length, 0, 0
    array.n_buffers, array.n_children = 1, children
    array.buffers, array.children = node.buffers, node.pointers
    array.dictionary, array.private_data = NULL, node
    array.release = &release_array
    return 0


cdef inline int export_column(ArrowArray* array, Shared* shared) noexcept nogil:
    """Make an array over a column's buffers; -1 out of memory, with nothing to release."""
    cdef Column* column = &shared.column
    cdef ArrayNode* node
    if begin_array(array, column.length, 1 if shared.item != NULL else 0):
        return -1
    node = <ArrayNode*>array.private_data
    if shared.item != NULL and export_column(&node.children[0], shared.item):
        array.release(array)
        return -1
    __atomic_add_fetch(&shared.references, 1, __ATOMIC_ACQ_REL)
    node.shared = shared
    array.null_count = column.null_count
    node.buffers[0] = column.validity.data if column.null_count else NULL
    array.n_buffers = 1
    if column.has_offsets:
        node.buffers[array.n_buffers] = column.offsets.data
        array.n_buffers += 1
    if shared.item == NULL:
        # Some consumers take a null pointer for a missing buffer, even of no bytes.
        node.buffers[array.n_buffers] = column.values.data or NULL_FIELD
        array.n_buffers += 1
    return 0


cdef inline int export_struct(
    ArrowArray* array, Shared** columns, int64_t count, int64_t length
) noexcept nogil:
    """Make a struct array of these columns; -1 out of memory, with nothing to release."""
    cdef ArrayNode* node
    cdef int64_t i
    if begin_array(array, length, count):
        return -1
    node = <ArrayNode*>array.private_data
    for i in range(count):
        if export_column(&node.children[i], columns[i]):
            array.release(array)
            return -1
    return 0


cdef inline object array_capsule(Shared** columns, int64_t count, int64_t length):
    """Return a capsule with a struct array of these columns."""
    cdef ArrowArray* array = <ArrowArray*>calloc(1, sizeof(ArrowArray))
    if array == NULL or export_struct(array, columns, count, length):
        free(array)
        raise MemoryError
    return PyCapsule_New(array, "arrow_array", &destroy_array_capsule)


cdef inline void destroy_array_capsule(object capsule) noexcept:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef inline void release_schema(ArrowSchema* schema) noexcept nogil:
    cdef SchemaNode* node = <SchemaNode*>schema.private_data
    cdef int64_t i
    for i in range(schema.n_children):
        if node.children[i].release != NULL:
            node.children[i].release(&node.children[i])
    free_schema_node(node)
    schema.release = NULL


cdef inline void free_schema_node(SchemaNode* node) noexcept nogil:
    if node != NULL:
        free(node.children)
        free(node.pointers)
        free(node.strings)
        free(node)


cdef inline int begin_schema(
    ArrowSchema* schema, bytes name, bytes format, bytes metadata, int64_t children
) except -1:
    """Set up a nullable field with room for children, which the caller fills."""
    cdef SchemaNode* node = <SchemaNode*>calloc(1, sizeof(SchemaNode))
    cdef bytes strings = name + b"\0" + format + b"\0" + metadata
    cdef int64_t size = PyBytes_GET_SIZE(strings), i
    schema.release = NULL
    if node != NULL:
        node.children = <ArrowSchema*>calloc(children + 1, sizeof(ArrowSchema))
        node.pointers = <ArrowSchema**>calloc(children + 1, sizeof(ArrowSchema*))
        node.strings = <char*>malloc(size)
    if node == NULL or node.children == NULL or node.pointers == NULL or node.strings == NULL:
        free_schema_node(node)
        raise MemoryError
    memcpy(node.strings, PyBytes_AS_STRING(strings), size)
    for i in range(children):
        node.pointers[i] = &node.children[i]
    schema.name = node.strings
    schema.format = node.strings + len(name) + 1
    schema.metadata = node.strings + len(name) + len(format) + 2 if metadata else NULL
    schema.flags, schema.n_children, schema.children = 2, children, node.pointers
    schema.dictionary, schema.private_data = NULL, node
    schema.release = &release_schema
    return 0


cdef inline int export_field(ArrowSchema* schema, tuple field) except -1:
    """Fill a schema from (name, format, metadata, children), all bytes but the last."""
    cdef tuple children = field[3]
    cdef SchemaNode* node
    cdef Py_ssize_t i
    begin_schema(schema, field[0], field[1], field[2], len(children))
    node = <SchemaNode*>schema.private_data
    try:
        for i in range(len(children)):
            export_field(&node.children[i], children[i])
    except BaseException:
        schema.release(schema)
        raise
    return 0


cdef inline object schema_capsule(tuple field):
    """Return a capsule with the schema of (name, format, metadata, children)."""
    cdef ArrowSchema* schema = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
    if schema == NULL:
        raise MemoryError
    try:
        export_field(schema, field)
    except BaseException:
        free(schema)
        raise
    return PyCapsule_New(schema, "arrow_schema", &destroy_schema_capsule)


cdef inline void destroy_schema_capsule(object capsule) noexcept:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef inline bytes field_metadata(dict pairs):
    """Encode field metadata as the C data interface has it: native-endian counts and lengths."""
    cdef int32_t count = <int32_t>len(pairs)
    cdef bytes out = (<char*>&count)[:4]
    for pair in pairs.items():
        for text in pair:
            encoded = text.encode()
            count = <int32_t>len(encoded)
            out += (<char*>&count)[:4] + encoded
    return out if pairs else b""
