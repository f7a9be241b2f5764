"""Twenty ways in which a target comes to differ from its source, each planted at a random place.

Each has a table of its own, of the same columns, so that one comparison finds them all. A placement
is the statement that plants it, and the rows that must be named then, with their columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

ROWS = 400
# What is named of a row: kind, key, and columns that differ.
Named: TypeAlias = tuple[str, str, tuple[str, ...]]

POSTGRES = """
CREATE TABLE base (id int PRIMARY KEY, a int, version int, amount numeric(12,2), ratio float8,
  zero float8, label varchar(60), note varchar(60), umlaut varchar(60), moment timestamptz);
INSERT INTO base SELECT n, n, 7, n + 0.25, n / 3.0, 0, 'text ' || n,
  CASE WHEN n % 4 > 0 THEN 'note' END, 'Grüße ' || n,
  timestamptz '2020-01-01 00:00+00' + n * interval '1.000001 s' FROM {numbers};
CREATE TABLE collated (k varchar(40) PRIMARY KEY, a int);
INSERT INTO collated SELECT 'key ' || n, n FROM {numbers}"""
MYSQL = """
SET time_zone = '+00:00';
CREATE TABLE base (id int PRIMARY KEY, a int, version int, amount decimal(12,2), ratio double,
  zero double, label varchar(60), note varchar(60), umlaut varchar(60), moment timestamp(6))
  DEFAULT CHARSET utf8mb4;
INSERT INTO base SELECT n, n, 7, n + 0.25, n / 3, 0, CONCAT('text ', n),
  CASE WHEN n % 4 > 0 THEN 'note' END, CONCAT('Grüße ', n),
  ADDDATE('2020-01-01 00:00:00.000001', INTERVAL n SECOND) FROM {numbers};
CREATE TABLE collated (k varchar(40) PRIMARY KEY, a int) DEFAULT CHARSET utf8mb4;
INSERT INTO collated SELECT CONCAT('key ', n), n FROM {numbers}"""
LIKE = {"PostgreSQL": "CREATE TABLE {} (LIKE base INCLUDING ALL)"}
LIKE |= dict.fromkeys(("MySQL", "MariaDB"), "CREATE TABLE {} LIKE base")
# The key is sorted, and on MySQL's family compared, otherwise than on the source.
COLLATED = {"PostgreSQL": 'ALTER TABLE collated ALTER k TYPE varchar(40) COLLATE "pg_c_utf8"'}
COLLATED |= dict.fromkeys(
    ("MySQL", "MariaDB"),
    "ALTER TABLE collated MODIFY k varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci",
)


@dataclass(frozen=True)
class Words:
    """What the target calls things that the servers call differently."""

    microsecond: str = "INTERVAL 1 MICROSECOND"
    hour: str = "INTERVAL 1 HOUR"
    negative_zero: str = "-0e0"
    not_a_number: str = "NULL"  # which there is none of
    twice: str = "CONVERT(CAST(umlaut AS BINARY) USING latin1)"
    one_of_two: str = "LIMIT 1"


WORDS = {"MySQL": Words(), "MariaDB": Words()} | {
    "PostgreSQL": Words(
        microsecond="interval '1 microsecond'",
        hour="interval '1 hour'",
        negative_zero="'-0'",
        not_a_number="'NaN'",
        twice="convert_from(convert_to(umlaut, 'UTF8'), 'LATIN1')",
        one_of_two="AND ctid = (SELECT max(ctid) FROM duplicate WHERE id = {i})",
    )
}


@dataclass(frozen=True)
class Placement:
    """One mutation at one place.

    Attributes:
        on_target: Statements that plant it.
        named: What a comparison must say, and nothing else.
        on_source: Statements that plant it there.
        undo: What takes it back, where a repair cannot.
    """

    table: str
    on_target: str
    named: frozenset[Named]
    on_source: str = ""
    undo: str = ""


@dataclass
class Places:
    """Rows that placements take, each of them once."""

    words: Words
    order: list[int]
    next: dict[str, int] = field(default_factory=dict)

    def take(self, table: str) -> int:
        """Return the next row of a table, at random."""
        at = self.next[table] = self.next.get(table, -1) + 1
        return self.order[(at + len(table) * 37) % len(self.order)]


Planter: TypeAlias = Callable[[Words, int], Placement]


def _update(table: str, *changes: tuple[str, str]) -> Planter:
    """Return what changes columns of one row; a word in braces is one of the target's."""

    def plant(words: Words, i: int) -> Placement:
        told = {n: getattr(words, n) for n in words.__dataclass_fields__}
        sets = ", ".join(f"{c} = {value.format(**told)}" for c, value in changes)
        columns = tuple(c for c, _ in changes)
        named = frozenset({("different", str(i), columns)})
        return Placement(table, f"UPDATE {table} SET {sets} WHERE id = {i}", named)

    return plant


def _lost_row(words: Words, i: int) -> Placement:
    named = frozenset({("missing", str(i), ())})
    return Placement("lost_row", f"DELETE FROM lost_row WHERE id = {i}", named)


def _duplicate(words: Words, i: int) -> Placement:
    return Placement(
        "duplicate",
        f"INSERT INTO duplicate SELECT * FROM duplicate WHERE id = {i}",
        frozenset({("extra", str(i), ())}),
        undo=f"DELETE FROM duplicate WHERE id = {i} {words.one_of_two.format(i=i)}",
    )


