"""The table of what was checked, what is to be reached, and what was found.

One line per check, kept in a JSON file from one run to the next, so that parts can be run alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

# The part of the long tier's repetitions that are done; 0 is the short tier.
SHARE = float(os.environ.get("FASTLOAD_FAULTS", "0"))
FILE = os.environ.get("FASTLOAD_FAULTS_RECORD")


def times(short: int, long: int) -> int:
    """Return how often something is done in this tier."""
    return max(1, round(long * SHARE)) if SHARE else short


@dataclass
class Row:
    """One check.

    Attributes:
        reach: What it is to find.
        got: What it found, with the number of repetitions.
        passed: Whether that is it.
    """

    check: str
    reach: str
    got: str = ""
    passed: bool = False


ROWS: dict[str, Row] = {}


@contextmanager
def check(name: str, reach: str) -> Iterator[Row]:
    """Yield the row of one check, in which ``got`` is set; what is raised fails it."""
    row = ROWS[name] = Row(name, reach)
    try:
        yield row
    except BaseException as error:
        row.got = row.got or f"{type(error).__name__}: {str(error)[:80]}"
        raise
    else:
        row.passed = True
    finally:
        _store()


def _store() -> None:
    if FILE:
        path = Path(FILE)
        known = json.loads(path.read_text()) if path.exists() else {}
        known |= {name: asdict(row) for name, row in ROWS.items()}
        path.write_text(json.dumps(known, indent=1) + "\n")


def markdown(rows: list[Row]) -> str:
    """Return the table as Markdown."""
    lines = ["| check | reach | got |", "|---|---|---|"]
    for row in rows:
        got = row.got.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| {row.check} | {row.reach} | {'' if row.passed else '**failed** '}{got} |")
    return "\n".join(lines) + "\n"


def stored(path: Path) -> list[Row]:
    """Return what was stored there."""
    return [Row(**row) for row in json.loads(path.read_text()).values()]
