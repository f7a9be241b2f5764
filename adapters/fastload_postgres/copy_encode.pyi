from collections.abc import Collection, Sequence
from typing import final

from fastload.kernels.encoder import BatchEncoder

@final
class CopyEncoder(BatchEncoder):
    def __new__(
        cls, columns: Sequence[tuple[str, str]], *, nulls_instead: Collection[str] = ()
    ) -> CopyEncoder: ...
    def header(self) -> bytes: ...
    def trailer(self) -> bytes: ...
