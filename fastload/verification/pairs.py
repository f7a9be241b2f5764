"""Which column is compared with which, and by what: pure.

A pair has a kind of the row hash that both columns' Arrow forms have. Where there is none, the
column is told as not compared, and never taken for equal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import msgspec

from fastload.model import Column, Table

_OPAQUE = re.compile(r"opaque\[(.+), ([^,]+), ([^,\]]+)\]", re.DOTALL)
_LIST = re.compile(r"(?:large_list|list)<(?:item: )?(.+)>", re.DOTALL)
_FAMILIES: tuple[tuple[str, str], ...] = (
    (r"u?int(8|16|32|64)", "integer"),
    (r"bool", "bool"),
    (r"decimal\d+\(\d+, ?\d+\)", "decimal"),
    (r"opaque\[(numeric|decimal), [^,]+, string\]", "number text"),
    (r"float|double|halffloat|float(16|32|64)", "float"),
    (r"arrow\.uuid", "uuid"),
    (r"arrow\.json", "json"),
    (r"date(32|64)\[.+\]", "date"),
    (r"timestamp\[.+\]", "timestamp"),
    (r"time(32|64)\[.+\]", "time"),
    (r"duration\[.+\]", "duration"),
    (r"month_day_nano_interval", "interval"),
    (r"(large_)?list<.+>", "list"),
    (r"(large_)?string|string_view|utf8|opaque\[.+, (large_)?string\]", "text"),
    (r"(large_)?binary|binary_view|fixed_size_binary\[\d+\]", "binary"),
    (r"opaque\[.+, (large_)?binary\]", "binary"),
)
_NUMBERS = frozenset({"integer", "bool", "decimal", "number text"})
# The families of both columns, whichever is which -> the kind that both have.
_KINDS: dict[frozenset[str], str] = {
    **{frozenset({a, b}): "number" for a in _NUMBERS for b in _NUMBERS},
    **{frozenset({"uuid", other}): "uuid" for other in ("uuid", "text", "binary")},
    **{frozenset({"json", other}): "json" for other in ("json", "text")},
    **{frozenset({"interval", other}): "interval" for other in ("interval", "duration", "time")},
    frozenset({"float"}): "float",
    frozenset({"text"}): "text",
    frozenset({"binary"}): "binary",
    frozenset({"date"}): "moment",
    frozenset({"timestamp"}): "moment",
    frozenset({"date", "timestamp"}): "moment",
    frozenset({"time"}): "moment",
    frozenset({"duration"}): "moment",
    frozenset({"time", "duration"}): "moment",
}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """Two columns that should hold the same values.

    Attributes:
        kind: A kind of the row hash.
        exact: Whether both are read in their exact forms.
    """

    source: Column
    target: Column
    kind: str
    exact: bool = False


class NotCompared(msgspec.Struct, frozen=True, order=True):
    """A column whose values nothing is said of, and why.

    Attributes:
        lost: Whether the target has no such column, which is a difference.
    """

    column: str
    reason: str
    lost: bool = False

    def __str__(self) -> str:
        return f"{self.column}: {self.reason}"


class TablePair(msgspec.Struct, frozen=True, kw_only=True):
    """Two tables that should hold the same rows.

    Attributes:
        key: Places in ``pairs`` of a key that tells rows apart; empty where there is none.
        same: Whether every pair declares one type in one dialect.
        where: Filter of the source's rows, in its dialect.
        policies: As ``ReadSpec.on_unrepresentable``, of the source.
    """

    source: Table
    target: Table
    pairs: tuple[Pair, ...]
    key: tuple[int, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    same: bool = False
    where: str | None = None
    policies: dict[str, str] = {}

    @property
    def policies_null(self) -> bool:
        """Whether values that a column's form cannot hold count as NULL."""
        return "null" in self.policies.values()

    def without(self, column: str, reason: str) -> TablePair:
        """Return the pair with one source column less to compare."""
        left = tuple(p for p in self.pairs if p.source.name != column)
        return msgspec.structs.replace(
            self,
            pairs=left,
            key=_key(self.source, left),
            not_compared=(*self.not_compared, NotCompared(column, reason)),
        )

    def exactly(self, column: str) -> TablePair:
        """Return the pair with one source column in its exact form; it has one on both sides."""
        pairs = tuple(_exact(p) if p.source.name == column else p for p in self.pairs)
        return msgspec.structs.replace(self, pairs=pairs)


