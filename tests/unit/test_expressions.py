"""What is refused, and why; what is accepted is compared with real servers in tests/pairs."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from fastload.expressions import Translated, translate
from fastload.model import Column

ENUM = "dictionary<values=string, indices=int8, ordered=0>"
ARROW = {
    "a": "int32",
    "n": "int64",
    "u": "uint64",
    "d": "decimal128(12, 2)",
    "big": "decimal128(38, 20)",
    "f": "double",
    "r": "float",
    "b": "bool",
    "s": "string",
    "dt": "date32[day]",
    "ts": "timestamp[us]",
    "tz": "timestamp[us, tz=UTC]",
    "js": "arrow.json",
    "en": ENUM,
    "bin": "binary",
}
COLUMNS = {k: Column(name=k, type="", arrow=v) for k, v in ARROW.items()} | {
    "exact": Column(name="exact", type="", arrow="string", collation="utf8mb4_0900_bin"),
    "s": Column(name="s", type="text", arrow="string"),
    "ci": Column(name="ci", type="citext", arrow="string"),
    "y": Column(name="y", type="year", arrow="int16"),
    "z": Column(name="z", type="int(5) unsigned zerofill", arrow="uint32"),
    "padded": Column(name="padded", type="character(5)", arrow="string"),
    "latin": Column(name="latin", type="", arrow="string", collation="latin1_swedish_ci"),
}


def from_mysql(text, use="check", **options):
    return translate(text, read="mysql", write="postgres", use=use, columns=COLUMNS, **options)


def from_postgres(text, use="check", **options):
    return translate(text, read="postgres", write="mysql", use=use, columns=COLUMNS, **options)


ACCEPTED_FROM_MYSQL = [
    ("CHECK ((`a` > 0))", '("a" > 0)'),
    ("CHECK (`a` > 0) ", '("a" > 0)'),
    ("(`a` > 0)", '("a" > 0)'),
    ("`A` > 0", '("a" > 0)'),
    ("(`b` = 1)", '(CAST("b" AS INTEGER) = 1)'),
    ("`a`", '("a" <> 0)'),
    (r"(`exact` in (_utf8mb4\'x\',_utf8mb4\'it\\\'s\'))", "(\"exact\" IN ('x', 'it''s'))"),
    (r"(`exact` = _utf8mb4'a\\b')", "(\"exact\" = E'a\\\\b')"),
    ("`dt` < '2020-01-01'", "(\"dt\" < DATE '2020-01-01')"),
    ("((`a` + `n`) > 2)", '((CAST("a" AS bigint) + CAST("n" AS bigint)) > 2)'),
    ("`a` <=> `n`", '("a" IS NOT DISTINCT FROM "n")'),
    ("`js` is not null", '(NOT ("js" IS NULL))'),
]
ACCEPTED_FROM_POSTGRES = [
    ("CHECK ((a > 0))", "(`a` > 0)"),
    ("CHECK ((a > 0)) NO INHERIT", "(`a` > 0)"),
    ("((a / 2) > 1)", "((`a` DIV 2) > 1)"),
    ("a > 1.5e3", "(`a` > 1500)"),
    ("f > '0.1'::double precision", "(`f` > 0.1e0)"),
    ("(s)::text = 'x'::text", "(CAST(`s` AS BINARY) = CAST('x' AS BINARY))"),
    ("b", "(`b` <> FALSE)"),
]
DEFAULTS_FROM_MYSQL = [
    ("NULL", "string", "NULL"),
    ("'abc'", "string", "'abc'"),
    ("0", "bool", "FALSE"),
    ("'1'", "int32", "1"),
    ("current_timestamp()", "timestamp[us]", "date_trunc('second', statement_timestamp())"),
    ("CURRENT_TIMESTAMP(6)", "timestamp[us]", "statement_timestamp()"),
    ("curdate()", "date32[day]", "CAST(statement_timestamp() AS date)"),
    ("uuid()", "arrow.uuid", "gen_random_uuid()"),
    ("uuid()", "string", "CAST(gen_random_uuid() AS text)"),
    ("0x6162", "binary", "'\\x6162'::bytea"),
    ("x'6100'", "binary", "'\\x6100'::bytea"),
    ("'it''s'", "string", "'it''s'"),
    (r"'a\\b'", "string", r"E'a\\b'"),
    ("b'1'", "bool", "TRUE"),
    ("b'101'", "uint64", "5"),
    (".5", "double", "0.5"),
    ("'G'", ENUM, "'G'"),
    ("'2000-01-01'", "date32[day]", "DATE '2000-01-01'"),
]
DEFAULTS_FROM_POSTGRES = [
    ("NULL::character varying", "string", "NULL"),
    ("'x'::character varying", "string", "('x')"),
    ("'{}'::jsonb", "arrow.json", "('{}')"),
    ("true", "bool", "TRUE"),
    ("(-1)", "int32", "-1"),
    ("'-1'::integer", "int64", "-1"),
    ("'a'::public.mood", ENUM, "('a')"),
    ("now()", "timestamp[us]", "CURRENT_TIMESTAMP(6)"),
]
REFUSED_FROM_MYSQL = [
    ("CHECK ((`a` > 0)) NOT ENFORCED", "is not enforced"),
    ("CHECK ((`a` > 0)) /*!80016 NOT ENFORCED */", "is not enforced"),
    ("`s` = 'x'", "collation"),
    ("`exact` < 'x'", "comes first"),
    ("`s` like 'x%'", "pattern"),
    ("`s` regexp 'x'", "pattern"),
    ("`a` / 2 > 1", "digits"),
    ("`a` div `n` > 1", "may be 0"),
    ("`a` % 0 > 1", "may be 0"),
    ("`u` - 1 > 0", "sign"),
    ("`u` + `a` > 0", "sign"),
    ("`f` * 2 > 1", "too small"),
    ("`a` = '5'", "compares"),
    ("`a` = null", "never true"),
    ("`a` = `n` > 1", "parentheses"),
    ("`a` between 1 and 2 = 1", "parentheses|compares"),
    ("`en` = 'x'", "compares"),
    ("`js` -> '$.a' = 1", "not known"),
    ("json_valid(`s`)", "not known"),
    ("`latin` = 'x'", "latin1_swedish_ci"),
    ("length(`latin`) > 1", "character set"),
    ("lower(`s`) is null", "locale"),
    ("round(`f`, 1) > 1", "ROUND"),
    ("round(`d`, `a`) > 1", "ROUND"),
    ("`a` = 0x41", "compares"),
    ("`a` = b'1'", "compares"),
    ("`s` collate utf8mb4_bin = 'x'", "not known|computed"),
    ("`a` & 1", "not known"),
    ("`missing` > 1", "not a column"),
    ("other.`a` > 1", "table"),
    ("`a` > 1 or", "cannot read"),
    ("`a` > 1 from t", "cannot read"),
    ("`a` > 1, 2", "cannot read"),
    ("`a` > 1; select 1", "cannot read"),
    ("", "cannot read"),
    ("`a` > 1 and (" * 2000, "cannot read"),
    ("`a` > (select 1)", "not known"),
    ("sleep(5)", "not known"),
    ("now() > `ts`", "compares|each time"),
    ("`tz` > '2020-01-01 00:00:00'", "time zone"),
    ("`dt` > '2020-02-30'", "not a date"),
    ("`dt` > '20200101'", "not a date"),
    ("year(`tz`) > 1", "kind timestamptz"),
    ("cast(`s` as signed) > 1", "float|text"),
    ("cast(`n` as decimal(5,2)) > 1", "beyond the range"),
    ("`big` * `big` > 1", "digits"),
    ("greatest(`s`, 'x') is null", "comes first"),
    ("coalesce(`s`, 1) is null", "yields"),
    ("`exact` = _latin1'\xe4'", "character set"),
    (r"`exact` = 'a\%'", "escaped"),
    ("`a` = 1 /* x */", "quotation"),
    ('`exact` = "x"', "quotation"),
    ("`bin` = 'x'", "compares"),
    ("`y` = 99", "compares"),
    ("concat(`z`, 'x') is null", "text of a value"),
    ("`exact` = '?'", "question mark"),
    ("!(`a` + 1) = 0", "operator !"),
    ("`a` = 0 > 1", "parentheses"),
]
REFUSED_FROM_POSTGRES = [
    ("s < 'x'::text", "comes first"),
    ("s ~~ 'x%'::text", "pattern"),
    ("s ~ 'x'::text", "not known"),
    ("padded = 'x'::bpchar", "compares"),
    ("ci = 'x'::citext", "compares"),
    ("r + r > 1", "single"),
    ("d / 3 > 1", "digits"),
    ("a / n > 1", "may be 0"),
    ("f::integer > 1", "rounded"),
    ("now() > tz", "each time"),
    ("CHECK ((a > 0)) NOT VALID", "NOT VALID"),
    ("greatest(a, 1) > 1", "NULL"),
    ("s::varchar(3) = 'x'", "limited"),
    ("b::text = 'true'", "1 and 0"),
    ("r > '0.1'::real", "single"),
    ("d > 1e99", "digits"),
    ("a = ANY (ARRAY[1, 2]::numeric[])", "cast"),
    ("js ->> 'a' = 'x'", "not known"),
    ("s = ANY (other)", "not written out|not a column"),
]
REFUSED_DEFAULTS_FROM_MYSQL = [
    ("'0000-00-00 00:00:00'", "timestamp[us]", "not a date"),
    ("'2000-01-01 00:00:00'", "timestamp[us, tz=UTC]", "time zone"),
    ("`a` + 1", "int32", "other columns"),
    ("json_object()", "arrow.json", "not known"),
    ("current_timestamp(2)", "timestamp[us]", "round"),
    ("'x'", "int32", "whole number"),
    ("b'1'", "string", "no number"),
    ("2", "bool", "neither"),
    ("unix_timestamp()", "int64", "not known"),
    ("cast(now(6) as datetime)", "timestamp[us]", "fewer digits"),
    ("cast('2000-01-01 01:02:03.5' as datetime)", "timestamp[us]", "fewer digits"),
]
REFUSED_DEFAULTS_FROM_POSTGRES = [
    ("nextval('t_id_seq'::regclass)", "int64", "sequence"),
    ("gen_random_uuid()", "arrow.uuid", "guessed"),
    ("uuid_generate_v4()", "arrow.uuid", "guessed"),
    ("ARRAY[]::text[]", "list<string>", "not known|cast"),
    ("'{}'::text[]", "list<string>", "cast"),
    ("CURRENT_TIMESTAMP(3)", "timestamp[us]", "rounds"),
    ("('now'::text)::date", "date32[day]", "not a date"),
    ("clock_timestamp()", "timestamp[us]", "not known"),
    ("(now() + '1 day'::interval)", "timestamp[us]", "."),
    ("CURRENT_USER", "string", "not known"),
    ("'{'::jsonb", "arrow.json", "not JSON"),
]


@pytest.mark.parametrize(("text", "said"), ACCEPTED_FROM_MYSQL)
def test_mysql_in_words_of_postgres(text, said):
    assert from_mysql(text)[:2] == (said, None)


@pytest.mark.parametrize(("text", "said"), ACCEPTED_FROM_POSTGRES)
def test_postgres_in_words_of_mysql(text, said):
    assert from_postgres(text)[:2] == (said, None)


@pytest.mark.parametrize(("text", "into", "said"), DEFAULTS_FROM_MYSQL)
def test_defaults_of_mysql(text, into, said):
    assert from_mysql(text, "default", into=into) == Translated(said)


@pytest.mark.parametrize(("text", "into", "said"), DEFAULTS_FROM_POSTGRES)
def test_defaults_of_postgres(text, into, said):
    assert from_postgres(text, "default", into=into) == Translated(said)


def refused(said, reason):
    assert said.text is None, said
    assert re.search(reason, said.reason), said.reason


@pytest.mark.parametrize(("text", "reason"), REFUSED_FROM_MYSQL)
def test_what_postgres_would_evaluate_otherwise(text, reason):
    refused(from_mysql(text), reason)


@pytest.mark.parametrize(("text", "reason"), REFUSED_FROM_POSTGRES)
def test_what_mysql_would_evaluate_otherwise(text, reason):
    refused(from_postgres(text), reason)


@pytest.mark.parametrize(("text", "into", "reason"), REFUSED_DEFAULTS_FROM_MYSQL)
def test_defaults_that_postgres_has_not(text, into, reason):
    refused(from_mysql(text, "default", into=into), reason)


@pytest.mark.parametrize(("text", "into", "reason"), REFUSED_DEFAULTS_FROM_POSTGRES)
def test_defaults_that_mysql_has_not(text, into, reason):
    refused(from_postgres(text, "default", into=into), reason)


def test_letters_only_matter_where_rows_are_refused():
    assert from_mysql("lower(`s`)", "index").text == 'LOWER("s")'
    refused(from_mysql("lower(`s`)", "unique"), "locale")


def test_a_zone_that_the_target_column_has_not():
    """PostgreSQL's timestamptz may be a DATETIME in UTC on MySQL."""
    said = from_postgres("now()", "default", column="tz", into="timestamp[us]")
    assert said.text == "(UTC_TIMESTAMP(6))"
    refused(from_mysql("now()", "default", column="ts", into="timestamp[us, tz=UTC]"), "column")


