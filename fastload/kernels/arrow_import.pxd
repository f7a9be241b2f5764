# Arrow arrays in, without copying: the PyCapsules of the C data interface.
#
# The structs stay in their capsules, which release them: whoever reads keeps the capsules.
from cpython.pycapsule cimport PyCapsule_GetPointer

from fastload.kernels.arrow_c cimport ArrowArray, ArrowSchema


cdef inline ArrowSchema* schema_in(object capsule) except NULL:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, "arrow_schema")
    if schema.release == NULL:
        raise ValueError("the Arrow schema has been released")
    return schema


cdef inline ArrowArray* array_in(object capsule) except NULL:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, "arrow_array")
    if array.release == NULL:
        raise ValueError("the Arrow array has been released")
    return array
