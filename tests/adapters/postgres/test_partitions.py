"""Partitions hold every row of a table once, and are of similar size, whatever its keys are.

The server counts: each partition's rows by its own predicate, in one snapshot.
"""

from __future__ import annotations

import pytest
from fastload_postgres import ADAPTER
from fastload_postgres.reading import query
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastload
from fastload import Url
from fastload.adapter import PartitionSpec, ReadSpec, Selection
from fastload.model import KeyRange, NullKeys, PhysicalRange, QualifiedName, Whole

ROWS = 20_000
KEYS = {
    "dense": f"SELECT i::bigint AS k FROM generate_series(1, {ROWS}) AS i",
    "sparse": f"""SELECT CASE WHEN i <= {ROWS // 2} THEN i ELSE 600000000000000000 + i END::bigint
                  AS k FROM generate_series(1, {ROWS}) AS i""",
    "bimodal": f"""SELECT CASE WHEN i % 2 = 0 THEN -2000000000 + i ELSE 2000000000 + i END AS k
                   FROM generate_series(1, {ROWS}) AS i""",
    "negative": f"SELECT -i::bigint * i AS k FROM generate_series(1, {ROWS}) AS i",
    "extremes": f"""SELECT i::bigint AS k FROM generate_series(1, {ROWS}) AS i
                    UNION ALL VALUES (-9223372036854775808), (9223372036854775807)""",
    "uuid": f"SELECT md5(i::text)::uuid AS k FROM generate_series(1, {ROWS}) AS i",
    "numeric": f"SELECT (i / 7.0)::numeric AS k FROM generate_series(1, {ROWS}) AS i",
    "timestamptz": f"""SELECT '2024-01-01'::timestamptz + i * '1 min'::interval AS k
                       FROM generate_series(1, {ROWS}) AS i""",
    "bytea": f"SELECT decode(md5(i::text), 'hex') AS k FROM generate_series(1, {ROWS}) AS i",
    "quotes": f"""SELECT '''\\' || chr(10) || '"' || i AS k
                  FROM generate_series(1, {ROWS}) AS i""",
}


async def partitions(database, table, **spec):
    """Return the partitions of a table, with the rows each has by the server's count."""
    async with ADAPTER.source(Url.parse(database.url), connections=1) as source:
        (found,) = (await source.catalog(Selection(names=(table,)))).tables
        async with source.snapshot([found], 1) as at:
            parts = await source.partitions(found, at, PartitionSpec(**{"want": 8, **spec}))
    want = ReadSpec(table=found, columns=tuple(c.name for c in found.columns))
    queries = [query(part, want) for part in parts]
    counts = [int(database.psql(f"SELECT count(*) FROM ({q}) AS part")) for q in queries]
    return parts, counts, queries


def check(database, table, parts, counts, queries):
    """Check that the partitions together are the table: its rows, each once."""
    assert [p.index for p in parts] == list(range(len(parts)))
    everything = " UNION ALL ".join(f"({q})" for q in queries)
    hashed = "SELECT count(*), sum(hashtextextended(t::text, 0)) FROM"
    assert database.psql(f"{hashed} ({everything}) AS t") == database.psql(f"{hashed} {table} AS t")
    assert sum(counts) == int(database.psql(f"SELECT count(*) FROM {table}"))


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("want", [2, 8, 64])
async def test_key_ranges_are_even_for_any_keys(source, keys, want):
    source.psql(f"CREATE TABLE t AS {KEYS[keys]}; ALTER TABLE t ADD PRIMARY KEY (k); ANALYZE t")
    found = await partitions(source, QualifiedName("public", "t"), want=want, by="keys")
    parts, counts, _ = found
    check(source, "t", *found)
    assert want // 2 <= len(parts) <= want
    assert max(counts) <= 2 * ROWS / want
    assert all(isinstance(p.extent, KeyRange) for p in parts)


