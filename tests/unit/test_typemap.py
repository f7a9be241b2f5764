"""Arrow types as text and back."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fastload.testing.cases import CASES
from fastload.typemap import opaque, parse, spell

UNITS = ("s", "ms", "us", "ns")
PLAIN = [
    *(pa.type_for_alias(name) for name in ("null", "bool", "float16", "float32", "float64")),
    *(pa.type_for_alias(f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)),
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
    pa.date32(),
    pa.date64(),
    pa.time32("s"),
    pa.time32("ms"),
    pa.time64("us"),
    pa.time64("ns"),
    *(pa.duration(unit) for unit in UNITS),
    *(pa.timestamp(unit) for unit in UNITS),
    pa.month_day_nano_interval(),
    pa.uuid(),
    pa.json_(),
]
# Names of types are the database's own, and it allows nearly everything.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
VENDORS = st.sampled_from(["PostgreSQL", "MySQL", "a b"])
SCALARS = st.one_of(
    st.sampled_from(PLAIN),
    st.builds(
        pa.timestamp, st.sampled_from(UNITS), st.sampled_from(["UTC", "+05:30", "Asia/Aden"])
    ),
    st.builds(pa.binary, st.integers(0, 100)),
    st.integers(1, 9).flatmap(lambda p: st.builds(pa.decimal32, st.just(p), st.integers(-9, p))),
    st.integers(1, 18).flatmap(lambda p: st.builds(pa.decimal64, st.just(p), st.integers(-9, p))),
    st.integers(1, 38).flatmap(lambda p: st.builds(pa.decimal128, st.just(p), st.integers(-9, p))),
    st.integers(1, 76).flatmap(lambda p: st.builds(pa.decimal256, st.just(p), st.integers(-9, p))),
    st.builds(pa.opaque, st.sampled_from([pa.string(), pa.binary()]), NAMES, VENDORS),
)
INTEGERS = [t for t in PLAIN if pa.types.is_integer(t)]
PLAIN_VALUES = [t for t in PLAIN if not isinstance(t, pa.BaseExtensionType)]
TYPES = st.recursive(
    SCALARS | st.builds(pa.dictionary, st.sampled_from(INTEGERS), st.sampled_from(PLAIN_VALUES)),
    lambda inner: st.builds(pa.list_, inner) | st.builds(pa.large_list, inner),
    max_leaves=3,
)


@given(type_=TYPES)
@example(type_=pa.list_(pa.opaque(pa.string(), "two\nlines, and ]", "PostgreSQL")))
def test_every_type_reads_back_as_itself(type_):
    assert parse(spell(type_)) == type_


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_types_of_the_suite_read_back(case):
    assert parse(spell(case.type)) == case.type


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("double", pa.float64()),
        ("float", pa.float32()),
        ("halffloat", pa.float16()),
        ("decimal128(12,2)", pa.decimal128(12, 2)),
        ("list<item: int32>", pa.list_(pa.int32())),
        ("list<list<string>>", pa.list_(pa.list_(pa.string()))),
        ("timestamp[us, tz=UTC]", pa.timestamp("us", "UTC")),
        ("opaque[a(1, 2), Vendor, string]", pa.opaque(pa.string(), "a(1, 2)", "Vendor")),
        (
            "dictionary<values=string, indices=int8, ordered=1>",
            pa.dictionary(pa.int8(), pa.string(), ordered=True),
        ),
    ],
)
def test_spellings(text, type_):
    assert parse(text) == type_


def test_the_spelling_of_opaque_is_what_parse_reads():
    type_ = pa.opaque(pa.binary(), "my type", "PostgreSQL")
    assert opaque("my type", "PostgreSQL", "binary") == spell(type_)


@pytest.mark.parametrize(
    "text",
    ["", "int", "int128", "decimal128(12)", "timestamp[h]", "time64[s", "list<>", "opaque[a, b]"],
)
def test_other_texts_are_refused_with_the_text(text):
    with pytest.raises(ValueError, match="not a spelling of an Arrow type") as caught:
        parse(text)
    assert repr(text) in str(caught.value) or text == "list<>"
