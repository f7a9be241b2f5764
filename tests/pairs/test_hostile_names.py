"""Five hundred names of tables and columns that break careless SQL, around all engines."""

from __future__ import annotations

import json

import pytest

import fastload
from fastload.model import QualifiedName
from fastload.testing.hostile_names import BEYOND_MYSQL, hostile_names
from fastload.wording import shows

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]

COLUMNS = 7
# MySQL's family writes other characters of a table's name into a file's with five bytes each.
TABLES = [*hostile_names(66, longest_bytes=40), "t" * 63, *BEYOND_MYSQL]
NAMES = list(hostile_names(COLUMNS * len(TABLES)))
BY_TABLE = {t: NAMES[i :: len(TABLES)] for i, t in enumerate(TABLES)}
CANARY = "CREATE TABLE canary (a int); INSERT INTO canary VALUES (4711)"


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    return f"convert_from('\\x{value.encode().hex()}', 'UTF8')"


def made() -> str:
    statements = [CANARY]
    for table, columns in BY_TABLE.items():
        declared = ", ".join(f"{quoted(c)} text" for c in columns)
        statements += [
            f"CREATE TABLE {quoted(table)} (key int PRIMARY KEY, {declared})",
            f"INSERT INTO {quoted(table)} VALUES (1, {', '.join(map(text, columns))})",
        ]
    return "; ".join(statements)


def in_postgres(database) -> dict[str, list[str]]:
    """Return the first row of each table, whose values are its columns' names, in SQL alone."""
    parts = [
        f"SELECT {text(t)} AS t, json_build_array({', '.join(map(quoted, columns))}) AS c "
        f"FROM {quoted(t)}"
        for t, columns in BY_TABLE.items()
    ]
    query = f"SELECT json_object_agg(t, c) FROM ({' UNION ALL '.join(parts)}) AS all_tables"
    found: dict[str, list[str]] = json.loads(database.psql(query))
    return found


def in_family(database) -> dict[str, list[str]]:
    found = {}
    for table in (t for t in TABLES if t not in BEYOND_MYSQL):
        columns = ", ".join("`" + c.replace("`", "``") + "`" for c in BY_TABLE[table])
        name = table.replace("`", "``")
        ((*values,),) = database.execute(f"SELECT {columns} FROM `{name}`")
        found[table] = values
    return found


def check_texts(*texts: str) -> None:
    for told in texts:
        assert {c for c in told if not shows(c)} <= {"\n"}


async def copied(source, target, planned=False, **options) -> None:
    options = {"exclude": ["canary"], **options}
    plan = await fastload.plan(source.url, target.url, **options) if planned else None
    lines = []
    result = await fastload.copy(
        source.url, target.url, **options, progress=lambda p: lines.append(str(p))
    )
    pages = result.html() + (plan._repr_html_() if plan else "")
    check_texts(pages, *lines)
    assert "<script>" not in pages
    said = [str(result), *([fastload.describe(plan)] if plan else [])]
    check_texts(*said)
    for name in (t.name for t in result.tables):
        assert all(name in text for text in said)


async def test_five_hundred_names_around_all_engines(source, target, in_mysql, in_mariadb):
    assert len({*TABLES}) + len({*NAMES}) >= 500
    source.psql(made())
    target.psql(CANARY)
    for database in (in_mysql, in_mariadb):
        database.execute(CANARY)

    await copied(source, target)
    beyond = [str(QualifiedName("public", t)) for t in BEYOND_MYSQL]
    await copied(target, in_mariadb, exclude=["canary", *beyond], planned=True)
    await copied(in_mariadb, in_mysql)
    source.psql("; ".join(f"TRUNCATE {quoted(t)}" for t in TABLES if t not in BEYOND_MYSQL))
    await copied(in_mysql, source, mode="append", planned=True)

    assert in_postgres(target) == BY_TABLE
    assert in_postgres(source) == BY_TABLE
    small = {t: c for t, c in BY_TABLE.items() if t not in BEYOND_MYSQL}
    assert in_family(in_mariadb) == small
    assert in_family(in_mysql) == small
    for database in (source, target):
        assert database.psql("SELECT a FROM canary") == "4711"
    for database in (in_mysql, in_mariadb):
        assert database.execute("SELECT a FROM canary") == [(4711,)]
