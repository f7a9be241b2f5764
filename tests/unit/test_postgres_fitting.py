"""Which values go into which columns, and what some of them would lose."""

from __future__ import annotations

import pytest
from fastload_postgres.arrow_types import declare
from fastload_postgres.fitting import fit
from fastload_postgres.typemap import TypeFacts, forms

from fastload.errors import UnsupportedType
from fastload.model import Column

OWN = "postgres"
# Spelling without modifier -> (oid, name, typmod for a modifier).
OIDS = {
    "boolean": (16, "bool"), "bytea": (17, "bytea"), "bigint": (20, "int8"),
    "smallint": (21, "int2"), "integer": (23, "int4"), "text": (25, "text"), "oid": (26, "oid"),
    "json": (114, "json"), "real": (700, "float4"), "double precision": (701, "float8"),
    "character": (1042, "bpchar"), "character varying": (1043, "varchar"), "date": (1082, "date"),
    "time": (1083, "time"), "timestamp": (1114, "timestamp"), "timestamptz": (1184, "timestamptz"),
    "interval": (1186, "interval"), "timetz": (1266, "timetz"), "numeric": (1700, "numeric"),
    "uuid": (2950, "uuid"), "jsonb": (3802, "jsonb"), "inet": (869, "inet"), "bit": (1560, "bit"),
    "regclass": (2205, "regclass"), "int4range": (3904, "int4range"),
}  # fmt: skip


def column(type_: str, base: str | None = None, typmod: int = -1) -> Column:
    """Return a column as the catalogue would describe it, of a type spelled with modifiers."""
    oid, name = OIDS[base or type_]
    kind = "r" if name.endswith("range") else "b"
    found = forms(TypeFacts(oid=oid, name=name, kind=kind, typmod=typmod))
    extra = {"oid": str(oid)}
    for fact in ("encode", "encode_exact", "decode", "decode_exact"):
        if value := getattr(found, fact):
            extra[fact] = value
    return Column(name="c", type=type_, arrow=found.arrow, exact=found.exact, extra=extra)


def numeric(precision: int, scale: int) -> Column:
    return column(f"numeric({precision},{scale})", "numeric", ((precision << 16) | scale) + 4)


@pytest.mark.parametrize("name", OIDS)
def test_every_type_fits_itself_without_loss(name):
    found = fit(column(name), column(name), OWN)
    assert (found.possible, found.same, found.loss) == (True, True, None)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("smallint", "integer"), ("integer", "bigint"), ("bigint", "integer"), ("oid", "bigint"),
        ("bigint", "numeric"), ("real", "double precision"), ("text", "json"), ("text", "uuid"),
        ("json", "text"), ("jsonb", "json"), ("jsonb", "text"), ("character varying", "text"),
    ],
)  # fmt: skip
def test_types_that_take_each_others_values(source, target):
    found = fit(column(source), column(target), OWN)
    assert (found.possible, found.same, found.native, found.loss) == (True, False, True, None)


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("text", "integer"), ("integer", "text"), ("numeric", "integer"), ("boolean", "integer"),
        ("timestamp", "timestamptz"), ("date", "timestamp"), ("double precision", "numeric"),
        ("bytea", "text"), ("inet", "text"), ("uuid", "text"), ("bigint", "double precision"),
        ("regclass", "oid"), ("int4range", "text"),
    ],
)  # fmt: skip
def test_types_that_do_not(source, target):
    found = fit(column(source), column(target), OWN)
    assert not found.possible
    assert found.reason == f"{source} is not written into {target}"


@pytest.mark.parametrize(
    ("source", "target", "loss"),
    [
        (column("double precision"), column("real"), "digits beyond the seventh"),
        (column("json"), column("jsonb"), "repeated members"),
        (column("text"), column("jsonb"), "repeated members"),
        (numeric(12, 4), numeric(12, 2), "digits after the point"),
        (column("numeric"), numeric(12, 2), "digits after the point"),
        (column("bigint"), column("numeric(5,-2)", "numeric"), "digits after the point"),
        (column("time"), column("time(3) without time zone", "time"), "fractions"),
        (column("timestamp"), column("timestamp(0) without time zone", "timestamp"), "fractions"),
        (
            column("timestamp(4) with time zone", "timestamptz"),
            column("timestamp(3) with time zone", "timestamptz"),
            "fractions",
        ),
        (
            column("time with time zone", "timetz"),
            column("time(3) with time zone", "timetz"),
            "fractions of a second",
        ),
        (column("interval"), column("interval(2)", "interval"), "fractions of a second"),
        (column("interval"), column("interval year", "interval"), "all but the year"),
        (
            column("interval day to second", "interval"),
            column("interval day to hour", "interval"),
            "all but the day to hour",
        ),
        (
            column("interval day to second", "interval"),
            column("interval day to second(3)", "interval"),
            "fractions of a second",
        ),
    ],
    ids=lambda c: c.type if isinstance(c, Column) else None,
)
def test_what_is_cut_off_silently_by_the_server_is_a_loss(source, target, loss):
    found = fit(source, target, OWN)
    assert found.possible
    assert loss in (found.loss or "")
    assert source.type in (found.loss or "")
    assert not found.exact


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (numeric(10, 2), numeric(12, 4)),
        (numeric(10, 2), column("numeric")),
        (column("integer"), numeric(12, 0)),
        (column("varchar(5)", "text"), column("varchar(9)", "text")),
        # Longer texts are refused with their row.
        (column("text"), column("character varying(5)", "text")),
        (column("time(3) with time zone", "timetz"), column("time with time zone", "timetz")),
        (column("timestamp(3) without time zone", "timestamp"), column("timestamp")),
        (column("interval year", "interval"), column("interval")),
        (column("interval year", "interval"), column("interval year", "interval")),
    ],
    ids=lambda c: c.type,
)
def test_a_wider_target_loses_nothing(source, target):
    found = fit(source, target, OWN)
    assert (found.possible, found.loss) == (True, None)


