"""The rows that are picked out of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastload.verification.budget import Share
from fastload.verification.hashing import Hashing

if TYPE_CHECKING:
    import pyarrow as pa


class Wanted:
    """The buckets whose rows are held, which become fewer when they take too much memory.

    Both sides share it, so that in the end they hold rows of the same keys.
    """

    def __init__(self, bits: int, buckets: Sequence[int], share: Share) -> None:
        self._mask = bytearray(1 << bits)
        self._left = list(buckets)
        self._share = share
        self.cut = False
        for bucket in buckets:
            self._mask[bucket] = 1

    def of(self, hashing: Hashing, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Return a batch's rows that are wanted, without those that are not."""
        import pyarrow as pa

        places = hashing.hasher.pick(hashing.flat(batch), bytes(self._mask))
        if len(places) == 8 * batch.num_rows:
            return batch
        found = pa.Array.from_buffers(pa.int64(), len(places) // 8, [None, pa.py_buffer(places)])
        return batch.take(found)

    def filtered(self, hashing: Hashing, batches: Sequence[pa.RecordBatch]) -> list[pa.RecordBatch]:
        """Return what is still wanted of rows that were."""
        return [self.of(hashing, b) for b in batches] if self.cut else list(batches)

    def hold(self, size_bytes: int) -> None:
        """Count what is held; want half as many buckets where it is too much."""
        if self._share.hold(size_bytes) and len(self._left) > 1:
            half = len(self._left) // 2
            for bucket in self._left[half:]:
                self._mask[bucket] = 0
            del self._left[half:]
            self._share.hold(-(self._share.bytes // 2))
            self.cut = True
