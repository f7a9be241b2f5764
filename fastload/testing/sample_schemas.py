"""Schemas with rows for tests: tables, what makes them, and rows made by arithmetic.

Rows are equal on every machine, and more of the same with a greater scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from fastload.testing.mysql_servers import MysqlServer

Row: TypeAlias = tuple[Any, ...]
Rows: TypeAlias = Callable[[float], Iterator[Row]]

_PER_INSERT = 500
FIRST_NAMES = ("Ada", "Björn", "Chloé", "Đorđe", "Əli", "Fátima", "Γιώργος", "Юлия", "明", "さくら")
LAST_NAMES = ("O'Neil", "Müller", "García", "Смирнов", "王", "de la Cruz", "Žižek", "Ng", "Ørsted")
WORDS = (
    "storm",
    "ghost",
    "été",
    "harbour",
    "夜",
    "robot",
    "🚀 race",
    "mirror",
    "the \\ end",
    "'x'",
)


@dataclass(frozen=True, slots=True)
class SampleTable:
    """A table with its rows; ``columns`` are those that the rows have."""

    name: str
    create: str
    columns: tuple[str, ...]
    rows: Rows

    @property
    def insert(self) -> str:
        """The statement that takes one row as its arguments."""
        places = ", ".join(["%s"] * len(self.columns))
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES ({places})"


@dataclass(frozen=True, slots=True)
class SampleSchema:
    """A schema: tables in the order of their creation, and what is made behind them."""

    name: str
    tables: tuple[SampleTable, ...]
    extras: tuple[str, ...] = ()

    @property
    def statements(self) -> tuple[str, ...]:
        """What makes the empty schema; with ``foreign_key_checks`` off, as tables refer on."""
        return (*(t.create for t in self.tables), *self.extras)

    def load(self, server: MysqlServer, database: str, scale: float = 1.0) -> None:
        """Make the schema in a database that is there, with its rows."""
        with server.connect(database=database) as connection, connection.cursor() as cursor:
            cursor.execute("SET foreign_key_checks = 0, time_zone = '+00:00'")
            for statement in self.statements:
                cursor.execute(statement)
            for table in self.tables:
                rows = list(table.rows(scale))
                for start in range(0, len(rows), _PER_INSERT):
                    cursor.executemany(table.insert, rows[start : start + _PER_INSERT])


def mixed(*numbers: int) -> int:
    """Return a number that looks like chance, for these."""
    mixed = 0x9E3779B97F4A7C15
    for number in numbers:
        mixed = (mixed ^ (number + 1)) * 0xBF58476D1CE4E5B9 % (1 << 64)
        mixed ^= mixed >> 29
    return mixed


def count(base: int, scale: float) -> range:
    return range(1, max(int(base * scale), 2) + 1)
