"""One moment of the source: what others do meanwhile is not in the copy, and is never hidden."""

from __future__ import annotations

import contextlib
import json

import anyio
import anyio.lowlevel
import anyio.to_thread
import pymysql
import pytest
from fastload_mysql import ADAPTER, snapshot
from fastload_mysql.source import MysqlSource

import fastload
from fastload import Url, partition
from fastload.adapter import ReadSpec, Selection
from fastload.errors import SnapshotLost
from fastload.model import Partition
from fastload.testing.faults import proxy

ACCOUNTS = 2000
WRITERS = 3
READERS = 4
USERS = {
    "everything": ("*.*", "SELECT, RELOAD, PROCESS"),
    "tables": ("{0}.*", "SELECT, LOCK TABLES"),
    "nothing": ("{0}.*", "SELECT"),
}


@pytest.fixture
def bank(database):
    """Two tables whose balances add up to a sum that every transaction leaves alone."""
    database.execute(
        f"""CREATE TABLE n (i INT PRIMARY KEY);
        INSERT INTO n WITH RECURSIVE g AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM g
            WHERE i < 1000) SELECT i FROM g;
        INSERT INTO n SELECT i + 1000 FROM n;
        CREATE TABLE checking (id INT PRIMARY KEY, balance INT NOT NULL, filler VARCHAR(500));
        INSERT INTO checking SELECT i, 100, REPEAT('x', 500) FROM n WHERE i <= {ACCOUNTS};
        CREATE TABLE saving LIKE checking; INSERT INTO saving SELECT * FROM checking;
        DROP TABLE n"""
    )
    return database


@contextlib.contextmanager
def user(database, rights):
    """Lend the URL of a user who has these rights and no others."""
    where, granted = USERS[rights]
    server = database.server
    server.execute("CREATE USER limited IDENTIFIED BY 'secret'")
    server.execute(f"GRANT {granted} ON {where.format(database.name)} TO limited")
    server.execute(f"GRANT SELECT ON {database.name}.* TO limited")
    try:
        yield f"{server.flavour}://limited:secret@127.0.0.1:{server.port}/{database.name}"
    finally:
        server.execute("DROP USER limited")


class Transfers:
    """Threads that move money between and within the tables until they are told to stop."""

    def __init__(self, database):
        self._database = database
        self.stop = False
        self.done = 0

    def run(self, seed):
        server = self._database.server
        with server.connect(database=self._database.name, autocommit=False) as connection:
            number = seed
            while not self.stop:
                number = (number * 48271) % 2147483647
                one, two = number % ACCOUNTS + 1, number // 7 % ACCOUNTS + 1
                with connection.cursor() as cursor:
                    try:
                        move = "UPDATE {} SET balance = balance + {} WHERE id = {}"
                        cursor.execute(move.format("checking", -5, one))
                        cursor.execute(move.format("saving", 5, two))
                        connection.commit()
                        self.done += 1
                    except pymysql.err.OperationalError:
                        connection.rollback()

    async def begun(self):
        with anyio.fail_after(20):
            while self.done < 50:
                await anyio.sleep(0.01)


@contextlib.asynccontextmanager
async def transfers(database):
    """Keep money moving inside."""
    moving = Transfers(database)
    async with anyio.create_task_group() as group:
        for number in range(WRITERS):
            group.start_soon(anyio.to_thread.run_sync, moving.run, 17 + number)
        try:
            await moving.begun()
            yield moving
        finally:
            moving.stop = True


async def tables_of(source, *names):
    return (await source.catalog(Selection(tables=names or None))).tables


async def rows_of(source, at, table, columns=None):
    want = ReadSpec(table=table, columns=columns or tuple(c.name for c in table.columns))
    part = Partition(table=table.name, index=0)
    async with source.open(part, at, want) as reading:
        rows = [row async for batch in reading for row in batch.to_pylist()]
        assert (await reading.seal()).rows == len(rows)
        return rows, reading.cut