async def test_texts_are_cut_in_the_order_of_their_collation(old):
    """Every collation the server has, down to one to which upper and lower case are equal."""
    provider = old.psql("SELECT count(*) FROM pg_collation WHERE collprovider = 'i'")
    if provider != "0":
        old.psql(
            "CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', "
            "deterministic = false)"
        )
    names = old.psql(
        "SELECT collname FROM pg_collation WHERE collname IN ('C', 'POSIX', 'C.UTF-8', 'C.utf8', "
        "'en-x-icu', 'de-x-icu', 'sv-x-icu', 'caseless') AND collencoding IN (-1, 6)"
    ).splitlines()
    assert "C" in names
    for number, name in enumerate(names):
        old.psql(
            f"""CREATE TABLE t{number} AS SELECT (chr(33 + i % 90) || chr(233 + i % 50) || i)
            COLLATE "{name}" AS k FROM generate_series(1, {ROWS}) AS i;
            ALTER TABLE t{number} ADD PRIMARY KEY (k); ANALYZE t{number}"""
        )
        found = await partitions(old, QualifiedName("public", f"t{number}"), by="keys")
        check(old, f"t{number}", *found)
        assert max(found[1]) <= 2 * ROWS / 8, name


async def test_composite_keys_compare_as_rows(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT i % 3 AS "total", i / 3 AS place, chr(65 + i % 26) AS "a.b"
        FROM generate_series(1, {ROWS}) AS i;
        ALTER TABLE t ADD PRIMARY KEY ("total", place, "a.b"); ANALYZE t"""
    )
    found = await partitions(source, QualifiedName("public", "t"), by="keys")
    parts, counts, _ = found
    check(source, "t", *found)
    assert parts[0].extent.columns == ("total", "place", "a.b")
    assert max(counts) <= 2 * ROWS / 8


async def test_the_first_column_alone_bounds_where_its_values_have_few_rows(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT i / 5 AS a, i % 5 AS b FROM generate_series(1, {ROWS}) AS i;
        ALTER TABLE t ADD PRIMARY KEY (a, b); ANALYZE t"""
    )
    found = await partitions(source, QualifiedName("public", "t"), by="keys")
    check(source, "t", *found)
    assert found[0][0].extent.columns == ("a",)
    assert max(found[1]) <= 2 * ROWS / 8


async def test_rows_without_a_key_value_are_a_partition(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT nullif(i % 100, 0) AS n, i AS other
        FROM generate_series(1, {ROWS}) AS i; ANALYZE t"""
    )
    found = await partitions(source, QualifiedName("public", "t"), by="n")
    parts, counts, _ = found
    check(source, "t", *found)
    assert isinstance(parts[-1].extent, NullKeys)
    assert counts[-1] == ROWS // 100


async def test_only_null_keys(source):
    source.psql("CREATE TABLE t AS SELECT NULL::int AS n FROM generate_series(1, 500); ANALYZE t")
    found = await partitions(source, QualifiedName("public", "t"), by="n")
    check(source, "t", *found)


async def test_one_value_with_most_rows_is_one_partition(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT CASE WHEN i % 10 = 0 THEN i ELSE 5000 END AS n
        FROM generate_series(1, {ROWS}) AS i; ANALYZE t"""
    )
    found = await partitions(source, QualifiedName("public", "t"), by="n")
    check(source, "t", *found)
    assert sum(count > ROWS / 4 for count in found[1]) == 1


@pytest.mark.parametrize("want", [2, 8, 200])
async def test_tables_without_key_are_cut_by_pages(source, want):
    source.psql(
        f"CREATE TABLE t AS SELECT i AS n, repeat('x', 100) AS x FROM generate_series(1, {ROWS}) i"
    )
    found = await partitions(source, QualifiedName("public", "t"), want=want)
    parts, counts, _ = found
    check(source, "t", *found)
    assert all(isinstance(p.extent, PhysicalRange) for p in parts)
    assert len(parts) == want
    assert max(counts) <= 2 * ROWS / want + 100


