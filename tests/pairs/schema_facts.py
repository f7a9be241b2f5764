"""What a database's own catalogue says of its tables, and sums of hashes of their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from tests.pairs import matrix
from tests.pairs.matrix import Kind

if TYPE_CHECKING:
    from tests.conftest import Database, MysqlDatabase

_KINDS = {
    **dict.fromkeys(("tinyint", "smallint", "mediumint", "int", "bigint"), matrix.NUMBER),
    **dict.fromkeys(("char", "varchar", "text", "longtext", "enum", "set"), matrix.TEXT),
    **dict.fromkeys(("blob", "longblob", "geometry"), matrix.BYTES),
    **dict.fromkeys(("datetime", "timestamp"), matrix.MOMENT),
    "decimal": matrix.NUMBER,
    "year": matrix.WHOLE,
    "date": matrix.DATE,
}
Kinds = Mapping[str, Mapping[str, Kind]]  # by table and column


class Facts(NamedTuple):
    """Keys and references, without the names that each database gives them.

    Attributes:
        keys: Table, whether it is primary, columns.
        references: Table, columns, the other table, its columns, on delete, on update; RESTRICT
            as NO ACTION, since MariaDB does not tell them apart.
        indexes: Table, columns; a column's beginning as ``name(length)``.
        next: Table and column to the next number.
    """

    keys: list[tuple[str, ...]]
    references: list[tuple[str, ...]]
    indexes: list[tuple[str, ...]]
    next: dict[str, str]


_MYSQL_KEYS = """SELECT k.table_name, IF(k.constraint_name = 'PRIMARY', 't', 'f'),
  GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position)
FROM information_schema.key_column_usage k
WHERE k.table_schema = database() AND k.referenced_table_name IS NULL
GROUP BY k.table_name, k.constraint_name"""
_MYSQL_REFERENCES = """SELECT k.table_name, GROUP_CONCAT(k.column_name ORDER BY k.ordinal_position),
  k.referenced_table_name, GROUP_CONCAT(k.referenced_column_name ORDER BY k.ordinal_position),
  REPLACE(r.delete_rule, 'RESTRICT', 'NO ACTION'), REPLACE(r.update_rule, 'RESTRICT', 'NO ACTION')
FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r
  ON r.constraint_schema = k.table_schema AND r.constraint_name = k.constraint_name
WHERE k.table_schema = database()
GROUP BY k.table_name, k.constraint_name, 3, r.delete_rule, r.update_rule"""
_MYSQL_INDEXES = """SELECT table_name, GROUP_CONCAT(
  IF(sub_part IS NULL, column_name, CONCAT(column_name, '(', sub_part, ')')) ORDER BY seq_in_index)
FROM information_schema.statistics WHERE table_schema = database() AND index_type = 'BTREE'
GROUP BY table_name, index_name"""
_MYSQL_NEXT = """SELECT CONCAT(t.table_name, '.', c.column_name), t.auto_increment
FROM information_schema.tables t JOIN information_schema.columns c
  ON c.table_schema = t.table_schema AND c.table_name = t.table_name
WHERE t.table_schema = database() AND c.extra LIKE '%auto_increment%'"""

_MYSQL = (_MYSQL_KEYS, _MYSQL_REFERENCES, _MYSQL_INDEXES, _MYSQL_NEXT)

_NAMES = (
    "(SELECT string_agg(attname, ',' ORDER BY place) FROM unnest({}) WITH ORDINALITY x(n, place) "
    "JOIN pg_attribute ON attrelid = {} AND attnum = n)"
)
_RULE = (
    "CASE {} WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'NO ACTION' WHEN 'c' THEN 'CASCADE' "
    "WHEN 'n' THEN 'SET NULL' END"
)
_POSTGRES_KEYS = f"""SELECT conrelid::regclass::text, contype = 'p',
  {_NAMES.format("conkey", "conrelid")}
FROM pg_constraint WHERE contype IN ('p', 'u') AND connamespace = 'public'::regnamespace"""
_POSTGRES_REFERENCES = f"""SELECT conrelid::regclass::text, {_NAMES.format("conkey", "conrelid")},
  confrelid::regclass::text, {_NAMES.format("confkey", "confrelid")},
  {_RULE.format("confdeltype")}, {_RULE.format("confupdtype")}
