"""One moment of the source: what others do meanwhile is not in the copy, and is never hidden."""

from __future__ import annotations

import contextlib

import anyio
import anyio.to_thread
import asyncpg
import pytest
from fastload_postgres import ADAPTER

import fastload
from fastload import Url
from fastload.adapter import ReadSpec, Selection
from fastload.errors import SnapshotLost
from fastload.model import Partition, QualifiedName
from fastload.testing.faults import proxy

ACCOUNTS = 20_000
ITEMS = QualifiedName("public", "items")


@pytest.fixture
def bank(source):
    source.psql(
        f"""CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL, filler text);
        INSERT INTO account SELECT i, 100, repeat('x', 500) FROM generate_series(1, {ACCOUNTS}) i;
        CREATE TABLE transfer (id serial PRIMARY KEY, amount int); ANALYZE"""
    )
    return source


async def transfer_forever(url: str, begun: anyio.Event) -> None:
    """Move money between accounts, and note each transfer, in one transaction."""
    connection = await asyncpg.connect(url)
    number = 0
    try:
        while True:
            number += 1
            one, two = number * 7919 % ACCOUNTS + 1, number * 104729 % ACCOUNTS + 1
            async with connection.transaction():
                for account, amount in sorted([(one, -5), (two, 5)]):
                    await connection.execute(
                        "UPDATE account SET balance = balance + $2 WHERE id = $1", account, amount
                    )
                await connection.execute("INSERT INTO transfer (amount) VALUES (5)")
            if number == 20:
                begun.set()
    finally:
        connection.terminate()


@pytest.mark.parametrize("route", ["wire", "arrow"])
async def test_money_moving_between_accounts_is_conserved(bank, target, route):
    async with anyio.create_task_group() as group:
        begun = anyio.Event()
        for _ in range(2):
            group.start_soon(transfer_forever, bank.url, begun)
        await begun.wait()
        result = await fastload.copy(
            bank.url, target.url, route=route, parallel=3, partition_by="physical"
        )
        group.cancel_scope.cancel()
    assert result.consistent
    assert (
        target.psql("SELECT count(*), sum(balance) FROM account") == f"{ACCOUNTS}|{ACCOUNTS * 100}"
    )
    # Sequences are read after the rows: the next number is one that no copied row has.
    assert target.psql("SELECT nextval('transfer_id_seq') > max(id) FROM transfer") == "t"
    assert int(target.psql("SELECT count(*) FROM transfer")) >= 20


@pytest.fixture
def items(source):
    source.psql(
        "CREATE TABLE items (id int PRIMARY KEY, v text); INSERT INTO items VALUES (1, 'a')"
    )
    return source


CHANGES = {
    "truncated": "TRUNCATE items",
    "rewritten": "ALTER TABLE items ALTER id TYPE bigint",
    "extended": "ALTER TABLE items ADD w int",
    "dropped": "DROP TABLE items",
    "made anew": "DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, v text)",
    "renamed": "ALTER TABLE items RENAME v TO w",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_between_catalogue_and_snapshot_is_told(items, change):
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(names=(ITEMS,)))).tables
        items.psql(change)
        if change.startswith("TRUNCATE"):
            # Emptied before the snapshot began: that moment is shown truly.
            async with source.snapshot([table], 1):
                return
        with pytest.raises((SnapshotLost, fastload.SourceError)):
            async with source.snapshot([table], 1):
                pass


async def test_a_truncate_right_after_the_export_is_told(items, monkeypatch):
    """An importer of the exported snapshot would read no rows, without any error."""
    from fastload_postgres import snapshot

    lock = snapshot._lock

    async def truncate_and_lock(connection, tables):
        items.psql("TRUNCATE items")
        await lock(connection, tables)

    monkeypatch.setattr(snapshot, "_lock", truncate_and_lock)
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(names=(ITEMS,)))).tables
        with pytest.raises(SnapshotLost, match="truncated or rewritten"):
            async with source.snapshot([table], 1):
                pass


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_no_change_gets_through_while_the_snapshot_is_open(items, change):
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(names=(ITEMS,)))).tables
        async with source.snapshot([table], 1) as at:
            with pytest.raises(RuntimeError, match="lock timeout"):
                await anyio.to_thread.run_sync(items.psql, f"SET lock_timeout = '200ms'; {change}")
            want = ReadSpec(table=table, columns=("id", "v"))
            async with source.open(Partition(table=ITEMS, index=0), at, want) as reading:
                assert [batch.to_pylist() async for batch in reading] == [[{"id": 1, "v": "a"}]]
        items.psql(change)


