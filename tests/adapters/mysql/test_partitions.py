"""Partitions hold every row of a table once, and are of similar size, whatever its keys are.

The server counts: each partition's rows by its own predicate, in one snapshot.
"""

from __future__ import annotations

import contextlib
import datetime as dt

import pytest
from fastload_mysql import ADAPTER, driver
from fastload_mysql import partitions as mysql_partitions
from fastload_mysql.flavours import Server
from fastload_mysql.reading import query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastload
from fastload import Url, partition
from fastload.adapter import PartitionSpec, ReadSpec, Selection
from fastload.model import KeyRange, NullKeys, Whole
from fastload.verification import sides

ROWS = 10_000
TEXTS = "VARCHAR(70) CHARACTER SET {} COLLATE {}"
# The key's type, and its value for the i-th row.
KEYS = {
    "dense": ("BIGINT", "i"),
    "sparse": ("BIGINT", f"IF(i <= {ROWS // 2}, i, 600000000000000000 + i)"),
    "bimodal": ("INT", "IF(i % 2 = 0, -2000000000 + i, 2000000000 + i)"),
    "squares": ("BIGINT", "-i * i"),
    "extremes": (
        "BIGINT",
        f"CASE i WHEN 1 THEN -9223372036854775808 WHEN {ROWS} THEN 9223372036854775807 ELSE i END",
    ),
    "beyond int64": ("BIGINT UNSIGNED", "IF(i <= 10, i, 18446744073709551615 - i)"),
    "small": ("MEDIUMINT UNSIGNED", "16777215 - i"),
    "decimal": ("DECIMAL(40, 10)", "i * 1234567.891 / 7"),
    "date": ("DATE", "DATE '1000-01-01' + INTERVAL i * 3 DAY"),
    "datetime": (
        "DATETIME(6)",
        "TIMESTAMP '2024-01-01 00:00:00' + INTERVAL i * i * 37 MICROSECOND",
    ),
    "timestamp": ("TIMESTAMP", "TIMESTAMP '2024-01-01 00:00:00' + INTERVAL i MINUTE"),
    "binary": ("BINARY(16)", "UNHEX(SUBSTR(SHA2(i, 256), 1, 32))"),
    "varbinary": ("VARBINARY(60)", "CONCAT('same beginning', CHAR(i % 200), i)"),
    "uuid text": ("CHAR(36) CHARACTER SET ascii COLLATE ascii_bin", "UUID()"),
    "numbers as text": (TEXTS.format("utf8mb4", "utf8mb4_general_ci"), "CONCAT('order-', i)"),
    "bin": (TEXTS.format("utf8mb4", "utf8mb4_bin"), "CONCAT(CHAR(33 + i % 90), SHA2(i, 256))"),
    "latin1": (
        TEXTS.format("latin1", "latin1_swedish_ci"),
        "CONCAT(CHAR(192 + i % 60 USING latin1), i)",
    ),
    "utf16": (
        TEXTS.format("utf16", "utf16_general_ci"),
        "CONCAT(CONVERT(UNHEX(LPAD(HEX(192 + i % 600), 4, '0')) USING utf16), i)",
    ),
    "mixed": (
        TEXTS.format("utf8mb4", "utf8mb4_unicode_ci"),
        "CONCAT(ELT(1 + i % 8, 'a', 'B', 'É', 'ö', 'Z', 'ж', '中', '😀'), ' ', i)",
    ),
    "quotes": (TEXTS.format("utf8mb4", "utf8mb4_general_ci"), r"""CONCAT('''\\"%s\n', i)"""),
}
OWN_KEYS = {
    "mysql": {
        "uca 9": (
            TEXTS.format("utf8mb4", "utf8mb4_0900_ai_ci"),
            "CONCAT(ELT(1 + i % 6, 'a', 'Á', 'b', 'B', 'ß', 'ø'), i)",
        ),
        "uca 9 case": (
            TEXTS.format("utf8mb4", "utf8mb4_0900_as_cs"),
            "CONCAT(ELT(1 + i % 6, 'a', 'Á', 'b', 'B', 'ß', 'ø'), i)",
        ),
    },
    "mariadb": {
        "uuid": ("UUID", "UUID()"),
        "inet": ("INET6", "CONCAT('2001:db8::', HEX(i))"),
        "nopad": (
            TEXTS.format("utf8mb4", "utf8mb4_unicode_nopad_ci"),
            "CONCAT(REPEAT(' ', i % 5), 'x', i, REPEAT(' ', i % 3))",
        ),
    },
}


