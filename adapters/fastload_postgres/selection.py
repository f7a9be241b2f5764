"""Which tables a selection means, and the help when it means none."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fastload.adapter import Selection
from fastload.errors import SourceError, TableNotFound
from fastload.model import QualifiedName
from fastload_postgres.quoting import ident, qualified

if TYPE_CHECKING:
    from asyncpg import Record


def choose(relations: Sequence[Record], select: Selection) -> list[Record]:
    """Return the relations that the selection means.

    Raises:
        TableNotFound: A name without wildcards matches nothing.
        SourceError: This user may not read some of them.
    """
    for wanted in select.tables or ():
        if not _is_pattern(wanted) and not any(_matches(r, wanted) for r in relations):
            raise _not_found(wanted, relations)
    for exact in select.names:
        if not any((r["schema"], r["name"]) == (exact.schema, exact.name) for r in relations):
            raise _not_found(str(exact), relations)
    chosen = [r for r in relations if _wanted(r, select)]
    if select.tables and not chosen and not select.names:
        raise _not_found(select.tables[0], relations)
    _check_rights(chosen)
    return chosen


def _wanted(relation: Record, select: Selection) -> bool:
    name = QualifiedName(relation["schema"], relation["name"])
    if any(_matches(relation, pattern) for pattern in select.exclude):
        return False
    if name in select.names:
        return True
    if select.tables is None:
        return not select.names and relation["kind"] != "f" and not relation["is_partition"]
    for pattern in select.tables:
        if _matches(relation, pattern):
            plain = relation["kind"] != "f" and not relation["is_partition"]
            if plain or not _is_pattern(pattern):
                return True
    return False


def _matches(relation: Record, pattern: str) -> bool:
    schema, name = relation["schema"], relation["name"]
    if pattern in (name, f"{schema}.{name}"):
        return True
    if not _is_pattern(pattern):
        return False
    text = f"{schema}.{name}" if "." in pattern else name
    # Only * and ? are wildcards; a bracket is part of a name.
    return fnmatch.fnmatchcase(text, pattern.replace("[", "[[]"))


def _is_pattern(text: str) -> bool:
    return "*" in text or "?" in text


def _not_found(wanted: str, relations: Sequence[Record]) -> TableNotFound:
    names = [f"{r['schema']}.{r['name']}" for r in relations]
    full = difflib.get_close_matches(wanted, names, 3, 0.4)
    bare = {r["name"]: f"{r['schema']}.{r['name']}" for r in relations}
    last = difflib.get_close_matches(wanted.rsplit(".", 1)[-1], list(bare), 3, 0.4)
    near = list(dict.fromkeys([*(bare[n] for n in last), *full]))[:3]
    return TableNotFound(
        f"no table matches {wanted!r}",
        side="source",
        table=wanted,
        hint=f"did you mean {', '.join(near)}?" if near else "the database has no table like it",
    )


def _check_rights(chosen: Sequence[Record]) -> None:
    refused = [QualifiedName(r["schema"], r["name"]) for r in chosen if not r["readable"]]
    if refused:
        grants, role = ", ".join(qualified(n) for n in refused), ident(chosen[0]["role"])
        raise SourceError(
            f"this user may not read {', '.join(map(str, refused))}",
            side="source",
            table=str(refused[0]),
            hint=f"as their owner: GRANT SELECT ON {grants} TO {role}; or exclude them",
        )
