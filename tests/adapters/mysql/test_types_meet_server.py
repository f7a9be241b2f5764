"""Values of every type as servers send them, decoded by the words that the catalogue gives."""

from __future__ import annotations

import asyncio
import datetime
import struct
import uuid
from decimal import Decimal

import aiomysql
import pyarrow as pa
import pytest
from fastload_mysql.catalog import read_tables
from fastload_mysql.quoting import ident
from fastload_mysql.retyping import retyped
from fastload_mysql.rows_decode import RowsDecoder
from fastload_mysql.typemap import ColumnFacts

from fastload import typemap
from fastload.model import QualifiedName

pytestmark = pytest.mark.mysql

PREPARE, EXECUTE = 0x16, 0x17
POINT = struct.pack("<IBIdd", 0, 1, 1, 1.5, -2.5)
UTC = datetime.UTC
# Declaration, value as SQL, value as Arrow tells it, and the text of its exact form.
VALUES = [
    ("tinyint", "-128", -128, None),
    ("tinyint(1)", "2", 2, None),
    ("tinyint unsigned", "255", 255, None),
    ("smallint", "-32768", -32768, None),
    ("smallint unsigned", "65535", 65535, None),
    ("mediumint", "-8388608", -8388608, None),
    ("mediumint unsigned", "16777215", 16777215, None),
    ("int", "-2147483648", -(2**31), None),
    ("int(9) unsigned zerofill", "7", 7, None),
    ("bigint", "-9223372036854775808", -(2**63), None),
    ("bigint unsigned", "18446744073709551615", 2**64 - 1, None),
    ("bit", "b'1'", True, None),
    ("bit(9)", "b'100000001'", 257, None),
    ("bit(64)", "x'fffffffffffffffe'", 2**64 - 2, None),
    ("float", "1.5", 1.5, None),
    ("double", "1e-300", 1e-300, None),
    ("decimal(10,2)", "-1.5", Decimal("-1.50"), None),
    ("decimal(65,30)", f"{'9' * 35}.5", Decimal(f"{'9' * 35}.{'5'.ljust(30, '0')}"), None),
    ("date", "'2024-02-29'", datetime.date(2024, 2, 29), "2024-02-29"),
    ("datetime", "'2024-02-29 01:02:03'", datetime.datetime(2024, 2, 29, 1, 2, 3),
     "2024-02-29 01:02:03"),
    ("datetime(6)", "'1000-01-01 00:00:00.000001'", datetime.datetime(1000, 1, 1, 0, 0, 0, 1),
     "1000-01-01 00:00:00.000001"),
    ("timestamp(3) NULL", "'2038-01-19 03:14:07.125'",
     datetime.datetime(2038, 1, 19, 3, 14, 7, 125000, tzinfo=UTC), "2038-01-19 03:14:07.125"),
    ("time(6)", "'-838:59:58.5'", -datetime.timedelta(hours=838, minutes=59, seconds=58.5),
     "-838:59:58.500000"),
    ("year", "2155", 2155, None),
    ("char(5)", "'é '", "é", None),
    ("varchar(9) CHARACTER SET latin1", "'é ÿ '", "é ÿ ", None),
    ("varchar(9) CHARACTER SET gbk", "'王'", "王", "王".encode("gbk")),
    ("text CHARACTER SET utf16", "'x😀'", "x😀", None),
    ("longtext", "repeat('é', 300)", "é" * 300, None),
    ("binary(4)", "x'00ff'", b"\0\xff\0\0", None),
    ("varbinary(4)", "x'00ff'", b"\0\xff", None),
    ("longblob", "repeat(x'ff', 70000)", b"\xff" * 70000, None),
    ("enum('a','it''s')", "'it''s'", "it's", None),
    ("set('a','b','c')", "'c,a'", "a,c", None),
    ("json", """'{"a": 1}'""", '{"a": 1}', None),
    ("geometry", "ST_GeomFromText('POINT(1.5 -2.5)')", POINT, None),
    ("point", "ST_GeomFromText('POINT(1.5 -2.5)')", POINT, None),
]  # fmt: skip
OWN = {
    "mysql": [("vector(2)", "TO_VECTOR('[1,2]')", struct.pack("<2f", 1, 2), None)],
    "mariadb": [
        ("uuid", "'01234567-89AB-4def-8123-456789abcdef'",
         uuid.UUID("0123456789ab4def8123456789abcdef"), None),
        ("inet4", "'192.0.2.1'", "192.0.2.1", None),
        ("inet6", "'2001:DB8::1'", "2001:db8::1", None),
    ],
}  # fmt: skip