async def sums_of_readers(source, at, tables):
    """Return what each of the readers sees of the sum over both tables, and their cuts."""
    sums, cuts = [], set()

    async def one():
        # A reader is held for both tables: readers would change between them otherwise.
        held = await at.take()
        row = await held.connection.fetchrow(
            "SELECT (SELECT SUM(balance) FROM checking) + (SELECT SUM(balance) FROM saving), "
            "(SELECT SUM(id * balance) FROM checking)"
        )
        sums.append(tuple(map(int, row)))
        cuts.add(held.cut)
        await at.give_back(held, reusable=True)
        await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        for _ in range(READERS):
            group.start_soon(one)
    return sums, cuts


@pytest.mark.parametrize("rights", USERS)
async def test_readers_see_one_moment_or_say_that_they_do_not(bank, rights):
    with user(bank, rights) as url:
        async with transfers(bank):
            for _ in range(5):
                async with ADAPTER.source(Url.parse(url), connections=READERS) as source:
                    tables = await tables_of(source)
                    async with source.snapshot(tables, READERS) as at:
                        await anyio.sleep(0.02)
                        sums, cuts = await sums_of_readers(source, at, tables)
                assert {total for total, _ in sums} == {2 * ACCOUNTS * 100}
                because = {c.inconsistent_because for c in cuts}
                if because == {None}:
                    assert len(set(sums)) == 1
                    assert len({c.visible for c in cuts}) == 1
                    assert len({c.position for c in cuts}) == 1
                else:
                    assert rights == "nothing"
                    (text,) = because
                    assert "RELOAD" in text
                    assert "LOCK TABLES" in text
                    assert len({c.visible for c in cuts}) == READERS


@pytest.mark.parametrize("rights", ["everything", "tables"])
async def test_money_moving_between_tables_is_conserved(bank, target, rights):
    with user(bank, rights) as url:
        async with transfers(bank) as moving:
            before = moving.done
            result = await fastload.copy(url, target.url, parallel=3)
            assert moving.done > before
    assert result.consistent, result.inconsistent_because
    total = "SELECT sum(balance), count(*) FROM ({}) AS t".format(
        " UNION ALL ".join(
            f"SELECT balance FROM {bank.name}.{name}" for name in ("checking", "saving")
        )
    )
    schema = target.psql(
        "SELECT table_schema FROM information_schema.tables WHERE table_name = 'saving'"
    )
    total = total.replace(f"{bank.name}.", f'"{schema}".')
    assert target.psql(total) == f"{2 * ACCOUNTS * 100}|{2 * ACCOUNTS}"


@pytest.mark.parametrize("rights", ["everything", "tables"])
async def test_the_position_is_the_logs_at_the_cut(bank, rights):
    with user(bank, rights) as url:
        bank.server.execute("GRANT REPLICATION CLIENT ON *.* TO limited")
        async with ADAPTER.source(Url.parse(url), connections=2) as source:
            tables = await tables_of(source)
            async with source.snapshot(tables, 2) as at:
                told = json.loads(at.cut.position.token)
                bank.execute("UPDATE saving SET balance = 0 WHERE id = 1")
        status = "MASTER" if bank.server.flavour == "mariadb" else "BINARY LOG"
        events = bank.execute(f"SHOW BINLOG EVENTS IN '{told['file']}' FROM {told['offset']}")
        # What comes first after it is the change made after it.
        assert any("saving" in str(e[5]) for e in events[:4])
        assert not any("checking" in str(e[5]) for e in events)
        now = bank.execute(f"SHOW {status} STATUS")[0]
        assert now[0] == told["file"]
        assert int(now[1]) > int(told["offset"])
        if bank.server.flavour == "mysql":
            (found,) = bank.execute(f"SELECT GTID_SUBTRACT(@@gtid_executed, '{told['gtid']}')")[0]
            assert found.count(":") == 1
            assert "-" not in found.split(":")[1]
        else:
            (found,) = bank.execute(f"SELECT BINLOG_GTID_POS('{told['file']}', {told['offset']})")[
                0
            ]
            assert found == told["gtid"]


