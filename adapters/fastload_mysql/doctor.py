"""What a user should know or grant before copying from or to a server of MySQL's family."""

from __future__ import annotations

from collections.abc import Sequence

from fastload.model import Finding
from fastload.naming import spelled
from fastload_mysql import settings as setting
from fastload_mysql.catalog_queries import SYSTEM
from fastload_mysql.connection import Connection
from fastload_mysql.engines import TRANSACTIONAL
from fastload_mysql.findings import bad, ok, warn
from fastload_mysql.rights import ALL, Rights, read_rights
from fastload_mysql.settings import read_settings

_VISIBLE = f"""
SELECT table_schema, table_name, engine FROM information_schema.tables
WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema NOT IN {SYSTEM}
  AND (table_schema = DATABASE() OR DATABASE() IS NULL) ORDER BY 1, 2"""
_SEEING = ("TRIGGER", "EVENT", "EXECUTE")
_WRITING = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "REFERENCES",
    "CREATE TEMPORARY TABLES",
)  # fmt: skip
_ANYWAY = ("SUPER", "CONNECTION_ADMIN", "READ_ONLY ADMIN")
_NAMED = 3


async def examine_source(connection: Connection) -> list[Finding]:
    """Return version, rights and settings that matter to a reader."""
    database = await connection.fetchval("SELECT DATABASE()")
    settings, rights = await read_settings(connection), await read_rights(connection)
    tables = await connection.fetch(_VISIBLE)
    found = [
        setting.version(connection),
        setting.connections(settings),
        _reading(rights, database, [(str(s), str(t)) for s, t, _ in tables]),
        _one_moment(rights, database),
    ]
    if missing := rights.lacking(_SEEING, database):
        text = "triggers, events or routines stay unseen: not listed as not carried"
        found.append(warn("rights to see", text, rights.grant(missing, database)))
    if settings["log_bin"] == "ON" and not rights.may("REPLICATION CLIENT"):
        new = connection.flavour == "mariadb" and connection.version >= (10, 5)
        right = "BINLOG MONITOR" if new else "REPLICATION CLIENT"
        text = "the log's file and offset stay unseen: a result's position is its GTIDs alone"
        found.append(warn("rights to the log", text, rights.grant([right])))
    found += [setting.binary_log(connection, settings), await setting.clock(connection)]
    found += [setting.packet(settings), setting.names(settings)]
    if others := _others(tables):
        hint = "ALTER TABLE ... ENGINE = InnoDB there, or stop writers while it is copied"
        text = f"without snapshots, read as they stand at that time: {others}"
        found.append(warn("engines", text, hint))
    return found


async def examine_target(connection: Connection) -> list[Finding]:
    """Return version, rights and settings that matter to a writer."""
    database = await connection.fetchval("SELECT DATABASE()")
    settings, rights = await read_settings(connection), await read_rights(connection)
    found = [setting.version(connection), setting.connections(settings)]
    if refused := setting.writable(settings, any(map(rights.may, (*_ANYWAY, ALL)))):
        return [*found, refused]
    found += _writing(rights, database, connection.flavour)
    found += setting.loading(connection, settings)
    durable = setting.durability(settings, rights.may("RELOAD"))
    if durable.hint == "":
        durable = warn(durable.subject, durable.text, rights.grant(["RELOAD"]))
    found += [durable, await setting.clock(connection), setting.names(settings)]
    found.append(await _characters(connection))
    if others := _others(await connection.fetch(_VISIBLE)):
        hint = "ALTER TABLE ... ENGINE = InnoDB before rows are copied into them"
        text = f"without transactions, so that a copy refuses to write into them: {others}"
        found.append(warn("engines", text, hint))
    return found


def _reading(rights: Rights, database: str | None, tables: Sequence[tuple[str, str]]) -> Finding:
    if rights.may("SELECT", database):
        return ok("rights", "all tables may be read")
    grant = rights.grant(["SELECT"], database)
    whole = {key for key in tables if rights.tables.get(key, frozenset()) & {"SELECT", ALL}}
    if hidden := [spelled(*key) for key in tables if key not in whole]:
        return bad("rights", f"may not be read, or not in all columns: {_some(hidden)}", grant)
    if not whole:
        return bad("rights", "no table may be read", grant)
    text = f"only tables granted one by one are seen: {_some([spelled(*k) for k in tables])}"
    return warn("rights", text, grant)


def _one_moment(rights: Rights, database: str | None) -> Finding:
    if rights.may("RELOAD"):
        return ok("one moment", "readers begin together, under a global read lock of moments")
    if rights.may("LOCK TABLES", database):
        return ok("one moment", "readers begin together, while the tables are locked for moments")
    text = "no lock may be taken: each reader sees a moment of its own, as the result will say"
    return warn("one moment", text, rights.grant(["RELOAD"]))


def _writing(rights: Rights, database: str | None, flavour: str) -> list[Finding]:
    # MariaDB has the right to refer to a table, and asks nobody for it.
    needed = [r for r in _WRITING if r != "REFERENCES" or flavour == "mysql"]
    missing = rights.lacking(needed, database)
    if missing:
        text = f"lacking: {', '.join(missing)}"
        found = [bad("rights", text, rights.grant(missing, database))]
    else:
        found = [ok("rights", "tables may be made, filled and dropped")]
    if not rights.may("TRIGGER", database):
        text = "triggers of tables that are there stay unseen, and may change rows on their way in"
        found.append(warn("rights to see", text, rights.grant(["TRIGGER"], database)))
    return found


async def _characters(connection: Connection) -> Finding:
    charset = str(await connection.fetchval("SELECT @@character_set_database"))
    if charset == "utf8mb4":
        return ok("characters", "the database's own are utf8mb4")
    text = f"the database's own are {charset}; tables made by a copy name theirs"
    return warn("characters", text, "texts outside it are refused by tables that are there")


def _others(tables: Sequence[Sequence[object]]) -> str:
    """Return the tables that have no transactions, the first of them by name."""
    found = [
        f"{spelled(str(schema), str(table))} ({engine})"
        for schema, table, engine in tables
        if str(engine).upper() not in TRANSACTIONAL
    ]
    return _some(found) if found else ""


def _some(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more} more" if more > 0 else "")