async def test_keys_out_of_order_are_read_by_pages(source):
    source.psql(
        f"""CREATE TABLE t AS SELECT md5(i::text)::uuid AS k, repeat('x', 2000) AS x
        FROM generate_series(1, {ROWS}) AS i; ALTER TABLE t ALTER x SET STORAGE PLAIN;
        UPDATE t SET x = repeat('y', 1000); ALTER TABLE t ADD PRIMARY KEY (k); ANALYZE t"""
    )
    auto, _, _ = await partitions(source, QualifiedName("public", "t"))
    keys, _, _ = await partitions(source, QualifiedName("public", "t"), by="keys")
    assert {type(p.extent) for p in auto} == {PhysicalRange}
    assert {type(p.extent) for p in keys} == {KeyRange}


async def test_statistics_may_be_as_wrong_as_they_like(source):
    source.psql(
        f"""CREATE TABLE t (k int PRIMARY KEY);
        INSERT INTO t SELECT generate_series(1, {ROWS}); ANALYZE t;
        DELETE FROM t WHERE k > 10;
        INSERT INTO t SELECT 1000000 + i FROM generate_series(1, {ROWS}) AS i"""
    )
    found = await partitions(source, QualifiedName("public", "t"), by="keys")
    check(source, "t", *found)
    assert max(found[1]) <= 2 * ROWS / 8


async def test_empty_tables_and_one_row(source):
    source.psql("CREATE TABLE t (k int PRIMARY KEY); CREATE TABLE u (n int)")
    for table, by in (("t", "keys"), ("t", "auto"), ("u", "auto"), ("u", "n")):
        check(source, table, *await partitions(source, QualifiedName("public", table), by=by))
    source.psql("INSERT INTO t VALUES (1); INSERT INTO u VALUES (NULL)")
    for table, by in (("t", "keys"), ("u", "auto"), ("u", "n")):
        check(source, table, *await partitions(source, QualifiedName("public", table), by=by))


