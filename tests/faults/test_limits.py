"""Servers that let in fewer connections than there are lanes, and sessions in each other's way."""

from __future__ import annotations

import contextlib
import itertools

import anyio
import pytest

import fastload
from fastload import partition
from fastload.registry import open_target

ROWS = 8000
TABLES = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(40), filler text);
INSERT INTO t SELECT n, concat('v', n), repeat('x', 400) FROM {numbers};
CREATE INDEX by_v ON t (v);
CREATE TABLE u (id int PRIMARY KEY, t int REFERENCES t (id));
INSERT INTO u SELECT n, n FROM {numbers}"""
SAME = ("SELECT id, v, length(filler) FROM t", "SELECT id, t FROM u")
_names = itertools.count(1)
PAIRS = [("postgres", "mariadb", "auto"), ("mysql", "postgres", "auto")]
few_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)


@contextlib.contextmanager
def limited(side, connections):
    """Yield the URL of a user of this database who may have so many connections."""
    name = f"few{next(_names)}"
    if side.url.startswith("postgres"):
        database = side.database.name
        side.run(
            f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {connections};"
            f"GRANT ALL ON DATABASE {database} TO {name}; GRANT ALL ON SCHEMA public TO {name};"
            f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}"
        )
        yield side.database.url_of(name)
        return
    server = side.database.server
    server.execute(f"CREATE USER {name}@'%' IDENTIFIED BY 'p'")
    server.execute(f"ALTER USER {name}@'%' WITH MAX_USER_CONNECTIONS {connections}")
    server.execute(f"GRANT ALL ON *.* TO {name}@'%'")
    try:
        yield f"mysql://{name}:p@127.0.0.1:{side.port}/{side.database.name}"
    finally:
        server.execute(f"DROP USER {name}@'%'")


@pytest.fixture(autouse=True)
def small_partitions(monkeypatch):
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 8)


def filled(pair):
    source = pair.source
    source.run(TABLES.format(numbers=source.numbers(ROWS)))
    source.analyse("t", "u")


@pytest.mark.faults
@few_pairs
@pytest.mark.parametrize("end", ["source", "target"])
async def test_fewer_connections_than_lanes_make_fewer_lanes(pair, end):
    filled(pair)
    side = pair.source if end == "source" else pair.target
    seen = set()
    with limited(side, 2) as url:
        urls = {"source": pair.source.url, "target": pair.target.url, end: url}
        result = await fastload.copy(
            *urls.values(),
            parallel=8,
            route=pair.route,
            verify=end == "target",  # it is read again, through connections of its own
            progress=lambda progress: seen.add(progress.lanes),
        )
    await pair.same(*SAME)
    assert result.consistent
    told = [note for note in result.notes if "instead of 8" in note]
    assert len(told) == 1, result.notes
    assert min(seen) < 8
    assert any(word in told[0] for word in ("source", "target"))


@pytest.mark.faults
@few_pairs
async def test_a_sign_of_life_takes_no_connection_from_a_lane(pair):
    """It has the last one until somebody needs it."""
    opened = [open_target(fastload.Url.parse(pair.target.url), connections=1)]
    with limited(pair.target, 2) as url:
        opened.append(open_target(fastload.Url.parse(url), connections=2))
        async with opened[0] as other, opened[1] as target:
            await target.state().show("r", 7)
            with anyio.fail_after(20):
                while await other.state().worker("r", 7) is None:
                    await anyio.sleep(0.05)
            async with target._sessions.lend(), target._sessions.lend():
                assert await other.state().worker("r", 7) is None


@pytest.mark.faults
@few_pairs
async def test_no_connection_at_all_is_told(pair):
    """Somebody else has those that there are."""
    filled(pair)
    with limited(pair.target, 1) as url:
        async with fastload.read(pair.source.url, _name(pair, "t")):
            pass
        async with open_target(fastload.Url.parse(url), connections=1):
            with pytest.raises(fastload.TooManyConnections) as caught:
                await fastload.copy(pair.source.url, url, parallel=2, route=pair.route)
    assert caught.value.side == "target"
    assert "max_connections" in caught.value.hint


def _name(pair, table):
    side = pair.source
    return f"{'public' if side.url.startswith('postgres') else side.database.name}.{table}"
