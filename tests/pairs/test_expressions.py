"""Expressions as the catalogues of real servers show them, translated, and evaluated by both."""

from __future__ import annotations

import json

import pytest

from fastload.expressions import translate, translate_literal
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


# As Sakila, employees, WordPress, Django and Rails declare them: MySQL's column, PostgreSQL's
# type, Arrow's type.
MYSQL_DEFAULTS = [
    ("tinyint unsigned not null default 3", "smallint", "int16"),
    ("decimal(4,2) not null default 4.99", "numeric(4,2)", "decimal128(4, 2)"),
    ("decimal(5,2) default '19.99'", "numeric(5,2)", "decimal128(5, 2)"),
    ("enum('G','PG') default 'G'", "text", "dictionary<values=string, indices=int8, ordered=0>"),
    ("boolean not null default true", "boolean", "bool"),
    ("tinyint(1) default '0'", "boolean", "bool"),
    ("bigint unsigned not null default 0", "numeric(20)", "uint64"),
    ("int default -1", "integer", "int32"),
    ("int default '7'", "integer", "int32"),
    ("int default null", "integer", "int32"),
    ("varchar(20) not null default ''", "varchar(20)", "string"),
    ("varchar(20) default 'publish'", "varchar(20)", "string"),
    ("varchar(40) default 'it''s \\\\ \"x\" `y`'", "text", "string"),
    ("varchar(40) default ' NULL'", "text", "string"),
    ("varchar(40) default 'current_timestamp'", "text", "string"),
    ("varchar(40) default 'äöü€'", "text", "string"),
    ("varchar(40) default '0'", "text", "string"),
    ("double default 0.5", "double precision", "double"),
    ("double default 1.5e10", "double precision", "double"),
    ("float default -2.5", "real", "float"),
    ("date default '9999-01-01'", "date", "date32[day]"),
    ("datetime default '2000-01-01 00:00:00'", "timestamp", "timestamp[us]"),
    ("bit(1) default b'1'", "boolean", "bool"),
    ("bit(8) default b'101'", "bigint", "uint64"),
    ("time default '10:11:12'", "time", "time64[us]"),
    ("year default 1999", "smallint", "int16"),
    ("int default (1 + 2 * 3)", "integer", "int32"),
    ("varchar(40) default (concat('a', 'b'))", "text", "string"),
    ("varchar(40) default ('x''y')", "text", "string"),
    ("decimal(5,2) default (round(2.555, 2))", "numeric(5,2)", "decimal128(5, 2)"),
    ("boolean default (1 > 2)", "boolean", "bool"),
]
# What differs each time, and what it must have become.
MYSQL_FRESH = [
    ("datetime default current_timestamp", "timestamp", "timestamp[us]", "timestamp[s]"),
    ("timestamp default now()", "timestamptz", "timestamp[us, tz=UTC]", "timestamp[s, tz=UTC]"),
    ("datetime(3) default now(3)", "timestamp", "timestamp[us]", "timestamp[ms]"),
    ("datetime(6) default now(6)", "timestamp", "timestamp[us]", "timestamp[us]"),
    ("date default (curdate())", "date", "date32[day]", "date32[day]"),
]


def mysql_default(database, column, arrow, own=None):
    """Make a column, and translate its default as the catalogue shows it."""
    database.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (x {column})")
    shown, extra, collation = database.execute(
        "SELECT column_default, extra, collation_name FROM information_schema.columns "
        "WHERE table_schema = database() AND table_name = 't'"
    )[0]
    if shown is None:
        return "NULL"
    bare = database.server.flavour == "mysql" and "DEFAULT_GENERATED" not in extra
    if bare:
        said = translate_literal(shown, write="postgres", into=arrow)
    else:
        said = translate(
            shown,
            read="mysql",
            write="postgres",
            use="default",
            columns={"x": Column(name="x", type="", arrow=own or arrow, collation=collation)},
            column="x",
            into=arrow,
        )
    assert said.text is not None, (column, shown, said.reason)
    return said.text


