"""What has been found of one table so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastload.model import KeyRange
from fastload.verification.budget import Budget
from fastload.verification.matching import Changed, Matched, Suspect
from fastload.verification.pairs import TablePair
from fastload.verification.parts import Part
from fastload.verification.result import Difference, TableCheck

if TYPE_CHECKING:
    import pyarrow as pa


class Found:
    """What has been found of one table so far.

    Attributes:
        budget: What may still be located.
        hashed: Whether the servers hash its rows.
        unlocated: Parts that differ, and in which no row was found to.
        more: Whether rows differ that were left out.
    """

    def __init__(self, pair: TablePair, budget: Budget, *, hashed: bool) -> None:
        self.pair = pair
        self.budget = budget
        self.hashed = hashed
        self.rows = self.rows_target = self.unlocated = 0
        self.more = False
        self.changed: list[Changed] = []
        self.missing: list[pa.RecordBatch] = []
        self.extra: list[pa.RecordBatch] = []
        self.suspects: dict[int, Suspect] = {}
        self._differences: list[Difference] = []
        self._ranges: list[KeyRange] = []
        self._elsewhere = False

    def count(self, rows: int, rows_target: int) -> None:
        """Count the rows of a part."""
        self.rows += rows
        self.rows_target += rows_target

    def take(self, matched: Matched) -> None:
        """Take what rows of both sides have come to."""
        self._differences += matched.differences
        self.changed += matched.changed
        self.missing += matched.missing
        self.extra += matched.extra
        self.suspects |= matched.suspects

    def mark(self, part: Part) -> None:
        """Note where rows differ."""
        if part.range:
            self._ranges.append(part.range)
        else:
            self._elsewhere = True

    def check(self) -> TableCheck:
        """Return what is said of the table."""
        pair = self.pair
        renamed = pair.target.name != pair.source.name
        return TableCheck(
            table=pair.source.name,
            target=pair.target.name if renamed else None,
            rows=self.rows,
            rows_target=self.rows_target,
            how="hashed by the servers" if self.hashed else "hashed from Arrow",
            differences=tuple(self._differences),
            more=self.more,
            unlocated=self.unlocated,
            not_compared=pair.not_compared,
            ranges=() if self._elsewhere else tuple(self._ranges),
        )
