"""Expressions as the catalogues of real servers show them, translated, and evaluated by both."""

from __future__ import annotations

import json

import pytest

from fastload.expressions import translate
from fastload.model import Column

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]

# Name: MySQL's type, PostgreSQL's type, Arrow's.
TABLE = {
    "i": ("int", "integer", "int32"),
    "j": ("bigint not null", "bigint not null", "int64"),
    "u": ("int unsigned", "bigint", "uint32"),
    "d": ("decimal(12,2)", "numeric(12,2)", "decimal128(12, 2)"),
    "e": ("decimal(12,2)", "numeric(12,2)", "decimal128(12, 2)"),
    "f": ("double", "double precision", "double"),
    "r": ("float", "real", "float"),
    "b": ("boolean", "boolean", "bool"),
    "s": ("varchar(40) collate {exact}", "varchar(40)", "string"),
    "c": ("varchar(40)", "text", "string"),
    "dt": ("date", "date", "date32[day]"),
    "ts": ("datetime(6)", "timestamp", "timestamp[us]"),
}
RESULTS = {
    "integer": ("bigint", "bigint", "int64"),
    "decimal": ("decimal(40,8)", "numeric(40,8)", "decimal128(38, 8)"),
    "float": ("double", "double precision", "double"),
    "text": ("varchar(200)", "varchar(200)", "string"),
    "bool": ("boolean", "boolean", "bool"),
    "date": ("date", "date", "date32[day]"),
    "timestamp": ("datetime(6)", "timestamp", "timestamp[us]"),
}
ROWS = [
    "(NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    "(1, 1, 1, 1.50, 2.25, 0.5, 0.1, TRUE, 'Abc', 'Abc', '2000-01-01', '2000-01-01 00:00:00')",
    (
        "(-7, -8, 0, -1.50, -0.50, -2.5, -1.5, FALSE, 'abc', 'ABC ', '1999-12-31',"
        " '2001-02-03 04:05:06')"
    ),
    "(7, 5, 3, 2.50, NULL, 1e10, 3.25, TRUE, 'a ', '', '2024-02-29', '2024-02-29 23:59:59.999999')",
    "(0, 10, 9, 0.05, 0.49, 0, 0, NULL, '', 'it''s', '1970-01-01', '1970-01-01 00:00:00.5')",
    (
        "(10, -1, 2, -2.50, 0.51, 123456.75, 8, FALSE, 'it''s', 'äöü€😀', '2038-01-19',"
        " '2038-01-19 03:14:08')"
    ),
    (
        "(3, 3, 7, 999999999.99, -999999999.99, -1, 1, TRUE, 'Ab', '  x', '0999-01-01',"
        " '1000-01-01 00:00:00')"
    ),
]
# Sums that do not fit the columns: MySQL computes with 64 bits all the same.
LARGE = (
    (
        "(2147483647, 2147483648, 4294967295, 9999999999.99, 9999999999.99, 1e300, 1e30, TRUE, "
        "'\\t', '\\n', '9999-12-31', '9999-12-31 23:59:59')"
    )
    .replace("\\t", "\t")
    .replace("\\n", "\n")
)

