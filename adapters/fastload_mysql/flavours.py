"""What the servers of the family can do, by flavour and version."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

DIALECT = "mysql"

Version: TypeAlias = tuple[int, int, int]


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """A server by what it can do.

    Attributes:
        flavour: ``"mysql"`` or ``"mariadb"``.
        lower_case_table_names: Its variable: 1 stores names of tables and databases in lower
            case, 2 compares them so.
    """

    flavour: str
    version: Version
    lower_case_table_names: int = 0

    @property
    def is_mariadb(self) -> bool:
        """Whether it is a MariaDB."""
        return self.flavour == "mariadb"

    def has(self, *, mysql: Version | None, mariadb: Version | None) -> bool:
        """Say whether it has what these versions brought; None has never had it."""
        since = mariadb if self.is_mariadb else mysql
        return since is not None and self.version >= since

    @property
    def binary_collation(self) -> str:
        """The collation that tells texts apart as their bytes do, spaces at the end included.

        ``utf8mb4_bin`` pads: under a unique key, 'a' and 'a ' are one.
        """
        if self.is_mariadb:
            return "utf8mb4_nopad_bin"
        return "utf8mb4_0900_bin" if self.version >= (8, 0, 17) else "utf8mb4_bin"

    @property
    def has_expression_defaults(self) -> bool:
        """Whether a default may be any expression, and texts and documents may have one."""
        return self.has(mysql=(8, 0, 13), mariadb=(10, 2, 1))

    @property
    def has_checks(self) -> bool:
        """Whether it enforces CHECK; before, MySQL read it and forgot it."""
        return self.has(mysql=(8, 0, 16), mariadb=(10, 2, 1))

    @property
    def has_functional_indexes(self) -> bool:
        """Whether an index may be over an expression."""
        return self.has(mysql=(8, 0, 13), mariadb=None)

    @property
    def has_descending_indexes(self) -> bool:
        """Whether DESC in an index means anything."""
        return self.has(mysql=(8, 0, 1), mariadb=(10, 8, 1))

    @property
    def has_invisible_columns(self) -> bool:
        """Whether a column may be left out of ``SELECT *``."""
        return self.has(mysql=(8, 0, 23), mariadb=(10, 3, 3))

    @property
    def has_sequences(self) -> bool:
        """Whether there is CREATE SEQUENCE."""
        return self.has(mysql=None, mariadb=(10, 3, 1))

    @property
    def has_uuid(self) -> bool:
        """Whether there is a type for UUIDs."""
        return self.has(mysql=None, mariadb=(10, 7, 1))

    @property
    def has_uca1400(self) -> bool:
        """Whether there are MariaDB's collations of Unicode 14."""
        return self.has(mysql=None, mariadb=(10, 10, 1))

    @property
    def has_uca900(self) -> bool:
        """Whether there are MySQL's collations of Unicode 9."""
        return self.has(mysql=(8, 0, 1), mariadb=(11, 4, 5))


def server_of(flavour: str, version: str, lower_case_table_names: int = 0) -> Server:
    """Return the server of a version such as ``8.0.36`` or ``10.11.6-MariaDB-log``."""
    numbers = [int(n) for n in re.findall(r"\d+", version.split("-")[0])[:3]]
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return Server(
        flavour=flavour,
        version=(major, minor, patch),
        lower_case_table_names=lower_case_table_names,
    )
