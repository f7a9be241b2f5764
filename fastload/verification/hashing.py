"""What hashes the batches of a table."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from fastload import arrow_input
from fastload.typemap import schema_of
from fastload.verification.pairs import TablePair

if TYPE_CHECKING:
    import pyarrow as pa

    from fastload.kernels.row_hash import RowHasher
    from fastload.verification.sides import Side


class Hashing(NamedTuple):
    """What hashes the batches of one side, and what brings them into its forms."""

    flat: arrow_input.Normaliser
    hasher: RowHasher


def hashing_of(side: Side, pair: TablePair) -> Hashing:
    """Return what hashes this side's batches of a pair."""
    columns = side.columns(pair)
    exact = [c.name for c, p in zip(columns, pair.pairs, strict=True) if p.exact]
    kinds = [(c.name, p.kind) for c, p in zip(columns, pair.pairs, strict=True)]
    return hashing(schema_of(columns, exact), kinds, pair.key)


def hashing(
    schema: pa.Schema, kinds: Sequence[tuple[str, str]], key: Sequence[int] = ()
) -> Hashing:
    """Return what hashes batches of a schema by these kinds."""
    from fastload.kernels.row_hash import RowHasher

    hasher = RowHasher(kinds, key)
    # A word that no extension type has goes by what the type is stored as.
    words = [(name, _WORDS.get(kind, kind)) for name, kind in kinds]
    return Hashing(arrow_input.plan(schema, words, hasher.check), hasher)


_WORDS = {"text_unpadded": "text"}


def numbers(hashes: bytes) -> tuple[int, ...]:
    """Return the 64-bit integers that bytes hold."""
    return struct.unpack(f"={len(hashes) // 8}Q", hashes)
