"""What the servers of the family can do, by flavour and version."""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

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
    def has_windows(self) -> bool:
        """Whether there are window functions."""
        return self.has(mysql=(8, 0, 2), mariadb=(10, 2, 0))

    @property
    def has_json(self) -> bool:
        """Whether there is a type for documents, or a name for one."""
        return self.has(mysql=(5, 7, 8), mariadb=(10, 2, 7))

    @property
    def has_generated_columns(self) -> bool:
        """Whether it computes columns as the standard says."""
        return self.has(mysql=(5, 7, 6), mariadb=(10, 2, 1))

    @property
    def has_spatial_indexes(self) -> bool:
        """Whether InnoDB has any."""
        return self.has(mysql=(5, 7, 5), mariadb=(10, 2, 2))

    @property
    def has_plain_timestamps(self) -> bool:
        """Whether a timestamp without a default has none; before, the first followed the clock."""
        return self.has(mysql=(8, 0, 2), mariadb=(10, 10, 1))

    @property
    def has_reset(self) -> bool:
        """Whether a session can be given its settings back."""
        return self.has(mysql=(5, 7, 3), mariadb=(10, 2, 4))

    @property
    def keeps_statistics(self) -> bool:
        """Whether the catalogue answers with old counters, unless it is asked for fresh ones."""
        return self.has(mysql=(8, 0, 3), mariadb=None)

    @property
    def log_status(self) -> str:
        """The statement that tells where its log stands."""
        renamed = self.has(mysql=(8, 2, 0), mariadb=None)
        return "SHOW BINARY LOG STATUS" if renamed else "SHOW MASTER STATUS"

    @property
    def index_part_bytes(self) -> int:
        """The most bytes of one column in an index, as servers are set without being told."""
        return 3072 if self.has(mysql=(5, 7, 7), mariadb=(10, 2, 2)) else 767

    @property
    def has_srids(self) -> bool:
        """Whether a column may be bound to one system of coordinates."""
        return self.has(mysql=(8, 0, 3), mariadb=None)

    @property
    def time_limits(self) -> tuple[str, ...]:
        """The variables that end statements or transactions of a session, if above zero."""
        if not self.is_mariadb:
            return ("max_execution_time",) if self.version >= (5, 7, 8) else ()
        idle = ("", "_readonly", "_write")
        idle_limits = tuple(f"idle{kind}_transaction_timeout" for kind in idle)
        return ("max_statement_time", *(idle_limits if self.version >= (10, 3, 0) else ()))

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
