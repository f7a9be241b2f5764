"""Rows hashed by the server: each as the bytes that record_send makes of it, and the hashes summed.

hash_record_extended over the columns themselves would be faster by a quarter, and blind. It is a
linear combination of the columns' hashes, so that a sum over rows does not notice a column whose
values have moved to other rows; it folds 64-bit numbers and timestamps to 32 bits; and 1.0 and
1.00 hash alike, as do 0.0 and -0.0, and '1 day' and '24:00'.

record_send writes a type's object id before each value. Those of user types differ between
servers, so that their columns go in as bytes, or as text where there are ids inside.
"""

from __future__ import annotations

from fastload.adapter import Fingerprint, ReadSpec
from fastload.model import Column, Partition
from fastload_postgres.connection import Connection
from fastload_postgres.partitions import OWN_NAMES, USERS_NAMES, predicate, reads_by_index
from fastload_postgres.quoting import ident, literal, qualified
from fastload_postgres.typemap import BINARY

_SINCE = 14  # hash_record_extended
_FIRST_USER_OID = 16384
# Its value tells servers apart that hash otherwise, such as those of another byte order.
_RECORD = "ROW(1::int8, 'fastload'::bytea, 1.50::numeric, 1.5::float8, NULL::text)"
_HASH = "pg_catalog.hash_record_extended(ROW(pg_catalog.record_send({})), 0)"
_MODULUS = 1 << 64


async def hash_name(connection: Connection) -> str | None:
    """Return the name of the server's hash; None where it has none."""
    if connection.get_server_version().major < _SINCE:
        return None
    probe = await connection.fetchval(f"SELECT {_HASH.format(_RECORD)}")
    return f"postgresql.record_send.{probe}"


async def fingerprint(connection: Connection, part: Partition, want: ReadSpec) -> Fingerprint:
    """Return count and sum of the hashes of a partition's rows."""
    sends = await _send_functions(connection, want)
    columns = ", ".join(hashed(want.table.column(c), sends.get(c, "")) for c in want.columns)
    scan = "off" if reads_by_index(want.table, part.extent) else "DEFAULT"
    await connection.execute(f"SET LOCAL enable_seqscan = {scan}")
    conditions = [predicate(want.table, part.extent), f"({want.where})" if want.where else ""]
    where = " AND ".join(c for c in conditions if c)
    only = "ONLY " if want.table.extra.get("relkind") == "r" else ""
    if want.where:
        await connection.execute(USERS_NAMES)
    row = await connection.fetchrow(
        f"SELECT count(*), coalesce(sum({_HASH.format(f'ROW({columns})')}), 0) "
        f"FROM {only}{qualified(want.table.name)}" + (f" WHERE {where}" if where else "")
    )
    if want.where:
        await connection.execute(OWN_NAMES)
    assert row is not None
    return Fingerprint(rows=row[0], sum=int(row[1]) % _MODULUS)


def hashed(column: Column, send: str) -> str:
    """Return what of a column goes into its row."""
    name = ident(column.name)
    if column.extra.get("retyped") or not (send and _is_portable(column)):
        return f"{name}{column.extra.get('cast') or '::text'}"
    if int(column.extra["oid"]) < _FIRST_USER_OID:
        # A domain's column may be one of its base type elsewhere.
        return f"{name}::{column.type}" if "domain" in column.extra else name
    return f"{send}({name})"


def _is_portable(column: Column) -> bool:
    """Say whether the bytes of its binary form mean the same on another server."""
    return BINARY in column.extra["wires"].split()


async def _send_functions(connection: Connection, want: ReadSpec) -> dict[str, str]:
    """Return the function behind each column's binary form."""
    rows = await connection.fetch(
        "SELECT a.attname, n.nspname, p.proname FROM pg_attribute a "
        "JOIN pg_type t ON t.oid = a.atttypid JOIN pg_proc p ON p.oid = t.typsend "
        "JOIN pg_namespace n ON n.oid = p.pronamespace "
        f"WHERE a.attrelid = {literal(qualified(want.table.name))}::regclass AND a.attnum > 0"
    )
    return {r["attname"]: f"{ident(r['nspname'])}.{ident(r['proname'])}" for r in rows}
