"""The set-based queries behind the catalogue, and what they are run on.

Every column has a name of its own here: servers differ in the case of theirs. ``{where}`` stands
for the databases, and the tables if they are few: servers open no other table's files then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from fastload.model import QualifiedName
from fastload_mysql.quoting import literal

SYSTEM = "('information_schema', 'mysql', 'performance_schema', 'sys', '_fastload')"
_FEW = 200

# MySQL keeps old estimates and counters of its own accord since 8.0.
FRESH = "SET SESSION information_schema_stats_expiry = 0"
QUOTED = "SET SESSION sql_quote_show_create = 1"

SERVER = "SELECT VERSION() AS version, @@lower_case_table_names AS folds, CURRENT_USER() AS user"

RELATIONS = f"""
SELECT table_schema AS `schema`, table_name AS name, table_type AS kind
FROM information_schema.tables
WHERE {{where}} AND table_schema NOT IN {SYSTEM} AND table_type <> 'SYSTEM VIEW'
ORDER BY 1, 2"""

SCHEMAS = f"""
SELECT schema_name AS `schema` FROM information_schema.schemata
WHERE schema_name NOT IN {SYSTEM} ORDER BY 1"""

TABLES = """
SELECT table_schema AS `schema`, table_name AS name, engine AS engine, row_format AS row_format,
       table_rows AS `rows`, data_length AS bytes, table_collation AS collation,
       table_comment AS comment, create_time AS made,
       CURRENT_USER() AS account
FROM information_schema.tables WHERE {where}"""

COLUMNS = """
SELECT table_schema AS `schema`, table_name AS `table`, column_name AS name, column_type AS type,
       is_nullable AS nullable, character_set_name AS charset, collation_name AS collation,
       column_comment AS comment, privileges AS rights
FROM information_schema.columns WHERE {where} ORDER BY 1, 2, ordinal_position"""

COUNTERS = """
SELECT table_schema AS `schema`, table_name AS name, auto_increment AS following
FROM information_schema.tables WHERE {where} AND auto_increment IS NOT NULL"""

# What belongs to tables; `schema` and `table` are the table's.
TRIGGERS = """
SELECT event_object_schema AS `schema`, event_object_table AS `table`, trigger_name AS name
FROM information_schema.triggers WHERE {where} ORDER BY 1, 2, 3"""

GRANTS = """
SELECT table_schema AS `schema`, table_name AS `table` FROM information_schema.table_privileges
WHERE {where}
UNION SELECT table_schema, table_name FROM information_schema.column_privileges WHERE {where}
ORDER BY 1, 2"""

# What belongs to databases.
OF_DATABASES = """
SELECT LOWER(routine_type) AS kind, routine_schema AS `schema`, routine_name AS name
FROM information_schema.routines WHERE routine_schema IN ({schemas})
UNION ALL SELECT 'event', event_schema, event_name
FROM information_schema.events WHERE event_schema IN ({schemas})
UNION ALL SELECT DISTINCT 'grants', table_schema, ''
FROM information_schema.schema_privileges WHERE table_schema IN ({schemas})
ORDER BY 1, 2, 3"""


class Session(Protocol):
    """What the catalogue needs of a connection."""

    async def fetch_named(self, sql: str, args: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return all rows by the names of their columns."""

    async def execute(self, sql: str, args: Sequence[Any] = ()) -> int:
        """Run one statement."""


def on(
    names: Iterable[QualifiedName], schema: str = "table_schema", table: str = "table_name"
) -> str:
    """Return the condition that leaves only these tables, or few more."""
    wanted = sorted(set(names))
    schemas = ", ".join(literal(s) for s in sorted({n.schema for n in wanted}))
    if not wanted:
        return "FALSE"
    found = f"{schema} IN ({schemas})"
    if len(wanted) <= _FEW:
        tables = ", ".join(literal(t) for t in sorted({n.name for n in wanted}))
        found += f" AND {table} IN ({tables})"
    return found


def in_schemas(schemas: Iterable[str]) -> str:
    """Return these databases between commas."""
    return ", ".join(literal(s) for s in sorted(set(schemas)))
