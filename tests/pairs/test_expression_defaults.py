"""Defaults as the catalogues of real servers show them, translated, and taken by the other."""

from __future__ import annotations

import json

import pytest
from fastload_mysql.create_table import parse

from fastload.expressions import translate
from fastload.model import Column, QualifiedName

pytestmark = [pytest.mark.mysql, pytest.mark.postgres]

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
    ("datetime default (cast('2000-01-01 01:02:03' as datetime))", "timestamp", "timestamp[us]"),
    ("datetime default (timestamp'2000-01-01 01:02:03')", "timestamp", "timestamp[us]"),
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
    told = database.execute("SHOW CREATE TABLE t")[0][1]
    (found,) = parse(told, QualifiedName("s", "t")).columns
    shown = found.default
    if shown is None:
        return "NULL"
    said = translate(
        shown,
        read="mysql",
        write="postgres",
        use="default",
        columns={"x": Column(name="x", type="", arrow=own or arrow)},
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
