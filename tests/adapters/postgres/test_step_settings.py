"""What the server is told for the length of a step."""

from __future__ import annotations

import pytest
from fastload_postgres import ADAPTER

from fastload import Url
from fastload.model import Plan, Step

_SHOW = "CREATE TABLE public.told AS SELECT current_setting('{}') AS it"


async def _in_a_step(target, setting, *, width, connections=2):
    step = Step(id="s", title="s", statements=(_SHOW.format(setting),))
    plan = Plan(
        run="r", source="s", target="t", mode="create", guarantee="L3", tables=(), after=(step,)
    )
    async with ADAPTER.target(Url.parse(target.url), connections=connections) as opened:
        epoch = await opened.prepare(plan)
        await opened.run_step(step, "r", epoch, width=width)
    return target.psql("SELECT it FROM public.told")


@pytest.mark.parametrize(("width", "workers"), [(1, "0"), (2, "1"), (9, "2")])
async def test_a_step_has_the_workers_of_idle_lanes_and_no_more_than_allowed(
    target, width, workers
):
    setting = "max_parallel_maintenance_workers"
    assert await _in_a_step(target, setting, width=width) == workers


async def test_lanes_share_memory_the_size_of_the_shared_buffers(target):
    shared = int(target.psql("SELECT pg_size_bytes(current_setting('shared_buffers'))"))
    least = int(target.psql("SELECT pg_size_bytes(current_setting('maintenance_work_mem'))"))
    told = await _in_a_step(target, "maintenance_work_mem", width=1)
    got = int(target.psql(f"SELECT pg_size_bytes('{told}')"))
    assert got == max(least, min(1 << 30, shared // 2))
