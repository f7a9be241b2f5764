"""Feeds one kernel with damaged bytes for so many seconds: ``TARGET SECONDS SEED SEEDS PROGRESS``.

It runs in a process of its own, which a bug may end. Each input follows from the seed and its
number, which stands in the progress file: ``one`` runs that one again.
"""

from __future__ import annotations

import array
import json
import random
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from fastload_mysql.rows_decode import RowsDecoder
from fastload_postgres.copy_decode import CopyDecoder
from fastload_postgres.copy_hash import CopyHasher

from fastload import arrow_input
from fastload.errors import DecodeError, EncodeError, SourceError, Unrepresentable
from fastload.kernels.row_hash import Buckets, RowHasher, xxh64_of
from tests.faults.mutations import bytes_damaged, copy_damaged, packets_damaged
from tests.faults.seeds import Seed, stored

Dice = random.Random
_REFUSED = (DecodeError, Unrepresentable, SourceError)


def pieces_of(data: bytes, dice: Dice) -> Iterator[array.array[int]]:
    """Cut the bytes anywhere; each piece ends where its memory ends, so that no read goes past."""
    most = dice.choice((1, 7, 100, 5000, 1 << 20, 1 << 20))
    at = 0
    while at < len(data):
        size = dice.randint(1, most)
        yield array.array("B", data[at : at + size])
        at += size


def _decode(decoder: CopyDecoder | RowsDecoder, data: bytes, dice: Dice) -> None:
    for piece in pieces_of(data, dice):
        decoder.feed(memoryview(piece))
        while decoder.full:
            pa.record_batch(decoder.take()).validate(full=True)
            decoder.feed(b"")
    decoder.finish()
    pa.record_batch(decoder.take()).validate(full=True)


def _options(seed: Seed, dice: Dice) -> dict[str, object]:
    names = [name for name, _ in seed.columns]
    nulls = names if dice.random() < 0.7 else []
    return {**seed.options, "batch_bytes": dice.choice((1, 500, 1 << 20)), "nulls_instead": nulls}


def _columns(seed: Seed, dice: Dice) -> list[tuple[str, str]]:
    """Return the columns, sometimes with codecs in each other's places."""
    codecs = [codec for _, codec in seed.columns]
    if dice.random() < 0.2:
        dice.shuffle(codecs)
    return [(name, codec) for (name, _), codec in zip(seed.columns, codecs, strict=True)]


def copy_decode(seeds: list[Seed], dice: Dice) -> None:
    seed = dice.choice([s for s in seeds if s.kind == "copy"])
    data = copy_damaged(seed.stream, dice)
    if dice.random() < 0.2:
        data = bytes_damaged(data, dice)
    _decode(CopyDecoder(_columns(seed, dice), **_options(seed, dice)), data, dice)


def rows_decode(seeds: list[Seed], dice: Dice) -> None:
    seed = dice.choice([s for s in seeds if s.kind == "rows"])
    data = packets_damaged(seed.stream, dice)
    if dice.random() < 0.2:
        data = bytes_damaged(data, dice)
    _decode(RowsDecoder(_columns(seed, dice), **_options(seed, dice)), data, dice)


def copy_hash(seeds: list[Seed], dice: Dice) -> None:
    seed = dice.choice([s for s in seeds if s.kind == "copy"])
    damage = dice.choice((copy_damaged, bytes_damaged))
    hasher = CopyHasher()
    for piece in pieces_of(damage(seed.stream, dice), dice):
        hasher.feed(memoryview(piece))
    hasher.finish()


_KINDS: dict[str, tuple[str, Callable[[Dice], object]]] = {
    "int64": ("number", lambda d: d.randint(-(2**63), 2**63 - 1)),
    "double": ("number", lambda d: struct.unpack("d", d.randbytes(8))[0]),
    "string": ("text", lambda d: "é" * d.choice((0, 1, 15, 16, 17, 300))),
    "binary": ("bytes", lambda d: d.randbytes(d.choice((0, 1, 3, 31, 32, 33, 500)))),
    "bool": ("bool", lambda d: d.random() < 0.5),
}


def row_hash(seeds: list[Seed], dice: Dice) -> None:
    """Arrow's own invariants hold; slices, NULLs and odd lengths are what is left."""
    names = [dice.choice(list(_KINDS)) for _ in range(dice.randint(1, 6))]
    rows = dice.choice((0, 1, 7, 8, 9, 63, 64, 65, 200))
    begin, columns = dice.randrange(rows + 1), []
    for name in names:
        make = _KINDS[name][1]
        values = [None if dice.random() < 0.2 else make(dice) for _ in range(rows)]
        columns.append(pa.array(values, type=pa.type_for_alias(name)))
    batch = pa.RecordBatch.from_arrays(columns, names=[str(i) for i in range(len(names))])
    kinds = [(str(i), _KINDS[name][0]) for i, name in enumerate(names)]
    hasher = RowHasher(kinds)
    flat = arrow_input.plan(batch.schema, kinds, hasher.check)
    hasher.add(flat(batch.slice(begin)), Buckets(dice.choice((0, 1, 8))))
    data = array.array("B", dice.randbytes(dice.randrange(100)))
    xxh64_of(data.tobytes(), dice.randrange(2**64))


TARGETS = {f.__name__: f for f in (copy_decode, rows_decode, copy_hash, row_hash)}


def one(target: str, seeds: list[Seed], seed: str, number: int) -> bool:
    """Run one input; say whether it was taken, and not refused."""
    try:
        TARGETS[target](seeds, random.Random(f"{seed} {number}"))
    except (*_REFUSED, EncodeError):
        return False
    return True


def main(target: str, seconds: str, seed: str, seeds_file: str, progress_file: str) -> None:
    """Run inputs until the time is over, and print how many there were."""
    seeds, number, taken = stored(Path(seeds_file)), 0, 0
    for whole in seeds:
        decoder = CopyDecoder if whole.kind == "copy" else RowsDecoder
        _decode(decoder(whole.columns, **whole.options), whole.stream, random.Random(seed))
    until = time.monotonic() + float(seconds)
    with Path(progress_file).open("wb", buffering=0) as progress:
        while time.monotonic() < until:
            progress.seek(0)
            progress.write(b"%d" % number)
            taken += one(target, seeds, seed, number)
            number += 1
    print(json.dumps({"inputs": number, "taken": taken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
