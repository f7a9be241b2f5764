"""Settings of a server that matter to a copy, and what is found about them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeAlias

from fastload.model import Finding
from fastload_mysql.connection import Connection
from fastload_mysql.findings import bad, ok, warn

Settings: TypeAlias = dict[str, str]

_OLDEST = {"mysql": (5, 6), "mariadb": (10, 4)}
_TITLES = {"mysql": "MySQL", "mariadb": "MariaDB"}
_MIB = 1 << 20
_SMALL_PACKET_BYTES = 16 * _MIB
_SMALL_POOL_BYTES = 512 * _MIB
_SMALL_LOG_BYTES = 1024 * _MIB
_SKEW_S = 60.0
_FEW_CONNECTIONS = 8


async def read_settings(connection: Connection) -> Settings:
    """Return the server's variables, and its count of sessions as ``sessions``."""
    rows = await connection.fetch("SHOW GLOBAL VARIABLES")
    (threads,) = await connection.fetch("SHOW GLOBAL STATUS LIKE 'Threads_connected'")
    return {str(name): str(value) for name, value in rows} | {"sessions": str(threads[1])}


async def clock(connection: Connection) -> Finding:
    """Compare the server's clock with this machine's."""
    before = datetime.now(UTC)
    there = await connection.fetchval("SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)")
    middle = before + (datetime.now(UTC) - before) / 2
    ahead_s = (datetime.fromisoformat(f"{there}+00:00") - middle).total_seconds()
    text = f"{abs(ahead_s):.1f} s {'ahead of' if ahead_s > 0 else 'behind'} this machine's"
    if abs(ahead_s) < _SKEW_S:
        return ok("clock", text)
    return warn("clock", text, "times in logs here and there will not match; NTP sets both")


def version(connection: Connection) -> Finding:
    """Say whether the server is one that is known."""
    text = f"{_TITLES[connection.flavour]} {'.'.join(map(str, connection.version))}"
    oldest = _OLDEST[connection.flavour]
    if connection.version < oldest:
        return bad("server", text, f"fastload needs {'.'.join(map(str, oldest))} or newer")
    return ok("server", text)


def connections(settings: Settings) -> Finding:
    """Say how many sessions more the server takes."""
    free = int(settings["max_connections"]) - int(settings["sessions"])
    own = int(settings.get("max_user_connections", "0"))
    free = min(free, own) if own else free
    if free < _FEW_CONNECTIONS:
        hint = "a copy takes one per lane and two more; raise max_connections or lower `parallel`"
        return warn("connections", f"{free} free", hint)
    return ok("connections", f"{free} free")


def packet(settings: Settings) -> Finding:
    """Say how large a row or a statement may be."""
    allowed = int(settings["max_allowed_packet"])
    text = f"rows of up to {_size(allowed)} (max_allowed_packet)"
    if allowed < _SMALL_PACKET_BYTES:
        return warn("packets", text, "SET GLOBAL max_allowed_packet = 67108864")
    return ok("packets", text)


def names(settings: Settings) -> Finding:
    """Say what the server makes of letters in names of tables."""
    if settings["lower_case_table_names"] == "0":
        return ok("names", "of tables differ by case (lower_case_table_names = 0)")
    how = "stored in lower case" if settings["lower_case_table_names"] == "1" else "compared so"
    hint = "tables of a server that tells Orders from orders would meet here: rename one"
    return warn("names", f"of tables are {how}", hint)


def binary_log(connection: Connection, settings: Settings) -> Finding:
    """Say whether changes after the copy could be followed from the log."""
    if settings["log_bin"] != "ON":
        hint = "log_bin in the option file: only with it can changes after a copy be followed"
        return warn("binary log", "off: a copy has no position", hint)
    wanted = {"binlog_format": "ROW", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL"}
    if connection.flavour == "mysql":
        wanted["gtid_mode"] = "ON"
    wrong = {n: v for n, v in wanted.items() if n in settings and settings[n] != v}
    text = f"on, {_kept(settings)}"
    if not wrong:
        return ok("binary log", f"{text}: whole rows, with the names of columns")
    told = ", ".join(f"{n} = {settings[n]}" for n in wrong)
    hint = "; ".join(f"SET GLOBAL {n} = {v}" for n, v in wrong.items() if n != "gtid_mode")
    hint = "; ".join(filter(None, (hint, "gtid_mode = ON" if "gtid_mode" in wrong else "")))
    return warn("binary log", f"{text}; to follow changes later: {told}", hint)


def loading(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Yield what makes loading slow, or stops it."""
    if settings["local_infile"] != "ON":
        hint = "SET GLOBAL local_infile = ON"
        yield warn("local_infile", "off: INSERTs cost 1.3 to 2.3 times as much", hint)
    yield packet(settings)
    pool = int(settings["innodb_buffer_pool_size"])
    if pool < _SMALL_POOL_BYTES:
        hint = "most of the machine's memory while loading: keys are built in it"
        yield warn("innodb_buffer_pool_size", _size(pool), hint)
    variable = "innodb_redo_log_capacity"
    variable = variable if variable in settings else "innodb_log_file_size"
    if (log := int(settings[variable])) < _SMALL_LOG_BYTES:
        yield warn(variable, _size(log), "2 GB or more while loading: fewer pages written twice")
    if settings.get("innodb_autoinc_lock_mode") != "2":
        hint = "innodb_autoinc_lock_mode = 2 in the option file, with binlog_format = ROW"
        text = f"{settings.get('innodb_autoinc_lock_mode')}: lanes of one table with AUTO_INCREMENT"
        yield warn("innodb_autoinc_lock_mode", f"{text} take turns", hint)
    for variable in ("sql_require_primary_key", "innodb_force_primary_key"):
        if settings.get(variable) == "ON":
            hint = f"SET GLOBAL {variable} = OFF while loading, or exclude such tables"
            yield bad(variable, "on: tables without a primary key are refused", hint)


def durability(settings: Settings, may_flush: bool) -> Finding:
    """Say what a power cut right after a copy can undo."""
    flush, sync = settings["innodb_flush_log_at_trx_commit"], settings.get("sync_binlog", "1")
    text = f"innodb_flush_log_at_trx_commit = {flush}, sync_binlog = {sync}"
    if flush != "1" and not may_flush:
        text += ": a power cut up to a second after the copy can undo its end"
        return warn("durability", text, "")
    if settings["log_bin"] == "ON" and sync != "1":
        hint = "SET GLOBAL sync_binlog = 1 if replicas must have what a power cut leaves here"
        return warn("durability", f"{text}: rows stay, the binary log may lose its end", hint)
    return ok("durability", f"{text}: done is done")


def writable(settings: Settings, may_anyway: bool) -> Finding | None:
    """Return what is found where the server takes no writes of this user."""
    hint = "use the primary's address, or SET GLOBAL read_only = OFF"
    if settings.get("super_read_only") == "ON":
        return bad("read_only", "super_read_only is on: nobody writes here", hint)
    if settings["read_only"] not in ("OFF", "0") and not may_anyway:
        return bad("read_only", "read_only is on: this user may not write", hint)
    return None


def _kept(settings: Settings) -> str:
    seconds = float(settings.get("binlog_expire_logs_seconds") or 0)
    days = seconds / 86400 or float(settings.get("expire_logs_days") or 0)
    return f"kept {days:g} days" if days else "kept until purged"


def _size(number: int) -> str:
    return f"{number / _MIB:,.0f} MiB" if number >= _MIB else f"{number:,} bytes"
