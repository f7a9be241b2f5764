"""Rows of both sides matched by key: which are missing, extra or different, and where."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from fastload.verification.hashing import hashing, hashing_of, numbers
from fastload.verification.pairs import TablePair, is_integer
from fastload.verification.result import ColumnDifference, Difference
from fastload.verification.sides import Side

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_CHARACTERS = 200
# Of a long value, before the place where it differs.
_BEFORE = 20


class Changed(NamedTuple):
    """The source's rows that differ from the target's in these columns, which are the source's."""

    columns: tuple[str, ...]
    rows: list[pa.RecordBatch]


class Suspect(NamedTuple):
    """The rows of one key, as the sorted hashes of the rows that only one side has.

    Attributes:
        place: The first column of the key, where it is a whole number and not NULL.
    """

    here: tuple[int, ...]
    there: tuple[int, ...]
    place: int | None


class Matched(NamedTuple):
    """What rows of both sides come to.

    Attributes:
        missing: The source's rows that the target does not have.
        extra: The target's rows that the source does not have.
        more: Whether rows were left out.
        suspects: What differs, by the hash of its key.
    """

    differences: tuple[Difference, ...]
    changed: list[Changed]
    missing: list[pa.RecordBatch]
    extra: list[pa.RecordBatch]
    more: bool
    suspects: dict[int, Suspect]

    @property
    def bytes(self) -> int:
        """The size of the rows that are held on to."""
        changed = [b for c in self.changed for b in c.rows]
        return sum(b.nbytes for b in (*changed, *self.missing, *self.extra))


class _Row(NamedTuple):
    key: int
    hash: int
    batch: int
    row: int


def match(
    pair: TablePair,
    here: Side,
    there: Side,
    batches: tuple[Sequence[pa.RecordBatch], Sequence[pa.RecordBatch]],
    limit: int,
    only: Container[int] | None = None,
) -> Matched:
    """Match the rows that both sides have picked, those of all keys or only of keys so hashed."""
    left, right = (
        _unmatched(side, pair, some, only)
        for side, some in zip((here, there), batches, strict=True)
    )
    _cancel(left, right)
    suspects = _suspects(pair, batches, left, right)
    both, missing, extra = _apart(left, right)
    more = len(both) + len(missing) + len(extra) > limit
    both, rest = both[:limit], limit - min(limit, len(both))
    missing, rest = missing[:rest], rest - min(rest, len(missing))
    extra = extra[:rest]
    different = _different(pair, here, there, batches, both)
    found = [
        *different,
        *_alone(pair, here, batches[0], missing, "missing"),
        *_alone(pair, there, batches[1], extra, "extra"),
    ]
    changed = _changed(batches[0], [a for a, _ in both], different)
    alone = _taken(batches[0], missing), _taken(batches[1], extra)
    return Matched(tuple(found), changed, *alone, more, suspects)


def _unmatched(
    side: Side,
    pair: TablePair,
    batches: Sequence[pa.RecordBatch],
    only: Container[int] | None,
) -> defaultdict[int, list[_Row]]:
    """Return rows by the hash of their key."""
    tool = hashing_of(side, pair)
    found: defaultdict[int, list[_Row]] = defaultdict(list)
    for place, batch in enumerate(batches):
        rows, keys = map(numbers, tool.hasher.hashes(tool.flat(batch)))
        for row, (key, row_hash) in enumerate(zip(keys, rows, strict=True)):
            if only is None or key in only:
                found[key].append(_Row(key, row_hash, place, row))
    return found


def _suspects(
    pair: TablePair,
    batches: tuple[Sequence[pa.RecordBatch], Sequence[pa.RecordBatch]],
    left: Mapping[int, list[_Row]],
    right: Mapping[int, list[_Row]],
) -> dict[int, Suspect]:
    """Return what is left of either side by key."""
    found = {}
    for key in {**left, **right}:
        here, there = left.get(key, []), right.get(key, [])
        if here or there:
            side = 0 if here else 1
            first = (here or there)[0]
            place = _place(pair, batches[side][first.batch], first.row)
            ours, theirs = (tuple(sorted(r.hash for r in rows)) for rows in (here, there))
            found[key] = Suspect(ours, theirs, place)
    return found


def _place(pair: TablePair, batch: pa.RecordBatch, row: int) -> int | None:
    if not pair.key:
        return None
    first = pair.pairs[pair.key[0]]
    if not (is_integer(first.source) and is_integer(first.target)):
        return None
    value = batch.column(pair.key[0])[row].as_py()
    # The target's key may be NULL where the source's is not.
    return None if value is None else int(value)


def _changed(
    batches: Sequence[pa.RecordBatch], rows: Sequence[_Row], found: Sequence[Difference]
) -> list[Changed]:
    """Return the rows that differ, those together that differ in the same columns."""
    groups: defaultdict[tuple[str, ...], list[_Row]] = defaultdict(list)
    for row, difference in zip(rows, found, strict=True):
        groups[tuple(c.column for c in difference.columns)].append(row)
    return [Changed(columns, _taken(batches, some)) for columns, some in groups.items()]


def _cancel(left: dict[int, list[_Row]], right: dict[int, list[_Row]]) -> None:
    """Take out the rows that are there on both sides, as often as they are on both."""
    for key in left.keys() & right.keys():
        common = Counter(r.hash for r in left[key]) & Counter(r.hash for r in right[key])
        left[key] = _without(left[key], Counter(common))
        right[key] = _without(right[key], Counter(common))