def binary_rows(server, database, query):
    """Return the packets of a prepared statement's rows and their end, numbered anew."""
    with server.connect(database=database, init_command="SET time_zone = '+00:00'") as raw:
        raw._execute_command(PREPARE, query)
        answer = raw._read_packet().get_all_data()
        statement, columns = struct.unpack_from("<IH", answer, 1)
        read(raw, columns + 1)
        raw._execute_command(EXECUTE, struct.pack("<IBI", statement, 0, 1))
        read(raw, columns + 2)
        sent = []
        while not sent or sent[-1][0] != 0xFE:
            sent += read(raw, 1)
    return b"".join(len(p).to_bytes(3, "little") + bytes([i % 256]) + p for i, p in enumerate(sent))


def read(raw, count):
    return [raw._read_packet().get_all_data() for _ in range(count)]


def table_of(database):
    class Session:
        async def fetch_named(self, sql, args=()):
            await raw.query(sql)
            names = [c[0] for c in raw._result.description]
            return [dict(zip(names, row, strict=True)) for row in raw._result.rows]

        async def execute(self, sql, args=()):
            await raw.query(sql)

    async def run():
        nonlocal raw
        raw = await aiomysql.connect(
            unix_socket=str(server.socket), user="fastload", password=server.password,
            charset="utf8mb4", autocommit=True,
        )  # fmt: skip
        try:
            return (await read_tables(Session(), [QualifiedName(database.name, "t")]))[0]
        finally:
            await raw.ensure_closed()

    raw, server = None, database.server
    return asyncio.run(run())


def decoded(database, columns, words, casts):
    items = ", ".join(
        (cast or "{}").format(ident(c.name)) for c, cast in zip(columns, casts, strict=True)
    )
    sent = binary_rows(database.server, database.name, f"SELECT {items} FROM t ORDER BY id")
    decoder = RowsDecoder([(c.name, w) for c, w in zip(columns, words, strict=True)])
    decoder.feed(sent)
    decoder.finish()
    return pa.record_batch(decoder.take())


@pytest.fixture
def filled(database):
    values = VALUES + OWN[database.server.flavour]
    columns = ", ".join(f"c{i} {v[0]}" for i, v in enumerate(values))
    row = ", ".join(v[1] for v in values)
    database.execute(f"CREATE TABLE t (id int, {columns})")
    database.execute(f"INSERT INTO t VALUES (1, {row}); INSERT INTO t (id) VALUES (2)")
    return database, values, table_of(database).columns[1:]


def test_native_forms(filled):
    database, values, columns = filled
    words = [c.extra["decode"] for c in columns]
    batch = decoded(database, columns, words, [c.extra.get("cast") for c in columns])
    assert [f.type for f in batch.schema] == [typemap.parse(c.arrow) for c in columns]
    row, nulls = batch.to_pylist()
    for column, (type_, _, wanted, _) in zip(columns, values, strict=True):
        assert (row[column.name], nulls[column.name]) == (wanted, None), type_