@pytest.mark.parametrize(("column", "type_", "arrow"), MYSQL_DEFAULTS)
def test_defaults_of_mysql(database, target, column, type_, arrow):
    text = mysql_default(database, column, arrow)
    target.psql(f"CREATE TABLE t (x {type_} DEFAULT {text}); INSERT INTO t DEFAULT VALUES")
    database.execute("INSERT INTO t VALUES ()")
    if "bit" in column:
        there = database.execute("SELECT CAST(x + 0 AS CHAR) FROM t")
    else:
        there = database.execute("SELECT CAST(x AS CHAR) FROM t")
    cast = "x::integer::text" if type_ == "boolean" else "x::text"
    here = json.loads(target.psql(f"SELECT to_json({cast}) FROM t") or "null")
    if arrow == "double":
        assert float(there[0][0]) == float(here)
    else:
        assert there == [(here,)]


@pytest.mark.parametrize(("column", "type_", "arrow", "own"), MYSQL_FRESH)
def test_moments_of_mysql(database, target, column, type_, arrow, own):
    text = mysql_default(database, column, arrow, own)
    target.psql(f"SET timezone = 'UTC'; CREATE TABLE t (x {type_} DEFAULT {text})")
    target.psql("SET timezone = 'UTC'; INSERT INTO t DEFAULT VALUES")
    database.execute("INSERT INTO t VALUES ()")
    there = database.execute("SELECT CAST(x AS CHAR) FROM t")[0][0]
    seconds = f"extract(epoch FROM x::timestamp - '{there}'::timestamp)"
    most = 86400 if type_ == "date" else 60
    apart = target.psql(f"SET timezone = 'UTC'; SELECT abs({seconds}) <= {most} FROM t")
    assert apart.splitlines()[-1] == "t"
    unit = {0: "second", 3: "milliseconds"}.get(len(there.partition(".")[2]), "microseconds")
    assert target.psql(f"SELECT date_trunc('{unit}', x) = x FROM t") == "t"


def test_what_the_catalogue_of_mysql_cannot_show_is_refused(database):
    database.execute("CREATE TABLE t (x varchar(9) default '😀')")
    shown = database.execute(
        "SELECT column_default FROM information_schema.columns WHERE table_name = 't'"
    )[0][0]
    assert "?" in shown
    said = translate(
        shown, read="mysql", write="postgres", use="default", columns={}, into="string"
    )
    assert said.text is None
    assert translate_literal(shown, write="postgres", into="string").text is None


def test_a_uuid_of_mysql(database, target):
    text = mysql_default(database, "char(36) default (uuid())", "string")
    target.psql(f"CREATE TABLE t (n int, x text DEFAULT {text}); INSERT INTO t VALUES (1), (2)")
    assert target.psql("SELECT count(DISTINCT x::uuid) FROM t") == "2"


