"""Which values go into which MySQL columns, and what some of them would lose."""

from __future__ import annotations

from typing import Any

import pytest
from fastload_mysql.fitting import fit, word
from fastload_mysql.flavours import server_of

from fastload.model import Column

OWN = "mysql"
MYSQL, MARIADB = server_of("mysql", "9.7.0"), server_of("mariadb", "10.11.6")
# Type -> Arrow form and the encoder's word.
TYPES = {
    "tinyint": ("int8", "tiny"), "int unsigned": ("uint32", "ulong"), "int": ("int32", "long"),
    "bigint": ("int64", "longlong"), "bigint unsigned": ("uint64", "ulonglong"),
    "tinyint(1)": ("int8", "tiny"), "bit(1)": ("bool", "bit:1"), "year": ("uint16", "year"),
    "float": ("float", "float"), "double": ("double", "double"),
    "decimal(10,2)": ("decimal128(10, 2)", "decimal:10,2"),
    "decimal(12,4)": ("decimal128(12, 4)", "decimal:12,4"),
    "decimal(5,0)": ("decimal128(5, 0)", "decimal:5,0"),
    "date": ("date32[day]", "date"), "datetime": ("timestamp[us]", "datetime:0"),
    "datetime(6)": ("timestamp[us]", "datetime:6"), "datetime(5)": ("timestamp[us]", "datetime:5"),
    "time(6)": ("duration[us]", "time:6"),
    "time": ("duration[us]", "time:0"),
    "timestamp(6)": ("timestamp[us, tz=UTC]", "timestamp:6"),
    "char(36)": ("string", "char:36"), "varchar(9)": ("string", "text:9"),
    "varchar(120)": ("string", "text:120"), "longtext": ("string", "text:4294967295"),
    "json": ("arrow.json", "json"), "longblob": ("binary", "blob:4294967295"),
    "binary(16)": ("binary", "binary:16"), "binary(8)": ("binary", "binary:8"),
    "uuid": ("arrow.uuid", "uuid"),
    "point": ("opaque[geometry, MySQL, binary]", "geometry"),
    "enum('a','b')": ("string", "text:1"), "enum('a')": ("string", "text:1"),
}  # fmt: skip
EXACT = ("date", "datetime", "datetime(5)", "datetime(6)", "time", "time(6)", "timestamp(6)")


def column(type_: str, **given: Any) -> Column:
    """Return a column as the catalogue describes it."""
    arrow, encode = TYPES[type_]
    extra = {"encode": encode}
    if type_ in EXACT:
        extra |= {"decode_exact": f"opaque_text:{type_}", "encode_exact": "text:26"}
    length = int(encode.split(":")[1]) if encode.startswith(("char", "text", "binary")) else None
    labels = tuple(x for x in "ab" if f"'{x}'" in type_)
    facts = {"length": length if length != 4294967295 else None, "labels": labels, **given}
    return Column(name="c", type=type_, arrow=arrow, extra=extra, **facts)


def source(arrow: str, **given: Any) -> Column:
    return Column(name="c", type=arrow, arrow=arrow, **given)


@pytest.mark.parametrize("name", TYPES)
def test_every_type_fits_itself_without_loss(name):
    found = fit(column(name), column(name), OWN, MYSQL)
    assert (found.possible, found.same, found.native, found.loss) == (True, True, True, None)
    assert found.exact == (name in EXACT)


def test_one_type_of_two_character_sets_is_not_the_same():
    latin = column("varchar(9)", collation="latin1_swedish_ci")
    found = fit(column("varchar(9)", collation="utf8mb4_bin"), latin, OWN, MYSQL)
    assert (found.same, found.native) == (False, True)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("int", "int unsigned"), ("bigint", "tinyint"), ("int", "decimal(5,0)"),
        ("decimal(5,0)", "bigint"), ("float", "double"), ("tinyint(1)", "bit(1)"),
        ("varchar(9)", "longtext"), ("longtext", "varchar(9)"), ("varchar(9)", "char(36)"),
        ("longblob", "binary(16)"), ("uuid", "char(36)"), ("uuid", "binary(16)"),
        ("json", "longtext"), ("enum('a')", "enum('a','b')"), ("enum('a','b')", "varchar(9)"),
        ("decimal(10,2)", "decimal(12,4)"), ("datetime", "datetime(6)"), ("year", "int"),
    ],
)  # fmt: skip
def test_types_that_take_each_others_values(there, here):
    found = fit(column(there), column(here), OWN, MYSQL)
    assert (found.possible, found.same, found.native, found.loss) == (True, False, True, None)


