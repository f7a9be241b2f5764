from collections.abc import Collection, Sequence
from typing import Literal, final

from fastload.kernels.encoder import BatchEncoder

@final
class RowsEncoder(BatchEncoder):
    def __new__(
        cls,
        columns: Sequence[tuple[str, str]],
        nulls_instead: Collection[str] = (),
        *,
        form: Literal["file", "values"] = "file",
    ) -> RowsEncoder: ...
