"""Names of objects that share one schema here, where elsewhere each table has its own.

Indexes, keys, sequences and types stand beside tables in PostgreSQL's schemas. A name that is
unique there is kept; any other becomes a longer one with its table's. What an object is called
depends on the names in its schema alone, not on the order in which they come.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import count
from typing import NamedTuple

from fastload_postgres.quoting import LONGEST_NAME_BYTES

_DIGEST_BYTES = 4


class Wanted(NamedTuple):
    """An object that needs a name.

    Attributes:
        table: The table it belongs to.
        kind: Tells objects of one table and name apart.
        name: What it is called where it comes from; may be empty.
        first: What it is to be called if nothing else is.
        second: What it is to be called otherwise, if that is free.
    """

    table: str
    kind: str
    name: str
    first: str
    second: str


def wanted(table: str, kind: str, name: str) -> Wanted:
    """Return the wish to keep a name, or else to put the table's before it."""
    return Wanted(table, kind, name, first=name, second=f"{table}_{name or kind}")


def is_name(name: str) -> bool:
    """Say whether PostgreSQL takes this name as it is."""
    length_bytes = len(name.encode("utf-8", "surrogatepass"))
    return 0 < length_bytes <= LONGEST_NAME_BYTES and "\0" not in name


def unique_names(objects: Iterable[Wanted], taken: Iterable[str]) -> dict[Wanted, str]:
    """Return a name for each object, none of which is another's or taken."""
    found: dict[Wanted, str] = {}
    used, rest = set(taken), sorted(set(objects))
    for choice in ("first", "second"):
        times = Counter(getattr(w, choice) for w in rest)
        chosen = {w: getattr(w, choice) for w in rest}
        found |= {w: n for w, n in chosen.items() if times[n] == 1 and n not in used and is_name(n)}
        used |= set(found.values())
        rest = [w for w in rest if w not in found]
    for w in rest:
        found[w] = next(name for name in _digested(w) if name not in used)
        used.add(found[w])
    return found


def _digested(w: Wanted) -> Iterator[str]:
    """Yield names with a digest of all that tells the object apart."""
    for attempt in count():
        told = "\0".join((w.table, w.kind, w.name, str(attempt)))
        digest = hashlib.blake2b(
            told.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_BYTES
        ).hexdigest()
        room = LONGEST_NAME_BYTES - len(digest) - 1
        start = w.second.replace("\0", "").encode("utf-8", "ignore")[:room]
        yield f"{start.decode('utf-8', 'ignore')}_{digest}"