async def test_an_alter_that_waits_does_not_stop_the_copy(items, target):
    """It queues for the lock that the snapshot holds; readers have theirs already."""
    items.psql("INSERT INTO items SELECT i, 'x' FROM generate_series(2, 50000) AS i")
    seen = anyio.Event()

    async def alter() -> None:
        connection = await asyncpg.connect(items.url)
        await seen.wait()
        await connection.execute("ALTER TABLE items ADD later int")
        await connection.close()

    async with anyio.create_task_group() as group:
        group.start_soon(alter)
        result = await fastload.copy(
            items.url, target.url, parallel=2, progress=lambda _: seen.set()
        )
        seen.set()
    assert result.rows == 50_000
    assert items.psql("SELECT count(*) FROM pg_attribute WHERE attname = 'later'") == "1"


async def test_a_reader_is_not_behind_an_alter_that_waits_for_it(items):
    """Its lock was taken when it joined: one asked for now would come after the ALTER's."""
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        (table,) = (await source.catalog(Selection(names=(ITEMS,)))).tables
        async with source.snapshot([table], 1) as at, anyio.create_task_group() as group:
            altering = await asyncpg.connect(items.url)

            async def alter() -> None:
                with contextlib.suppress(asyncpg.PostgresError):
                    await altering.execute("ALTER TABLE items ADD later int")

            group.start_soon(alter)
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
            while int(await anyio.to_thread.run_sync(items.psql, waiting)) == 0:
                await anyio.sleep(0.01)
            want = ReadSpec(table=table, columns=("id", "v"))
            with anyio.fail_after(10):
                async with source.open(Partition(table=ITEMS, index=0), at, want) as reading:
                    assert [b.num_rows async for b in reading] == [1]
            altering.terminate()
            group.cancel_scope.cancel()


PARTED = """
CREATE TABLE items (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE items_1 PARTITION OF items FOR VALUES FROM (0) TO (10);
CREATE TABLE items_2 (id int, v text);
INSERT INTO items VALUES (1, 'a'); INSERT INTO items_2 VALUES (11, 'b')"""


async def test_a_partition_that_is_attached_meanwhile_is_told(source):
    """It waits for no reader, and its rows would be seen by those who come later."""
    source.psql(PARTED)
    async with ADAPTER.source(Url.parse(source.url), connections=1) as opened:
        (table,) = (await opened.catalog(Selection(names=(ITEMS,)))).tables
        want, part = ReadSpec(table=table, columns=("id", "v")), Partition(table=ITEMS, index=0)
        async with opened.snapshot([table], 1) as at:
            async with opened.open(part, at, want) as reading:
                assert [b.num_rows async for b in reading] == [1]
                assert (await reading.seal()).rows == 1
            source.psql("ALTER TABLE items ATTACH PARTITION items_2 FOR VALUES FROM (10) TO (20)")
            async with opened.open(part, at, want) as reading:
                with pytest.raises(SnapshotLost, match="got or lost a partition"):
                    _ = [batch async for batch in reading]


async def test_a_source_that_falls_silent_does_not_hold_up_a_cancellation(items):
    """Nobody waits for the answer to the last ROLLBACK."""
    port = Url.parse(items.url).port
    async with proxy(port) as between:
        url = Url.parse(items.url.replace(f":{port}", f":{between.port}"))
        with anyio.fail_after(20):
            async with ADAPTER.source(url, connections=1) as source:
                (table,) = (await source.catalog(Selection(names=(ITEMS,)))).tables
                async with source.snapshot([table], 1):
                    between.silent = True


async def test_row_security_is_an_error_and_not_a_filter(source, target):
    source.psql(
        """CREATE TABLE secrets (owner text); INSERT INTO secrets VALUES ('me'), ('you');
        ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
        CREATE POLICY mine ON secrets USING (owner = 'me');
        DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT SELECT ON secrets TO limited"""
    )
    limited = source.url_of("limited")
    with pytest.raises(fastload.FastloadError, match="row-level security"):
        await fastload.copy(limited, target.url)
    there = target.psql("SELECT to_regclass('secrets') IS NOT NULL") == "t"
    assert not there or target.psql("SELECT count(*) FROM secrets") == "0"


async def test_a_table_one_may_not_read_is_named(source, target):
    source.psql(
        """CREATE TABLE closed (n int);
        DO $$ BEGIN CREATE ROLE limited LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"""
    )
    limited = source.url_of("limited")
    with pytest.raises(fastload.SourceError, match=r"may not read public\.closed") as caught:
        await fastload.copy(limited, target.url)
    assert 'GRANT SELECT ON "public"."closed"' in caught.value.hint
