"""A checkpoint for MySQL's family, which has no statement for it in every version."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_MOST_DIRTY_PAGES = 100  # the server's own background work never leaves none
_LONGEST_S = 120
_LIMITS = ("innodb_max_dirty_pages_pct", "innodb_max_dirty_pages_pct_lwm")


def flush(cursor: Cursor) -> None:
    """Write the changed pages of the buffer pool, and forget the binary logs."""
    before = [_one(cursor, f"SELECT @@GLOBAL.{limit}") for limit in _LIMITS]
    _set_limits(cursor, [0, 0])
    try:
        _wait_until_clean(cursor)
    finally:
        _set_limits(cursor, before)
    cursor.execute("FLUSH BINARY LOGS")
    cursor.execute("PURGE BINARY LOGS BEFORE now() + INTERVAL 1 DAY")


def _set_limits(cursor: Cursor, values: list[float]) -> None:
    # The low-water mark may not be above the other: the server would lower it.
    for limit, value in zip(_LIMITS, values, strict=True):
        cursor.execute(f"SET GLOBAL {limit} = {value}")


def _wait_until_clean(cursor: Cursor) -> None:
    deadline = time.monotonic() + _LONGEST_S
    while _dirty_pages(cursor) > _MOST_DIRTY_PAGES:
        if time.monotonic() > deadline:
            raise RuntimeError(f"pages were not written within {_LONGEST_S} s")
        time.sleep(0.05)


def _dirty_pages(cursor: Cursor) -> int:
    cursor.execute("SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
    row = cursor.fetchone()
    assert row is not None
    return int(row[1])


def _one(cursor: Cursor, query: str) -> float:
    cursor.execute(query)
    row = cursor.fetchone()
    assert row is not None
    return float(row[0])