FROM_MYSQL = [
    ("i + j", "integer"),
    ("i + i", "integer"),
    ("i * 2 - j", "integer"),
    ("2147483647 + 1 + i", "integer"),
    ("i - -3", "integer"),
    ("- i", "integer"),
    ("- (- i)", "integer"),
    ("i div 2", "integer"),
    ("i div -2", "integer"),
    ("i % 3", "integer"),
    ("mod(i, -3)", "integer"),
    ("u + 1", "integer"),
    ("u + u", "integer"),
    ("u div 2", "integer"),
    ("u % 2", "integer"),
    ("u * u", "decimal"),
    ("u > -1", "bool"),
    ("abs(i)", "integer"),
    ("abs(d)", "decimal"),
    ("d * e", "decimal"),
    ("d + e * 2", "decimal"),
    ("d - 0.125", "decimal"),
    ("i * d", "decimal"),
    ("round(d, 1)", "decimal"),
    ("round(d)", "integer"),
    ("floor(d)", "integer"),
    ("ceiling(d)", "integer"),
    ("cast(d as signed)", "integer"),
    ("cast(i as decimal(12,2))", "decimal"),
    ("f + r", "float"),
    ("f - 0.5", "float"),
    ("i + f", "float"),
    ("r = 0.1", "bool"),
    ("f >= r", "bool"),
    ("coalesce(i, 0)", "integer"),
    ("ifnull(e, d)", "decimal"),
    ("coalesce(c, s, '')", "text"),
    ("nullif(i, 0)", "integer"),
    ("nullif(s, '')", "text"),
    ("case when i > 0 then 'pos' when i < 0 then 'n\\\\eg' else 'it''s \\n' end", "text"),
    ("case i when 1 then 'one' when 7 then 'seven' end", "text"),
    ("if(i > 0, d, 0)", "decimal"),
    ("if(b, 1, 0)", "integer"),
    ("concat(s, '-', c)", "text"),
    ("concat('#', i, ':', d)", "text"),
    ("cast(i as char)", "text"),
    ("char_length(c)", "integer"),
    ("length(c)", "integer"),
    ("octet_length(c)", "integer"),
    ("greatest(i, j)", "integer"),
    ("least(i, j, 4)", "integer"),
    ("s = 'Abc'", "bool"),
    ("s <> ''", "bool"),
    ("s in ('a', 'Abc', 'it''s')", "bool"),
    ("s not in ('a', 'Abc')", "bool"),
    ("s <=> 'Abc'", "bool"),
    ("i <=> j", "bool"),
    ("c is null", "bool"),
    ("c is not null and i is not null", "bool"),
    ("b and i > 0", "bool"),
    ("b = 1", "bool"),
    ("b in (0, 1)", "bool"),
    ("b is true", "bool"),
    ("b is not false", "bool"),
    ("not b or i", "bool"),
    ("i between 1 and 10", "bool"),
    ("i not between 1 and 10", "bool"),
    ("i in (1, 7, -7)", "bool"),
    ("d >= 0.5 and d <= 999", "bool"),
    ("(i > 0) + (j > 0) = 1", "bool"),
    ("(i > 0) = (j > 0)", "bool"),
    ("(i = 1) = (j = 1)", "bool"),
    ("(not b) = 1", "bool"),
    ("not (i < 0 and b)", "bool"),
    ("i = 1 is true", "bool"),
    ("(i in (1, 7)) is null", "bool"),
    ("(i is null) = 0", "bool"),
    ("(i or j) = 1", "bool"),
    ("(not i) + 1", "integer"),
    ("-(i % 3)", "integer"),
    ("(-i) div 2 - (j - 1)", "integer"),
    ("dt >= '2000-01-01'", "bool"),
    ("dt between date'2000-01-01' and date'2030-12-31'", "bool"),
    ("ts < '2001-02-03 04:05:06'", "bool"),
    ("ts >= dt", "bool"),
    ("ts < timestamp'2001-02-03 04:05:06.5'", "bool"),
    ("year(dt)", "integer"),
    ("month(ts)", "integer"),
    ("extract(day from dt)", "integer"),
    ("hour(ts) * 60 + minute(ts)", "integer"),
    ("cast(ts as date)", "date"),
    ("cast(dt as datetime)", "timestamp"),
    ("coalesce(ts, timestamp'2000-01-01 01:02:03.5')", "timestamp"),
]
FROM_POSTGRES = [
    ("i + j", "integer"),
    ("i * 2 - j", "integer"),
    ("i / 2", "integer"),
    ("i / (-2)", "integer"),
    ("i % 3", "integer"),
    ("-i", "integer"),
    ("abs(i)", "integer"),
    ("d * e", "decimal"),
    ("d + e * 2::numeric", "decimal"),
    ("i * d", "decimal"),
    ("round(d, 1)", "decimal"),
    ("round(d)", "integer"),
    ("floor(d)", "integer"),
    ("ceil(d)", "integer"),
    ("d::bigint", "integer"),
    ("i::bigint * 1000000000000", "integer"),
    ("i::numeric + 1", "decimal"),
    ("i::double precision + f", "float"),
    ("f * 2", "float"),
    ("f / 4", "float"),
    ("r::double precision - 1", "float"),
    ("r = 0.1", "bool"),
    ("coalesce(i, 0)", "integer"),
    ("coalesce(c, s, '')", "text"),
    ("nullif(i, 0)", "integer"),
    ("nullif(s, '')", "text"),
    ("case when i > 0 then 'pos' when i < 0 then 'neg' else 'it''s' end", "text"),
    ("case i when 1 then 'one' when 7 then 'seven' end", "text"),
    ("s || '-' || c", "text"),
    ("s || i::text", "text"),
    ("length(c)", "integer"),
    ("char_length(c)", "integer"),
    ("octet_length(c)", "integer"),
    ("greatest(j, 4)", "integer"),
    ("s = 'Abc'", "bool"),
    ("c = 'ABC '", "bool"),
    ("c <> 'abc'", "bool"),
    ("s::text in ('a', 'Abc', 'it''s')", "bool"),
    ("s in ('a', 'Abc')", "bool"),
    ("c not in ('', 'Abc')", "bool"),
    ("c is distinct from 'Abc'", "bool"),
    ("i is not distinct from j", "bool"),
    ("c is null", "bool"),
    ("(i > 0) is not null", "bool"),
    ("(s || c) is not null and not (c is not null)", "bool"),
    ("b", "bool"),
    ("b and i > 0", "bool"),
    ("not b or s <> ''", "bool"),
    ("b = true", "bool"),
    ("b is true", "bool"),
    ("b is not true", "bool"),
    ("i between 1 and 10", "bool"),
    ("i in (1, 7, -7)", "bool"),
    ("i not in (1, 7)", "bool"),
    ("d >= 0.5 and d <= 999", "bool"),
    ("i > 0 and (j > 0 or d > 0)", "bool"),
    ("(i > 0) = (j > 0)", "bool"),
    ("(i > 0)::integer + 1", "integer"),
    ("dt >= '2000-01-01'", "bool"),
    ("ts < '2001-02-03 04:05:06'", "bool"),
    ("ts >= dt", "bool"),
    ("extract(year from dt)", "integer"),
    ("extract(hour from ts)", "integer"),
    ("ts::date", "date"),
    ("dt::timestamp", "timestamp"),
]


