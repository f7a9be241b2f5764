"""What both servers make of the encoder's text, loaded and inserted: their own text of it."""

from __future__ import annotations

import random
import struct
from contextvars import ContextVar
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from fastload_mysql.load_statement import load_statement
from fastload_mysql.quoting import ident, literal
from fastload_mysql.rows_encode import RowsEncoder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fastload.arrow_input import plan
from tests.conftest import MysqlDatabase as Database

pytestmark = pytest.mark.mysql
EXACT = Context(prec=400)
STRICT = "STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"
FORM: ContextVar[str] = ContextVar("FORM")
FILE_SETTINGS = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
# Bytes that mean something to LOAD DATA, and characters of every length.
AWKWARD = "a\u00e9\u20ac\0\t\n\r\\\x1a'\"\U0001f600 \\N\b"


@pytest.fixture(autouse=True, params=["file", "values"])
def form(request: pytest.FixtureRequest) -> None:
    FORM.set(request.param)


def load(
    database: Database,
    folder: Path,
    batch: pa.RecordBatch,
    columns: dict[str, tuple[str, str]],
    character_sets: dict[str, str] | None = None,
    *,
    show: str = "{}",
) -> list[tuple[Any, ...]]:
    """Load a batch into a table of these types and codecs, and return its rows as shown."""
    codecs = [(name, codec) for name, (_, codec) in columns.items()]
    form: Any = FORM.get()
    encoder = RowsEncoder(codecs, form=form)
    made, pieces, row = plan(batch.schema, codecs, encoder.check)(batch), [], 0
    while row < batch.num_rows:
        piece, row = encoder.encode(made, row)
        pieces.append(piece)
    file = folder / "rows"
    file.write_bytes(b"".join(pieces))
    types = ", ".join(f"{ident(name)} {type_}" for name, (type_, _) in columns.items())
    shown = ", ".join(show.format(ident(name)) for name in columns)
    options = {"database": database.name, "local_infile": True, "charset": "utf8mb4"}
    with database.server.connect(**options) as connection, connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute(f"CREATE TABLE t (n_ int AUTO_INCREMENT PRIMARY KEY, {types})")
        cursor.execute(f"SET sql_mode = '{STRICT}'")
        if form == "file":
            cursor.execute(load_statement(literal(str(file)), "t", codecs, character_sets))
        else:
            names = ", ".join(ident(name) for name in columns)
            for piece in pieces:
                statement: Any = f"INSERT INTO t ({names}) VALUES ".encode() + piece
                cursor.execute(statement)
        cursor.execute("SHOW WARNINGS")
        assert cursor.fetchall() == ()
        cursor.execute(f"SELECT {shown} FROM t ORDER BY n_")
        return list(cursor.fetchall())


def shown_text(
    database: Database, folder: Path, type_: str, codec: str, array: pa.Array
) -> list[str | None]:
    rows = load(
        database,
        folder,
        pa.record_batch({"c": array}),
        {"c": (type_, codec)},
        show="CAST({} AS char CHARACTER SET utf8mb4)",
    )
    return [row[0] for row in rows]


def counts(type_: pa.DataType, *values: int) -> pa.Array:
    return pa.array(values, pa.int32() if type_.bit_width == 32 else pa.int64()).view(type_)


