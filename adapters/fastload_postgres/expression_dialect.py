"""What expressions mean in PostgreSQL, and how they are said there."""

from __future__ import annotations

from fastload.expressions import Dialect
from fastload_postgres import expression_reading as reading
from fastload_postgres import expression_writing as writing

EXPRESSIONS = Dialect(
    grammar="postgres",
    clean=reading.clean,
    readers=reading.READERS,
    functions=reading.FUNCTIONS,
    kind=reading.kind,
    exact_text=reading.exact_text,
    text_bytes=reading.text_bytes,
    folds_names=False,
    clamps_casts=False,
    timestamp_digits=6,
    decimal_digits=None,
    underflows_to_zero=False,
    widens_singles=False,
    write=writing.write,
    default=writing.default,
    check=writing.write,
)
