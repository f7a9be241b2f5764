"""What doctor prints for PostgreSQL is enough for a copy, and with less of it none is made."""

from __future__ import annotations

import itertools

import pytest

import fastload
from fastload.model import Finding
from fastload.registry import open_source, open_target
from fastload.url import Url
from tests.conftest import Database

pytestmark = pytest.mark.postgres

ODD = 'o"brien $(x); --'
SCHEMA = """
CREATE SCHEMA "Odd ""S"; CREATE TABLE "Odd ""S".t (a int PRIMARY KEY GENERATED ALWAYS AS IDENTITY);
INSERT INTO "Odd ""S".t DEFAULT VALUES; CREATE TABLE public.p (a int PRIMARY KEY);
INSERT INTO public.p VALUES (1)"""
_numbers = itertools.count()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@pytest.fixture
def role() -> str:
    return f"{ODD}{next(_numbers)}"


def url_for(database: Database, role: str) -> str:
    database.psql(f"CREATE ROLE {quoted(role)} LOGIN")
    url = Url.parse(database.url)
    return Url(
        scheme=url.scheme,
        host=url.host,
        port=url.port,
        database=url.database,
        user=role,
        options=url.options,
    )


async def grants(side: str, url: Url) -> list[Finding]:
    opening = open_source if side == "source" else open_target
    async with opening(url, connections=1) as opened:
        found = await opened.examine()
    return [f for f in found if f.hint and f.hint.startswith("GRANT")]


def undone(statement: str) -> str:
    return "REVOKE" + statement.removeprefix("GRANT").replace(" TO ", " FROM ")


async def test_a_source_needs_exactly_what_is_printed(source, target, role):
    source.psql(SCHEMA)
    # Everybody may look into it otherwise.
    source.psql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    url = url_for(source, role)
    printed = {f.subject: f.hint for f in await grants("source", url)}
    assert set(printed) == {"rights", "rights to schemas", "rights to sequences"}
    source.psql("; ".join(printed.values()))
    assert await grants("source", url) == []
    result = await fastload.copy(url, target.url)
    assert result.rows == 2
    assert {n.kind for n in result.not_carried} == {"grants"}
    for subject, statement in printed.items():
        source.psql(undone(statement))
        assert [f.hint for f in await grants("source", url)] == [statement]
        if subject == "rights to sequences":
            result = await fastload.copy(url, target.url, mode="replace")
            assert "value of sequence" in {n.kind for n in result.not_carried}
        else:
            with pytest.raises(fastload.SourceError) as caught:
                await fastload.copy(url, target.url, mode="replace")
            assert caught.value.hint
        source.psql(statement)


async def test_a_target_needs_exactly_what_is_printed(source, target, role):
    source.psql(SCHEMA)
    target.psql("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    url = url_for(target, role)
    printed = [f.hint for f in await grants("target", url)]
    assert len(printed) == 2
    target.psql("; ".join(printed))
    assert await grants("target", url) == []
    assert (await fastload.copy(source.url, url)).rows == 2
    for statement in printed:
        target.psql(undone(statement))
        assert [f.hint for f in await grants("target", url)] == [statement]
        with pytest.raises(fastload.TargetError) as caught:
            await fastload.copy(source.url, url, mode="replace")
        assert "fastload doctor" in caught.value.hint
        target.psql(statement)
    assert (await fastload.copy(source.url, url, mode="replace")).rows == 2


async def test_tables_of_others_are_filled_with_exactly_what_is_printed(source, target, role):
    source.psql("CREATE TABLE t (a int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)")
    target.psql("CREATE TABLE t (a int PRIMARY KEY, v int)")
    url = url_for(target, role)
    target.psql(f"GRANT CREATE ON DATABASE {target.name} TO {quoted(role)}")
    target.psql(f"GRANT USAGE, CREATE ON SCHEMA public TO {quoted(role)}")
    ((finding),) = await grants("target", url)
    assert finding.text.startswith("1 table here may not be written to")
    target.psql(finding.hint)
    assert await grants("target", url) == []
    options = {"statistics": False, "indexes": False}
    for mode in ("append", "truncate", "upsert"):
        assert (await fastload.copy(source.url, url, mode=mode, **options)).rows == 1
    for right, mode in (("INSERT", "append"), ("TRUNCATE", "truncate"), ("UPDATE", "upsert")):
        target.psql(f"TRUNCATE t; REVOKE {right} ON t FROM {quoted(role)}")
        assert len(await grants("target", url)) == 1
        with pytest.raises(fastload.TargetError):
            await fastload.copy(source.url, url, mode=mode, **options)
        target.psql(finding.hint)
