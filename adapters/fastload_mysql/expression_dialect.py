"""What expressions mean in MySQL and MariaDB, and how they are said there."""

from __future__ import annotations

from fastload.expressions import Dialect
from fastload_mysql import expression_reading as reading
from fastload_mysql import expression_writing as writing

EXPRESSIONS = Dialect(
    grammar="mysql",
    clean=reading.clean,
    readers=reading.READERS,
    functions=reading.FUNCTIONS,
    kind=reading.kind,
    exact_text=reading.exact_text,
    text_bytes=reading.text_bytes,
    folds_names=True,
    clamps_casts=True,
    timestamp_digits=0,
    decimal_digits=(10, 0),
    underflows_to_zero=True,
    widens_singles=True,
    write=writing.write,
    default=writing.default,
    check=writing.check,
)
