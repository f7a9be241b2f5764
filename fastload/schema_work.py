"""What has to be made on tables around their rows, whatever the database that makes it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import count
from typing import TypeAlias

from fastload.adapter import SchemaSpec
from fastload.model import Catalog, ForeignKey, Index, Inspection, Key, QualifiedName, Step, Table

GROUP = 40  # tables per step, which has one receipt
_SMALL_ROWS = 10_000
_SMALL_BYTES = 8 << 20

Renames: TypeAlias = Mapping[QualifiedName, Mapping[str, str]]
"""New names of columns, by table."""

SameIndex: TypeAlias = Callable[[Index, Index], bool]
"""Says whether two indexes are the same but for their names."""


class TableWork:
    """What has to be made on one table after its rows.

    Attributes:
        is_new: Whether this run makes the table.
        keys: Keys that are not there yet; likewise ``indexes`` and ``foreign_keys``.
    """

    def __init__(
        self,
        table: Table,
        present: Table | None,
        want: SchemaSpec,
        same_index: SameIndex,
    ) -> None:
        self.table = table
        self.statistics = want.statistics
        self.is_new = present is None
        self.keys = [k for k in table.keys if not has_key(present, k)]
        self.indexes = [
            i for i in table.indexes if want.indexes and not has_index(present, i, same_index)
        ]
        self.foreign_keys = [
            f for f in table.foreign_keys if want.foreign_keys and not has_foreign_key(present, f)
        ]

    @property
    def small(self) -> bool:
        """Whether its work is done in a blink, so that tables like it share a step."""
        return self.table.rows < _SMALL_ROWS and self.table.bytes < _SMALL_BYTES

    @property
    def name(self) -> QualifiedName:
        """The table's name."""
        return self.table.name


def of_catalog(
    catalog: Catalog,
    existing: Inspection,
    want: SchemaSpec,
    same_index: SameIndex,
) -> list[TableWork]:
    """Return the work on each table that the mode makes or completes."""
    return [
        TableWork(t, there.table if there else None, want, same_index)
        for t in catalog.tables
        for there in [existing.table(t.name) if want.mode != "replace" else None]
        if want.mode in ("create", "replace") or there is None
    ]


def small_groups(work: Iterable[TableWork]) -> Iterator[list[TableWork]]:
    """Yield the tables whose work is done in a blink, as many as share a step and its receipt."""
    small = [w for w in work if w.small]
    for start in range(0, len(small), GROUP):
        yield small[start : start + GROUP]


class Building:
    """Steps that build something on tables, and which of them others have to wait for.

    Attributes:
        steps: In the order in which they came.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._by_table: dict[QualifiedName, list[str]] = {}

    def add(self, step: Step, tables: Iterable[TableWork] = ()) -> None:
        """Add a step on its own table, or on these."""
        self.steps.append(step)
        names = [w.name for w in tables] or ([step.table] if step.table else [])
        for name in names:
            self._by_table.setdefault(name, []).append(step.id)

    def on(self, tables: Iterable[QualifiedName]) -> tuple[str, ...]:
        """Return the ids of all steps on these tables."""
        found = (i for table in tables for i in self._by_table.get(table, ()))
        return tuple(dict.fromkeys(found))


def has_key(present: Table | None, key: Key) -> bool:
    """Say whether the table has a key over these columns."""
    return present is not None and any(
        k.columns == key.columns and k.primary == key.primary for k in present.keys
    )


def has_index(present: Table | None, index: Index, same: SameIndex) -> bool:
    """Say whether the table has such an index, whatever its name."""
    return present is not None and any(same(i, index) for i in present.indexes)


def has_foreign_key(present: Table | None, key: ForeignKey) -> bool:
    """Say whether the table has a foreign key over these columns."""
    return present is not None and any(
        (f.columns, f.references, f.referenced_columns)
        == (key.columns, key.references, key.referenced_columns)
        for f in present.foreign_keys
    )


def several(names: Sequence[QualifiedName]) -> str:
    """Return the first table's name and how many more there are, for people."""
    rest = len(names) - 1
    return f"{names[0]}" + (f" and {rest} more" if rest else "")


def renames(table: Table, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield renames in an order that works, where names pass from one column to another too."""
    there = {c.name for c in table.columns}
    changed = {old: new for old, new in names.items() if old != new}
    free = (name for i in count() if (name := f"fastload_{i}") not in there)
    waiting = {old: next(free) for old, new in changed.items() if new in there}
    yield from waiting.items()
    yield from ((waiting.get(old, old), new) for old, new in changed.items())


def free_name(name: str, taken: Collection[str], longest: int) -> str:
    """Return the name, cut and numbered where it is too long or taken.

    ``taken`` is in lower case, as many databases tell names apart by more than case alone, and
    ``longest`` is in characters.
    """
    candidate, number = name[:longest], 2
    while candidate.lower() in taken:
        tail = f"_{number}"
        candidate, number = name[: longest - len(tail)] + tail, number + 1
    return candidate