async def test_readers_without_a_lock_have_the_place_of_their_own_snapshot(bank):
    """MariaDB tells where in its log each snapshot stands; that they are one moment, nobody can."""
    with user(bank, "nothing") as url:
        async with ADAPTER.source(Url.parse(url), connections=2) as source:
            tables = await tables_of(source)
            async with source.snapshot(tables, 2) as at:
                cut = at.cut
        if bank.server.flavour == "mariadb":
            told = json.loads(cut.position.token)
            (now,) = bank.execute("SHOW MASTER STATUS")
            assert (told["file"], told["offset"]) == (now[0], str(now[1]))
            assert told["gtid"] == bank.execute("SELECT @@global.gtid_binlog_pos")[0][0]
        else:
            assert cut.position is None
        assert "moment of its own" in cut.inconsistent_because


async def test_one_reader_needs_no_lock_to_see_one_moment(bank):
    with user(bank, "nothing") as url:
        async with ADAPTER.source(Url.parse(url), connections=1) as source:
            tables = await tables_of(source)
            async with source.snapshot(tables, 1) as at:
                assert at.cut.inconsistent_because is None


async def test_a_lock_that_cannot_be_had_is_not_waited_for(bank, monkeypatch):
    """An open transaction has changed a table: LOCK TABLES waits for its end, for a while."""
    with user(bank, "tables") as url, bank.server.connect(database=bank.name) as other:
        with other.cursor() as cursor:
            cursor.execute("START TRANSACTION")
            cursor.execute("UPDATE saving SET balance = 1 WHERE id = 1")
        async with ADAPTER.source(Url.parse(url), connections=2) as source:
            with anyio.fail_after(15):
                async with source.snapshot(await tables_of(source), 2) as at:
                    cut = at.cut
                    (table,) = await tables_of(source, "saving")
                    rows, _ = await rows_of(source, at, table, ("id", "balance"))
        assert {r["balance"] for r in rows} == {100}
        assert "LOCK TABLES waited 4 times" in cut.inconsistent_because
        other.rollback()


async def test_a_long_statement_holds_up_neither_us_nor_others(bank):
    """MySQL's global lock would wait behind it, and all writers behind the lock."""
    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            slow = "SELECT SLEEP(20) FROM saving LIMIT 1"

            async def wait() -> None:
                with contextlib.suppress(pymysql.err.MySQLError):
                    await anyio.to_thread.run_sync(bank.execute, slow)

            group.start_soon(wait)
            number = await bank.running("SELECT SLEEP%")
            await anyio.sleep(1.2)
            async with ADAPTER.source(Url.parse(bank.url), connections=2) as source:
                tables = await tables_of(source)
                async with source.snapshot(tables, 2) as at:
                    assert at.cut.inconsistent_because is None
                    bank.execute(
                        "SET SESSION lock_wait_timeout = 1; "
                        "UPDATE saving SET balance = 1 WHERE id = 1"
                    )
                    (table,) = await tables_of(source, "saving")
                    rows, _ = await rows_of(source, at, table, ("balance",))
                    assert {r["balance"] for r in rows} == {100}
            bank.server.execute(f"KILL {number}")


@pytest.mark.parametrize("rights", ["everything", "tables"])
async def test_a_cancelled_snapshot_leaves_no_lock(bank, rights, monkeypatch):
    reached = anyio.Event()

    async def stall(reader, tables):
        reached.set()
        await anyio.sleep(60)

    monkeypatch.setattr(snapshot, "open_tables", stall)
    with user(bank, rights) as url:
        async with ADAPTER.source(Url.parse(url), connections=2) as source:
            tables = await tables_of(source)
            async with anyio.create_task_group() as group:

                async def begin() -> None:
                    async with source.snapshot(tables, 2):
                        pass

                group.start_soon(begin)
                with anyio.fail_after(20):
                    await reached.wait()
                with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
                    bank.execute("SET SESSION lock_wait_timeout = 1; DELETE FROM saving LIMIT 1")
                group.cancel_scope.cancel()
            bank.execute("SET SESSION lock_wait_timeout = 1; DELETE FROM saving LIMIT 1")
        await bank.none_left()