@pytest.mark.parametrize(
    ("there", "here"),
    [
        ("varchar(9)", "int"), ("int", "varchar(9)"), ("datetime", "timestamp(6)"),
        ("date", "datetime"), ("longblob", "longtext"), ("double", "decimal(10,2)"),
        ("json", "char(36)"), ("uuid", "varchar(9)"), ("uuid", "binary(8)"),
        ("enum('a','b')", "enum('a')"), ("varchar(9)", "enum('a')"), ("point", "longblob"),
    ],
)  # fmt: skip
def test_types_that_do_not(there, here):
    found = fit(column(there), column(here), OWN, MYSQL)
    assert not found.possible
    assert found.reason == f"{there} is not written into {here}"


@pytest.mark.parametrize(
    ("there", "here", "loss"),
    [
        ("double", "float", "digits beyond the seventh"),
        ("decimal(12,4)", "decimal(10,2)", "digits after the point"),
        ("decimal(10,2)", "int", "digits after the point"),
        ("datetime(6)", "datetime", "fractions of a second"),
        ("datetime(6)", "datetime(5)", "fractions of a second"),
        ("time(6)", "time", "fractions of a second"),
        ("longtext", "json", "repeated members"),
    ],
)
def test_what_is_cut_off_is_a_loss(there, here, loss):
    found = fit(column(there), column(here), OWN, MYSQL)
    assert found.possible
    assert loss in (found.loss or "")
    assert f"({there} into {here})" in (found.loss or "")
    assert not found.exact


def test_mariadb_keeps_the_text_of_json():
    assert fit(column("longtext"), column("json"), OWN, MARIADB).loss is None


def test_a_generated_column_takes_nothing():
    assert not fit(column("int"), column("int", generated="a + 1"), OWN, MYSQL).possible


@pytest.mark.parametrize(
    ("arrow", "here", "written"),
    [
        ("int64", "int unsigned", "ulong"),
        ("bool", "tinyint(1)", "tiny"),
        ("timestamp[us, tz=UTC]", "datetime(6)", "datetime_utc:6"),
        ("timestamp[us, tz=UTC]", "timestamp(6)", "timestamp:6"),
        ("timestamp[us]", "datetime(6)", "datetime:6"),
        ("time64[us]", "time(6)", "time:6"),
        ("arrow.uuid", "char(36)", "uuid_text"),
        ("arrow.uuid", "binary(16)", "binary:16"),
        ("month_day_nano_interval", "varchar(120)", "interval"),
        ("list<int32>", "json", "json"),
        ("dictionary<values=string, indices=int8, ordered=0>", "longtext", "text:4294967295"),
        ("opaque[inet, PostgreSQL, string]", "longtext", "text:4294967295"),
    ],
)
def test_columns_of_other_dialects_fit_by_their_arrow_type(arrow, here, written):
    given, target = source(arrow), column(here)
    found = fit(given, target, "postgres", MYSQL)
    assert (found.possible, found.native, found.same, found.loss) == (True, True, False, None)
    assert word(given, target) == written


@pytest.mark.parametrize(
    ("arrow", "here"),
    [
        ("timestamp[us]", "timestamp(6)"), ("month_day_nano_interval", "varchar(9)"),
        ("struct<a: int8>", "json"), ("opaque[numeric, PostgreSQL, string]", "decimal(10,2)"),
        ("list<binary>", "json"), ("string", "enum('a')"),
    ],
)  # fmt: skip
def test_columns_of_other_dialects_that_do_not_fit(arrow, here):
    found = fit(source(arrow), column(here), "postgres", MYSQL)
    assert not found.possible
    assert found.reason


def test_labels_of_another_dialect_go_into_an_enum_that_has_them():
    assert fit(source("string", labels=("b",)), column("enum('a','b')"), "x", MYSQL).native
    assert not fit(source("string", labels=("c",)), column("enum('a','b')"), "x", MYSQL).possible
