"""Moments between two, as guesses for boundaries; dates that no calendar has are moved into one."""

from __future__ import annotations

import datetime

from fastload_mysql.key_texts import evenly

_MICROSECOND = datetime.timedelta(microseconds=1)
_FIRST = datetime.datetime(1, 1, 1)


def dates(low: str, high: str, count: int) -> list[str]:
    """Return up to so many days between two."""
    ends = [_date(text).toordinal() for text in (low, high)]
    return [datetime.date.fromordinal(n).isoformat() for n in evenly(ends[0], ends[1], count)]


def datetimes(low: str, high: str, count: int) -> list[str]:
    """Return up to so many moments between two."""
    ends = [_microseconds(text) for text in (low, high)]
    return [(_FIRST + n * _MICROSECOND).isoformat(" ") for n in evenly(ends[0], ends[1], count)]


def _date(text: str) -> datetime.date:
    year, month, day = (max(1, int(part)) for part in text.split("-"))
    # The 30th of February is kept by servers that allow it.
    return datetime.date(year, month, min(day, 28))


def _microseconds(text: str) -> int:
    day, _, time = text.partition(" ")
    midnight = datetime.datetime.combine(_date(day), datetime.time.fromisoformat(time or "00:00"))
    return (midnight - _FIRST) // _MICROSECOND