# PostgreSQL's column, MySQL's type, Arrow's type.
POSTGRES_DEFAULTS = [
    ("integer DEFAULT 0", "int", "int32"),
    ("integer DEFAULT -1", "int", "int32"),
    ("bigint DEFAULT '-1'::bigint", "bigint", "int64"),
    ("smallint DEFAULT (1 + 2)", "smallint", "int16"),
    ("numeric(10,2) DEFAULT 0.0", "decimal(10,2)", "decimal128(10, 2)"),
    ("numeric(10,2) DEFAULT 4.99", "decimal(10,2)", "decimal128(10, 2)"),
    ("double precision DEFAULT 1.5", "double", "double"),
    ("boolean DEFAULT true", "boolean", "bool"),
    ("boolean DEFAULT 'f'", "boolean", "bool"),
    ("varchar(20) DEFAULT 'x'", "varchar(20)", "string"),
    ("varchar DEFAULT ''", "longtext", "string"),
    ("text DEFAULT 'it''s \\ \"x\"'", "longtext", "string"),
    ("text DEFAULT 'NULL'", "longtext", "string"),
    ("text DEFAULT 'a' || 'b'", "longtext", "string"),
    ("text DEFAULT NULL", "longtext", "string"),
    ("text DEFAULT 'now'::text", "longtext", "string"),
    ("date DEFAULT '2000-01-01'", "date", "date32[day]"),
    ("timestamp DEFAULT '2000-01-01 00:00:00.5'", "datetime(6)", "timestamp[us]"),
    ("jsonb DEFAULT '{}'", "json", "arrow.json"),
    ("json DEFAULT '[]'", "json", "arrow.json"),
    ("mood DEFAULT 'ok'", "enum('ok','sad')", "dictionary<values=string, indices=int8, ordered=0>"),
    ("uuid DEFAULT '00000000-0000-0000-0000-000000000000'", "char(36)", "string"),
]
POSTGRES_FRESH = [
    ("timestamp DEFAULT now()", "datetime(6)", "timestamp[us]"),
    ("timestamp DEFAULT CURRENT_TIMESTAMP", "datetime(6)", "timestamp[us]"),
    ("timestamp DEFAULT LOCALTIMESTAMP", "datetime(6)", "timestamp[us]"),
    ("timestamp DEFAULT timezone('utc', now())", "datetime(6)", "timestamp[us]"),
    ("timestamp DEFAULT (now() AT TIME ZONE 'utc')", "datetime(6)", "timestamp[us]"),
    ("timestamptz DEFAULT statement_timestamp()", "datetime(6)", "timestamp[us]"),
    ("timestamptz DEFAULT now()", "timestamp(6)", "timestamp[us, tz=UTC]"),
    ("date DEFAULT CURRENT_DATE", "date", "date32[day]"),
    ("date DEFAULT (now())::date", "date", "date32[day]"),
]


def postgres_default(target, column, arrow):
    target.psql("CREATE TYPE mood AS ENUM ('ok', 'sad')")
    target.psql(f"CREATE TABLE t (x {column})")
    shown = target.psql("SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef")
    if not shown:
        return "NULL"
    own = "timestamp[us, tz=UTC]" if column.startswith("timestamptz") else arrow
    return translate(
        shown,
        read="postgres",
        write="mysql",
        use="default",
        columns={"x": Column(name="x", type="", arrow=own)},
        column="x",
        into=arrow,
    )


@pytest.mark.parametrize(("column", "type_", "arrow"), POSTGRES_DEFAULTS)
def test_defaults_of_postgres(mysql, mariadb, target, column, type_, arrow):
    said = postgres_default(target, column, arrow)
    text = said if said == "NULL" else said.text
    assert text is not None, said
    target.psql("INSERT INTO t DEFAULT VALUES")
    cast = "x::integer::text" if arrow == "bool" else "x::text"
    here = json.loads(target.psql(f"SELECT to_json({cast}) FROM t") or "null")
    for server in (mysql, mariadb):
        there = _default_there(server, type_, text)
        if there and arrow.startswith("timestamp"):
            there = there.rstrip("0")
        assert there == here, (server.flavour, text)


def _default_there(server, type_, text):
    with server.database("fastload_test_default"):
        return server.execute(
            f"CREATE TABLE t (x {type_} DEFAULT {text}); INSERT INTO t VALUES (); "
            "SELECT CAST(x AS CHAR) FROM t",
            "fastload_test_default",
        )[0][0]


@pytest.mark.parametrize(("column", "type_", "arrow"), POSTGRES_FRESH)
def test_moments_of_postgres(mysql, mariadb, target, column, type_, arrow):
    text = postgres_default(target, column, arrow).text
    assert text is not None
    now = "now() AT TIME ZONE 'UTC'"
    for server in (mysql, mariadb):
        there = _default_there(server, type_, text)
        assert target.psql(f"SELECT abs(extract(epoch FROM {now} - '{there}')) < 86460") == "t"
        if type_ != "date":
            assert target.psql(f"SELECT abs(extract(epoch FROM {now} - '{there}')) < 60") == "t"
            assert len(there.partition(".")[2]) == 6


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