def test_generated_values_fit_their_column():
    assert from_mysql("`a` > 0", "generated", into="int8").text == 'CAST(("a" > 0) AS INTEGER)'
    refused(from_mysql("`a` + 1", "generated", into="string"), "kind string|kind text")
    refused(from_mysql("now()", "generated", into="timestamp[us]"), "each time")


def test_the_columns_that_it_is_made_of():
    """As the table calls them, whatever the expression does; words in a text are none."""
    said = from_mysql("`A` > 0 and `exact` <> ' n ' and `a` + 1 > `N`")
    assert said.columns == {"a", "n", "exact"}
    assert from_mysql("'a'", "default", into="string").columns == set()


def test_its_own_dialect_stays_as_it_is():
    said = translate("f(x) ~ 'y'", read="postgres", write="postgres", use="check", columns={})
    assert said == Translated("f(x) ~ 'y'")


def test_an_unknown_dialect_is_a_reason():
    said = translate("1", read="oracle", write="postgres", use="check", columns={})
    refused(said, "oracle")
    said = translate("1", read="postgres", write="oracle", use="check", columns={})
    refused(said, "oracle")


def test_a_backslash_in_mysql_does_not_depend_on_its_mode():
    said = from_postgres(r"'a\b'::text", "default", into="string")
    assert said.text == "(CONVERT(0x615c62 USING utf8mb4))"


def test_importing_it_does_not_import_sqlglot():
    program = "import fastload.expressions, sys; sys.exit('sqlglot' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
