"""Loads that are killed and started again until they are done, and what both servers say then."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastload.tasks import in_full
from tests.faults.conftest import Mysql, Pair, Postgres, Side

ROOT = Path(__file__).parents[2]
ROWS = 8_000
FEW = 1_000
# About 7 MB in partitions of a quarter: many commits to be killed at.
PARTITION_BYTES = 256 << 10
# Longer than any load takes here; one that hangs is a failure, and is not waited for.
PATIENCE_S = 120.0
TABLES = """
CREATE TABLE keyed (id bigint PRIMARY KEY, v varchar(40), amount numeric(12,2), filler text);
INSERT INTO keyed SELECT n, concat('v', n), n / 7.0, repeat('x', 400) FROM {numbers};
CREATE INDEX by_v ON keyed (v);
CREATE TABLE keyless (n int, v varchar(40), filler text);
INSERT INTO keyless SELECT n, concat('w', n), repeat('y', 400) FROM {numbers};
CREATE TABLE referring (id int PRIMARY KEY, keyed bigint REFERENCES keyed (id));
INSERT INTO referring SELECT n, n FROM {few}"""
KEYS = {"keyed": "id", "keyless": "n", "referring": "id"}
_TEXTS = {
    "keyed": "concat_ws('|', id, v, amount, filler)",
    "keyless": "concat_ws('|', n, v, filler)",
    "referring": "concat_ws('|', id, keyed)",
}


@dataclass
class Tally:
    """What a number of loads came to.

    Attributes:
        kills: Of their processes.
        loads: That have ended, and were compared.
        lost, doubled: Rows, as both servers count them.
        changed: Tables whose sums of digests differ.
        told: What a loader, or the target's state, said was wrong.
    """

    kills: int = 0
    loads: int = 0
    lost: int = 0
    doubled: int = 0
    changed: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        return not (self.counted or self.told)

    @property
    def counted(self) -> bool:
        """Whether both servers' counts and sums differ, whatever was said."""
        return bool(self.lost or self.doubled or self.changed)

    def __str__(self) -> str:
        changed = f", {self.changed} tables with another sum" if self.changed else ""
        told = f", told by an error: {self.told[0][:60]}" if self.told else ""
        return (
            f"{self.kills} kills in {self.loads} loads: {self.lost} lost, "
            f"{self.doubled} doubled{changed}{told}"
        )


class Failed(Exception):
    """A loader that ended by itself, and not well."""


def fill(pair: Pair) -> None:
    """Make the source's tables."""
    source = pair.source
    source.run(TABLES.format(numbers=source.numbers(ROWS), few=source.numbers(FEW)))
    source.analyse("keyed", "keyless", "referring")


def fill_without_key(pair: Pair) -> None:
    """Have one table alone, whose target has no key that would refuse a row's double."""
    fill(pair)
    pair.source.run("DROP TABLE referring; DROP TABLE keyless")
    pair.target.run(
        "CREATE TABLE keyed (id bigint, v varchar(40), amount numeric(12,2), filler text)"
    )


def _sums(side: Side, table: str) -> str:
    """Count rows and keys, and add up 60 bits of each row's digest: what both servers can do."""
    text = _TEXTS[table]
    if isinstance(side, Postgres):
        digest = f"substr(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 1, 15)"
        number = f"('x' || lpad({digest}, 16, '0'))::bit(64)::bigint::numeric"
    else:
        number = f"cast(conv(substr(sha2({text}, 256), 1, 15), 16, 10) AS decimal(20))"
    return f"SELECT count(*), count(DISTINCT {KEYS[table]}), sum({number}) FROM {table}"


async def counted(side: Side, tables: Iterable[str] = KEYS) -> dict[str, tuple[int, int, int]]:
    """Return rows, keys and the sum of digests of each table."""
    found = {}
    for table in tables:
        (row,) = await side.rows(_sums(side, table))
        found[table] = tuple(int(v or 0) for v in row)
    return found  # type: ignore[return-value]


class Loads:
    """Loads of one pair, each in processes that may be killed.

    Args:
        pair: With the tables of ``fill``.
        tally: What is found is added to.
        process: How the loader's process differs from a user's; see ``loader``.
        tables: That there are.
        options: Of the copy.
    """

    def __init__(
        self,
        pair: Pair,
        tally: Tally,
        *,
        process: Any = None,
        tables: Iterable[str] = KEYS,
        **options: Any,
    ) -> None:
        self.pair, self.tally, self._tables = pair, tally, tuple(tables)
        self.urls = (pair.source.url, pair.target.url)
        self.options = {
            "parallel": 3, "run": "killed", "mode": "replace", "route": pair.route, **options
        }  # fmt: skip
        self._process = {"partition_bytes": PARTITION_BYTES, **(process or {})}
        self._expected: dict[str, tuple[int, int, int]] | None = None

    async def start(self, **process: Any) -> asyncio.subprocess.Process:
        """Start the load, or go on with it."""
        arguments = (*self.urls, json.dumps(self.options), json.dumps(self._process | process))
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.loader", *arguments, cwd=ROOT, env=os.environ,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def ended(self, process: asyncio.subprocess.Process) -> bool:
        """Wait for the end; say whether it was killed.

        Raises:
            Failed: It ended by itself, and not well.
        """
        out, error = await said(process, PATIENCE_S)
        if process.returncode == -signal.SIGKILL:
            self.tally.kills += 1
            return True
        if process.returncode:
            raise Failed(error.decode()[-600:].strip() or out.decode()[-200:])
        return False

    async def killed_after(self, delay_s: float) -> bool:
        """Start, and kill after so long; say whether it was not done by then."""
        process = await self.start()
        loop = asyncio.get_running_loop()
        killing = loop.call_later(delay_s, send, process, signal.SIGKILL)
        try:
            return await self.ended(process)
        finally:
            killing.cancel()

    async def finish(self, **process: Any) -> None:
        """Start until it is done, and compare."""
        if await self.ended(await self.start(**process)):
            raise Failed("it was killed by something else")
        await self.compare()

    async def compare(self) -> None:
        """Count what both sides have, add the differences up, and see that nothing is left over."""
        self._expected = self._expected or await counted(self.pair.source, self._tables)
        found = await counted(self.pair.target, self._tables)
        self.tally.loads += 1
        for table, (rows, keys, digests) in found.items():
            _, expected_keys, expected = self._expected[table]
            self.tally.lost += max(0, expected_keys - keys)
            self.tally.doubled += rows - keys
            self.tally.changed += digests != expected
        async with self.pair.target.asking() as ask:
            if await ask(f"SELECT count(*) FROM {self.pair.target.state('runs')}") is not None:
                self.tally.told.append("the state is still there")


async def said(process: asyncio.subprocess.Process, patience_s: float) -> tuple[bytes, bytes]:
    """Return what a process has told by its end; kill one that hangs, or nobody waits for."""
    try:
        async with asyncio.timeout(patience_s):
            return await process.communicate()
    except BaseException:
        send(process, signal.SIGKILL)
        await in_full(process.wait())
        raise


def send(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Send a signal; the process's own method would take its exit code from asyncio."""
    with suppress(ProcessLookupError):
        if process.returncode is None:
            os.kill(process.pid, number)


def through(side: Side, port: int) -> str:
    """Return the side's URL by way of a proxy, unencrypted."""
    url = side.url.replace(f":{side.port}/", f":{port}/")
    return f"{url}?ssl_mode=DISABLED" if isinstance(side, Mysql) else url