async def test_a_filter_is_counted_in(source):
    source.psql(
        f"""CREATE TABLE t (k int PRIMARY KEY);
        INSERT INTO t SELECT generate_series(1, {ROWS}); ANALYZE t"""
    )
    where = f"k > {ROWS * 9 // 10}"
    found = await partitions(source, QualifiedName("public", "t"), by="keys", where=where)
    queries = found[2]
    kept = [int(source.psql(f"SELECT count(*) FROM ({q}) x WHERE {where}")) for q in queries]
    assert sum(kept) == ROWS // 10
    assert max(kept) <= 2 * (ROWS // 10) / 8


async def test_a_column_without_order_is_refused(source):
    source.psql("CREATE TABLE t AS SELECT '{}'::json AS j, i AS n FROM generate_series(1, 9) AS i")
    with pytest.raises(fastload.ConfigError, match="has no order"):
        await partitions(source, QualifiedName("public", "t"), by="j")
    with pytest.raises(fastload.ConfigError, match="does not have") as caught:
        await partitions(source, QualifiedName("public", "t"), by="nn")
    assert "n" in caught.value.hint


# What citext is, in SQL: sorted without regard to case by operators outside pg_catalog, and cast
# to text implicitly.
CASELESS = """
CREATE TYPE caseless;
CREATE FUNCTION caseless_in(cstring) RETURNS caseless LANGUAGE internal IMMUTABLE STRICT
  AS 'textin';
CREATE FUNCTION caseless_out(caseless) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT
  AS 'textout';
CREATE TYPE caseless (INPUT = caseless_in, OUTPUT = caseless_out, LIKE = text, CATEGORY = 'S');
CREATE CAST (caseless AS text) WITHOUT FUNCTION AS IMPLICIT;
CREATE FUNCTION caseless_compare(caseless, caseless) RETURNS int LANGUAGE sql IMMUTABLE STRICT
  AS 'SELECT bttextcmp(lower($1::text), lower($2::text))';
"""
for name, sign in (("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">")):
    CASELESS += f"""
    CREATE FUNCTION caseless_{name}(caseless, caseless) RETURNS bool LANGUAGE sql IMMUTABLE STRICT
      AS 'SELECT lower($1::text) {sign} lower($2::text)';
    CREATE OPERATOR {sign} (LEFTARG = caseless, RIGHTARG = caseless, FUNCTION = caseless_{name});"""
CASELESS += """
CREATE OPERATOR CLASS caseless_order DEFAULT FOR TYPE caseless USING btree AS OPERATOR 1 <,
  OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 caseless_compare;
CREATE TABLE t (k caseless PRIMARY KEY, x text);
INSERT INTO t SELECT CASE WHEN i % 2 = 0 THEN 'k' ELSE 'K' END || lpad(i::text, 8, '0'),
  repeat('x', 900) FROM generate_series(1, 4000) AS i; ANALYZE t"""


@pytest.mark.parametrize("by", ["auto", "keys"])
async def test_a_type_with_an_order_of_its_own_bounds_nothing(source, by):
    """The server would compare it otherwise than it was sorted: ranges would overlap."""
    source.psql(CASELESS)
    parts, counts, _ = await partitions(source, QualifiedName("public", "t"), by=by)
    assert sum(counts) == 4000
    assert not any(isinstance(p.extent, KeyRange) for p in parts)
    with pytest.raises(fastload.ConfigError, match="has no order"):
        await partitions(source, QualifiedName("public", "t"), by="k")


async def test_a_filter_means_what_it_means_to_the_user(source, target):
    """Names in it resolve as in the user's own sessions, beside what is looked up in ours."""
    source.psql(CASELESS)
    where = "k = 'K00000002' OR k = 'k00000003' OR caseless_eq(k, 'K00000004')"
    assert source.psql(f"SELECT count(*) FROM t WHERE {where}") == "3"
    async with fastload.read(source.url, "t", columns=["x"], where=where) as reading:
        assert (await reading.table()).num_rows == 3
    target.psql("CREATE TABLE t (k text, x text)")
    result = await fastload.copy(
        source.url,
        target.url,
        mode="append",
        types={"public.t.k": "text"},
        where={"public.t": where},
    )
    assert result.rows == 3


@pytest.mark.parametrize(
    ("by", "node"), [("keys", "Index"), ("physical", "Tid Range Scan")], ids=["keys", "pages"]
)
async def test_no_partition_reads_the_whole_table(source, by, node):
    source.psql(
        f"""CREATE TABLE t AS SELECT i / 4 AS a, i % 4 AS b, repeat('x', 200) AS x
        FROM generate_series(1, {ROWS}) AS i; ALTER TABLE t ADD PRIMARY KEY (a, b); ANALYZE t"""
    )
    _, _, queries = await partitions(source, QualifiedName("public", "t"), by=by, want=3)
    scan = "SET enable_seqscan = off; " if by == "keys" else ""
    for text in queries:
        explained = source.psql(f"{scan}EXPLAIN {text}")
        assert node in explained
        assert "Seq Scan" not in explained


@pytest.fixture
def keyed(source):
    source.psql("CREATE TABLE t (a int, b text)")
    return source


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(
            st.none() | st.integers(-3, 3) | st.integers(-(2**31), 2**31 - 1),
            st.none() | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4),
        ),
        max_size=60,
    ),
    want=st.integers(1, 9),
    by=st.sampled_from(["a", "b", "auto", "physical"]),
)
async def test_any_rows_are_covered_once(keyed, rows, want, by):
    values = ", ".join(f"({literal(a)}, {literal(b)})" for a, b in rows)
    keyed.psql("TRUNCATE t" + (f"; INSERT INTO t VALUES {values}" if values else ""))
    found = await partitions(keyed, QualifiedName("public", "t"), want=want, by=by)
    check(keyed, "t", *found)
    assert len(found[0]) <= want + 1
    assert found[0]
    assert all(isinstance(p.extent, Whole | KeyRange | NullKeys | PhysicalRange) for p in found[0])


def literal(value):
    if value is None:
        return "NULL"
    return str(value) if isinstance(value, int) else "'" + value.replace("'", "''") + "'"
