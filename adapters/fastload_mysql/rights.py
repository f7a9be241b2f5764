"""What the user of a session may do, as the server tells it, and what would give the rest.

``SHOW GRANTS`` asks for no right and has the rights of active roles in it. MySQL Reference Manual,
"SHOW GRANTS Statement" and "GRANT Statement"; MariaDB Knowledge Base, "SHOW GRANTS" and "GRANT".
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from fastload.errors import FastloadError
from fastload.model import Catalog
from fastload_mysql.connection import Connection
from fastload_mysql.quoting import ident, literal

ALL = "ALL PRIVILEGES"
_NAME = r"(?:\*|`(?:[^`]|``)*`)"
_LINE = re.compile(
    rf"(?P<verb>GRANT|REVOKE) (?P<rights>.+?) ON (?P<schema>{_NAME})\.(?P<table>{_NAME}) "
    r"(?:TO|FROM) (?P<who>.*?)(?: IDENTIFIED| REQUIRE| WITH|$)"
)
# A right over some columns is no right over the table.
_OF_COLUMNS = re.compile(r"[A-Z ]+ \([^)]*\)(?:, |$)")
# What another name, or a wider right, includes.
_ALSO = {
    "RELOAD": ("FLUSH_TABLES",),
    "REPLICATION CLIENT": ("BINLOG MONITOR", "SUPER"),
    "BINLOG MONITOR": ("REPLICATION CLIENT", "SUPER"),
}


# Started with skip_grant_tables; and an account that only such a server lets in.
_NO_GRANTS = ((1290,), (1141,))


class Rights(msgspec.Struct, frozen=True, kw_only=True):
    """The rights of one user.

    Attributes:
        login: The account, as GRANT takes it.
        everywhere: Over all databases.
        databases: Over databases, by account or role and by the pattern of their name.
        tables: Over single tables, by database and table.
        revoked: Taken from those over all databases, by database.
    """

    login: str
    everywhere: frozenset[str]
    databases: dict[tuple[str, str], frozenset[str]]
    tables: dict[tuple[str, str], frozenset[str]]
    revoked: dict[str, frozenset[str]]

    def may(self, right: str, database: str | None = None) -> bool:
        """Say whether the user has a right over a database; None is over all of them."""
        held = set(self.everywhere)
        if database is not None:
            held -= self.revoked.get(database, frozenset())
            for key in self._applying(database):
                held |= self.databases[key]
        return not held.isdisjoint({right, ALL, *_ALSO.get(right, ())})

    def lacking(self, wanted: Iterable[str], database: str | None = None) -> list[str]:
        """Return those of the wanted rights that the user does not have."""
        return [right for right in wanted if not self.may(right, database)]

    def grant(self, rights: Iterable[str], database: str | None = None) -> str:
        """Return the statement that gives rights over a database; None is over all of them.

        Rights over the database's own name hide those over a pattern, so they come with it.
        """
        wanted = list(rights)
        if database is None:
            return f"GRANT {', '.join(wanted)} ON *.* TO {self.login}"
        own = re.sub(r"([\\_%])", r"\\\1", database)
        hidden = {
            r for key in self._applying(database) if key[1] != own for r in self.databases[key]
        }
        wanted += sorted(hidden - {*wanted, "USAGE"})
        return f"GRANT {', '.join(wanted)} ON {ident(own)}.* TO {self.login}"

    def _applying(self, database: str) -> list[tuple[str, str]]:
        """Return the key that counts of each account or role: the one that means least else."""
        found: dict[str, tuple[str, str]] = {}
        for who, pattern in self.databases:
            if _matches(pattern, database):
                other = found.get(who, (who, pattern))
                found[who] = max(other, (who, pattern), key=lambda key: _first_wild(key[1]))
        return list(found.values())


async def known_rights(connection: Connection) -> Rights | None:
    """Return the rights of the session's user; None on a server that keeps none."""
    try:
        return await read_rights(connection)
    except FastloadError as error:
        if error.__cause__ is not None and error.__cause__.args[:1] in _NO_GRANTS:
            return None
        raise


async def read_rights(connection: Connection) -> Rights:
    """Return the rights of the session's user, those of its active roles included."""
    account = str(await connection.fetchval("SELECT CURRENT_USER()"))
    lines = [str(row[0]) for row in await connection.fetch("SHOW GRANTS")]
    return parse(login(account), lines)


def unseen(rights: Rights, database: str | None, found: Catalog) -> tuple[str, ...]:
    """Return what is to be said where there may be tables that this user does not see."""
    if rights.may("SELECT", database):
        return ()
    schemas = [database] if database is not None else list(found.schemas)
    if database is None and all(rights.may("SELECT", s) for s in schemas):
        return ("only databases granted to this user are seen",)
    single = [s for s in schemas if not rights.may("SELECT", s)]
    told = f"only tables granted one by one are seen in {', '.join(single)}"
    return (f"{told}; all of them: {'; '.join(rights.grant(['SELECT'], s) for s in single)}",)


def parse(login: str, lines: Sequence[str]) -> Rights:
    """Return the rights that lines of SHOW GRANTS stand for; grants of roles are none."""
    everywhere: set[str] = set()
    databases: defaultdict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    tables: defaultdict[tuple[str, str], frozenset[str]] = defaultdict(frozenset)
    revoked: defaultdict[str, frozenset[str]] = defaultdict(frozenset)
    for found in filter(None, map(_LINE.match, lines)):
        rights = frozenset(r.strip() for r in _OF_COLUMNS.sub("", found["rights"]).split(","))
        schema, table = _unquoted(found["schema"]), _unquoted(found["table"])
        if found["verb"] == "REVOKE":
            revoked[schema] |= rights
        elif schema == "*":
            everywhere |= rights
        elif table == "*":
            databases[found["who"], schema] |= rights
        else:
            tables[schema, table] |= rights
    return Rights(
        login=login,
        everywhere=frozenset(everywhere),
        databases=dict(databases),
        tables=dict(tables),
        revoked=dict(revoked),
    )


def login(account: str) -> str:
    """Return an account as GRANT takes it."""
    # A host has no @ in it, a user may.
    user, _, host = account.rpartition("@")
    return f"{literal(user)}@{literal(host)}"


def _unquoted(name: str) -> str:
    return name if name == "*" else name[1:-1].replace("``", "`")


def _matches(pattern: str, database: str) -> bool:
    """Say whether a name is meant: _ and % stand for others, unless behind a backslash."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"_": ".", "%": ".*"}
    expression = "".join(wild.get(p) or re.escape(p[-1]) for p in parts)
    return re.fullmatch(expression, database, re.DOTALL) is not None


def _first_wild(pattern: str) -> int:
    found = re.search(r"(?:^|[^\\])(?:\\\\)*[_%]", pattern)
    return found.end() if found else len(pattern) + 1
