"""Damaged bytes for the kernels: refused as such, or harmless; never a crash or a wild read.

The short tier runs the kernels as they are; the long one builds them anew with the address and
undefined-behaviour sanitizers of gcc.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from tests.faults import sanitized
from tests.faults.fuzzing import TARGETS
from tests.faults.loads import ROOT
from tests.faults.record import SHARE, check
from tests.faults.seeds import MYSQL, POSTGRES, recorded, store

SECONDS = max(10.0, 600.0 * SHARE) if SHARE else 2.0
SIDE_BY_SIDE = 2
pytestmark = [pytest.mark.faults, pytest.mark.slow, pytest.mark.harness]


@pytest.fixture
async def seeds(source, mariadb, mysql, tmp_path):
    source.psql(POSTGRES)
    urls = {}
    for family in (mariadb, mysql):
        name = f"seeds_{family.flavour}"
        family.create_database(name)
        family.execute(MYSQL, name)
        urls[name] = family.url_for(name)
    file = tmp_path / "seeds.json"
    store(file, await recorded(source.url, urls))
    yield file
    for family in (mariadb, mysql):
        family.drop_database(f"seeds_{family.flavour}")


async def fuzz(target, environment, seeds, folder):
    progress = folder / f"{target}.progress"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.fuzzing", target, str(SECONDS), target, str(seeds),
        str(progress), cwd=ROOT, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, error = await process.communicate()
    at = progress.read_text() if progress.exists() else "the start"
    assert process.returncode == 0, f"{target} at input {at}: {error.decode()[-3000:]}"
    return json.loads(out.splitlines()[-1])


async def test_damaged_bytes_are_refused_or_harmless(seeds, tmp_path):
    environment, how = dict(os.environ), "as built"
    if SHARE:
        environment, how = await asyncio.to_thread(sanitized.build), "ASAN and UBSAN"
    room, told = asyncio.Semaphore(SIDE_BY_SIDE), {}

    async def run(target):
        async with room:
            name = f"damaged bytes for {target}, {SECONDS:.0f} s ({how})"
            with check(name, "0 crashes, only refusals") as row:
                found = told[target] = await fuzz(target, environment, seeds, tmp_path)
                row.got = f"{found['inputs']:,} inputs, {found['taken']:,} taken, the rest refused"

    async with asyncio.TaskGroup() as group:
        for target in TARGETS:
            group.create_task(run(target))
    assert all(found["inputs"] > 100 for found in told.values())
