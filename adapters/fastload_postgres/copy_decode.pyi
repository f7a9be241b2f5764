from collections.abc import Collection, Sequence
from typing import final

from fastload.kernels.decoder import BlockDecoder

@final
class CopyDecoder(BlockDecoder):
    def __new__(
        cls,
        columns: Sequence[tuple[str, str]],
        *,
        batch_bytes: int = ...,
        max_field_bytes: int = ...,
        nulls_instead: Collection[str] = (),
        noted: Collection[str] = (),
    ) -> CopyDecoder: ...
