"""What private servers of MySQL's family are set to, and the users they have, by release."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from fastload.testing.mysql_programs import Flavour, MysqlSpec, mariadb_plugins

USER = "fastload"
_OPTIONS = {
    "bind_address": "127.0.0.1",
    "skip_name_resolve": "ON",
    "log_bin": "binlog",
    "binlog_row_metadata": "FULL",
    "binlog_row_image": "FULL",
    "local_infile": "ON",
    "secure_file_priv": "",
    "character_set_server": "utf8mb4",
    "default_time_zone": "+00:00",
}
_FLAVOUR_OPTIONS: dict[Flavour, dict[str, str]] = {
    "mariadb": {"binlog_format": "ROW", "gtid_strict_mode": "ON"},
    "mysql": {"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "mysqlx": "OFF"},
}
# Beyond these it is as it was installed: short index keys, and dates that count as zero.
_OPTIONS_56 = {"binlog_format": "ROW", "gtid_mode": "ON", "enforce_gtid_consistency": "ON"}
_OPTIONS_56 |= {"log_slave_updates": "ON"}
_UNKNOWN_TO_56 = ("binlog_row_metadata", "mysqlx")
_DURABLE = {"innodb_flush_log_at_trx_commit": "1", "sync_binlog": "1"}
_NOT_DURABLE = {
    "innodb_flush_log_at_trx_commit": "0",
    "sync_binlog": "0",
    "innodb_flush_method": "nosync",
    "innodb_doublewrite": "OFF",
}


def is_56(spec: MysqlSpec) -> bool:
    """Say whether it is the old release, which knows no TLS that Python still speaks."""
    return (spec.flavour, spec.release) == ("mysql", "5.6")


def settings_of(spec: MysqlSpec, *, fsync: bool) -> dict[str, str]:
    """Return the settings of a release, without its places."""
    chosen = {**_OPTIONS, **_FLAVOUR_OPTIONS[spec.flavour], **(_DURABLE if fsync else _NOT_DURABLE)}
    if is_56(spec):
        chosen |= _OPTIONS_56
    return {k: v for k, v in chosen.items() if not (is_56(spec) and k in _UNKNOWN_TO_56)}


def program_places(spec: MysqlSpec) -> dict[str, Path]:
    """Return where a server finds what its package has beside the programs."""
    if spec.tree is None or spec.share is None:
        plugins = mariadb_plugins()
        return {"plugin_dir": plugins} if plugins else {}
    found = {"lc_messages_dir": spec.share, "character_sets_dir": spec.share / "charsets"}
    if spec.release:
        return {"basedir": spec.tree, **found}
    return {"basedir": spec.tree / "usr", "plugin_dir": spec.tree / "usr/lib/mysql/plugin", **found}


def user_lines(spec: MysqlSpec, password: str) -> str:
    """Return what the server runs at each start, before it listens: it must be repeatable."""
    secret = text(password)
    if is_56(spec):
        return f"""SET SESSION sql_log_bin = OFF;
GRANT ALL PRIVILEGES ON *.* TO {USER}@'%' IDENTIFIED BY {secret} WITH GRANT OPTION;
"""
    return f"""SET SESSION sql_log_bin = OFF;
ALTER USER root@localhost IDENTIFIED BY {secret};
CREATE USER IF NOT EXISTS {USER}@'%' IDENTIFIED BY {secret};
GRANT ALL PRIVILEGES ON *.* TO {USER}@'%' WITH GRANT OPTION;
"""


def system_tables(spec: MysqlSpec) -> str:
    """Return the statements that make the old release's own tables, without any user."""
    assert spec.share is not None
    made = (spec.share / "mysql_system_tables.sql").read_text()
    return f"CREATE DATABASE mysql;\nUSE mysql;\n{made}"


def option_lines(options: Mapping[str, str]) -> str:
    """Return an option file."""
    return "[mysqld]\n" + "".join(f"{k} = {text(v, chr(34))}\n" for k, v in options.items())


def text(value: str, quote_mark: str = "'") -> str:
    """Return a text as a literal."""
    escaped = value.replace("\\", "\\\\").replace(quote_mark, "\\" + quote_mark)
    return f"{quote_mark}{escaped}{quote_mark}"