def test_exact_forms(filled):
    database, values, columns = filled
    pairs = [(c, v[3]) for c, v in zip(columns, values, strict=True) if c.exact is not None]
    assert len(pairs) == 6
    exact = [c for c, _ in pairs]
    words = [c.extra["decode_exact"] for c in exact]
    batch = decoded(database, exact, words, [c.extra["cast_exact"] for c in exact])
    assert [f.type for f in batch.schema] == [typemap.parse(c.exact) for c in exact]
    assert list(batch.to_pylist()[0].values()) == [text for _, text in pairs]


# Type, values as SQL, what it is read as, and the values as Arrow tells them.
CASTS = [
    ("tinyint(1)", "0 1", "boolean", [False, True]),
    ("bigint unsigned", "0 18446744073709551615", "decimal(20,0)", [0, 2**64 - 1]),
    ("bigint unsigned", "18446744073709551615", "char", ["18446744073709551615"]),
    ("int unsigned", "4294967295", "signed", [2**32 - 1]),
    ("bit(64)", "18446744073709551615", "unsigned", [2**64 - 1]),
    ("bit(63)", "9223372036854775807", "signed", [2**63 - 1]),
    ("year", "1901 2155", "signed", [1901, 2155]),
    ("year", "1901 2155", "unsigned", [1901, 2155]),
    ("tinyint", "-128 -1 0 127", "signed", [-128, -1, 0, 127]),
    ("tinyint unsigned", "0 255", "unsigned", [0, 255]),
    ("smallint", "-32768 5", "signed", [-32768, 5]),
    ("mediumint", "-8388608", "signed", [-8388608]),
    ("int", "-2147483648 2147483647", "signed", [-(2**31), 2**31 - 1]),
    ("bigint", "-9223372036854775808 -1", "signed", [-(2**63), -1]),
    ("bit(1)", "1 0", "unsigned", [1, 0]),
    ("tinyint", "-128 127", "decimal(3,0)", [-128, 127]),
    ("smallint", "-32768", "double", [-32768.0]),
    ("int unsigned", "4294967295", "double", [2.0**32 - 1]),
    ("year", "1901", "char", ["1901"]),
    ("int(6) zerofill", "42", "char", ["000042"]),
    ("timestamp(2) NULL", "'2024-02-29 01:02:03.12'", "char", ["2024-02-29 01:02:03.12"]),
    ("decimal(5,2)", "-999.99", "decimal(9,4)", [Decimal("-999.9900")]),
    ("float", "0.1 3.4e38 16777215 1e-38", "double",
     [struct.unpack("f", struct.pack("f", v))[0] for v in (0.1, 3.4e38, 16777215, 1e-38)]),
    ("double", "0.1 5e-324 1.7976931348623157e308 123456789012345678", "char",
     ["0.1", "5e-324", "1.7976931348623157e308", "1.2345678901234568e17"]),
    ("datetime(6)", "20240229010203.000001", "char", ["2024-02-29 01:02:03.000001"]),
    ("varchar(9)", "'é'", "binary", ["é".encode()]),
    ("varchar(99)", "'[1]'", "json", ["[1]"]),
    ("char(36)", "'01234567-89ab-cdef-0123-456789ABCDEF'", "uuid",
     [uuid.UUID("0123456789abcdef0123456789abcdef")]),
    ("json", "'[1]'", "char", ["[1]"]),
]  # fmt: skip


@pytest.mark.parametrize(("type_", "values", "wanted", "arrow"), CASTS)
def test_casts_change_no_value(database, type_, values, wanted, arrow):
    database.execute(f"CREATE TABLE t (id int AUTO_INCREMENT PRIMARY KEY, c {type_})")
    split = [values] if values.startswith("'") else values.split(" ")
    for value in split:
        database.execute(f"INSERT INTO t (c) VALUES ({value})")
    column = table_of(database).columns[1]
    facts = ColumnFacts(type=column.type, json=column.arrow == "arrow.json")
    _, forms = retyped(facts, wanted)
    batch = decoded(database, [column], [forms.decode], [forms.cast])
    assert batch.schema.field(0).type == typemap.parse(forms.arrow)
    assert batch.column(0).to_pylist() == arrow