def _swapped(words: Words, i: int) -> Placement:
    j = i % ROWS + 1
    sets = f"label = CASE id WHEN {i} THEN 'text {j}' ELSE 'text {i}' END"
    named = frozenset(("different", str(k), ("label",)) for k in (i, j))
    return Placement("swapped", f"UPDATE swapped SET {sets} WHERE id IN ({i}, {j})", named)


def _shifted(words: Words, i: int) -> Placement:
    """From a row on, some have the values of the row behind them."""
    to = min(i + 9, ROWS)
    named = frozenset(("different", str(k), ("a",)) for k in range(i, to + 1))
    return Placement(
        "shifted", f"UPDATE shifted SET a = a + 1 WHERE id BETWEEN {i} AND {to}", named
    )


def _empty_text(words: Words, i: int) -> Placement:
    i = min(i - i % 4 + 4, ROWS)  # whose note is NULL
    return _update("empty_text", ("note", "''"))(words, i)


def _range_edge(words: Words, i: int) -> Placement:
    """The first or last row is left out, or one beyond is taken in."""
    edge = (1, ROWS, 0, ROWS + 1)[i % 4]
    if edge in (1, ROWS):
        named = frozenset({("missing", str(edge), ())})
        return Placement("range_edge", f"DELETE FROM range_edge WHERE id = {edge}", named)
    return _added("range_edge", edge, i)


def _extra_row(words: Words, i: int) -> Placement:
    return _added("extra_row", ROWS + i, i)


def _added(table: str, key: int, i: int) -> Placement:
    rest = "a, version, amount, ratio, zero, label, note, umlaut, moment"
    statement = f"INSERT INTO {table} SELECT {key}, {rest} FROM {table} WHERE id = {i}"
    return Placement(table, statement, frozenset({("extra", str(key), ())}))


def _collated(words: Words, i: int) -> Placement:
    named = frozenset({("missing", f"key {i}", ()), ("extra", f"KEY {i}", ())})
    return Placement("collated", f"UPDATE collated SET k = 'KEY {i}' WHERE k = 'key {i}'", named)


def _deleted_row(words: Words, i: int) -> Placement:
    """The source has deleted it, and the target has not."""
    named = frozenset({("extra", str(i), ())})
    return Placement("deleted_row", "", named, on_source=f"DELETE FROM deleted_row WHERE id = {i}")


def _empty_chunk(words: Words, i: int) -> Placement:
    to = min(i + 49, ROWS)
    named = frozenset(("missing", str(k), ()) for k in range(i, to + 1))
    statement = f"DELETE FROM empty_chunk WHERE id BETWEEN {i} AND {to}"
    return Placement("empty_chunk", statement, named)


MUTATIONS: dict[str, Planter] = {
    "lost_row": _lost_row,
    "duplicate": _duplicate,
    "swapped": _swapped,
    "shifted": _shifted,
    "empty_text": _empty_text,
    "trailing_space": _update("trailing_space", ("label", "CONCAT(label, ' ')")),
    "microsecond": _update("microsecond", ("moment", "moment + {microsecond}")),
    "negative_zero": _update("negative_zero", ("zero", "{negative_zero}")),
    "not_a_number": _update("not_a_number", ("ratio", "{not_a_number}")),
    "cut_text": _update("cut_text", ("label", "substring(label, 1, char_length(label) - 1)")),
    "encoded_twice": _update("encoded_twice", ("umlaut", "{twice}")),
    "sign": _update("sign", ("amount", "-amount")),
    "range_edge": _range_edge,
    "collated": _collated,
    "time_zone": _update("time_zone", ("moment", "moment + {hour}")),
    "scale": _update("scale", ("amount", "amount * 10")),
    "stale": _update("stale", ("version", "6"), ("label", "'before'")),
    "deleted_row": _deleted_row,
    "extra_row": _extra_row,
    "empty_chunk": _empty_chunk,
}


# What plants a mutation as soon as rows have come, within their transaction.
TRIGGER = """
CREATE FUNCTION plant_{table}() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS $$
BEGIN IF pg_trigger_depth() = 1 THEN {statement}; END IF; RETURN NULL; END $$;
CREATE TRIGGER plant AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION plant_{table}()"""
NO_TRIGGER = "DROP FUNCTION plant_{table} CASCADE"


def tables() -> list[str]:
    """Return the tables that are like the base."""
    return [name for name in MUTATIONS if name != "collated"]


def statements_to_fill(kind: str, numbers: str) -> Iterator[str]:
    """Yield what makes the source's tables."""
    yield (POSTGRES if kind == "PostgreSQL" else MYSQL).format(numbers=numbers)
    for name in tables():
        yield LIKE[kind].format(name)
        yield f"INSERT INTO {name} SELECT * FROM base"
    # Rows without a key are matched whole.
    drop = "DROP CONSTRAINT duplicate_pkey" if kind == "PostgreSQL" else "DROP PRIMARY KEY"
    yield f"ALTER TABLE duplicate {drop}"
    if kind == "PostgreSQL":
        yield "ALTER TABLE duplicate ALTER id DROP NOT NULL; ANALYZE"