# Type, codec, values, the server's text of them.
EXTREMES = [
    ("tinyint", "tiny", pa.array([-128, 127]), ["-128", "127"]),
    ("tinyint unsigned", "utiny", pa.array([0, 255]), ["0", "255"]),
    ("tinyint(1)", "bool1", pa.array([True, False]), ["1", "0"]),
    ("smallint", "short", pa.array([-32768, 32767]), ["-32768", "32767"]),
    ("smallint unsigned", "ushort", pa.array([0, 65535]), ["0", "65535"]),
    ("mediumint", "medium", pa.array([-(2**23), 2**23 - 1]), ["-8388608", "8388607"]),
    ("mediumint unsigned", "umedium", pa.array([0, 2**24 - 1]), ["0", "16777215"]),
    ("int", "long", pa.array([-(2**31), 2**31 - 1]), ["-2147483648", "2147483647"]),
    ("int unsigned", "ulong", pa.array([0, 2**32 - 1]), ["0", "4294967295"]),
    ("bigint", "longlong", pa.array([-(2**63), 2**63 - 1]), [str(-(2**63)), str(2**63 - 1)]),
    ("bigint unsigned", "ulonglong", pa.array([0, 2**64 - 1], pa.uint64()), ["0", str(2**64 - 1)]),
    ("year", "year", pa.array([0, 1901, 2155]), ["0000", "1901", "2155"]),
    ("decimal(65,30)", "decimal:65,30", pa.array([Decimal("-" + "9" * 35 + "." + "9" * 30)]),
     ["-" + "9" * 35 + "." + "9" * 30]),
    ("decimal(5,2)", "decimal:5,2", pa.array([Decimal("-0.01"), Decimal("999.99")]),
     ["-0.01", "999.99"]),
    ("date", "date", counts(pa.date32(), -719_162, 2_932_896), ["0001-01-01", "9999-12-31"]),
    ("datetime(6)", "datetime:6",
     counts(pa.timestamp("us"), -62_135_596_800_000_000, 253_402_300_799_999_999),
     ["0001-01-01 00:00:00.000000", "9999-12-31 23:59:59.999999"]),
    ("datetime", "datetime:0", counts(pa.timestamp("s"), -1), ["1969-12-31 23:59:59"]),
    ("timestamp(6)", "timestamp:6", counts(pa.timestamp("us", "UTC"), 10**6, 2**31 * 10**6 - 1),
     ["1970-01-01 00:00:01.000000", "2038-01-19 03:14:07.999999"]),
    ("time(6)", "time:6", counts(pa.duration("us"), -3_020_399_000_000, 3_020_398_999_999, -1),
     ["-838:59:59.000000", "838:59:58.999999", "-00:00:00.000001"]),
    ("json", "json", pa.array([[1, None], []]), ["[1, null]", "[]"]),
    ("longtext", "interval", pa.array([(1, -2, 500_000_000)], pa.month_day_nano_interval()),
     ["P1M-2DT0.5S"]),
    ("char(36)", "uuid_text", pa.array([bytes(range(16))], pa.binary(16)),
     ["00010203-0405-0607-0809-0a0b0c0d0e0f"]),
    ("enum('a','\u00e9')", "text", pa.array(["\u00e9", "a"]), ["\u00e9", "a"]),
    ("set('a','\u00e9')", "text", pa.array(["a,\u00e9", ""]), ["a,\u00e9", ""]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("type_", "codec", "array", "texts"), EXTREMES, ids=[e[0] for e in EXTREMES]
)
def test_extremes_arrive(
    database: Database, tmp_path: Path, type_: str, codec: str, array: pa.Array, texts: list[str]
) -> None:
    with_null = pa.concat_arrays([array, pa.nulls(1, array.type)])
    found = shown_text(database, tmp_path, type_, codec, with_null)
    if type_ == "json":  # MariaDB keeps the text as it was written
        found = [None if text is None else text.replace(",null", ", null") for text in found]
    assert found == [*texts, None]


def test_a_uuid_is_that_of_its_text(mariadb: Any, tmp_path: Path) -> None:
    values = [bytes(range(16)), b"\t\n\\\0" * 4, bytes(16)]
    with mariadb.database("fastload_uuids"):
        found = shown_text(
            Database(mariadb, "fastload_uuids"), tmp_path, "uuid", "uuid",
            pa.array(values, pa.binary(16)),
        )  # fmt: skip
    assert [bytes.fromhex((text or "").replace("-", "")) for text in found] == values


SETS = {
    "utf8mb4": AWKWARD, "utf8mb3": "a\u00e9\u20ac\0\t\n\\", "utf16": AWKWARD, "utf32": AWKWARD,
    "latin1": "a\u00e9\u20ac\0\t\n\\\x1a", "gbk": "a\u4e2d\u754c\\\t", "ascii": "a\0\t\n\\\x1a",
    "ucs2": "a\u20ac\n", "big5": "\u529f\\",
}  # fmt: skip


@pytest.mark.parametrize("names_set", [True, False])
@pytest.mark.parametrize("character_set", SETS)
def test_texts_arrive_in_columns_of_every_set_beside_blobs(
    database: Database, tmp_path: Path, character_set: str, names_set: bool
) -> None:
    text = SETS[character_set]
    blob = bytes(range(256)) + b"\xc3\x28\xa0\xff\xf0\x9f\\N\t"
    batch = pa.record_batch({"a`b": [text, "", None], "b": [blob, b"", None]})
    columns = {
        "a`b": (f"text CHARACTER SET {character_set}", "text"),
        "b": ("longblob", "blob"),
    }
    sets = {"a`b": character_set} if names_set else None
    rows = load(database, tmp_path, batch, columns, sets, show="HEX({})")
    assert [row[1] for row in rows] == [blob.hex().upper(), "", None]
    shown = database.execute("SELECT HEX(CONVERT(`a``b` USING utf8mb4)) FROM t ORDER BY n_")
    assert [row[0] for row in shown] == [text.encode().hex().upper(), "", None]


@FILE_SETTINGS
@given(
    texts=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"])), min_size=1),
    data=st.data(),
)
def test_any_text_and_bytes_arrive(
    database: Database, tmp_path: Path, texts: list[str | None], data: st.DataObject
) -> None:
    count = len(texts)
    blobs = data.draw(st.lists(st.none() | st.binary(), min_size=count, max_size=count))
    bits = data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=count, max_size=count))
    batch = pa.record_batch(
        {
            "a": pa.array(texts, pa.string()),
            "b": pa.array(texts, pa.string()),
            "c": pa.array(blobs, pa.binary()),
            "d": pa.array(bits, pa.uint64()),
        }
    )
    columns = {
        "a": ("longtext CHARACTER SET utf8mb4", "text"),
        "b": ("longtext CHARACTER SET utf16", "text"),
        "c": ("longblob", "blob"),
        "d": ("bit(64)", "bit:64"),
    }
    load(database, tmp_path, batch, columns, {"a": "utf8mb4", "b": "utf16"})
    rows = database.execute("SELECT HEX(a), HEX(CONVERT(b USING utf8mb4)), HEX(c), d+0 FROM t")
    encoded = [None if t is None else t.encode().hex().upper() for t in texts]
    hexed = [None if b is None else b.hex().upper() for b in blobs]
    assert rows == list(zip(encoded, encoded, hexed, bits, strict=True))