@pytest.fixture
def numbers(database):
    """A database with a table ``n`` of the numbers from 1 to ``ROWS``."""
    database.execute(
        f"""CREATE TABLE n (i BIGINT PRIMARY KEY);
        INSERT INTO n WITH RECURSIVE g AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM g
            WHERE i < 200) SELECT i FROM g;
        INSERT INTO n SELECT a.i * 200 + b.i FROM n AS a, n AS b WHERE a.i <= {ROWS // 200 - 1}"""
    )
    return database


def fill(database, columns, values, *, rows=ROWS, name="t"):
    database.execute(f"CREATE TABLE {name} ({columns})")
    database.execute(f"INSERT INTO {name} SELECT {values} FROM n WHERE i <= {rows}")
    database.execute(f"ANALYZE TABLE {name}")


async def partitions(database, name="t", **spec):
    """Return the partitions of a table, their queries, and how many rows the server counts."""
    parts, queries = await planned(database, name, **spec)
    counts = [database.execute(f"SELECT COUNT(*) FROM ({q}) AS part")[0][0] for q in queries]
    return parts, queries, counts


async def planned(database, name="t", **spec):
    """Return the partitions of a table, and their queries."""
    where = spec.get("where")
    async with ADAPTER.source(Url.parse(database.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(tables=(name,)))).tables
        async with source.snapshot([table], 1) as at:
            parts = await source.partitions(table, at, PartitionSpec(**{"want": 8, **spec}))
    want = ReadSpec(table=table, columns=tuple(c.name for c in table.columns), where=where)
    return parts, [query(part, want) for part in parts]


def told(row):
    """Return a row with texts that are read as their bytes, as ASCII is, as texts."""
    return tuple(v.decode("latin1") if isinstance(v, bytes) else v for v in row)


def check(database, parts, queries, counts, *, name="t", where="TRUE"):
    """Check that the partitions together are the table: its rows, each once."""
    assert [p.index for p in parts] == list(range(len(parts)))
    rows = [told(row) for q in queries for row in database.execute(q)]
    there = [told(row) for row in database.execute(f"SELECT * FROM {name} WHERE {where}")]
    assert len(rows) == len(there) == sum(counts)
    assert set(rows) == set(there)