async def test_the_settings_of_the_lock_do_not_stay(bank):
    async with ADAPTER.source(Url.parse(bank.url), connections=1) as source:
        async with source.snapshot(await tables_of(source), 1):
            pass
        for connection in list(source._sessions._idle):
            row = await connection.fetchrow(
                "SELECT @@lock_wait_timeout, @@innodb_lock_wait_timeout, @@autocommit"
            )
            assert row == (30, 30, 1)


@pytest.fixture
def items(database):
    database.execute(
        "CREATE TABLE items (id INT PRIMARY KEY, v VARCHAR(9)); INSERT INTO items VALUES (1, 'a')"
    )
    return database


CHANGES = {
    "truncated": "TRUNCATE items",
    "rewritten": "ALTER TABLE items MODIFY id BIGINT",
    "extended": "ALTER TABLE items ADD w INT",
    "dropped": "DROP TABLE items",
    "made anew": "DROP TABLE items; DO SLEEP(1.1); "
    "CREATE TABLE items (id INT PRIMARY KEY, v VARCHAR(9))",
    "renamed": "RENAME TABLE items TO others",
    "column renamed": "ALTER TABLE items CHANGE v w VARCHAR(9)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_a_change_between_catalogue_and_snapshot_is_told(items, change):
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        tables = await tables_of(source)
        items.execute(change)
        if change.startswith("TRUNCATE"):
            # Emptied before the snapshot began: that moment is shown truly.
            with contextlib.suppress(SnapshotLost):
                async with source.snapshot(tables, 1) as at:
                    assert (await rows_of(source, at, tables[0]))[0] == []
            return
        with pytest.raises(fastload.SourceError):
            async with source.snapshot(tables, 1):
                pass


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_no_change_gets_through_while_the_snapshot_is_open(items, change):
    async with ADAPTER.source(Url.parse(items.url), connections=2) as source:
        tables = await tables_of(source)
        async with source.snapshot(tables, 2) as at:
            with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
                await anyio.to_thread.run_sync(
                    items.execute, f"SET SESSION lock_wait_timeout = 1; {change}"
                )
            assert (await rows_of(source, at, tables[0]))[0] == [{"id": 1, "v": "a"}]
        items.execute(change)


@pytest.mark.parametrize("change", ["truncated", "extended", "dropped", "renamed"])
async def test_a_change_before_the_readers_open_the_tables_is_told(items, change, monkeypatch):
    """Without a lock DDL can come between a reader's moment and its metadata locks."""
    open_tables = snapshot.open_tables

    async def change_and_open(reader, tables):
        if items.execute("SHOW TABLES LIKE 'items'"):
            items.execute(CHANGES[change])
        await open_tables(reader, tables)

    with user(items, "nothing") as url:
        async with ADAPTER.source(Url.parse(url), connections=1) as source:
            tables = await tables_of(source)
            monkeypatch.setattr(snapshot, "open_tables", change_and_open)
            with pytest.raises(fastload.SourceError) as caught:
                async with source.snapshot(tables, 1) as at:
                    await rows_of(source, at, tables[0])
    if change in ("truncated", "extended"):
        assert isinstance(caught.value, SnapshotLost)


async def test_readers_are_not_behind_an_alter_that_waits_for_them(items):
    """Their locks were taken when they began: one asked for now would come after the ALTER's."""
    async with ADAPTER.source(Url.parse(items.url), connections=2) as source:
        tables = await tables_of(source)
        async with anyio.create_task_group() as group, source.snapshot(tables, 2) as at:
            alter = "ALTER TABLE items ADD later INT"
            group.start_soon(anyio.to_thread.run_sync, items.execute, alter)
            await items.running("ALTER%")
            with anyio.fail_after(10):
                for _ in range(3):
                    assert len((await rows_of(source, at, tables[0]))[0]) == 1
    assert len(items.execute("SELECT * FROM items")[0]) == 3


ENGINES = {"mariadb": ("MyISAM", "Aria", "MEMORY"), "mysql": ("MyISAM", "MEMORY")}


async def test_tables_without_snapshots_are_named(database, target):
    engines = ENGINES[database.server.flavour]
    for engine in ("InnoDB", *engines):
        database.execute(f"CREATE TABLE in_{engine} (id INT PRIMARY KEY) ENGINE = {engine}")
        database.execute(f"INSERT INTO in_{engine} VALUES (1)")
    result = await fastload.copy(database.url, target.url)
    assert result.rows == len(engines) + 1
    assert not result.consistent
    for engine in engines:
        assert f"in_{engine} is {engine}" in result.inconsistent_because
    assert "InnoDB" not in result.inconsistent_because


@pytest.mark.parametrize("parallel", [1, 2])
async def test_a_reader_that_is_killed_is_replaced_and_the_result_says_so(
    bank, target, monkeypatch, parallel
):
    """The partition is read again: by another of the same moment, or else by a later one."""
    planned = []
    partitions = MysqlSource.partitions

    async def partitions_and_kill(self, table, at, want):
        found = await partitions(self, table, at, want)
        planned.append(table.name)
        if len(planned) == 2:
            number = at._idle[-1].connection.thread_id
            bank.execute(f"KILL {number}; UPDATE saving SET balance = 99 WHERE id = 1")
        return found

    monkeypatch.setattr(MysqlSource, "partitions", partitions_and_kill)
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 2)
    result = await fastload.copy(bank.url, target.url, parallel=parallel)
    assert len(planned) == 2
    assert result.rows == 2 * ACCOUNTS
    if parallel == 1:
        assert not result.consistent
        assert "a reader was lost" in result.inconsistent_because
    else:
        assert result.consistent


