"""What a run may not do without, asked before anything is made: its DDL commits by itself.

A user who can make tables and not drop them would otherwise be left with some of the state's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from fastload.errors import TargetError
from fastload.model import Plan, QualifiedName
from fastload_mysql.connection import Connection
from fastload_mysql.rights import ALL, Rights, known_rights
from fastload_mysql.state_tables import Tables

_STATE = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP")
# What statements of a plan begin with, and the rights that they take.
_STATEMENTS = (
    (re.compile(r"CREATE "), ("CREATE",)),
    (re.compile(r"ALTER "), ("ALTER", "CREATE", "INSERT")),
    (re.compile(r"(DROP|TRUNCATE) "), ("DROP",)),
)
_MERGING = ("UPDATE", "CREATE TEMPORARY TABLES")
_RENAMING = ("ALTER", "CREATE", "DROP")
_ORDER = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "REFERENCES",
    "CREATE TEMPORARY TABLES",
)  # fmt: skip


async def check_rights(
    connection: Connection, tables: Tables, plan: Plan, *, renames: bool = False
) -> None:
    """Refuse a plan that would stop half way for lack of a right.

    Args:
        connection: Whose user it is.
        tables: The state's.
        plan: What is to be done.
        renames: Whether its table is made under another name first.

    Raises:
        TargetError: A right is lacking; the hint grants it.
    """
    rights = await known_rights(connection)
    wanted = {*_of_plan(plan), *(_RENAMING if renames else ())}
    if connection.flavour == "mariadb":
        wanted.discard("REFERENCES")  # which it has and never asks for
    lacking = [*_lacking(rights, tables, plan, wanted)] if rights else []
    if not rights or not lacking:
        return
    told = "; ".join(f"{', '.join(missing)} on {schema}" for schema, missing in lacking)
    raise TargetError(
        f"target: this user lacks rights that the copy needs: {told}; nothing was made",
        side="target",
        hint="; ".join(rights.grant(missing, schema) for schema, missing in lacking),
    )


def _lacking(
    rights: Rights, tables: Tables, plan: Plan, ours: Iterable[str]
) -> Iterator[tuple[str, list[str]]]:
    wanted: dict[str, set[str]] = {tables.schema: set()}
    for right in _STATE:
        if not _may(rights, right, tables.names):
            wanted[tables.schema].add(right)
    for schema in {t.target.name.schema for t in plan.tables}:
        names = [t.target.name for t in plan.tables if t.target.name.schema == schema]
        missing = {right for right in ours if not _may(rights, right, names)}
        wanted.setdefault(schema, set()).update(missing)
    for schema, missing in sorted(wanted.items()):
        if missing:
            yield schema, sorted(missing, key=_ORDER.index)


def _of_plan(plan: Plan) -> Iterator[str]:
    """Yield the rights that the plan's statements and its rows take over its tables."""
    yield from ("SELECT", "INSERT")
    if plan.mode == "upsert":
        yield from _MERGING
    for step in (*plan.before, *plan.after):
        for statement in step.statements:
            for begins, rights in _STATEMENTS:
                if begins.match(statement) and not statement.startswith("CREATE DATABASE"):
                    yield from rights
            if " FOREIGN KEY " in statement:
                yield "REFERENCES"


def _may(rights: Rights, right: str, names: Iterable[QualifiedName]) -> bool:
    """Say whether the user has a right over each of these tables, perhaps one by one."""
    return all(
        rights.may(right, n.schema)
        or not rights.tables.get((n.schema, n.name), frozenset()).isdisjoint({right, ALL})
        for n in names
    )
