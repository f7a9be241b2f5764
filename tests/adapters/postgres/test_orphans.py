"""A writer whose process has gone, and who still writes."""

from __future__ import annotations

import asyncpg
from fastload_postgres import ADAPTER, state

import fastload
from fastload import Url
from fastload.model import Receipt


async def test_an_orphan_that_still_writes_is_waited_for(source, target):
    """Its receipt is the one that counts, whoever comes second."""
    source.psql("CREATE TABLE t AS SELECT generate_series(1, 10) AS n")
    orphan = await asyncpg.connect(target.url)
    async with ADAPTER.target(Url.parse(target.url), connections=1) as opened:
        plan = await fastload.plan(source.url, target.url, run="orphan")
        epoch = await opened.prepare(plan)
        table = plan.tables[0]
        receipt = Receipt(run="orphan", epoch=epoch, table=table.source.name, partition=0)
        transaction = orphan.transaction()
        await transaction.start()
        assert await state.begin_receipt(orphan, receipt) is None
        await orphan.execute("INSERT INTO t SELECT generate_series(1, 10)")
        await state.end_receipt(orphan, Receipt(**{**_fields(receipt), "rows": 10, "bytes": 1}))
        await transaction.commit()
    await orphan.close()
    result = await fastload.copy(source.url, target.url, run="orphan")
    assert result.rows == 10
    assert target.checksum("t") == source.checksum("t")


def _fields(receipt: Receipt) -> dict[str, object]:
    return {name: getattr(receipt, name) for name in receipt.__struct_fields__}
