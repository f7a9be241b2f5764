"""Every type with its extremes, what another database declares for it, and its text on each side.

The servers are the oracle: a kind has one SQL expression per family, and both must give one text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tests.conftest import MysqlDatabase

Text = str | None


class Kind(NamedTuple):
    """How values are told as text.

    Attributes:
        mysql: SQL of MySQL and MariaDB, with ``{}`` for the column.
        postgres: SQL of PostgreSQL.
        same: What makes two spellings of one value equal.
    """

    mysql: str
    postgres: str
    same: Callable[[str], str] = str


def _document(text: str) -> str:
    return json.dumps(json.loads(text, parse_float=lambda x: repr(float(x))), sort_keys=True)


_MYSQL_TEXT = "HEX(CONVERT({} USING utf8mb4))"
_POSTGRES_TEXT = "upper(encode(convert_to({}::text, 'UTF8'), 'hex'))"
# An interval of hours has one sign for all of its parts here.
_SIGN = "CASE WHEN {0} < interval '0' THEN '-' ELSE '' END"

NUMBER = Kind("CAST({} AS CHAR)", "{}::text")
WHOLE = Kind("CAST({} + 0 AS CHAR)", "{}::int::text")
# MySQL tells six digits of a float itself, and cuts the text of a computed double.
DOUBLE = Kind("CAST({} AS CHAR)", "{}::text", lambda x: repr(float(x)))
FLOAT = Kind("CAST({} + 0E0 AS CHAR)", "{}::float8::text", lambda x: repr(float(x)))
TEXT = Kind(_MYSQL_TEXT, _POSTGRES_TEXT)
# Of a char(5), whose spaces PostgreSQL takes off as soon as it is text.
PADDED = Kind(_MYSQL_TEXT, "upper(encode(convert_to(rpad({}::text, 5), 'UTF8'), 'hex'))")
BYTES = Kind("HEX({})", "upper(encode({}, 'hex'))")
DATE = Kind("CAST({} AS CHAR)", "to_char({}, 'YYYY-MM-DD')")
MOMENT = Kind("DATE_FORMAT({}, '%Y-%m-%d %H:%i:%s.%f')", "to_char({}, 'YYYY-MM-DD HH24:MI:SS.US')")
DURATION = Kind(
    "TIME_FORMAT({}, '%H:%i:%s.%f')",
    f"({_SIGN}) || to_char(greatest({{0}}, -{{0}}), 'HH24:MI:SS.US')",
)
CLOCK = Kind("TIME_FORMAT({}, '%H:%i:%s.%f')", "to_char({}, 'HH24:MI:SS.US')")
DOCUMENT = Kind("CAST({} AS CHAR)", "{}::text", _document)
UUID = Kind("LOWER(CAST({} AS CHAR))", "{}::text")
LIST = Kind("CAST({} AS CHAR)", "to_json({})::text", _document)
INTERVAL = Kind("CAST({} AS CHAR)", "{}::text")


class Type(NamedTuple):
    """A type of a source.

    Attributes:
        declared: As the source declares it.
        values: In the source's SQL.
        kind: How both sides tell the values.
        there: As the other database's catalogue shows the column that is made for it.
    """

    declared: str
    values: tuple[str, ...]
    kind: Kind
    there: str


def _texts(*values: str) -> tuple[str, ...]:
    return tuple("'" + v.replace("\\", "\\\\").replace("'", "\\'") + "'" for v in values)


def _signed(name: str, bits: int, there: str) -> Type:
    least, most = -(1 << bits - 1), (1 << bits - 1) - 1
    return Type(name, (str(least), "0", "-1", str(most)), NUMBER, there)


def _unsigned(name: str, bits: int, there: str) -> Type:
    return Type(f"{name} unsigned", ("0", "1", str((1 << bits) - 1)), NUMBER, there)


def _decimal(precision: int, scale: int) -> Type:
    digits = "9" * precision
    most = f"{digits[: precision - scale] or '0'}.{digits[:scale]}".rstrip(".")
    least = f"0.{'1'.rjust(scale, '0')}" if scale else "1"
    declared = f"decimal({precision},{scale})"
    values = (most, f"-{most}", least, f"-{least}", "0")
    return Type(declared, values, NUMBER, f"numeric({precision},{scale})")


def _bits(size: int) -> Type:
    there = "numeric(20,0)"
    return Type(f"bit({size})", ("0", "1", str((1 << size) - 1)), WHOLE_BITS, there)


WHOLE_BITS = Kind("CAST({} + 0 AS CHAR)", "{}::text")

AWKWARD = _texts(
    "", " ", "a  ", "\\N", "NULL", "a\tb\nc\rd\\e", "'\"`", "\\t\\0", "\x1a", "%_;--", "äöü€ß"
)
_FRACTIONS = ("", "(1)", "(2)", "(3)", "(4)", "(5)", "(6)")


def _moments(name: str, there: str, *values: str) -> list[Type]:
    """Return the type with each number of fractional digits; values have six."""
    found = []
    for digits, modifier in enumerate(_FRACTIONS):
        cut = tuple(f"'{v[: len(v) - 6 + digits].rstrip('.')}'" for v in values)
        kind = DURATION if name == "time" else MOMENT
        suffix = " NULL" if name == "timestamp" else ""
        found.append(Type(f"{name}{modifier}{suffix}", cut, kind, there))
    return found


_POINT = "ST_GeomFromText('POINT(1.5 -2.5)'{})"
_EMPTY = "GEOMETRYCOLLECTION EMPTY"

# What both flavours have, with PostgreSQL's column.
FAMILY: tuple[Type, ...] = (
    _signed("tinyint", 8, "smallint"),
    _signed("smallint", 16, "smallint"),
    _signed("mediumint", 24, "integer"),
    _signed("int", 32, "integer"),
    _signed("bigint", 64, "bigint"),
    _unsigned("tinyint", 8, "smallint"),
    _unsigned("smallint", 16, "integer"),
    _unsigned("mediumint", 24, "bigint"),
    _unsigned("int", 32, "bigint"),
    _unsigned("bigint", 64, "numeric(20,0)"),
    Type("tinyint(1)", ("0", "1", "2", "-128"), NUMBER, "smallint"),
    _decimal(1, 0),
    _decimal(10, 2),
    _decimal(30, 30),
    _decimal(38, 10),
    _decimal(65, 0),
    _decimal(65, 30),
    Type("float", ("0", "1.5", "-3.402823e38", "1.17549435e-38", "16777217"), FLOAT, "real"),
    Type(
        "double",
        ("0", "0.1", "1.7976931348623157e308", "-2.2250738585072014e-308", "5e-324"),
        DOUBLE,
        "double precision",
    ),
    Type("bit(1)", ("0", "1"), WHOLE, "boolean"),
    *(_bits(size) for size in (2, 7, 8, 9, 31, 32, 33, 63, 64)),
    Type("date", ("'0001-01-01'", "'1000-01-01'", "'9999-12-31'", "'2024-02-29'"), DATE, "date"),
    *_moments(
        "datetime",
        "timestamp without time zone",
        "0001-01-01 00:00:00.000000",
        "9999-12-31 23:59:59.999999",
        "1969-12-31 23:59:59.123456",
    ),
    *_moments(
        "timestamp",
        "timestamp with time zone",
        "1970-01-01 00:00:01.000000",
        "2038-01-19 03:14:07.999999",
        "2024-03-31 02:30:00.000001",
    ),
    *_moments(
        "time",
        "interval",
        "-838:59:59.000000",
        "838:59:59.000000",
        "24:00:00.000000",
        "-00:00:00.100000",
        "23:59:59.999999",
    ),
    Type("year", ("1901", "2155", "0"), WHOLE, "integer"),
    Type("char(7)", ("''", "'abcdefg'", "'é😀'", "'a b'"), TEXT, "character varying(7)"),
    Type("varchar(80)", AWKWARD, TEXT, "character varying(80)"),
    Type("varchar(9) CHARACTER SET utf8mb3", ("'€uro  '", "''"), TEXT, "character varying(9)"),
    Type("varchar(9) CHARACTER SET latin1", ("'é ÿ€ '", "''"), TEXT, "character varying(9)"),
    Type("varchar(9) CHARACTER SET utf16", ("'x😀 '", "''"), TEXT, "character varying(9)"),
    Type("varchar(9) CHARACTER SET gbk", ("'王 \\\\'", "''"), TEXT, "character varying(9)"),
    Type("tinytext", (*AWKWARD[:3], "repeat('x', 255)"), TEXT, "text"),
    Type("text", (*AWKWARD[3:6], "repeat('é', 32767)"), TEXT, "text"),
    Type("mediumtext", (*AWKWARD[6:], "repeat('😀', 20000)"), TEXT, "text"),
    Type("longtext", ("''", "repeat('\\\\N\\t', 30000)"), TEXT, "text"),
    Type("text CHARACTER SET latin1", ("'ÿ'", "''"), TEXT, "text"),
    Type("binary(4)", ("''", "x'00'", "x'ffffffff'", "x'20202020'"), BYTES, "bytea"),
    Type("varbinary(9)", ("''", "x'0009200a5c00'", "x'ff20'"), BYTES, "bytea"),
    Type("tinyblob", ("''", "repeat(x'00', 255)"), BYTES, "bytea"),
    Type("blob", ("''", "x'5c4e'", "repeat(x'5c', 65535)"), BYTES, "bytea"),
    Type("mediumblob", ("x'0d0a1a'", "repeat(x'ff', 70000)"), BYTES, "bytea"),
    Type("longblob", ("''", "repeat(x'090a', 70000)"), BYTES, "bytea"),
    Type("enum('a','it''s','ü b')", ("'a'", "'it''s'", "'ü b'"), TEXT, "t_{name}"),
    Type("set('a','b c','ü')", ("''", "'ü,a'", "'b c'"), TEXT, "text"),
    Type(
        "json",
        ("""'{"a": [1, null, "ü😀"]}'""", "'null'", "'[]'", """'"x"'""", "'1.5'"),
        DOCUMENT,
        "json",
    ),
    Type("geometry", (_POINT.format(""), f"ST_GeomFromText('{_EMPTY}')"), BYTES, "bytea"),
    Type("point", (_POINT.format(""), _POINT.format(", 4326")), BYTES, "bytea"),
    Type("linestring", ("ST_GeomFromText('LINESTRING(0 0,1 1)')",), BYTES, "bytea"),
)
MYSQL_ONLY: tuple[Type, ...] = (
    Type("point SRID 4326", (_POINT.format(", 4326"),), BYTES, "bytea"),
    Type("vector(2)", ("TO_VECTOR('[1,-2.5]')",), BYTES, "bytea"),
)
MARIADB_ONLY: tuple[Type, ...] = (
    Type("uuid", ("'01234567-89AB-4def-8123-456789abcdef'", f"'{'f' * 32}'"), UUID, "uuid"),
    Type("inet4", ("'0.0.0.0'", "'255.255.255.255'"), TEXT, "text"),
    Type("inet6", ("'::'", "'2001:db8::ff'", "'::ffff:1.2.3.4'"), TEXT, "text"),
)


# One microsecond more than MySQL's last full second.
NOT_MYSQL: tuple[Type, ...] = (
    Type("time(6)", ("'838:59:59.999999'", "'-838:59:59.999999'"), DURATION, "interval"),
)


def of_flavour(flavour: str) -> tuple[Type, ...]:
    return FAMILY + (MYSQL_ONLY if flavour == "mysql" else MARIADB_ONLY + NOT_MYSQL)


def column(number: int) -> str:
    return f"c{number}"


def bare(type_: str) -> str:
    """Return a type without the width that MariaDB shows of numbers and years."""
    return re.sub(r"(?<=int)\((?!1\))\d+\)|(?<=year)\(4\)", "", type_)


def rows(types: Sequence[Type]) -> list[tuple[str, ...]]:
    """Return rows with one value of each type, filled up with NULL; the last is all NULL."""
    values = zip_longest(*(t.values for t in types), fillvalue="NULL")
    return [*values, ("NULL",) * len(types)]


def fill(database: MysqlDatabase, types: Sequence[Type]) -> None:
    """Make table t of MySQL's family, a column per type."""
    columns = ", ".join(f"{column(i)} {t.declared}" for i, t in enumerate(types))
    values = ", ".join(f"({n}, {', '.join(row)})" for n, row in enumerate(rows(types)))
    database.execute(
        "SET time_zone = '+00:00', sql_mode = ''; "
        f"CREATE TABLE t (id int PRIMARY KEY, {columns}) CHARSET utf8mb4; "
        f"INSERT INTO t VALUES {values}"
    )


