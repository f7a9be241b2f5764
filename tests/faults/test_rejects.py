"""Rows that are rejected while the process is killed: each is in the target or in a file, once."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import fastload
from fastload.testing.faults import proxy
from tests.faults.conftest import with_pairs
from tests.faults.loads import send

LOADER = str(Path(__file__).parent / "loader.py")
ROWS = 20_000
TABLE = """
CREATE TABLE t (id int PRIMARY KEY, v int, filler text);
INSERT INTO t SELECT n, CASE WHEN n % 1777 = 0 THEN -1 ELSE n END, repeat('x', 1400)
FROM {numbers}"""
THERE = "CREATE TABLE t (id int PRIMARY KEY, v int CHECK (v >= 0), filler text)"
BAD = [n for n in range(1, ROWS + 1) if n % 1777 == 0]
few_pairs = pytest.mark.parametrize(
    "pair",
    [("postgres", "postgres", "wire"), ("mysql", "mariadb", "auto")],
    ids="-".join,
    indirect=True,
)


def options(folder):
    return {
        "mode": "append",
        "run": "killed",
        "parallel": 2,
        "on_error": "reject",
        "rejects": str(folder),
    }


@pytest.fixture
def big(pair):
    pair.source.run(TABLE.format(numbers=pair.source.numbers(ROWS)))
    pair.source.analyse("t")
    pair.target.run(THERE)
    return pair


async def start(pair, folder):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        LOADER,
        pair.source.url,
        pair.target.url,
        json.dumps(options(folder)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def in_files(folder):
    files = sorted(Path(folder).rglob("*.parquet"))
    return [i for file in files for i in pq.read_table(file, columns=["id"])["id"].to_pylist()]


async def check(pair, folder, rejects=BAD):
    """Check that every row is there, or in one file, once."""
    there = [i for (i,) in await pair.target.rows("SELECT id FROM t")]
    assert sorted(in_files(folder)) == rejects
    assert sorted(there + in_files(folder)) == list(range(1, ROWS + 1))
    assert not [f for f in Path(folder).rglob("*") if f.suffix == ".part"]


def begin_anew(pair, folder):
    """Forget the rows of a run that is done; its files would stay."""
    pair.target.run("DELETE FROM t")
    for file in Path(folder).rglob("*.parquet"):
        file.unlink()


@with_pairs(("postgres", "postgres", "wire"), long=[("mysql", "mariadb", "auto")])
@pytest.mark.slow
@pytest.mark.faults
async def test_kills_at_random_times(big, tmp_path):
    began = time.monotonic()
    process = await start(big, tmp_path)
    _, error = await process.communicate()
    assert process.returncode == 0, error.decode()
    whole_s = time.monotonic() - began
    await check(big, tmp_path)
    begin_anew(big, tmp_path)
    seeded, kills = random.Random(big.route), 0
    while kills < (3 if big.route == "wire" else 2):
        process = await start(big, tmp_path)
        try:
            await asyncio.wait_for(process.wait(), whole_s * seeded.uniform(0.5, 1.0))
        except TimeoutError:
            send(process, signal.SIGKILL)
        _, error = await process.communicate()
        assert process.returncode <= 0, error.decode()
        async with big.target.asking() as ask:
            left = await ask(f"SELECT count(*) FROM {big.target.state('runs')}")
            rows = await ask("SELECT count(*) FROM t")
        if left is None and rows:  # else it had not begun
            # One that was killed when all was done would add every row again.
            await check(big, tmp_path)
            begin_anew(big, tmp_path)
        kills += process.returncode != 0
    result = await fastload.copy(big.source.url, big.target.url, **options(tmp_path))
    assert (result.rows, result.rejected) == (ROWS - len(BAD), len(BAD))
    assert result.tables[0].partitions > 1
    await check(big, tmp_path)


@pytest.mark.parametrize("pair", [("postgres", "postgres", "wire")], ids="-".join, indirect=True)
@pytest.mark.faults
async def test_a_kill_between_the_file_and_the_commit(pair, tmp_path):
    """The file is there, the rows are not; started again, both are, once."""
    pair.source.run(
        "CREATE TABLE t (id int PRIMARY KEY, v int, filler text); "
        "INSERT INTO t SELECT n, n - 3, '' FROM generate_series(1, 100) AS n"
    )
    pair.target.run(THERE)
    with pytest.raises(fastload.ConstraintError):
        await fastload.copy(pair.source.url, pair.target.url, mode="append", run="killed")
    # The receipt is completed after the file has its name, and waits here until it is killed.
    pair.target.run(
        """CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
        $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$;
        CREATE TRIGGER wait BEFORE UPDATE ON _fastload.receipts
        FOR EACH ROW EXECUTE FUNCTION wait()"""
    )
    process = await start(pair, tmp_path)
    async with asyncio.timeout(20):
        while not in_files(tmp_path):
            assert process.returncode is None, (await process.communicate())[1].decode()
            await asyncio.sleep(0.01)
    send(process, signal.SIGKILL)
    await process.communicate()
    assert in_files(tmp_path) == [1, 2]
    assert await pair.target.rows("SELECT id FROM t") == []
    pair.target.run("DROP TRIGGER wait ON _fastload.receipts")
    # Meanwhile one of them was mended.
    pair.source.run("UPDATE t SET v = 0 WHERE id = 2")
    result = await fastload.copy(pair.source.url, pair.target.url, **options(tmp_path))
    assert (result.rows, result.rejected) == (99, 1)
    assert in_files(tmp_path) == [1]


@pytest.mark.parametrize("pair", [("postgres", "postgres", "wire")], ids="-".join, indirect=True)
@pytest.mark.faults
async def test_rows_that_were_mended_leave_no_file(pair, tmp_path):
    """As one that was written before a kill, of a partition that has no bad rows any more."""
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, v int, filler text)")
    pair.source.run("INSERT INTO t VALUES (1, -1, ''), (2, 1, '')")
    pair.target.run(THERE)
    with pytest.raises(fastload.RejectLimit):
        await fastload.copy(
            pair.source.url, pair.target.url, **options(tmp_path) | {"reject_limit": 0}
        )
    (folder,) = tmp_path.glob("killed-*")
    (folder / "public.t.0.parquet").write_bytes(b"of an earlier attempt")
    (folder / ".public.t.0.parquet.0a1b.part").write_bytes(b"likewise")
    pair.source.run("UPDATE t SET v = 0")
    result = await fastload.copy(pair.source.url, pair.target.url, **options(tmp_path))
    assert (result.rows, result.rejected) == (2, 0)
    assert [f for f in tmp_path.rglob("*") if f.is_file()] == []


@few_pairs
@pytest.mark.faults
async def test_the_same_call_again_keeps_the_files_of_the_first(pair, tmp_path):
    """Both have ended well, under one name; the rows in their files are nowhere else."""
    pair.source.run("CREATE TABLE t (id int PRIMARY KEY, v int, filler text)")
    pair.source.run("INSERT INTO t VALUES (1, -1, ''), (2, 1, ''), (3, -3, '')")
    pair.target.run("CREATE TABLE t (id int, v int CHECK (v >= 0), filler text)")
    files = []
    for rejected in ([1, 3], [3]):
        result = await fastload.copy(pair.source.url, pair.target.url, **options(tmp_path))
        assert (result.rows, result.rejected) == (3 - len(rejected), len(rejected))
        files += result.tables[0].rejects
        pair.source.run("UPDATE t SET v = 0 WHERE id = 1")
    assert [pq.read_table(f)["id"].to_pylist() for f in files] == [[1, 3], [3]]
    assert len(in_files(tmp_path)) == 3


@few_pairs
@pytest.mark.faults
async def test_a_connection_that_is_lost_while_rows_are_tried(pair, tmp_path):
    """The partition is tried again, and one whose commit had no answer is not."""
    pair.source.run(
        f"CREATE TABLE t (id int PRIMARY KEY, v int, filler text); "
        f"INSERT INTO t SELECT n, n - 3, '' FROM {pair.source.numbers(100)}"
    )
    pair.target.run(THERE)
    for number, words in enumerate((b"ROLLBACK TO", b"COMMIT")):
        async with proxy(pair.target.port) as between:
            url = pair.target.url.replace(f":{pair.target.port}/", f":{between.port}/")
            url += "?ssl_mode=DISABLED" if url.startswith(("mysql", "mariadb")) else ""
            between.lose_answer_to, between.lose_most = words, 1
            # The first of two rows is rejected by then, which the next attempt counts again.
            between.pass_first = 1 if words == b"COMMIT" else 7
            again = options(tmp_path) | {"run": f"lost {number}", "reject_limit": 2}
            result = await fastload.copy(pair.source.url, url, **again)
        assert between.lost == 1
        assert (result.rows, result.rejected) == (98, 2)
        (file,) = result.tables[0].rejects
        assert pq.read_table(file)["id"].to_pylist() == [1, 2]
        assert len(await pair.target.rows("SELECT id FROM t")) == 98
        pair.target.run("DELETE FROM t")