def pair_tables(
    source: Table,
    target: Table,
    *,
    names: dict[str, str],
    own: bool,
    where: str | None = None,
    policies: dict[str, str] | None = None,
    misfit: Callable[[Column, Column], str | None] = lambda _source, _target: None,
) -> TablePair:
    """Return how two tables are compared.

    Args:
        source: The source's table.
        target: The target's, as a source of the target's adapter describes it.
        names: Target columns by source columns, where they differ.
        own: Whether both databases are of one dialect.
        where: Filter of the source's rows.
        policies: As ``ReadSpec.on_unrepresentable``.
        misfit: Says why values of one column never go into another.
    """
    found: list[Pair] = []
    left: list[NotCompared] = []
    there = {c.name: c for c in target.columns}
    for column in source.columns:
        other = there.get(names.get(column.name, column.name))
        if column.dated and other is not None and other.dated:
            left.append(NotCompared(column.name, "each server writes its own time into it"))
            continue
        if other is None:
            left.append(NotCompared(column.name, "the target has no such column", lost=True))
            continue
        kind = kind_of(column, other, own=own)
        if kind is None:
            reason = f"{column.type} and {other.type} have no form in common"
            left.append(NotCompared(column.name, misfit(column, other) or reason))
        else:
            found.append(Pair(source=column, target=other, kind=kind))
    pairs = tuple(found)
    return TablePair(
        source=source,
        target=target,
        pairs=pairs,
        key=_key(source, pairs),
        not_compared=tuple(left),
        same=own and all(p.source.type == p.target.type for p in pairs),
        where=where,
        policies=policies or {},
    )


def kind_of(source: Column, target: Column, *, own: bool) -> str | None:
    """Return the kind that values of both columns have; None where they cannot be compared."""
    if own and source.type == target.type and source.arrow == target.arrow:
        return _exact_kind(source.arrow)
    kind = _shared(source.arrow, target.arrow)
    if kind == "text" and (source.padded or target.padded):
        return "text_unpadded"
    return kind


def _exact_kind(arrow: str) -> str | None:
    """Return the kind of a type that is the same on both sides: its own spelling counts."""
    family = _family(arrow)
    if family in ("number text", "json"):
        return "text"
    if match := _LIST.fullmatch(arrow):
        inner = _exact_kind(match[1])
        return f"list:{inner}" if inner and not inner.startswith("list:") else None
    return _KINDS.get(frozenset({family}))


def _shared(source: str, target: str) -> str | None:
    lists = _LIST.fullmatch(source), _LIST.fullmatch(target)
    if lists[0] and lists[1]:
        inner = _shared(lists[0][1], lists[1][1])
        return f"list:{inner}" if inner and not inner.startswith("list:") else None
    return _KINDS.get(frozenset({_family(source), _family(target)}))


def _family(arrow: str) -> str:
    return next((f for pattern, f in _FAMILIES if re.fullmatch(pattern, arrow, re.DOTALL)), "")


def is_integer(column: Column) -> bool:
    """Say whether a column's values are whole numbers, which every server sorts alike."""
    return _family(column.arrow) == "integer"


def most_of(column: Column) -> int:
    """Return the greatest value of a column of whole numbers."""
    unsigned, bits = re.fullmatch(r"(u?)int(8|16|32|64)", column.arrow).groups()  # type: ignore[union-attr]
    return int(2 ** (int(bits) - (not unsigned)) - 1)


def _exact(pair: Pair) -> Pair:
    assert pair.source.exact is not None
    storage = _OPAQUE.fullmatch(pair.source.exact)
    kind = "binary" if storage and storage[3].endswith("binary") else "text"
    return msgspec.structs.replace(pair, kind=kind, exact=True)


def can_be_exact(pair: Pair) -> bool:
    """Say whether both columns have one exact form in common, which names its dialect."""
    source, target = pair.source, pair.target
    same = source.type == target.type and source.exact == target.exact
    return same and source.exact is not None and not pair.exact


def _key(table: Table, pairs: Sequence[Pair]) -> tuple[int, ...]:
    """Return the places of a key without NULLs, the primary one before others."""
    places = {p.source.name: i for i, p in enumerate(pairs)}
    for key in sorted(table.keys, key=lambda k: not k.primary):
        whole = all(c in places for c in key.columns)
        if whole and not any(table.column(c).nullable for c in key.columns):
            return tuple(places[c] for c in key.columns)
    return ()
