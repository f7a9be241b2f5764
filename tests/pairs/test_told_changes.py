"""What the target's own types change: told in the plan, or refused by row; never silent."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest

import fastload
from fastload.errors import EncodeError

pytestmark = [pytest.mark.mysql]

_LONG = "1234567890123456789012345678.0123456789"


def told(result, kind):
    return [(n.name, n.reason) for n in result.not_carried if n.kind == kind]


async def test_documents_lose_their_own_types(in_mysql, mysql):
    in_mysql.execute(
        "CREATE TABLE t (id int PRIMARY KEY, j json);"
        "INSERT INTO t VALUES "
        "(1, JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2)), CAST('2024-01-01' AS DATE)))"
    )
    with mysql.database("fastload_pair_there"):
        result = await fastload.copy(in_mysql.url, mysql.url_for("fastload_pair_there"))
        found = mysql.execute("SELECT CAST(j AS CHAR) FROM t", "fastload_pair_there")
    assert found == [('[1.1, "2024-01-01"]',)]
    ((name, reason),) = told(result, "numbers and moments of column")
    assert name.endswith(".t.j")
    assert "doubles" in reason


async def test_documents_are_texts_in_mariadb(in_mysql, in_mariadb):
    in_mysql.execute(
        "CREATE TABLE t (id int PRIMARY KEY, j json, d double);"
        "INSERT INTO t VALUES (1, JSON_ARRAY(CAST(1.10 AS DECIMAL(5,2))), -0e0)"
    )
    result = await fastload.copy(in_mysql.url, in_mariadb.url)
    assert in_mariadb.execute("SELECT j, CONCAT(d) FROM t") == [("[1.10]", "0")]
    assert not told(result, "numbers and moments of column")
    assert [name for name, _ in told(result, "sign of zero in column")] == ["fastload_pair.t.d"]
    assert not (await fastload.verify(in_mysql.url, in_mariadb.url)).equal


@pytest.mark.postgres
async def test_the_sign_of_zero(source, database):
    source.psql("CREATE TABLE t (id int PRIMARY KEY, d float8); INSERT INTO t VALUES (1, '-0')")
    result = await fastload.copy(source.url, database.url)
    is_kept = database.server.flavour == "mysql"
    assert database.execute("SELECT CONCAT(d) FROM t") == [("-0" if is_kept else "0",)]
    assert bool(told(result, "sign of zero in column")) != is_kept


@pytest.mark.postgres
async def test_decimals_of_a_list_keep_their_digits(source, database):
    source.psql(
        "CREATE TABLE t (id int PRIMARY KEY, v numeric(38,10)[]);"
        "INSERT INTO t VALUES (1, '{123456789012345,-0.0000000001,12345.0123456789,0,NULL}')"
    )
    await fastload.copy(source.url, database.url)
    items = database.execute("SELECT CAST(v AS CHAR) FROM t")[0][0].strip("[]").split(",")
    wanted = ["123456789012345", "-1E-10", "12345.0123456789", "0"]
    assert [Decimal(i) for i in items[:4]] == list(map(Decimal, wanted))
    source.psql(f"INSERT INTO t VALUES (2, '{{1,{_LONG}}}')")
    options = {"mode": "replace", "fresh": True}
    if database.server.flavour == "mysql":
        with pytest.raises(EncodeError, match="item 1 of the list") as raised:
            await fastload.copy(source.url, database.url, **options)
        assert (raised.value.key, raised.value.column) == ("id=2", "v")
        await fastload.copy(source.url, database.url, types={"public.t.v": "text[]"}, **options)
    else:
        await fastload.copy(source.url, database.url, **options)
    assert _LONG in database.execute("SELECT CAST(v AS CHAR) FROM t WHERE id = 2")[0][0]


@pytest.mark.parametrize("digits", [15, 16])
async def test_into_a_column_that_is_there(database, digits):
    database.execute("CREATE TABLE t (id int PRIMARY KEY, v json)")
    value = Decimal("9" * digits)
    rows = pa.table({"id": [1], "v": pa.array([[value]], pa.list_(pa.decimal128(38, 10)))})
    name = (database.name, "t")
    if digits == 16 and database.server.flavour == "mysql":
        with pytest.raises(EncodeError):
            await fastload.write(rows, database.url, name, mode="append")
        return
    await fastload.write(rows, database.url, name, mode="append")
    found = database.execute("SELECT CAST(v AS CHAR) FROM t")[0][0]
    assert Decimal(found.strip("[]")) == value
