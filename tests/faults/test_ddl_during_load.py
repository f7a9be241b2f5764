"""Tables that somebody changes while they are copied: refused by name, or kept out by locks."""

from __future__ import annotations

import asyncio

import anyio
import pytest

import fastload
from fastload import partition
from fastload.copier import Copier
from fastload.errors import FastloadError, TargetChanged
from tests.faults.conftest import with_pairs

ROWS = 2000
TABLE = """
CREATE TABLE t (id int PRIMARY KEY, v varchar(40), w int);
INSERT INTO t SELECT n, concat('v', n), n FROM {}"""
SAME = "SELECT id, v, w FROM t"
OPTIONS = {"parallel": 1, "partition_by": "keys", "run": "changed"}
PAIRS = [("postgres", "postgres", "wire"), ("postgres", "mysql", "auto")]
PAIRS += [("mysql", "mariadb", "auto")]
few_pairs = with_pairs(PAIRS[1], long=PAIRS)
CHANGES = {
    "add": "ALTER TABLE t ADD extra int",
    "drop column": "ALTER TABLE t DROP COLUMN w",
    "rename column": "ALTER TABLE t RENAME COLUMN w TO x",
    # Its binary form has as many bytes, and would be taken for another number.
    "type": {True: "ALTER TABLE t MODIFY w float", False: "ALTER TABLE t ALTER w TYPE real"},
    "truncate": "TRUNCATE TABLE t",
    "drop": "DROP TABLE t",
    "rename": {True: "RENAME TABLE t TO other", False: "ALTER TABLE t RENAME TO other"},
    "made anew": "DROP TABLE t; CREATE TABLE t (id int PRIMARY KEY, v varchar(40), w int)",
}


@pytest.fixture
def parts(pair, monkeypatch):
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 4)
    pair.source.run(TABLE.format(pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    return pair


def change_of(side, change):
    statement = CHANGES[change]
    family = not side.url.startswith("postgres")
    return statement[family] if isinstance(statement, dict) else statement


def after(monkeypatch, number, act):
    """Act once so many partitions have been copied."""
    copy, copied = Copier.copy, []

    async def copy_and_act(self, table, part):
        receipt = await copy(self, table, part)
        copied.append(receipt)
        if len(copied) == number:
            await asyncio.to_thread(act)
        return receipt

    monkeypatch.setattr(Copier, "copy", copy_and_act)
    return copied


def again(pair, **options):
    return fastload.copy(
        pair.source.url, pair.target.url, **({"route": pair.route} | OPTIONS | options)
    )


@pytest.mark.faults
@few_pairs
@pytest.mark.parametrize("change", CHANGES)
async def test_a_target_that_is_changed_between_partitions_is_refused(parts, change, monkeypatch):
    statement = change_of(parts.target, change)
    with monkeypatch.context() as patched:
        copied = after(patched, 2, lambda: parts.target.run(statement))
        with pytest.raises(TargetChanged) as caught:
            await again(parts)
    assert len(copied) == 2
    assert caught.value.table.endswith(".t")
    assert "fresh" in caught.value.hint
    # Nor may it go on.
    with pytest.raises(FastloadError):
        await again(parts)
    result = await again(parts, fresh=True, mode="replace")
    assert result.rows == ROWS
    await parts.same(SAME)


MOMENTS = [("first", "drop"), ("first", "type"), ("first", "drop column")]
MOMENTS += [("last", "truncate"), ("last", "drop"), ("last", "type"), ("last", "drop column")]


@pytest.mark.faults
@few_pairs
@pytest.mark.parametrize(("moment", "change"), MOMENTS, ids="-".join)
async def test_nor_may_it_be_before_the_first_or_after_the_last(parts, moment, change, monkeypatch):
    """Before the first, rows of another form; after the last, none at all."""
    statement = change_of(parts.target, change)
    kind = type_of_target(parts)
    prepare = kind.prepare

    async def prepare_and_change(self, plan):
        epoch = await prepare(self, plan)
        await asyncio.to_thread(parts.target.run, statement)
        return epoch

    if moment == "first":
        monkeypatch.setattr(kind, "prepare", prepare_and_change)
    else:
        after(monkeypatch, 4, lambda: parts.target.run(statement))
    with pytest.raises(TargetChanged):
        await again(parts)


def type_of_target(pair):
    from fastload_mysql.target import MysqlTarget
    from fastload_postgres.target import PostgresTarget

    return PostgresTarget if pair.target.url.startswith("postgres") else MysqlTarget


@pytest.mark.faults
@few_pairs
@pytest.mark.parametrize("change", ["truncate", "drop column", "made anew"])
async def test_nor_may_it_be_before_rows_are_tried_one_by_one(parts, change, monkeypatch, tmp_path):
    """What waits for the locks of a partition's first attempt comes before its second one."""
    statement = change_of(parts.target, change)
    kind = type_of_target(parts)
    sift, sifted = kind.sift, []
    # In the last partition: whoever writes after it would notice too.
    parts.source.run("UPDATE t SET w = -1 WHERE id = 1")
    parts.target.run("CREATE TABLE t (id int PRIMARY KEY, v varchar(40), w int, CHECK (w <> -1))")
    copied = after(monkeypatch, 5, lambda: None)

    async def change_and_sift(self, table, receipt, work):
        sifted.append(receipt.partition)
        await asyncio.to_thread(parts.target.run, statement)
        return await sift(self, table, receipt, work)

    monkeypatch.setattr(kind, "sift", change_and_sift)
    files = {"on_error": "reject", "rejects": str(tmp_path)}
    with pytest.raises(TargetChanged):
        await again(parts, mode="append", **files)
    assert (len(copied), len(sifted)) == (3, 1)
    assert list(tmp_path.rglob("*.parquet")) == []


@pytest.mark.faults
@few_pairs
@pytest.mark.parametrize("change", ["truncate", "drop", "type", "add"])
async def test_a_source_cannot_be_changed_while_it_is_read(parts, change, monkeypatch):
    """It waits until all rows are there, which are those of the snapshot."""
    family = not parts.source.url.startswith("postgres")
    short = "SET SESSION lock_wait_timeout = 1; " if family else "SET lock_timeout = '300ms'; "
    statement, refused = short + change_of(parts.source, change), []

    def act():
        try:
            parts.source.run(statement)
        except Exception as error:
            refused.append(str(error))

    after(monkeypatch, 2, act)
    with anyio.fail_after(60):
        result = await again(parts)
    assert len(refused) == 1
    assert "timeout" in refused[0]
    assert result.rows == ROWS
    assert result.consistent
    await parts.same(SAME)