def expressions(types: Iterable[Type], family: str) -> list[str]:
    return [getattr(t.kind, family).format(column(i)) for i, t in enumerate(types)]


def told(types: Sequence[Type], rows: Iterable[Sequence[Text]]) -> dict[str, list[Text]]:
    """Return each type's texts, row by row, as their kind spells them."""
    columns = list(zip(*rows, strict=True))
    return {
        f"{i} {t.declared}": [None if v is None else t.kind.same(v) for v in column]
        for i, (t, column) in enumerate(zip(types, columns, strict=True))
    }


def _plain(name: str, kind: Kind, there: str, *values: str) -> Type:
    return Type(name, tuple("'" + v.replace("'", "''") + "'" for v in values), kind, there)


_DAYS = ("0001-01-01", "1969-12-31", "9999-12-31")
_SECONDS = ("0001-01-01 00:00:00", "1969-12-31 23:59:59.999999", "9999-12-31 23:59:59")
_UUIDS = ("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff")
_LONG = "x" * 100_000
_STRINGS = ("", " ", "NULL", "\\N", "\t\n\r\\", "'\"`", "äöü€😀", "a  ", "\x1a", "\b")
_DOCUMENTS = ('{"b": 1, "a": [null, "\\u00e9", 1.5]}', "null", '"x"', "[]", "-1")