def plans(database, sql):
    server = database.server
    with server.connect(database=database.name) as made, made.cursor() as cursor:
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {sql}")
        names = [c[0] for c in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def check_ranges(database, queries, key="PRIMARY"):
    """Check that no partition is read by looking at the rows of others."""
    for sql in queries:
        (plan,) = plans(database, sql)
        assert (plan["type"], plan["key"]) == ("range", key), sql


@pytest.mark.parametrize("keys", [*KEYS, *OWN_KEYS["mysql"], *OWN_KEYS["mariadb"]])
async def test_key_ranges_are_even_for_any_keys(numbers, keys):
    found = KEYS | OWN_KEYS[numbers.server.flavour]
    if keys not in found:
        return
    type_, value = found[keys]
    fill(numbers, f"k {type_} NOT NULL PRIMARY KEY, v VARCHAR(40)", f"{value}, REPEAT('x', 40)")
    for want in (8, 32):
        parts, queries, counts = await partitions(numbers, want=want)
        check(numbers, parts, queries, counts)
        assert want // 2 <= len(parts) <= want, counts
        assert max(counts) <= 2 * ROWS / want, counts
        assert all(isinstance(p.extent, KeyRange) for p in parts)
        check_ranges(numbers, queries)


async def test_a_leading_column_with_few_values_is_cut_by_those_after_it(numbers):
    fill(
        numbers,
        "a INT, b VARCHAR(70) COLLATE utf8mb4_bin, c INT, d INT, PRIMARY KEY (a, b, c)",
        "FLOOR(i * i / 37500000), IF(i % 2, 'same', SHA2(i, 256)), i, i",
    )
    parts, queries, counts = await partitions(numbers, want=16)
    check(numbers, parts, queries, counts)
    assert len(parts) >= 8
    assert max(counts) <= 2 * ROWS / 16, counts
    check_ranges(numbers, queries)


async def test_a_leading_column_alone_bounds_where_that_is_enough(numbers):
    fill(numbers, "a INT, b INT, PRIMARY KEY (a, b)", "i, 1")
    parts, *_ = found = await partitions(numbers, want=8)
    check(numbers, *found)
    assert {p.extent.columns for p in parts} == {("a",)}


async def test_the_order_of_an_enum_is_not_guessed(numbers):
    fill(numbers, "a ENUM('z', 'a'), b INT, PRIMARY KEY (a, b)", "1 + i % 2, i")
    parts, queries, counts = await partitions(numbers, want=8)
    assert [type(p.extent) for p in parts] == [Whole]
    check(numbers, parts, queries, counts)


async def test_columns_before_an_enum_are_used(numbers):
    fill(numbers, "b INT, a ENUM('z', 'a'), PRIMARY KEY (b, a)", "i, 1 + i % 2")
    parts, queries, counts = await partitions(numbers, want=8)
    check(numbers, parts, queries, counts)
    assert max(counts) <= 2 * ROWS / 8


async def test_descending_keys_are_ranges_too(numbers):
    fill(numbers, "a INT, b INT, PRIMARY KEY (a DESC, b)", "i % 3, i")
    parts, queries, counts = await partitions(numbers, want=8)
    check(numbers, parts, queries, counts)
    assert max(counts) <= 2 * ROWS / 8
    check_ranges(numbers, queries)


async def test_a_table_without_primary_key_is_stored_by_its_first_unique_one(numbers):
    fill(
        numbers,
        "v VARCHAR(9), n INT, a BIGINT NOT NULL, UNIQUE KEY nullable (n), UNIQUE KEY by_a (a)",
        "'x', i, i * i",
    )
    parts, queries, counts = await partitions(numbers, want=8)
    check(numbers, parts, queries, counts)
    assert max(counts) <= 2 * ROWS / 8
    check_ranges(numbers, queries, "by_a")


@pytest.mark.parametrize(
    "keys",
    ["", ", UNIQUE KEY (a)", ", KEY (b)", ", UNIQUE KEY (c(3))", ", PRIMARY KEY (c(40))"],
    ids=["none", "nullable", "not unique", "prefix", "primary prefix"],
)
async def test_tables_without_a_key_of_whole_columns_are_one_partition(numbers, keys):
    fill(
        numbers,
        f"a INT, b INT NOT NULL, c VARCHAR(50) NOT NULL{keys}",
        f"i, i, {'LPAD(i, 3, 0)' if '(3)' in keys else 'i'}",
        rows=900,
    )
    parts, queries, counts = await partitions(numbers, want=8)
    assert [type(p.extent) for p in parts] == [Whole]
    check(numbers, parts, queries, counts)


@pytest.mark.parametrize("index", [", KEY by_c (c, a)", ""], ids=["indexed", "not indexed"])
@pytest.mark.parametrize("null", ["", " NOT NULL"], ids=["nullable", "not null"])
async def test_a_column_that_is_named_cuts_the_table(numbers, index, null):
    value = "i * i" if null else "IF(i % 10, i * i, NULL)"
    fill(numbers, f"a INT PRIMARY KEY, c BIGINT{null}{index}", f"i, {value}")
    parts, queries, counts = await partitions(numbers, want=8, by="c")
    check(numbers, parts, queries, counts)
    assert any(isinstance(p.extent, NullKeys) for p in parts) == (not null)
    assert max(counts) <= 2 * ROWS / 8, counts
    if index and null:
        check_ranges(numbers, queries, "by_c")


@pytest.mark.parametrize("kind", ["KEY", "UNIQUE KEY"])
async def test_an_index_that_the_server_does_not_use_is_not_forced(numbers, kind):
    word = "INVISIBLE" if numbers.server.flavour == "mysql" else "IGNORED"
    fill(numbers, f"a INT PRIMARY KEY, c BIGINT, {kind} by_c (c) {word}", "i, i * i")
    parts, queries, counts = await partitions(numbers, want=4, by="c")
    check(numbers, parts, queries, counts)
    assert max(counts) <= 2 * ROWS / 4, counts


async def test_few_values_of_a_named_column_make_few_partitions(numbers):
    fill(numbers, "a INT PRIMARY KEY, c CHAR(3), KEY (c)", "i, ELT(1 + i % 3, 'a', 'A ', 'b')")
    parts, queries, counts = await partitions(numbers, want=8, by="c")
    check(numbers, parts, queries, counts)
    assert len(parts) <= 4


async def test_servers_without_window_functions_cut_too(numbers, monkeypatch):
    """MySQL 5.7 and MariaDB 10.1 have none."""
    monkeypatch.setattr(Server, "has_windows", False)
    fill(numbers, "a INT PRIMARY KEY, c VARCHAR(20)", "i, IF(i % 10, CONCAT('n', i), NULL)")
    parts, queries, counts = await partitions(numbers, want=8, by="c")
    check(numbers, parts, queries, counts)
    assert len(parts) == 9
    assert max(counts) <= 2 * ROWS / 8


@pytest.mark.parametrize("by", ["auto", "c"])
async def test_filtered_tables_are_covered(numbers, by):
    fill(numbers, "a INT PRIMARY KEY, c INT", "i, IF(i % 10, i % 100, NULL)")
    where = "c < 50 OR c IS NULL"
    parts, queries, counts = await partitions(numbers, want=8, by=by, where=where)
    check(numbers, parts, queries, counts, where=where)


@pytest.mark.parametrize("rows", [0, 1, 2, 3])
async def test_tiny_tables_are_covered(numbers, rows):
    fill(numbers, "a INT PRIMARY KEY, b INT", "i, i", rows=rows)
    for by in ("auto", "b"):
        parts, queries, counts = await partitions(numbers, want=8, by=by)
        check(numbers, parts, queries, counts)


async def test_keys_that_differ_late_are_told_apart(numbers):
    """Servers sort by the first 1024 bytes of a key where they are told nothing."""
    value = "CONCAT(REPEAT('x', 1100), SHA2(i, 256))"
    for index in ("PRIMARY KEY (k)", "KEY (v)"):
        numbers.execute("DROP TABLE IF EXISTS t")
        fill(numbers, f"k VARBINARY(2000), v INT, {index}", f"{value}, i")
        _, _, counts = await partitions(numbers, want=4, by="k")
        assert sum(counts) == ROWS
        assert max(counts) <= 2 * ROWS / 4, counts


@pytest.mark.parametrize("index", ["PRIMARY KEY (k)", "KEY (v)"])
async def test_keys_that_servers_cannot_sort_are_covered_once(numbers, index):
    """As those are whose first 8 KiB are the same; here it is the first 64 bytes."""
    value = "CONCAT(REPEAT('x', 64), SHA2(i, 256))"
    fill(numbers, f"k VARBINARY(200), v INT, {index}", f"{value}, i")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(driver._SETTINGS, "max_sort_length", "64")
        for windows in (True, False):
            patch.setattr(Server, "has_windows", windows)
            _, _, counts = await partitions(numbers, want=8, by="k")
            assert sum(counts) == ROWS


async def test_ranges_that_overlap_do_not_pass_a_verification(numbers, target, monkeypatch):
    """Whatever goes wrong with boundaries: what the copy doubles, its source's sums double too."""
    fill(numbers, "k INT PRIMARY KEY, v INT", "i, i")

    async def descending(connection, table, columns, boundaries):
        return list(boundaries)[::-1]

    monkeypatch.setattr(mysql_partitions, "ascending", descending)
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 4)
    monkeypatch.setattr(sides, "_SHARED_BYTES", 0)
    for verb, more in ((fastload.copy, {"verify": True}), (fastload.verify, {})):
        with pytest.raises(fastload.SourceError, match="overlap"):
            await verb(numbers.url, target.url, tables="t", parallel=4, **more)