def _without(rows: list[_Row], gone: Counter[int]) -> list[_Row]:
    kept = []
    for row in rows:
        if gone[row.hash]:
            gone[row.hash] -= 1
        else:
            kept.append(row)
    return kept


def _apart(
    left: dict[int, list[_Row]], right: dict[int, list[_Row]]
) -> tuple[list[tuple[_Row, _Row]], list[_Row], list[_Row]]:
    both: list[tuple[_Row, _Row]] = []
    missing: list[_Row] = []
    extra: list[_Row] = []
    for key in {**left, **right}:
        here, there = left.get(key, []), right.get(key, [])
        both += zip(here, there, strict=False)
        missing += here[len(there) :]
        extra += there[len(here) :]
    return both, missing, extra


def _taken(batches: Sequence[pa.RecordBatch], rows: Sequence[_Row]) -> list[pa.RecordBatch]:
    places: defaultdict[int, list[int]] = defaultdict(list)
    for row in rows:
        places[row.batch].append(row.row)
    return [batches[b].take(_places(some)) for b, some in places.items()]


def _places(rows: Sequence[int]) -> pa.Array:
    import pyarrow as pa

    return pa.array(rows, pa.int64())


def _alone(
    pair: TablePair,
    side: Side,
    batches: Sequence[pa.RecordBatch],
    rows: Sequence[_Row],
    kind: str,
) -> list[Difference]:
    return [
        Difference(table=str(pair.source.name), kind=kind, key=_key(pair, batches[r.batch], r.row))
        for r in rows
    ]


def _different(
    pair: TablePair,
    here: Side,
    there: Side,
    batches: tuple[Sequence[pa.RecordBatch], Sequence[pa.RecordBatch]],
    rows: Sequence[tuple[_Row, _Row]],
) -> list[Difference]:
    """Say for each pair of rows which columns differ, by the hashes of each column."""
    columns = _column_hashes(pair, here, batches[0]), _column_hashes(pair, there, batches[1])
    found = []
    for a, b in rows:
        one, other = batches[0][a.batch], batches[1][b.batch]
        differing = [
            ColumnDifference(
                p.source.name, *shown_beside(one.column(i)[a.row], other.column(i)[b.row])
            )
            for i, p in enumerate(pair.pairs)
            if columns[0][a.batch][i][a.row] != columns[1][b.batch][i][b.row]
        ]
        found.append(
            Difference(
                table=str(pair.source.name),
                kind="different",
                key=_key(pair, one, a.row),
                columns=tuple(differing),
            )
        )
    return found


def _column_hashes(
    pair: TablePair, side: Side, batches: Sequence[pa.RecordBatch]
) -> list[list[tuple[int, ...]]]:
    """Return, for each batch and column, the hashes of its values."""
    import pyarrow as pa

    tools: list[Any] = []
    for column, p in zip(side.columns(pair), pair.pairs, strict=True):
        schema = pa.schema([batches[0].schema.field(column.name)]) if batches else pa.schema([])
        tools.append(hashing(schema, [(column.name, p.kind)]) if batches else None)
    return [
        [numbers(t.hasher.hashes(t.flat(batch.select([i])))[0]) for i, t in enumerate(tools)]
        for batch in batches
    ]


def _key(pair: TablePair, batch: pa.RecordBatch, row: int) -> dict[str, str | None]:
    places = pair.key or range(len(pair.pairs))
    return {pair.pairs[i].source.name: shown(batch.column(i)[row]) for i in places}


def shown(scalar: pa.Scalar) -> str | None:
    """Return a value as text, long ones with their beginning, end and length."""
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):
        # Python has no such date, str() asks Python too, and Arrow's text knows 16 bits of years.
        return f"{scalar.value:,} ({scalar.type}, since 1970)"
    if value is None:
        return None
    if isinstance(value, bytes):
        return _shortened(value.hex(), len(value), "bytes")
    if isinstance(value, str):
        return _shortened(value, len(value), "characters")
    return str(value)


def shown_beside(one: pa.Scalar, other: pa.Scalar) -> tuple[str | None, str | None]:
    """Return two values as texts; long ones that would look alike, from where they differ."""
    found = shown(one), shown(other)
    if found[0] is None or found[0] != found[1]:
        return found
    a, b = one.as_py(), other.as_py()
    if a == b or not isinstance(a, str | bytes):
        return found
    at = _first_difference(a, b)
    return _from(a, at), _from(b, at)


def _first_difference(one: Any, other: Any) -> int:
    """Return the place from which two texts, or bytes, differ, by comparing ever smaller pieces."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _from(value: str | bytes, at: int) -> str:
    """Return a piece of a long value, which begins shortly before a place in it."""
    begin = max(0, at - _BEFORE)
    piece = value[begin : begin + _SHOWN_CHARACTERS // 2]
    text, unit = (piece, "character") if isinstance(piece, str) else (piece.hex(), "byte")
    return f"…{text}… (from {unit} {begin + 1:,} of {len(value):,})"


def _shortened(text: str, length: int, unit: str) -> str:
    if len(text) <= _SHOWN_CHARACTERS:
        return text
    half = _SHOWN_CHARACTERS // 2
    return f"{text[:half]}…{text[-half:]} ({length:,} {unit})"
