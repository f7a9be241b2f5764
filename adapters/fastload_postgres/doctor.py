"""What a user should know or grant before copying from or to a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Sequence

from asyncpg import Record

from fastload.model import Finding
from fastload.report import count
from fastload_postgres.connection import Connection
from fastload_postgres.quoting import DEFAULT_SCHEMA, ident, idents

_OLDEST = 12
_SERVER = """
SELECT current_setting('server_version') AS version, current_setting('server_encoding') AS encoding,
       current_user AS login, pg_is_in_recovery() AS standby,
       (SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user) AS bypasses,
       current_setting('max_connections')::int - (SELECT count(*) FROM pg_stat_activity
         WHERE backend_type = 'client backend') AS free,
       current_setting('max_locks_per_transaction')::int AS locks,
       current_setting('wal_level') AS wal_level, current_setting('max_wal_size') AS max_wal_size,
       pg_size_bytes(current_setting('max_wal_size')) AS max_wal_bytes,
       current_setting('synchronous_standby_names') AS standbys,
       current_database() AS database,
       has_database_privilege(current_database(), 'CREATE') AS creates,
       (SELECT has_schema_privilege(oid, 'USAGE') AND has_schema_privilege(oid, 'CREATE')
        FROM pg_namespace WHERE nspname = $1) AS fills"""
_UNREADABLE = """
SELECT n.nspname AS schema, NOT has_schema_privilege(n.oid, 'USAGE') AS closed,
       count(*) FILTER (WHERE c.relkind IN ('r', 'p')
                          AND NOT has_table_privilege(c.oid, 'SELECT')) AS tables,
       count(*) FILTER (WHERE c.relkind = 'S'
                          AND NOT has_sequence_privilege(c.oid, 'SELECT')) AS sequences
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND n.nspname <> '_fastload'
GROUP BY n.oid, n.nspname ORDER BY n.nspname"""
# What mode="append", "truncate" or "upsert" needs of tables that are there.
_WRITING = ("SELECT", "INSERT", "UPDATE", "TRUNCATE")
_UNWRITABLE = f"""
SELECT n.nspname AS schema, count(*) AS tables FROM pg_class c JOIN pg_namespace n
  ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND n.nspname <> '_fastload'
  AND NOT ({" AND ".join(f"has_table_privilege(c.oid, '{right}')" for right in _WRITING)})
GROUP BY n.nspname ORDER BY n.nspname"""
_SECURED = """
SELECT count(*) FROM pg_class c WHERE c.relrowsecurity AND row_security_active(c.oid)"""


async def examine_source(connection: Connection) -> list[Finding]:
    """Return version, rights and settings that matter to a reader."""
    facts = await connection.fetchrow(_SERVER, DEFAULT_SCHEMA)
    assert facts is not None
    found = [_version(connection, facts["version"]), _connections(facts["free"])]
    found += _reading(await connection.fetch(_UNREADABLE), ident(facts["login"]))
    if await connection.fetchval(_SECURED):
        hint = "use a role with BYPASSRLS; fastload never copies a filtered table silently"
        found.append(_bad("row security", "some tables would be filtered", hint))
    if facts["standby"]:
        hint = "max_standby_streaming_delay = -1 there keeps long reads from being cancelled"
        found.append(_warn("standby", "the server is a standby", hint))
    return found


async def examine_target(connection: Connection) -> list[Finding]:
    """Return version, rights and settings that matter to a writer."""
    facts = await connection.fetchrow(_SERVER, DEFAULT_SCHEMA)
    assert facts is not None
    found = [_version(connection, facts["version"]), _connections(facts["free"])]
    if facts["standby"]:
        hint = "use the primary's address"
        return [*found, _bad("standby", "the server is a standby and takes no writes", hint)]
    login = ident(facts["login"])
    if not facts["creates"]:
        hint = f"GRANT CREATE ON DATABASE {ident(facts['database'])} TO {login}"
        found.append(_bad("rights", "this user may make no schemas", hint))
    if facts["fills"] is False:
        hint = f"GRANT USAGE, CREATE ON SCHEMA {DEFAULT_SCHEMA} TO {login}"
        text = f"this user may make no tables in the schema {DEFAULT_SCHEMA}"
        found.append(_bad("rights to schemas", text, hint))
    if rows := await connection.fetch(_UNWRITABLE):
        hint = f"GRANT {', '.join(_WRITING)} ON ALL TABLES IN SCHEMA {_schemas(rows)} TO {login}"
        text = f"{_tables(rows)} here may not be written to, which all modes but 'create' do"
        found.append(_warn("rights to tables", text, hint))
    if facts["encoding"] != "UTF8":
        hint = "texts outside it will be refused; a database with ENCODING 'UTF8' takes all"
        found.append(_warn("encoding", f"the database stores {facts['encoding']}", hint))
    if facts["max_wal_bytes"] < 4 << 30:
        hint = "ALTER SYSTEM SET max_wal_size = '8GB' while loading: fewer checkpoints"
        found.append(_warn("max_wal_size", facts["max_wal_size"], hint))
    if facts["standbys"]:
        found.append(_warn("synchronous standbys", facts["standbys"], "commits wait for them"))
    return found


def _reading(rows: Sequence[Record], login: str) -> list[Finding]:
    """Return what a reader lacks, with statements that give exactly that."""
    closed = [r for r in rows if r["closed"]]
    hidden = [r for r in rows if r["tables"]]
    unknown = [r for r in rows if r["sequences"]]
    found = []
    if closed:
        hint = f"GRANT USAGE ON SCHEMA {_schemas(closed)} TO {login}"
        text = f"this user may not look into {_schemas(closed)}"
        found.append(_bad("rights to schemas", text, hint))
    if hidden:
        hint = f"GRANT SELECT ON ALL TABLES IN SCHEMA {_schemas(hidden)} TO {login}"
        text = f"{_tables(hidden)} may not be read"
        found.append(_bad("rights", text, hint))
    if unknown:
        hint = f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA {_schemas(unknown)} TO {login}"
        number = count(sum(r["sequences"] for r in unknown), "sequence")
        text = f"{number} may not be read: they begin anew"
        found.append(_warn("rights to sequences", text, hint))
    return found or [_ok("rights", "all user tables may be read")]


def _tables(rows: Sequence[Record]) -> str:
    return count(sum(r["tables"] for r in rows), "table")


def _schemas(rows: Sequence[Record]) -> str:
    return idents(r["schema"] for r in rows)


def _version(connection: Connection, text: str) -> Finding:
    if connection.get_server_version().major < _OLDEST:
        return _bad("server", f"PostgreSQL {text}", f"fastload needs {_OLDEST} or newer")
    return _ok("server", f"PostgreSQL {text}")


def _connections(free: int) -> Finding:
    if free < 8:
        hint = "a copy takes one per lane and two more; raise max_connections or lower `parallel`"
        return _warn("connections", f"{free} free", hint)
    return _ok("connections", f"{free} free")


def _ok(subject: str, text: str) -> Finding:
    return Finding(level="ok", subject=subject, text=text)


def _warn(subject: str, text: str, hint: str) -> Finding:
    return Finding(level="warn", subject=subject, text=text, hint=hint)


def _bad(subject: str, text: str, hint: str) -> Finding:
    return Finding(level="bad", subject=subject, text=text, hint=hint)