async def test_dates_that_no_calendar_has_bound_partitions(numbers):
    numbers.execute("CREATE TABLE t (k DATE PRIMARY KEY, v INT)")
    numbers.execute(
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; INSERT INTO t "
        "SELECT CONCAT(2000 + i % 20, '-', i DIV 20 % 13, '-', i DIV 260), i FROM n "
        "WHERE i < 260 * 32; INSERT INTO t VALUES ('0000-00-00', 1); ANALYZE TABLE t"
    )
    parts, _, counts = await partitions(numbers, want=8)
    assert len(parts) >= 4
    assert sum(counts) == 260 * 32


async def test_columns_that_are_cast_bound_nothing(numbers):
    """Their index has the order of what is stored, and not of what is read."""
    fill(numbers, "a INT PRIMARY KEY, b INT", "i, i")
    async with ADAPTER.source(Url.parse(numbers.url), connections=1) as source:
        select = Selection(tables=("t",), types={(numbers.name, "t", "a"): "char"})
        (table,) = (await source.catalog(select)).tables
        async with source.snapshot([table], 1) as at:
            parts = await source.partitions(table, at, PartitionSpec(want=8))
    assert [type(p.extent) for p in parts] == [Whole]


async def test_columns_without_order_and_unknown_ones_are_told(numbers):
    fill(numbers, "a INT PRIMARY KEY, colour ENUM('red', 'blue')", "i, 1")
    for by, match in (("colour", "no order"), ("color", "does not have")):
        with pytest.raises(fastload.ConfigError, match=match) as caught:
            await partitions(numbers, by=by)
        assert caught.value.hint


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    keys=st.sets(st.text(st.sampled_from("aAbÁß z0'\\%\n中😀ÿ"), max_size=6), max_size=60),
    collation=st.sampled_from(["utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_bin"]),
    want=st.integers(2, 12),
)
async def test_any_texts_are_covered(database, keys, collation, want):
    database.execute(
        f"DROP TABLE IF EXISTS t; CREATE TABLE t (k VARCHAR(9) COLLATE {collation} PRIMARY KEY)"
    )
    server = database.server
    with server.connect(database=database.name) as made, made.cursor() as cursor:
        cursor.executemany("INSERT IGNORE INTO t VALUES (%s)", [(k,) for k in sorted(keys)])
        cursor.execute("ANALYZE TABLE t")
    check(database, *await partitions(database, want=want))


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    keys=st.sets(
        st.tuples(st.integers(-3, 3), st.decimals(-99, 99, places=2), st.binary(max_size=4)),
        max_size=60,
    ),
    want=st.integers(2, 12),
)
async def test_any_composite_keys_are_covered(database, keys, want):
    database.execute(
        "DROP TABLE IF EXISTS t; CREATE TABLE t (a TINYINT, b DECIMAL(4, 2), c VARBINARY(4), "
        "PRIMARY KEY (a, b, c))"
    )
    server = database.server
    with server.connect(database=database.name) as made, made.cursor() as cursor:
        cursor.executemany("INSERT IGNORE INTO t VALUES (%s, %s, %s)", sorted(keys))
        cursor.execute("ANALYZE TABLE t")
    check(database, *await partitions(database, want=want))


