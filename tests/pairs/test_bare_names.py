"""Options by names without a schema mean the same in a comparison, in all after it, and resumed."""

from __future__ import annotations

import pytest

import fastload
from fastload.verification.repair_file import REPAIR
from tests.conftest import MysqlDatabase

ROWS = "(1, 'one'), (2, 'two'), (3, 'another tenant')"
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES " + ROWS
OLD = "CREATE TABLE t (id int PRIMARY KEY, v varchar(20)); INSERT INTO t VALUES (1, 'precious')"
WHERE = {"t": "id <= 2"}
ALL = "SELECT id, v FROM t ORDER BY id"


@pytest.fixture(params=["postgres", "mariadb"])
def here(request):
    """A source with rows of two tenants."""
    if request.param == "postgres":
        source = request.getfixturevalue("source")
        source.psql(TABLE)
        yield source.url
        return
    server = request.getfixturevalue("mariadb")
    with server.database("bare_names"):
        database = MysqlDatabase(server, "bare_names")
        database.execute(TABLE)
        yield database.url


def columns(result):
    return [c.column for d in result.differences for c in d.columns]


async def test_a_repair_keeps_to_the_filter(here, target):
    await fastload.copy(here, target.url, where=WHERE)
    target.psql("UPDATE t SET v = 'wrong' WHERE id = 1")
    result = await fastload.verify(here, target.url, where=WHERE)
    assert columns(result) == ["v"]
    assert (await result.repair()).equal
    assert target.psql(ALL) == "1|one\n2|two"


async def test_a_repair_writes_to_the_table_that_was_compared(here, target, tmp_path):
    renamed = {"t": "public.t_new"}
    await fastload.copy(here, target.url, rename=renamed)
    target.psql(f"UPDATE t_new SET v = 'wrong' WHERE id = 1; {OLD}")
    result = await fastload.verify(here, target.url, rename=renamed, report=tmp_path)
    assert (await result.repair()).equal
    assert target.psql(ALL) == "1|precious"
    assert target.psql(ALL.replace("FROM t", "FROM t_new")) == "1|one\n2|two\n3|another tenant"
    written = (tmp_path / REPAIR).read_text()
    target.psql("UPDATE t_new SET v = 'wrong' WHERE id = 1")
    target.psql(written)
    assert target.psql(ALL) == "1|precious"
    assert (await fastload.verify(here, target.url, rename=renamed)).equal


async def test_a_live_comparison_keeps_to_the_filter(here, target):
    await fastload.copy(here, target.url)
    result = await fastload.verify(here, target.url, where=WHERE, live=True, lag_s=0.3)
    assert not result.equal
    assert [d.kind for d in result.differences] == ["extra"]


async def test_a_copy_that_differs_is_located_within_the_filter(here, target):
    target.psql("CREATE TABLE t (id int PRIMARY KEY, v varchar(20))")
    target.psql(
        "CREATE FUNCTION plant() RETURNS trigger LANGUAGE plpgsql AS "
        "$$BEGIN IF NEW.id = 1 THEN NEW.v := 'wrong'; END IF; RETURN NEW; END$$; "
        "CREATE TRIGGER plant BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION plant()"
    )
    options = {"where": WHERE, "mode": "truncate", "triggers": "fire", "verify": True}
    with pytest.raises(fastload.VerificationError) as caught:
        await fastload.copy(here, target.url, **options)
    result = caught.value.result
    assert columns(result) == ["v"]
    target.psql("DROP TRIGGER plant ON t")
    assert (await result.repair()).equal
    assert target.psql(ALL) == "1|one\n2|two"
