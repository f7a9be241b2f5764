"""Locks of others on the target: a partition that meets them is repeated, and no other."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

import anyio
import asyncpg
import pytest
from fastload_mysql import driver
from fastload_postgres import connection

import fastload
from fastload import partition
from fastload.copier import Copier

ROWS, PARTS = 4000, 4
# In the third of four partitions, and in the middle of it: rows of its own are written before.
HELD, EARLIER = 2500, 2001
TABLE = "CREATE TABLE t (id int PRIMARY KEY, v varchar(40), filler text)"
FILL = "INSERT INTO t SELECT n, concat('v', n), repeat('x', 100) FROM {}"
SAME = "SELECT id, v, length(filler) FROM t"
TAKE = "INSERT INTO t VALUES ({}, 'theirs', '')"
PAIRS = [("postgres", "postgres", "wire"), ("mysql", "mariadb", "auto")]
PAIRS += [pytest.param(("postgres", "mysql", "auto"), marks=pytest.mark.long)]
pytestmark = pytest.mark.faults
few_pairs = pytest.mark.parametrize("pair", PAIRS, ids="-".join, indirect=True)
postgres_alone = pytest.mark.parametrize("pair", PAIRS[:1], ids="-".join, indirect=True)
mariadb_alone = pytest.mark.parametrize("pair", PAIRS[1:2], ids="-".join, indirect=True)


@pytest.fixture
def impatient(monkeypatch):
    """Sessions wait a second for locks."""
    monkeypatch.setattr(driver, "_SETTINGS", driver._SETTINGS | {"innodb_lock_wait_timeout": "1"})
    monkeypatch.setattr(connection, "_SETTINGS", connection._SETTINGS | {"lock_timeout": "300ms"})


@pytest.fixture
def parts(pair, monkeypatch):
    monkeypatch.setattr(partition, "wanted", lambda *sizes: PARTS)
    pair.source.run(f"{TABLE}; {FILL.format(pair.source.numbers(ROWS))}")
    pair.source.analyse("t")
    pair.target.run(TABLE)
    return pair


@pytest.fixture
def begun(monkeypatch):
    """How often each partition is begun."""
    counted: Counter[int] = Counter()
    once = Copier._once

    async def counting(self, table, part, *rest):
        counted[part.index] += 1
        return await once(self, table, part, *rest)

    monkeypatch.setattr(Copier, "_once", counting)
    return counted


def is_family(side):
    return not side.url.startswith("postgres")


@contextlib.asynccontextmanager
async def session(side):
    """Yield what runs statements in one session of somebody else's, without waiting here."""
    if is_family(side):
        with side.database.server.connect(database=side.database.name) as made:
            cursor = made.cursor()
            yield lambda sql: asyncio.to_thread(cursor.execute, sql)
        return
    made = await asyncpg.connect(side.url)
    try:
        yield made.execute
    finally:
        await made.close()


async def waits(side, copying):
    """Wait until a session of fastload's waits for a lock."""
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    if is_family(side):
        waiting = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
    async with side.asking() as ask:
        while not await ask(waiting):
            assert not copying.done(), await copying
            # MySQL shows the same table again to who looks within a tenth of a second.
            await asyncio.sleep(0.12)


async def copied(pair, **options):
    options = {"partition_by": "keys", "parallel": 2, "mode": "append", **options}
    with anyio.fail_after(25):
        return await fastload.copy(pair.source.url, pair.target.url, route=pair.route, **options)


def repeated(begun):
    """Return which partitions were begun more than once; all were begun."""
    assert set(begun) == set(range(PARTS))
    return {part for part, times in begun.items() if times > 1}


@few_pairs
async def test_a_deadlock_repeats_its_partition(parts, begun):
    """The other session has changed more rows, so the server lets it live."""
    target = parts.target
    target.run("CREATE TABLE ballast (id int)")
    async with session(target) as run:
        await run("BEGIN")
        await run(f"INSERT INTO ballast SELECT n FROM {target.numbers(4 * ROWS)}")
        await run(TAKE.format(HELD))
        copying = asyncio.create_task(copied(parts))
        await waits(target, copying)
        await run(TAKE.format(EARLIER))  # which waits for the partition that waits for this one
        await run("ROLLBACK")
        result = await copying
    assert repeated(begun) == {2}
    assert begun[2] == 2
    assert result.rows == ROWS
    await parts.same(SAME)


@few_pairs
async def test_a_lock_that_is_held_too_long_repeats_its_partition(parts, begun, impatient):
    async with session(parts.target) as run:
        await run("BEGIN")
        await run(TAKE.format(HELD))
        copying = asyncio.create_task(copied(parts))
        while begun[2] < 3:
            assert not copying.done(), await copying
            await asyncio.sleep(0.01)
        await run("ROLLBACK")
        result = await copying
    assert repeated(begun) == {2}
    assert result.rows == ROWS
    await parts.same(SAME)


@few_pairs
async def test_a_lock_that_is_never_let_go_ends_the_run_which_goes_on_later(
    parts, begun, impatient, monkeypatch
):
    monkeypatch.setattr("fastload.retry.ATTEMPTS", 2)
    async with session(parts.target) as run:
        await run("BEGIN")
        await run(TAKE.format(HELD))
        with pytest.raises(fastload.TargetError, match=r"(?i)lock") as caught:
            await copied(parts)
        await run("ROLLBACK")
    assert begun[2] == 2
    assert (caught.value.partition, caught.value.retryable) == (2, True)
    assert "another session holds a lock" in caught.value.hint
    result = await copied(parts)
    assert begun[2] == 3
    assert 0 < result.rows_earlier < result.rows == ROWS
    await parts.same(SAME)


@postgres_alone
async def test_a_serialization_failure_repeats_its_partition(parts, begun):
    """As a server may tell it for reasons of its own."""
    parts.target.run(
        f"""CREATE SEQUENCE failures;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        IF nextval('public.failures') <= 2 THEN
            RAISE 'could not serialize access' USING ERRCODE = '40001';
        END IF; RETURN NEW; END$$;
        CREATE TRIGGER fail BEFORE INSERT ON t FOR EACH ROW WHEN (NEW.id = {HELD})
        EXECUTE FUNCTION fail()"""
    )
    result = await copied(parts, triggers="fire")
    assert repeated(begun) == {2}
    assert begun[2] == 3
    assert result.rows == ROWS
    await parts.same(SAME)


@postgres_alone
async def test_lanes_are_not_in_each_others_way_where_transactions_are_serializable(parts, begun):
    """What a database has as its default is for its own applications."""
    name = parts.target.database.name
    for side in (parts.source, parts.target):
        name = side.database.name
        side.run(f"ALTER DATABASE {name} SET default_transaction_isolation = serializable")
    await copied(parts)
    assert repeated(begun) == set()
    await parts.same(SAME)


@mariadb_alone
async def test_a_record_that_has_changed_since_repeats_its_partition(parts, begun):
    """MariaDB's way to say so, with innodb_snapshot_isolation, which is on in later releases."""
    target = parts.target
    server = target.database.server
    server.execute("SET GLOBAL innodb_snapshot_isolation = ON")
    try:
        async with session(target) as run:
            await run("BEGIN")
            await run(TAKE.format(HELD))
            copying = asyncio.create_task(copied(parts))
            await waits(target, copying)
            await run(f"DELETE FROM t WHERE id = {HELD}")
            await run("COMMIT")
            result = await copying
    finally:
        server.execute("SET GLOBAL innodb_snapshot_isolation = OFF")
    assert repeated(begun) == {2}
    assert result.rows == ROWS
    await parts.same(SAME)