async def test_keys_that_an_index_sorts_otherwise_are_covered(mariadb, database):
    """CHAR in a collation that does not pad: a tab is before nothing there, and after it here."""
    if database.server is not mariadb:
        return
    database.execute(
        "CREATE TABLE t (k CHAR(9) COLLATE utf8mb4_nopad_bin PRIMARY KEY); "
        "INSERT INTO t VALUES (''), ('\\t'), ('\\ta'), ('a'), ('a\\t')"
    )
    _, _, counts = await partitions(database, want=2)
    assert sum(counts) == 5


async def test_dates_that_no_calendar_has_bound_partitions_alone(database):
    database.execute(
        "SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t (k DATE PRIMARY KEY); "
        "INSERT INTO t VALUES ('2023-02-29'), ('2023-02-30'), ('2023-02-31'), ('2023-04-31')"
    )
    _, queries = await planned(database, want=4)
    counts = [
        database.execute(
            f"SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; SELECT COUNT(*) FROM ({q}) AS t"
        )[0][0]
        for q in queries
    ]
    assert len(counts) > 1
    assert sum(counts) == 4


TEXTS_ALIKE = st.text(st.sampled_from("aAbÁß \t\0z'é"), max_size=5)
NUMBERS = st.integers(-(10**9), 10**9)
MOMENTS = st.datetimes(min_value=dt.datetime(1971, 1, 1), max_value=dt.datetime(2037, 1, 1)).map(
    str
)
DATES = st.dates(min_value=dt.date(1000, 1, 1)).map(str) | st.sampled_from(
    ["0000-00-00", "2024-00-10", "2024-02-00", "2023-02-31"]
)
# A type, and its values.
NASTY = {
    "VARCHAR(9) COLLATE utf8mb4_general_ci": TEXTS_ALIKE,
    "VARCHAR(9) COLLATE utf8mb4_unicode_ci": TEXTS_ALIKE,
    "CHAR(9) COLLATE utf8mb4_bin": TEXTS_ALIKE,
    "CHAR(9) CHARACTER SET latin1": TEXTS_ALIKE,
    "CHAR(9) CHARACTER SET utf16": TEXTS_ALIKE,
    "VARCHAR(2000) CHARACTER SET latin1": TEXTS_ALIKE.map(lambda t: "x" * 1100 + t),
    "VARBINARY(2000)": st.binary(max_size=5).map(lambda b: b"x" * 1100 + b),
    "BINARY(3)": st.binary(max_size=3),
    "YEAR": st.integers(1901, 2155) | st.just(0),
    "DATE": DATES,
    "DATETIME(2)": MOMENTS | DATES,
    "DATETIME(6)": MOMENTS,
    "TIMESTAMP(6)": MOMENTS | st.just("0000-00-00"),
    "TIME(3)": st.integers(-3020399, 3020399).map(lambda n: f"{n // 10000}:00:00.{n % 1000:03}"),
    "DECIMAL(7, 2) ZEROFILL": NUMBERS.map(lambda n: abs(n) % 10**7 / 100),
    "DECIMAL(30, 12)": NUMBERS.map(lambda n: n / 4096),
    "INT ZEROFILL": NUMBERS.map(abs),
    "TINYINT(1)": st.integers(-128, 127),
    "BIT(12)": st.integers(0, 4095),
    "FLOAT": st.floats(-9, 9, width=32) | st.just(-0.0),
    "DOUBLE": st.floats(-9, 9) | st.just(-0.0),
    "ENUM('z', '10', 'a', '9', '')": st.sampled_from(["z", "10", "a", "9", ""]),
    "SET('z', '1', 'a')": st.sampled_from(["", "z", "1", "a", "z,1", "1,a", "z,1,a"]),
}
OWN_NASTY = {
    "mysql": {
        "CHAR(9) COLLATE utf8mb4_0900_ai_ci": TEXTS_ALIKE,
        "VARCHAR(9) COLLATE utf8mb4_0900_bin": TEXTS_ALIKE,
    },
    "mariadb": {
        "CHAR(9) COLLATE utf8mb4_nopad_bin": TEXTS_ALIKE,
        "CHAR(9) COLLATE utf8mb4_unicode_nopad_ci": TEXTS_ALIKE,
        "VARCHAR(9) COLLATE utf8mb4_uca1400_ai_ci": TEXTS_ALIKE,
        "UUID": st.uuids().map(str),
        "INET4": st.ip_addresses(v=4).map(str),
        "INET6": st.ip_addresses(v=6).map(str),
    },
}
INDEXES = ("PRIMARY KEY (k)", "KEY (k)", "KEY (k DESC)", "KEY (v)")


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data(), index=st.sampled_from(INDEXES), want=st.integers(2, 12))
async def test_any_keys_of_any_type_are_covered_once(database, data, index, want):
    kinds = NASTY | OWN_NASTY[database.server.flavour]
    type_ = data.draw(st.sampled_from(list(kinds)))
    keys = data.draw(st.lists(kinds[type_], max_size=40))
    database.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (k {type_}, v INT, {index})")
    with database.server.connect(database=database.name) as made, made.cursor() as cursor:
        cursor.execute("SET sql_mode = 'ALLOW_INVALID_DATES'")
        rows = [(k, i) for i, k in enumerate(keys)]
        cursor.executemany("INSERT IGNORE INTO t VALUES (%s, %s)", rows)
        if not index.startswith("PRIMARY"):
            cursor.execute("INSERT INTO t VALUES (NULL, -1)")
        cursor.execute("ANALYZE TABLE t")
    by = "auto" if index.startswith("PRIMARY") else "k"
    with contextlib.suppress(fastload.ConfigError):
        _, queries = await planned(database, want=want, by=by)
        together = " UNION ALL ".join(f"({q})" for q in queries)
        count = (
            f"SELECT COUNT(*), COUNT(DISTINCT v), (SELECT COUNT(*) FROM t) FROM ({together}) AS u"
        )
        ((rows, different, there),) = database.execute(
            f"SET SESSION sql_mode = 'ALLOW_INVALID_DATES'; {count}"
        )
        assert rows == different == there