async def test_a_reader_that_comes_later_reads_no_table_that_was_altered(items):
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        tables = await tables_of(source)
        async with source.snapshot(tables, 1) as at:
            held = await at.take()
            await at.give_back(held, reusable=False)
            items.execute("ALTER TABLE items MODIFY id BIGINT, ADD w INT FIRST")
            with pytest.raises(SnapshotLost, match="was altered"):
                await rows_of(source, at, tables[0])
    await items.none_left()


async def test_a_source_that_falls_silent_does_not_hold_up_a_cancellation(items):
    """Nobody waits for the answer to the last ROLLBACK."""
    port = items.server.port
    async with proxy(port) as between:
        url = Url.parse(items.url.replace(f":{port}", f":{between.port}"))
        with anyio.fail_after(20):
            async with ADAPTER.source(url, connections=2) as source:
                tables = await tables_of(source)
                async with source.snapshot(tables, 2):
                    between.silent = True


async def test_numbers_are_read_after_the_rows(items):
    """A number drawn while rows were read is never drawn again on the other side."""
    items.execute(
        "CREATE TABLE drawn (id INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO drawn VALUES (7)"
    )
    async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
        catalog = await source.catalog(Selection(tables=("drawn",)))
        async with source.snapshot(catalog.tables, 1) as at:
            items.execute("INSERT INTO drawn VALUES (NULL), (NULL)")
            rows, _ = await rows_of(source, at, catalog.tables[0])
        (sequence,) = await source.sequences(catalog)
    assert rows == [{"id": 7}]
    assert sequence.last_value == 9


async def test_a_table_one_may_not_read_is_named(items):
    with user(items, "nothing") as url:
        async with ADAPTER.source(Url.parse(items.url), connections=1) as source:
            tables = await tables_of(source)
        items.server.execute(f"REVOKE SELECT ON {items.name}.* FROM limited")
        items.server.execute(f"GRANT INSERT ON {items.name}.* TO limited")
        async with ADAPTER.source(Url.parse(url), connections=1) as source:
            with pytest.raises(fastload.SourceError, match="SELECT command denied"):
                async with source.snapshot(tables, 1):
                    pass