def test_geometry_arrives_as_its_bytes(database: Database, tmp_path: Path) -> None:
    value = struct.pack("<IBIdd", 0, 1, 1, 9.0, 10.0)
    batch = pa.record_batch({"g": pa.array([value, None])})
    rows = load(database, tmp_path, batch, {"g": ("point", "geometry")}, show="HEX({})")
    assert rows == [(value.hex().upper(),), (None,)]


def test_floats_arrive_to_the_last_bit(database: Database, tmp_path: Path) -> None:
    dice = random.Random(5)
    wide = np.frombuffer(dice.randbytes(8 * 4000), np.float64)
    narrow = np.frombuffer(dice.randbytes(4 * 4000), np.float32)
    extremes = [5e-324, 1.7976931348623157e308, 2.2250738585072014e-308, 0.1, 1 / 3, 1e22, 1e23]
    wide = np.concatenate([wide[np.isfinite(wide)], extremes])
    info = np.finfo(np.float32)
    borders = np.array([info.max, -info.max, info.tiny, 1e-45, 16777217, 0.1], np.float32)
    narrow = np.concatenate([narrow[np.isfinite(narrow)], borders])
    for type_, codec, values in (("double", "double", wide), ("float", "float", narrow)):
        values = values[values != 0]
        batch = pa.record_batch({"c": pa.array(values)})
        # A float times one is the double that it is; drivers read doubles from text exactly.
        rows = load(database, tmp_path, batch, {"c": (type_, codec)}, show="{} * 1e0")
        found = np.array([row[0] for row in rows]).astype(values.dtype)
        assert (found.view(f"i{values.itemsize}") == values.view(f"i{values.itemsize}")).all()


@pytest.mark.parametrize(("precision", "scale"), [(9, 4), (18, 0), (38, 10), (65, 30), (30, 30)])
def test_decimals_arrive(database: Database, tmp_path: Path, precision: int, scale: int) -> None:
    dice = random.Random(precision)
    unscaled = [0, 1, -1, 10**precision - 1, 1 - 10**precision]
    unscaled += [
        dice.choice([1, -1]) * dice.randrange(10 ** dice.randint(1, precision)) for _ in range(300)
    ]
    values = [EXACT.scaleb(Decimal(v), -scale) for v in unscaled]
    word = f"{precision},{scale}"
    array = pa.array(values, pa.decimal256(76, scale))
    found = shown_text(database, tmp_path, f"decimal({word})", f"decimal:{word}", array)
    assert [Decimal(text or "") for text in found] == values


def test_days_are_those_that_the_server_counts(database: Database, tmp_path: Path) -> None:
    days = [*range(-719_162, 2_932_897, 977), *range(-1000, 1000, 7)]
    batch = pa.record_batch({"c": counts(pa.date32(), *days)})
    rows = load(
        database, tmp_path, batch, {"c": ("date", "date")}, show="DATEDIFF({}, '1970-01-01')"
    )
    assert [row[0] for row in rows] == days


def test_a_row_of_one_empty_text_is_a_row(database: Database, tmp_path: Path) -> None:
    found = shown_text(database, tmp_path, "text", "text", pa.array(["", "x", ""]))
    assert found == ["", "x", ""]