FROM pg_constraint WHERE contype = 'f' AND convalidated"""
_POSTGRES_INDEXES = """SELECT indrelid::regclass::text, (SELECT string_agg(
    regexp_replace(pg_get_indexdef(indexrelid, n, true), '"left"\\((\\w+)::text, (\\d+)\\)',
      '\\1(\\2)'), ',' ORDER BY n) FROM generate_series(1, indnkeyatts) n)
FROM pg_index JOIN pg_class ON oid = indrelid
WHERE relnamespace = 'public'::regnamespace AND indisvalid"""
_POSTGRES_NEXT = """SELECT table_name || '.' || column_name, coalesce(last_value + 1, start_value)
FROM information_schema.columns JOIN pg_sequences
  ON quote_ident(schemaname) || '.' || quote_ident(sequencename)
    = pg_get_serial_sequence(quote_ident(table_name), column_name)
WHERE table_schema = 'public' AND is_identity = 'YES'"""
_POSTGRES = (_POSTGRES_KEYS, _POSTGRES_REFERENCES, _POSTGRES_INDEXES, _POSTGRES_NEXT)


def in_family(database: MysqlDatabase) -> Facts:
    return _facts(database.execute, _MYSQL)


def in_postgres(database: Database) -> Facts:
    def found(query: str) -> list[list[str]]:
        return [line.split("|") for line in database.psql(query).splitlines()]

    return _facts(found, _POSTGRES)


def _facts(run: Callable[[str], Iterable[Iterable[object]]], queries: Iterable[str]) -> Facts:
    keys, references, indexes, numbers = (
        sorted(tuple(map(str, row)) for row in run(query)) for query in queries
    )
    return Facts(keys, references, indexes, dict(numbers))


def kinds(database: MysqlDatabase) -> Kinds:
    """Return how the values of all columns are told, by what they are in this database."""
    found: dict[str, dict[str, Kind]] = {}
    for table, column, type_ in database.execute(
        "SELECT c.table_name, column_name, data_type FROM information_schema.columns c "
        "JOIN information_schema.tables t USING (table_schema, table_name) "
        "WHERE table_schema = database() AND table_type = 'BASE TABLE' "
        "ORDER BY c.table_name, c.ordinal_position"
    ):
        found.setdefault(table, {})[column] = _KINDS[type_]
    return found


def sums_in_family(database: MysqlDatabase, kinds: Kinds) -> dict[str, tuple[str, ...]]:
    """Return per table the number of rows, and a sum of hashes of their texts."""
    found = {}
    for table, columns in kinds.items():
        row = _row(columns, "mysql", "`")
        number = f"CONV(LEFT(SHA2({row}, 256), 15), 16, 10)"
        query = f"SELECT COUNT(*), COALESCE(SUM(CAST({number} AS UNSIGNED)), 0) FROM `{table}`"
        (sums,) = database.execute(f"SET time_zone = '+00:00'; {query}")
        found[table] = tuple(map(str, sums))
    return found


def sums_in_postgres(database: Database, kinds: Kinds) -> dict[str, tuple[str, ...]]:
    found = {}
    for table, columns in kinds.items():
        row = _row(columns, "postgres", '"')
        digits = f"encode(sha256(convert_to({row}, 'UTF8')), 'hex')"
        number = f"('x' || left({digits}, 15))::bit(60)::bigint"
        query = f'SELECT count(*), coalesce(sum({number}), 0) FROM "{table}"'
        sums = database.psql(f"SET timezone = 'UTC'; {query}").splitlines()[-1]
        found[table] = tuple(sums.split("|"))
    return found


def _row(columns: Mapping[str, Kind], family: str, quote: str) -> str:
    texts = (getattr(k, family).format(f"{quote}{c}{quote}") for c, k in columns.items())
    return "CONCAT_WS('|', " + ", ".join(f"COALESCE({t}, '~')" for t in texts) + ")"
