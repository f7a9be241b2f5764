"""Rejected rows between memory databases: files, limits, names, and what the command returns."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

import anyio
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import fastload
from fastload import cli, partition
from fastload.config import CopyOptions
from fastload.errors import (
    ConfigError,
    EncodeError,
    PlanError,
    RejectLimit,
    SourceError,
    TargetError,
)
from fastload.misfits import Misfit, misfits_of, with_misfits
from fastload.model import Column, Cut, QualifiedName, Receipt, Seal, Table, TablePlan
from fastload.reject_files import Reason, RejectFile, clear, file_of, make_folder
from fastload.sifting import Held, Sifter
from fastload.testing.memory import database, forget
from fastload.testing.memory.target import MemoryTarget
from fastload.transform import Renamed
from fastload.written import Written

CUT = Cut(visible="test")
_numbers = itertools.count(1)


@pytest.fixture
def ends():
    names = [f"rejecting-{next(_numbers)}" for _ in range(2)]
    yield [database(name) for name in names]
    for name in names:
        forget(name)


INT64 = pa.int64()


async def fill(endpoint, values, type_=INT64):
    data = pa.table({"id": pa.array(range(len(values)), pa.int64()), "v": pa.array(values, type_)})
    await fastload.write(data, endpoint, "public.t")


async def test_each_row_is_loaded_or_in_a_file(ends, tmp_path):
    source, target = ends
    bad = {0, 63, 64, 65, 998, 999}
    await fill(source, [1 << 40 if i in bad else i for i in range(1000)])
    await fill(target, [], pa.int32())
    with pytest.raises(EncodeError):
        await fastload.copy(source, target, mode="append")
    result = await fastload.copy(source, target, mode="append", **options(tmp_path))
    assert (result.rows, result.rejected) == (994, 6)
    (file,) = result.tables[0].rejects
    rows = pq.read_table(file)
    assert set(rows["id"].to_pylist()) == bad
    assert set(rows["fastload_error"].to_pylist()) == {"encode"}
    there = target.tables[QualifiedName("public", "t")].rows["id"].to_pylist()
    assert sorted(there) == [i for i in range(1000) if i not in bad]


async def test_a_run_of_the_same_name_leaves_the_files_of_the_one_before(ends, tmp_path):
    """Also one that fails; nobody else has the rows in them."""
    source, target = ends
    await fill(source, [1, 1 << 40, 3])
    await fill(target, [], pa.int32())
    made = []
    for limit in (1, 1, 0, 1):
        copying = fastload.copy(
            source, target, mode="append", **options(tmp_path, reject_limit=limit)
        )
        if limit:
            made += (await copying).tables[0].rejects
        else:
            with pytest.raises(RejectLimit):
                await copying
    assert len(set(made)) == 3
    assert {str(f) for f in tmp_path.rglob("*") if f.is_file()} == set(made)
    assert [pq.read_table(f)["id"].to_pylist() for f in made] == [[1]] * 3


async def test_a_run_that_cannot_begin_leaves_no_folder(ends, tmp_path, monkeypatch):
    source, target = ends
    await fill(source, [1])

    async def prepare(target, plan):
        raise TargetError("no")

    monkeypatch.setattr(MemoryTarget, "prepare", prepare)
    with pytest.raises(TargetError):
        await fastload.copy(source, target, **options(tmp_path / "refused"))
    assert list((tmp_path / "refused").iterdir()) == []


def options(folder, **others):
    return {"on_error": "reject", "rejects": folder, **others}


@pytest.mark.parametrize(("limit", "fits"), [(0, False), (2, False), (3, True)])
async def test_the_limit_is_the_most_that_is_rejected(ends, tmp_path, limit, fits):
    source, target = ends
    await fill(source, [1, 1 << 40, 1 << 40, 2, 1 << 40])
    await fill(target, [], pa.int32())
    copying = fastload.copy(source, target, mode="append", **options(tmp_path, reject_limit=limit))
    if fits:
        assert (await copying).rejected == 3
        return
    with pytest.raises(RejectLimit):
        await copying
    assert not list(tmp_path.rglob("*.parquet"))


async def test_the_limit_counts_what_earlier_processes_rejected(ends, tmp_path, monkeypatch):
    """Partitions that are done count; of the one that went beyond, nothing does."""
    monkeypatch.setattr(partition, "wanted", lambda *sizes: 2)
    source, target = ends
    bad = {10, 20, 70, 80}
    await fill(source, [1 << 40 if i in bad else i for i in range(128)])
    await fill(target, [], pa.int32())
    by_id = {"public.t": "id"}
    given = {"mode": "append", "run": "limited", "parallel": 1, "partition_by": by_id}
    for _ in range(3):
        with pytest.raises(RejectLimit):
            await fastload.copy(source, target, **given, **options(tmp_path, reject_limit=3))
        assert target.tables[QualifiedName("public", "t")].rows.num_rows == 62
    result = await fastload.copy(source, target, **given, **options(tmp_path, reject_limit=4))
    assert (result.rows, result.rejected, len(result.tables[0].rejects)) == (124, 4, 2)


def test_a_target_without_savepoints_is_refused(ends, tmp_path, monkeypatch):
    from fastload.adapter import TargetCapabilities

    fastload.blocking.write(pa.table({"v": [1]}), ends[0], "public.t")
    monkeypatch.setattr(MemoryTarget, "capabilities", TargetCapabilities())
    with pytest.raises(PlanError, match="good rows from bad"):
        fastload.blocking.plan(*ends, **options(tmp_path))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"on_error": "rejects"}, "did you mean 'reject'"),
        ({"on_error": "reject"}, "needs a folder"),
        ({"rejects": "folder"}, "no row is rejected"),
        ({"on_error": "reject", "rejects": "folder", "mode": "upsert"}, "upsert"),
        ({"reject_limit": -1}, "not a number of rows"),
        ({"reject_limit": True}, "not a number of rows"),
    ],
)
def test_options_that_mean_nothing_are_refused(given, told):
    with pytest.raises(ConfigError) as caught:
        CopyOptions.make(**given)
    assert told in str(caught.value)


def test_a_run_may_be_continued_with_rejects():
    assert CopyOptions.make().shape() == CopyOptions.make(**options("folder")).shape()


def test_names_of_files_are_apart_and_safe():
    names = [
        ("run", QualifiedName("public", "t")),
        ("Run", QualifiedName("public", "t")),
        ("run", QualifiedName("public", "T")),
        ("run", QualifiedName("pub", "lic.t")),
        ("run", QualifiedName("pub.lic", "t")),
        ("run", QualifiedName("..", "../../t")),
        ("..", QualifiedName("public", "t")),
        ("run", QualifiedName("public", "x" * 300)),
        ("run", QualifiedName("public", "x" * 301)),
        ("run", QualifiedName("public", "\u202e\n")),
    ]
    files = [file_of(Path("/folder"), run, table, 0) for run, table in names]
    assert str(files[0]) == "/folder/run/public.t.0.parquet"
    assert len({str(f).lower() for f in files}) == len(files)
    for file in files:
        assert file.parts[:2] == ("/", "folder")
        assert len(file.parts) == 4
        assert ".." not in file.parts
        assert len(file.name) < 255
        assert file.name.isascii()


async def test_a_file_stands_for_the_last_publication(tmp_path):
    path = tmp_path / "run" / "t.0.parquet"
    row = pa.record_batch({"fastload_key": ["a"], "v": [1]})
    for key in ("first", "second"):
        file = RejectFile(path, row.schema)
        await file.add(row, Reason("constraint", "no", None, key, 0))
        assert await file.publish() == str(path)
        # A column of that name was there.
        assert pq.read_table(path)["fastload_key_"].to_pylist() == [key]
    file = RejectFile(path, row.schema)
    await file.add(row, Reason("constraint", "no", None, "third", 0))
    file.discard()
    assert pq.read_table(path)["fastload_key_"].to_pylist() == ["second"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert await RejectFile(path, row.schema).publish() is None
    assert list(path.parent.iterdir()) == []


async def test_misfits_pass_with_their_batch():
    batch = pa.record_batch({"a": [1, None], "b": [None, 2]})
    assert misfits_of(batch) == []
    noted = with_misfits(batch, [(0, 1, "infinity")])
    assert misfits_of(noted) == [Misfit(0, 1, "infinity")]
    (renamed,) = [b async for b in Renamed(Held(noted, noted.schema, CUT), ["x", "y"])]
    assert (renamed.schema.names, misfits_of(renamed)) == (["x", "y"], misfits_of(noted))
    assert misfits_of(with_misfits(batch, [])) == []


class Forgetful(Held):
    """A reading that leaves a value out and tells nobody."""

    async def seal(self):
        return Seal(rows=1, bytes=8, nulled=1)


async def test_a_value_that_is_left_out_in_silence_fails_the_partition(tmp_path):
    name = QualifiedName("public", "t")
    column = Column(name="v", type="int64", arrow="int64")
    table = Table(name=name, columns=(column,))
    plan = TablePlan(
        source=table, target=table, columns=("v",), target_columns=("v",), route="arrow", why=""
    )
    batch = pa.record_batch({"v": pa.array([None], pa.int64())})
    receipt = Receipt(run="r", epoch=1, table=name, partition=0)
    file = RejectFile(tmp_path / "t.0.parquet", batch.schema)
    reading = Forgetful(batch, batch.schema, CUT)

    async def attempt(rows):
        return Written(sum([b.num_rows async for b in rows]), 0)

    with pytest.raises(SourceError, match="left out 1 values and told of 0"):
        await Sifter(plan, reading, receipt, file, lambda _: None).run(attempt)


def test_the_command_returns_4(ends, tmp_path, capsys):
    source, target = ends
    fastload.blocking.write(pa.table({"v": [1, 1 << 40]}), source, "public.t")
    fastload.blocking.write(pa.table({"v": pa.array([], pa.int32())}), target, "public.t")
    urls = [f"memory://{end.name}" for end in ends]
    line = ["copy", *urls, "--mode", "append", "--quiet", "--on-error", "reject"]
    assert cli.main([*line, "--rejects", str(tmp_path)]) == cli.REJECTED
    assert "public.t: 1 row in" in capsys.readouterr().out
    assert cli.main([*line, "--rejects", str(tmp_path), "--reject-limit", "0"]) == cli.FAILED
    assert cli.main(line) == cli.USAGE
    assert cli.main(["copy", *urls, "--mode", "truncate", "--where", "x=y"]) == cli.USAGE


async def test_a_file_stays_of_a_write_that_may_have_been_committed(ends, tmp_path, monkeypatch):
    """As one is whose caller was cancelled during the commit; not of one that was undone."""
    from fastload.testing.memory.target import MemoryTarget

    sift_once = MemoryTarget.sift_once
    await fill(ends[1], [], pa.int32())
    data = pa.table({"id": [1, 2], "v": [1, 1 << 40]})

    async def write():
        await fastload.write(data, ends[1], "public.t", mode="append", **options(tmp_path))

    async def sift_and_fail(self, *given):
        await sift_once(self, *given)
        raise EncodeError("undone")

    async def sift_and_be_cancelled(self, *given):
        await sift_once(self, *given)
        writing.cancel()
        await anyio.sleep_forever()

    monkeypatch.setattr(MemoryTarget, "sift_once", sift_and_fail)
    with pytest.raises(EncodeError):
        await write()
    assert not list(tmp_path.rglob("*.parquet"))
    monkeypatch.setattr(MemoryTarget, "sift_once", sift_and_be_cancelled)
    writing = asyncio.create_task(write())
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert len(list(tmp_path.rglob("*.parquet"))) == 1


def test_files_that_receipts_name_stay_however_the_folder_is_spelled(tmp_path):
    begun, again = tmp_path / "begun", tmp_path / "again"
    begun.mkdir()
    again.symlink_to(begun)
    make_folder(begun, "run")
    kept, stray = (file_of(begun, "run", QualifiedName("public", "t"), i) for i in range(2))
    kept.touch()
    stray.touch()
    clear(again, "run", keep=[kept])
    assert (kept.exists(), stray.exists()) == (True, False)
