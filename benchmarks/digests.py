"""What proves equal rows: one line about all rows of a table, computed by its server.

Two PostgreSQL servers hash the text of a whole row. Any other pair hashes a spelling that both
write alike: each value as its text after its length and a colon, NULL as a dash, so that no two
rows are spelled the same. The first 60 bits of the rows' SHA-256 are summed (MySQL 9.7 has no MD5),
without overflow and in no order. Blanks at the end of ``char(n)`` are left out: PostgreSQL and
MySQL do not count them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

_POSTGRES_TEXT = "{}::text"
_POSTGRES_MOMENT = "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')"
_MYSQL_TEXT = "CAST({} AS char)"
_MYSQL_MOMENT = "date_format({}, '%Y-%m-%d %H:%i:%s.%f')"

# Types that both families write alike; floats, booleans and bytes are not among them.
_POSTGRES: Mapping[str, str] = {
    **dict.fromkeys(("bigint", "integer", "smallint", "numeric", "date"), _POSTGRES_TEXT),
    **dict.fromkeys(("character", "character varying", "text"), _POSTGRES_TEXT),
    "timestamp without time zone": _POSTGRES_MOMENT,
    "timestamp with time zone": _POSTGRES_MOMENT,
}
_MYSQL: Mapping[str, str] = {
    **dict.fromkeys(("bigint", "int", "smallint", "decimal", "date"), _MYSQL_TEXT),
    **dict.fromkeys(("char", "varchar", "longtext", "mediumtext", "text"), _MYSQL_TEXT),
    "datetime": _MYSQL_MOMENT,
    "timestamp": _MYSQL_MOMENT,
}

COLUMNS = """
SELECT column_name, data_type FROM information_schema.columns
WHERE table_schema = '{schema}' AND table_name = '{table}' ORDER BY ordinal_position"""
POSTGRES_INDEXES = """
SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE '' END ||
  string_agg(a.attname, ',' ORDER BY k.place)
FROM pg_index AS i CROSS JOIN unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
  JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
WHERE i.indrelid = '{table}'::regclass AND i.indisvalid
GROUP BY i.indexrelid, i.indisunique"""
MYSQL_INDEXES = """
SELECT concat(if(non_unique, '', 'unique '), group_concat(column_name ORDER BY seq_in_index))
FROM information_schema.statistics
WHERE table_schema = '{schema}' AND table_name = '{table}' GROUP BY index_name, non_unique"""


def postgres_rows(table: str) -> str:
    """Return the query that only PostgreSQL understands, which takes values of any type."""
    return f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t"


def postgres(table: str, columns: Iterable[Sequence[str]]) -> str:
    """Return PostgreSQL's query for what any of the servers can tell of their rows."""
    fields = _fields(columns, _POSTGRES, lambda s: f"char_length({s}) || ':' || {s}")
    digest = f"encode(sha256(convert_to(concat({fields}), 'UTF8')), 'hex')"
    number = f"('x' || left({digest}, 15))::bit(60)::bigint"
    return f"SELECT count(*), sum({number}) FROM {table}"


def mysql(table: str, columns: Iterable[Sequence[str]]) -> str:
    """Return the same in the words of MySQL's family."""
    fields = _fields(columns, _MYSQL, lambda s: f"concat(char_length({s}), ':', {s})")
    number = f"CAST(conv(left(sha2(concat({fields}), 256), 15), 16, 10) AS unsigned)"
    return f"SELECT count(*), sum({number}) FROM {table}"


def _fields(
    columns: Iterable[Sequence[str]], spellings: Mapping[str, str], sized: Callable[[str], str]
) -> str:
    texts = [spellings[kind].format(name) for name, kind in columns]
    return ", ".join(f"coalesce({sized(text)}, '-')" for text in texts)
