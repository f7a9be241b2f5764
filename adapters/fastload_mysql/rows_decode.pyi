from collections.abc import Collection, Sequence
from typing import final

from fastload.kernels.decoder import BlockDecoder

@final
class RowsDecoder(BlockDecoder):
    @property
    def warnings(self) -> int: ...
    @property
    def status(self) -> int: ...
    @property
    def error(self) -> tuple[int, str, str] | None: ...
    def __new__(
        cls,
        columns: Sequence[tuple[str, str]],
        *,
        batch_bytes: int = ...,
        max_field_bytes: int = ...,
        nulls_instead: Collection[str] = (),
        noted: Collection[str] = (),
        sequence: int | None = None,
    ) -> RowsDecoder: ...