# PostgreSQL's types, with MySQL's and MariaDB's column.
POSTGRES: tuple[Type, ...] = (
    _plain("boolean", WHOLE, "tinyint(1)", "true", "false"),
    _plain("smallint", NUMBER, "smallint", "-32768", "0", "32767"),
    _plain("integer", NUMBER, "int", "-2147483648", "0", "2147483647"),
    _plain("bigint", NUMBER, "bigint", "-9223372036854775808", "0", "9223372036854775807"),
    _plain("oid", NUMBER, "int unsigned", "0", "4294967295"),
    _plain("real", FLOAT, "float", "1e-45", "-3.4028235e38", "0.1", "16777217"),
    _plain("double precision", DOUBLE, "double", "5e-324", "-1.7976931348623157e308", "0.1"),
    _plain("numeric(12,2)", NUMBER, "decimal(12,2)", "9999999999.99", "-0.01", "0"),
    _plain("numeric(38,0)", NUMBER, "decimal(38,0)", "9" * 38, "-" + "9" * 38),
    _plain("numeric(65,30)", NUMBER, "decimal(65,30)", "9" * 35 + "." + "9" * 30, "1e-30"),
    _plain("text", TEXT, "longtext", *_STRINGS, _LONG),
    _plain("varchar", TEXT, "longtext", *_STRINGS),
    _plain("varchar(5)", TEXT, "varchar(5)", "", "abcde", "  ", "äöü😀"),
    _plain("char(5)", PADDED, "varchar(5)", "", "ab", "abcde"),
    _plain('"char"', TEXT, "longtext", "a", ""),
    _plain("name", TEXT, "longtext", "", "x" * 63),
    _plain("bytea", BYTES, "longblob", "", "\\x00ff09200a5c1a", "\\x5c4e"),
    _plain("uuid", UUID, "char(36)", *_UUIDS),
    _plain("json", DOCUMENT, "json", *_DOCUMENTS),
    _plain("jsonb", DOCUMENT, "json", *_DOCUMENTS),
    _plain("date", DATE, "date", *_DAYS),
    _plain("time", CLOCK, "time(6)", "00:00", "23:59:59.999999"),
    _plain("time(0)", CLOCK, "time(6)", "12:34:56"),
    _plain("timetz", TEXT, "longtext", "00:00+15:59", "24:00-15:59"),
    _plain("timestamp", MOMENT, "datetime(6)", *_SECONDS),
    _plain("timestamp(3)", MOMENT, "datetime(6)", "2024-02-29 01:02:03.123"),
    _plain("timestamptz", MOMENT, "datetime(6)", *(s + "+00" for s in _SECONDS)),
    _plain("interval", INTERVAL, "varchar(120)", "1 mon -1 day 00:00:01", "0", "-1 year 0.5 sec"),
    _plain("bit(3)", TEXT, "longtext", "101"),
    _plain("varbit", TEXT, "longtext", "", "1010101"),
    _plain("inet", TEXT, "longtext", "::1", "192.168.0.1/24"),
    _plain("cidr", TEXT, "longtext", "10.0.0.0/8"),
    _plain("macaddr", TEXT, "longtext", "08:00:2b:01:02:03"),
    _plain("money", TEXT, "longtext", "-92233720368547758.08", "1.00"),
    _plain("point", TEXT, "longtext", "(1e300,-0)"),
    _plain("tsvector", TEXT, "longtext", "'a':1A 'b':2"),
    _plain("pg_lsn", TEXT, "longtext", "FFFFFFFF/FFFFFFFF"),
    _plain("int4range", TEXT, "longtext", "empty", "[1,5)", "(,)"),
    _plain("tstzrange", TEXT, "longtext", "[2024-01-01 00:00+00,)"),
    _plain("int4multirange", TEXT, "longtext", "{}", "{[1,2),[5,9)}"),
    _plain("mood", TEXT, "enum('sad','o''k \"x\"')", "sad", 'o\'k "x"'),
    _plain("positive", NUMBER, "int", "1", "2147483647"),
    _plain("code", TEXT, "varchar(3)", "ab", ""),
    _plain("pair", TEXT, "longtext", '(1,"a b")'),
    _plain("integer[]", LIST, "json", "{}", "{1,NULL,-2147483648}"),
    _plain("bigint[]", LIST, "json", "{9007199254740991,-1}"),
    _plain("boolean[]", LIST, "json", "{t,f,NULL}"),
    _plain("double precision[]", LIST, "json", "{0.1,-1.5,NULL}"),
    _plain("text[]", LIST, "json", '{"","a,b","\\"x\\\\\\t","NULL",NULL,"😀"}'),
    _plain("numeric(9,2)[]", LIST, "json", "{1.5,NULL,-0.25}"),
    _plain("date[]", LIST, "json", "{2024-02-29,NULL}"),
    _plain("mood[]", LIST, "json", '{sad,NULL,"o\'k \\"x\\""}'),
    _plain("inet[]", TEXT, "longtext", "{::1,NULL}"),
)
POSTGRES_TYPES = """
CREATE TYPE mood AS ENUM ('sad', 'o''k "x"'); CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0); CREATE DOMAIN code AS varchar(3)"""