def test_arrays_do_not_go_into_scalars():
    array = Column(name="c", type="integer[]", arrow="list<int32>", extra={"encode": "int4[]:23"})
    assert fit(array, array, OWN).same
    assert not fit(array, column("integer"), OWN).possible
    assert not fit(column("integer"), array, OWN).possible


def test_the_exact_form_goes_into_the_same_type_alone():
    assert fit(column("timestamp"), column("timestamp"), OWN).exact
    assert fit(column("inet"), column("inet"), OWN).exact
    assert fit(numeric(10, 2), column("numeric"), OWN).exact
    assert not fit(column("date"), column("timestamp"), OWN).exact


def test_a_generated_column_takes_nothing():
    target = Column(name="c", type="integer", arrow="int32", generated="a + 1")
    assert not fit(column("integer"), target, OWN).possible


@pytest.mark.parametrize(
    ("arrow", "target", "possible"),
    [
        ("int32", "bigint", True), ("uint64", "numeric", True), ("uint64", "bigint", True),
        ("string", "text", True), ("large_string", "character varying", True),
        ("decimal128(12, 2)", "numeric", True), ("struct<a: int8>", "text", False),
        ("date32[day]", "date", True), ("date32[day]", "timestamp", False),
        ("uint8", "smallint", True), ("uint64", "integer", True), ("int8", "boolean", False),
        ("bool", "boolean", True), ("bool", "smallint", False), ("uint64", "boolean", False),
        ("string", "uuid", True), ("string", "jsonb", True), ("arrow.uuid", "uuid", True),
        ("arrow.json", "jsonb", True), ("binary", "bytea", True), ("binary", "text", False),
        ("duration[us]", "interval", True), ("duration[us]", "time", True),
        ("month_day_nano_interval", "time", False), ("time64[us]", "time", True),
        ("timestamp[us]", "timestamptz", False), ("timestamp[us, tz=UTC]", "timestamptz", True),
        ("timestamp[us, tz=UTC]", "timestamp", False), ("uint16", "date", False),
        ("opaque[inet6, Other, string]", "text", True),
        ("opaque[inet6, Other, string]", "inet", False),
        ("opaque[geometry, Other, binary]", "bytea", True),
        ("opaque[geometry, Other, binary]", "text", False),
        ("dictionary<values=string, indices=int8, ordered=0>", "text", True),
    ],
)  # fmt: skip
def test_columns_of_other_dialects_fit_by_their_arrow_type(arrow, target, possible):
    source = Column(name="c", type=arrow, arrow=arrow)
    found = fit(source, column(target), "arrow")
    assert (found.possible, found.same, found.exact) == (possible, False, False)
    assert found.native or not possible


@pytest.mark.parametrize(
    ("arrow", "target", "loss"),
    [
        ("decimal128(12, 4)", numeric(12, 2), "digits after the point"),
        ("decimal128(12, 2)", numeric(12, 4), None),
        ("uint64", numeric(20, 0), None),
        ("double", column("real"), "digits beyond the seventh"),
        ("string", column("jsonb"), "repeated members"),
        ("string", column("character varying(5)", "text"), None),
        ("string", column("character(5)", "character"), "spaces at the end"),
        ("duration[us]", column("time(0) without time zone", "time"), "fractions of a second"),
        ("duration[us]", column("interval day to hour", "interval"), "all but the day to hour"),
        ("timestamp[us]", column("timestamp(0) without time zone", "timestamp"), "fractions"),
    ],
    ids=lambda c: c.type if isinstance(c, Column) else None,
)
def test_columns_of_other_dialects_lose_what_own_ones_would(arrow, target, loss):
    found = fit(Column(name="c", type=arrow, arrow=arrow), target, "arrow")
    assert found.possible
    assert (loss in found.loss) if loss else found.loss is None


@pytest.mark.parametrize(("target", "exact"), [("text", True), ("date", False), ("uuid", False)])
def test_the_exact_text_of_another_dialect_goes_into_text_alone(target, exact):
    day = Column(name="c", type="date", arrow="date32[day]", exact="opaque[date, Other, string]")
    found = fit(day, column(target), "other")
    assert (found.possible, found.exact) == (target != "uuid", exact)


@pytest.mark.parametrize("arrow", ["struct<a: int8>", "list<list<int8>>", "map<string, int8>", "x"])
def test_an_arrow_type_without_a_counterpart_is_refused_with_its_place(arrow):
    with pytest.raises(UnsupportedType) as caught:
        declare(arrow, table="s.t", column="c")
    assert (caught.value.table, caught.value.column) == ("s.t", "c")
    assert caught.value.hint