def exact_collation(server):
    return "utf8mb4_0900_bin" if server.flavour == "mysql" else "utf8mb4_nopad_bin"


def columns_of(side, exact):
    return {
        name: Column(
            name=name,
            type=types[side].format(exact=exact).removesuffix(" not null"),
            arrow=types[2],
            nullable="not null" not in types[side],
            collation=None if side or types[2] != "string" else _collation(types[side], exact),
        )
        for name, types in TABLE.items()
    }


def _collation(type_, exact):
    return exact if "{exact}" in type_ else "utf8mb4_general_ci"


def create(side, exact, generated):
    made = [f"{name} {types[side].format(exact=exact)}" for name, types in TABLE.items()]
    made += [
        f"g{n} {RESULTS[result][side]} GENERATED ALWAYS AS ({text}) STORED"
        for n, (text, result) in generated.items()
    ]
    return f"CREATE TABLE t ({', '.join(made)})"


def insert(rows):
    return f"INSERT INTO t ({', '.join(TABLE)}) VALUES {', '.join(rows)}"


def mysql_values(database, generated):
    texts = [f"CAST(g{n} AS CHAR)" for n in generated]
    return database.execute(f"SELECT {', '.join(texts)} FROM t ORDER BY j, i")


def postgres_values(target, generated):
    texts = [_text(n, result) for n, (_, result) in generated.items()]
    sql = f"SELECT json_agg(json_build_array({', '.join(texts)}) ORDER BY j, i) FROM t"
    return [tuple(row) for row in json.loads(target.psql(sql))]


def _text(n, result):
    if result == "bool":
        return f"g{n}::integer::text"
    if result == "timestamp":
        return f"to_char(g{n}, 'YYYY-MM-DD HH24:MI:SS.US')"
    return f"g{n}::text"


def compare(cases, there, here):
    assert len(there) == len(here) >= len(ROWS)
    for number, (n, (text, result)) in enumerate(cases.items()):
        left, right = ([row[number] for row in rows] for rows in (there, here))
        if result == "float":
            left, right = ([None if v is None else float(v) for v in vs] for vs in (left, right))
        assert left == right, f"{n}: {text}"


def test_what_mysql_generates_postgres_generates(server, database, target):
    exact, columns = exact_collation(server), columns_of(0, exact_collation(server))
    cases = dict(enumerate(FROM_MYSQL))
    database.execute(create(0, exact, cases))
    shown = dict(
        database.execute(
            "SELECT column_name, generation_expression FROM information_schema.columns "
            "WHERE table_schema = database() AND table_name = 't'"
        )
    )
    said = {
        n: translate(
            shown[f"g{n}"],
            read="mysql",
            write="postgres",
            use="generated",
            columns=columns,
            into=RESULTS[result][2],
        )
        for n, (_, result) in cases.items()
    }
    assert {cases[n]: (shown[f"g{n}"], t) for n, t in said.items() if t.text is None} == {}
    translated = {n: (t.text, cases[n][1]) for n, t in said.items()}
    target.psql(create(1, exact, translated))
    for rows in (database.execute, target.psql):
        rows(insert([*ROWS, LARGE]))
    compare(cases, mysql_values(database, cases), postgres_values(target, translated))


