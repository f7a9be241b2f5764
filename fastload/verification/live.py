"""Databases compared while they are written to: rows that differ are read again until they settle.

A target that follows its source shows each row as the source had it some time ago. A row that is
equal in a later reading, or that the target now has as the source had it in an earlier one, is no
difference: the target follows. A row that the source left alone for as long as the target may be
behind, and that still differs, is one. What is neither, because the source keeps changing it, is
counted, and never taken for equal.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
from collections.abc import Sequence

import anyio
import msgspec

from fastload.adapter import Endpoint
from fastload.config import CopyOptions
from fastload.model import KeyRange, QualifiedName
from fastload.verification.comparison import Compare, Compared, Exact, Ranges, compare
from fastload.verification.matching import Suspect
from fastload.verification.pairs import TablePair, most_of
from fastload.verification.result import TableCheck

LAG_S = 6.0
# Each pause is twice the one before; the last two together are the lag.
_PAUSES = (1 / 24, 2 / 24, 4 / 24, 8 / 24, 16 / 24)
# Rows of a table that may be on their way at once.
_MOST_SUSPECTS = 100_000
_MOST_RANGES = 64


def comparing_live(here: Endpoint, there: Endpoint, limit: int, lag_s: float) -> Compare:
    """Return what compares two databases that are being written to.

    Args:
        here: The source.
        there: The target.
        limit: Rows of each table to locate.
        lag_s: The longest that the target may be behind.
    """

    async def run(
        options: CopyOptions, ranges: Ranges | None = None, exact: Exact | None = None
    ) -> Compared:
        """Compare once, and then what differs, again and again, until it settles or has not."""
        began, most = time.monotonic(), max(limit, _MOST_SUSPECTS)
        first = await compare(here, there, options, most, ranges, exact)
        tables = {c.table: Suspicion(c, first) for c in first.result.tables if not c.because}
        for pause in _PAUSES:
            asked = [name for name, found in tables.items() if found.is_open]
            if not asked:
                break
            await anyio.sleep(pause * lag_s)
            places = {n: r for n in asked if (r := tables[n].ranges or (ranges or {}).get(n))}
            only = {n: frozenset(tables[n].open) for n in asked if tables[n].is_known}
            chosen = first.options.narrowed(asked)
            again = await compare(here, there, chosen, most, places, exact, only)
            for check in again.result.tables:
                tables[check.table].see(check, again)
        sure = {n: found.confirmed for n, found in tables.items() if found.confirmed}
        last = None
        if sure:
            places, chosen = {n: tables[n].ranges for n in sure}, first.options.narrowed([*sure])
            last = await compare(here, there, chosen, limit, places, exact, sure)
        return _told(first, tables, last, time.monotonic() - began)

    return run


class Suspicion:
    """What is known of the rows of one table that differed.

    Attributes:
        open: What each key's rows were in every reading, the first one first.
        is_known: Whether these are all the keys that differ.
    """

    def __init__(self, check: TableCheck, first: Compared) -> None:
        self.check = check
        self.caught_up = 0
        self._begin(check, first)

    def _begin(self, check: TableCheck, found: Compared) -> None:
        self.check = check
        self.is_known = not (check.more or check.unlocated)
        self.open = {k: [s] for k, s in found.suspects.get(check.table, {}).items()}
        self._pair = found.pairs.get(check.table)

    @property
    def is_open(self) -> bool:
        """Whether something is to be read again."""
        return bool(self.open) or not self.is_known

    @property
    def ranges(self) -> list[KeyRange]:
        """Key ranges that hold all suspects; none where only the whole table does."""
        places = [history[-1].place for history in self.open.values()]
        known = [p for p in places if p is not None]
        if not self.is_known or self._pair is None or len(known) < len(places):
            return []
        return ranges_of_keys(self._pair, known)

    @property
    def confirmed(self) -> frozenset[int]:
        """Keys whose rows the source left alone for long, and that differ all the same."""
        return frozenset(k for k, history in self.open.items() if _is_divergence(history))

    def see(self, check: TableCheck, found: Compared) -> None:
        """Take the next reading."""
        if not self.is_known:
            self._begin(check, found)
            return
        suspects = found.suspects.get(check.table, {})
        for key, history in list(self.open.items()):
            now = suspects.get(key)
            if now is not None and not _follows(history, now):
                history.append(now)
            elif now is not None or not check.more:
                del self.open[key]
                self.caught_up += 1


def _follows(history: Sequence[Suspect], now: Suspect) -> bool:
    """Say whether the target has come to what the source had before."""
    return any(now.there == before.here for before in history)


def _is_divergence(history: Sequence[Suspect]) -> bool:
    last = history[-3:]
    left_alone = len({s.here for s in last}) == 1
    return len(last) == 3 and left_alone and last[-1].there == last[-2].there


def ranges_of_keys(pair: TablePair, places: Sequence[int]) -> list[KeyRange]:
    """Return a few key ranges that hold these values of the key's first column."""
    column = pair.pairs[pair.key[0]]
    most = min(most_of(column.source), most_of(column.target))
    ordered = sorted(set(places))
    gaps = sorted(range(1, len(ordered)), key=lambda i: ordered[i - 1] - ordered[i])
    cuts = [0, *sorted(gaps[: _MOST_RANGES - 1]), len(ordered)]
    found = []
    for begin, end in itertools.pairwise(cuts):
        low, high = ordered[begin], ordered[end - 1] + 1
        upper = (str(high),) if high <= most else None
        found.append(KeyRange((column.source.name,), (str(low),), upper))
    return found


def _told(
    first: Compared,
    tables: dict[QualifiedName, Suspicion],
    last: Compared | None,
    seconds: float,
) -> Compared:
    """Return the first reading with what became of its suspects."""
    checks = {c.table: c for c in last.result.tables} if last else {}
    told = tuple(
        _check(c, tables[c.table], checks.get(c.table)) if c.table in tables else c
        for c in first.result.tables
    )
    return first._replace(
        result=dataclasses.replace(first.result, tables=told, seconds=seconds),
        located=last.located if last else [],
        suspects=last.suspects if last else {},
    )


def _check(first: TableCheck, found: Suspicion, last: TableCheck | None) -> TableCheck:
    if first.equal:
        return first
    return msgspec.structs.replace(
        first,
        live=True,
        differences=last.differences if last else (),
        more=found.check.more or bool(last and last.more),
        unlocated=found.check.unlocated,
        ranges=last.ranges if last else (),
        caught_up=found.caught_up,
        unsettled=len(found.open) - len(found.confirmed),
    )
