"""State that another version of fastload has left in a target."""

from __future__ import annotations

import pytest

import fastload
from fastload.copier import Copier
from fastload.errors import ResumeRefused, StateError
from fastload.registry import open_target

TABLE = "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)"
PAIRS = [("postgres", "postgres", "wire"), ("mysql", "mariadb", "auto")]
few_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
pytestmark = pytest.mark.faults


@pytest.fixture
def stopped(pair, monkeypatch):
    """A run that an older version has begun, with fewer tables of state."""

    async def stop(self, table, part):
        raise StateError("stopped")

    async def begin(name="old"):
        with monkeypatch.context() as patched:
            patched.setattr(Copier, "copy", stop)
            for module in ("fastload_postgres.state", "fastload_mysql.state"):
                patched.setattr(f"{module}.pack", older)
            with pytest.raises(StateError, match="stopped"):
                await fastload.copy(pair.source.url, pair.target.url, run=name)
        pair.target.run(f"DROP TABLE {pair.target.state('tables')}")

    pair.source.run(TABLE)
    return begin


def older(plan):
    import zlib

    import msgspec

    known = msgspec.to_builtins(msgspec.structs.replace(plan, version=3))
    known["before"] = "in a form that is not known any more"
    return zlib.compress(msgspec.json.encode(known))


@few_pairs
async def test_the_version_is_told_and_the_run_can_be_forgotten(pair, stopped):
    await stopped()
    with pytest.raises(ResumeRefused, match="stored form is version 3") as caught:
        await fastload.copy(pair.source.url, pair.target.url, run="old")
    assert "fresh=True" in caught.value.hint
    with pytest.raises(StateError, match="of another version of fastload: old") as told:
        await fastload.copy(pair.source.url, pair.target.url, run="new", mode="append")
    assert "--discard" in told.value.hint
    async with open_target(fastload.Url.parse(pair.target.url), connections=1) as target:
        assert [run.plan.run for run in await target.state().runs()] == ["old"]
    result = await fastload.copy(
        pair.source.url, pair.target.url, run="old", fresh=True, mode="replace"
    )
    assert result.rows == 2
    async with pair.target.asking() as ask:
        assert await ask(f"SELECT count(*) FROM {pair.target.state('runs')}") is None


@few_pairs
async def test_who_comes_too_late_makes_no_state_anew(pair):
    """Its run was finished by another process, which has left nothing."""
    async with open_target(fastload.Url.parse(pair.target.url), connections=1) as target:
        kept = await target.barrier("finished")
    assert (kept.receipts, kept.steps) == (0, 0)
    async with pair.target.asking() as ask:
        assert await ask(f"SELECT count(*) FROM {pair.target.state('runs')}") is None
    if pair.target.kind == "PostgreSQL":
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = '_fastload'"
        assert await pair.target.rows(schemas) == [(0,)]