def test_what_postgres_generates_mysql_generates(server, database, target):
    columns = columns_of(1, "")
    cases = dict(enumerate(FROM_POSTGRES))
    target.psql(create(1, "", cases))
    lines = target.psql(
        "SELECT json_object_agg(attname, pg_get_expr(adbin, adrelid)) FROM pg_attribute "
        "JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 't'::regclass"
    )
    shown = json.loads(lines)
    said = {
        n: translate(
            shown[f"g{n}"],
            read="postgres",
            write="mysql",
            use="generated",
            columns=columns,
            into=RESULTS[result][2],
        )
        for n, (_, result) in cases.items()
    }
    assert {cases[n]: (shown[f"g{n}"], t) for n, t in said.items() if t.text is None} == {}
    translated = {n: (t.text, cases[n][1]) for n, t in said.items()}
    # A collation that would make texts equal which PostgreSQL tells apart.
    database.execute(create(0, "utf8mb4_general_ci", translated))
    for rows in (database.execute, target.psql):
        rows(insert(ROWS))
    compare(cases, mysql_values(database, cases), postgres_values(target, cases))


MYSQL_CHECKS = [
    "i > 0",
    "i > 0 and (d is null or d < 1000)",
    "s in ('Abc', 'it''s', 'a\\\\b')",
    "not (i < 0 or j < 0)",
    "char_length(c) >= 3",
    "dt > '1999-12-31'",
    "i % 2 = 1",
]
# MySQL takes no check of another type than its own boolean.
MARIADB_CHECKS = ["b", "i", "case when b then i > 0 else d > 0 end"]
POSTGRES_CHECKS = [
    "i > 0",
    "i > 0 AND (d IS NULL OR d < 1000)",
    "s IN ('Abc', 'it''s')",
    "s = ANY (ARRAY['Abc'::varchar, 'a '::varchar])",
    "length(c) >= 3",
    "length(concat(s, c, i)) >= 3",
    "dt > '1999-12-31'",
    "b",
    "i % 2 = 1",
    "c <> 'abc'",
    "CASE WHEN b THEN i > 0 ELSE d > 0 END",
]


def test_checks_of_mysql(server, database, target):
    exact = exact_collation(server)
    database.execute(create(0, exact, {}) + ";" + insert([*ROWS, LARGE]))
    target.psql(create(1, exact, {}) + ";" + insert([*ROWS, LARGE]))
    for check in MYSQL_CHECKS + MARIADB_CHECKS * (server.flavour == "mariadb"):
        database.execute(f"CREATE TABLE k LIKE t; ALTER TABLE k ADD CONSTRAINT k CHECK ({check})")
        ((clause,),) = database.execute(
            "SELECT check_clause FROM information_schema.check_constraints "
            "WHERE constraint_schema = database() AND constraint_name = 'k'"
        )
        database.execute("DROP TABLE k")
        columns = columns_of(0, exact)
        said = translate(clause, read="mysql", write="postgres", use="check", columns=columns)
        assert said.text is not None, (clause, said.reason)
        target.psql(f"ALTER TABLE t ADD CHECK ({said.text}) NOT VALID")
        here = target.psql(f"SELECT coalesce(({said.text})::integer, -1) FROM t ORDER BY j, i")
        there = database.execute(f"SELECT coalesce(({check}) <> 0, -1) FROM t ORDER BY j, i")
        assert [int(v) for v in here.splitlines()] == [v for (v,) in there], (clause, said.text)


def test_checks_of_postgres(server, database, target):
    target.psql(create(1, "", {}) + ";" + insert(ROWS))
    database.execute(create(0, "utf8mb4_general_ci", {}) + ";" + insert(ROWS))
    for check in POSTGRES_CHECKS:
        target.psql(f"ALTER TABLE t ADD CONSTRAINT k CHECK ({check}) NOT VALID")
        clause = target.psql(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k'"
        )
        target.psql("ALTER TABLE t DROP CONSTRAINT k")
        said = translate(
            clause.removesuffix(" NOT VALID"),
            read="postgres",
            write="mysql",
            use="check",
            columns=columns_of(1, ""),
        )
        assert said.text is not None, (clause, said.reason)
        database.execute(
            f"CREATE TABLE k LIKE t; ALTER TABLE k ADD CHECK ({said.text}); DROP TABLE k"
        )
        here = target.psql(f"SELECT coalesce(({check})::integer, -1) FROM t ORDER BY j, i")
        there = database.execute(f"SELECT coalesce({said.text}, -1) FROM t ORDER BY j, i")
        assert [int(v) for v in here.splitlines()] == [v for (v,) in there], (clause, said.text)


def test_a_cast_that_loses_digits_of_a_second_is_refused(server, database):
    """Without digits of its own the cast keeps none, and the word that it casts has some."""
    text = "cast('2000-01-01 01:02:03.5' as datetime)"
    assert "." not in database.execute(f"SELECT cast({text} AS char)")[0][0]
    for use in ("default", "generated"):
        said = translate(
            text, read="mysql", write="postgres", use=use, columns={}, into="timestamp[us]"
        )
        assert said.text is None
        assert "fewer digits" in said.reason
