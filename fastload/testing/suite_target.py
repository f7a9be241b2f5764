"""What every transactional target promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import anyio
import msgspec
import pyarrow as pa
import pytest

from fastload import planner
from fastload.adapter import Attempt, Endpoint, Mending, Selection, Sifting, Target
from fastload.channel import Waits
from fastload.config import CopyOptions
from fastload.errors import FastloadError, ResumeRefused, SourceError, StateError, TargetError
from fastload.model import (
    Cut,
    Kept,
    Partition,
    Plan,
    QualifiedName,
    Receipt,
    Seal,
    Sequence,
    StoredRun,
    TablePlan,
)
from fastload.stream import StreamSource
from fastload.testing.suite_hooks import NAME, Hooks, items, tuples

_RUN = "suite"
_CUT = Cut(visible="suite")


# As if the source had delivered so many values as NULL: a receipt keeps that.
_NULLED = 7


# Of a column that takes no NULL.
NO_KEY = pa.table({"id": pa.array([50, None, 51], pa.int64()), "name": ["a", "b", "c"]})


class Rows:
    """A reading of an Arrow table that can lie, fail, or stop in the middle."""

    cut = _CUT

    def __init__(
        self, data: pa.Table, *, claims: int | None = None, middle: Callable[[], None] | None = None
    ) -> None:
        self._data = data
        self._claims = data.num_rows if claims is None else claims
        self._middle = middle
        self.begun = anyio.Event()
        self.go_on = anyio.Event()
        self.go_on.set()

    @property
    def schema(self) -> pa.Schema:
        """The table's."""
        return self._data.schema

    async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
        half = self._data.num_rows // 2
        for part in (self._data.slice(0, half), self._data.slice(half)):
            for batch in part.to_batches():
                yield batch
            self.begun.set()
            await self.go_on.wait()
            if self._middle:
                self._middle()

    async def seal(self) -> Seal:
        """Return what is claimed."""
        return Seal(rows=self._claims, bytes=self._data.nbytes, nulled=_NULLED)

    def waits(self) -> Waits:
        """Return nothing."""
        return Waits()


@dataclass(frozen=True)
class Prepared:
    """A target whose run is prepared for the table of items."""

    target: Target
    plan: Plan
    epoch: int

    @property
    def table(self) -> TablePlan:
        """The plan of the table."""
        return self.plan.tables[0]

    def receipt(self, partition: int = 0) -> Receipt:
        """Return an open receipt of this epoch."""
        return Receipt(run=_RUN, epoch=self.epoch, table=NAME, partition=partition)


class TargetSuite(Hooks):
    """Tests of ``Target`` and ``StateStore``."""

    async def test_rows_and_receipt_are_there_after_a_write(self, endpoint: Endpoint) -> None:
        """The receipt is full, and the run's state has it."""
        async with self._prepared(endpoint) as run:
            receipt = await run.target.write(run.table, Rows(items(1000)), run.receipt())
            kept = await run.target.barrier(_RUN)
            stored = await run.target.state().claim(_RUN)
        assert kept == Kept(receipts=1, steps=0)
        assert (receipt.rows, receipt.cut, receipt.nulled) == (1000, _CUT, _NULLED)
        assert stored is not None
        assert stored.receipts == (receipt,)
        assert await self.rows(endpoint, NAME) == tuples(items(1000))

    async def test_a_partition_is_written_once(self, endpoint: Endpoint) -> None:
        """A second writer gets the stored receipt, and its rows are not taken."""
        async with self._prepared(endpoint) as run:
            first = await run.target.write(run.table, Rows(items(10)), run.receipt())
            second = await run.target.write(run.table, Rows(items(99)), run.receipt())
        assert second == first
        assert await self.rows(endpoint, NAME) == tuples(items(10))

    async def test_two_writers_at_once_write_once(self, endpoint: Endpoint) -> None:
        """The later one waits for the earlier."""
        async with self._prepared(endpoint) as run:
            slow, receipts = Rows(items(10)), []
            slow.go_on = anyio.Event()

            async def write(reading: Rows) -> None:
                receipts.append(await run.target.write(run.table, reading, run.receipt()))

            async with anyio.create_task_group() as group:
                group.start_soon(write, slow)
                await slow.begun.wait()
                group.start_soon(write, Rows(items(99)))
                await anyio.lowlevel.checkpoint()
                slow.go_on.set()
        assert receipts[0] == receipts[1]
        assert await self.rows(endpoint, NAME) == tuples(items(10))

    async def test_rows_that_do_not_add_up_are_rolled_back(self, endpoint: Endpoint) -> None:
        """A reading whose seal says otherwise is refused."""
        async with self._prepared(endpoint) as run:
            with pytest.raises(TargetError):
                await run.target.write(run.table, Rows(items(10), claims=11), run.receipt())
            await self._nothing_is_left(endpoint, run)

    async def test_a_reading_that_fails_leaves_nothing(self, endpoint: Endpoint) -> None:
        """Its error comes through."""

        def fail() -> None:
            raise SourceError("the source has failed")

        async with self._prepared(endpoint) as run:
            with pytest.raises(SourceError, match="has failed"):
                await run.target.write(run.table, Rows(items(10), middle=fail), run.receipt())
            await self._nothing_is_left(endpoint, run)

    async def test_a_cancelled_write_leaves_nothing(self, endpoint: Endpoint) -> None:
        """And the partition can be written afterwards."""
        async with self._prepared(endpoint) as run:
            reading = Rows(items(10))
            reading.go_on = anyio.Event()
            async with anyio.create_task_group() as group:
                group.start_soon(run.target.write, run.table, reading, run.receipt())
                await reading.begun.wait()
                group.cancel_scope.cancel()
            await self._nothing_is_left(endpoint, run)
            await run.target.write(run.table, Rows(items(10)), run.receipt())
        assert await self.rows(endpoint, NAME) == tuples(items(10))

    async def test_refused_rows_cost_no_others(self, endpoint: Endpoint) -> None:
        """An attempt is there or it is not, and the receipt keeps how many rows are not."""
        async with self._prepared(endpoint) as run:
            if not run.target.capabilities.rejects:
                return
            sift = _sifting(run.target).sift
            refused: list[FastloadError] = []

            async def work(attempt: Attempt) -> Receipt:
                for rows in (items(0), items(10), NO_KEY, items(10, first=10), NO_KEY):
                    try:
                        written = await attempt(Rows(rows))
                    except FastloadError as error:
                        refused.append(error)
                    else:
                        assert written == (rows.num_rows, 0)
                return full

            full = msgspec.structs.replace(
                run.receipt(), rows=20, bytes=1, cut=_CUT, rejected=6, rejects="folder/é"
            )
            assert await sift(run.table, run.receipt(), work) == full
            assert [error.of_data for error in refused] == [True, True]
            assert await sift(run.table, run.receipt(), _no_work) == full
            kept = await run.target.barrier(_RUN)
            stored = await run.target.state().claim(_RUN)
        assert kept == Kept(receipts=1, steps=0)
        assert stored is not None
        assert stored.receipts == (full,)
        assert await self.rows(endpoint, NAME) == tuples(items(20))

    async def test_work_that_fails_leaves_nothing(self, endpoint: Endpoint) -> None:
        """Not the rows of its good attempts either."""

        async def work(attempt: Attempt) -> Receipt:
            await attempt(Rows(items(10)))
            with suppress(FastloadError):
                await attempt(Rows(NO_KEY))
            raise SourceError("the source has failed")

        async with self._prepared(endpoint) as run:
            if not run.target.capabilities.rejects:
                return
            with pytest.raises(SourceError, match="has failed"):
                await _sifting(run.target).sift(run.table, run.receipt(), work)
            await self._nothing_is_left(endpoint, run)
            stored = await run.target.state().claim(_RUN)
            assert stored is not None
            with pytest.raises(StateError):
                await _sifting(run.target).sift(run.table, run.receipt(), work)
            await self._nothing_is_left(endpoint, run)

    async def test_a_plan_is_sifted_at_once_or_not_at_all(self, endpoint: Endpoint) -> None:
        """What was cleared for the rows comes back with them."""
        await self.fill(endpoint, NAME, items(5, first=100), ("id",))
        receipt = Receipt(run=_RUN, epoch=0, table=NAME, partition=0)
        full = msgspec.structs.replace(receipt, rows=10, bytes=1, cut=_CUT, rejected=3)

        async def work(attempt: Attempt) -> Receipt:
            await attempt(Rows(items(10)))
            with pytest.raises(FastloadError) as caught:
                await attempt(Rows(NO_KEY))
            assert caught.value.of_data
            if fails:
                raise SourceError("the source has failed")
            return full

        async with self.adapter.target(endpoint, connections=2) as target:
            if not target.capabilities.rejects:
                return
            once = _sifting(target).sift_once
            for mode in ("truncate", "replace"):
                plan, fails = await _planned(target, (), mode=mode), True
                with pytest.raises(SourceError):
                    await once(plan, plan.tables[0], receipt, work)
                assert await self.rows(endpoint, NAME) == tuples(items(5, first=100))
                fails = False
                assert await once(plan, plan.tables[0], receipt, work) == full
                assert await self.rows(endpoint, NAME) == tuples(items(10))
                await self._clear(target, receipt)
            assert await target.state().runs() == []

    async def test_a_claimed_run_refuses_its_earlier_owner(self, endpoint: Endpoint) -> None:
        """Writes and steps of an earlier epoch change nothing."""
        async with self._prepared(endpoint) as run:
            stored = await run.target.state().claim(_RUN)
            assert stored is not None
            assert stored.epoch > run.epoch
            with pytest.raises(StateError):
                await run.target.write(run.table, Rows(items(10)), run.receipt())
            for step in run.plan.after:
                with pytest.raises(StateError):
                    await run.target.run_step(step, _RUN, run.epoch)
            with pytest.raises(StateError):
                await run.target.restart(_RUN, run.epoch, run.table)
            now = replace(run, epoch=stored.epoch)
            await self._nothing_is_left(endpoint, now)
            await now.target.write(now.table, Rows(items(10)), now.receipt())
        assert await self.rows(endpoint, NAME) == tuples(items(10))

    async def test_a_claim_knows_of_every_partition_that_comes_through(
        self, endpoint: Endpoint
    ) -> None:
        """One that is being written is waited for, or refused when it is done."""
        async with self._prepared(endpoint) as run:
            slow, written = Rows(items(10)), []
            claimed: list[StoredRun | None] = []
            slow.go_on = anyio.Event()

            async def write() -> None:
                with suppress(StateError):
                    written.append(await run.target.write(run.table, slow, run.receipt()))

            async def claim() -> None:
                claimed.append(await run.target.state().claim(_RUN))

            async with anyio.create_task_group() as group:
                group.start_soon(write)
                await slow.begun.wait()
                group.start_soon(claim)
                await anyio.sleep(0.2)
                slow.go_on.set()
        assert claimed[0] is not None
        assert claimed[0].receipts == tuple(written)
        assert len(await self.rows(endpoint, NAME)) == 10 * len(written)

    async def test_a_claim_returns_the_plan_as_it_was_stored(self, endpoint: Endpoint) -> None:
        """Plan, partitions and options are equal; unknown runs are None."""
        async with self._prepared(endpoint) as run:
            stored = await run.target.state().claim(_RUN)
            assert stored is not None
            assert stored.plan == run.plan
            assert (stored.receipts, stored.steps) == ((), ())
            assert await run.target.state().claim("another") is None

    async def test_a_run_is_prepared_once(self, endpoint: Endpoint) -> None:
        """A second process that prepares the same run is refused."""
        async with self._prepared(endpoint) as run:
            with pytest.raises(StateError):
                await run.target.prepare(run.plan)

    async def test_steps_are_done_once_and_remembered(self, endpoint: Endpoint) -> None:
        """Repeating one has no effect."""
        async with self._prepared(endpoint) as run:
            await run.target.write(run.table, Rows(items(10)), run.receipt())
            for step in (*run.plan.after, *run.plan.after):
                await run.target.run_step(step, _RUN, run.epoch)
            kept = await run.target.barrier(_RUN)
            stored = await run.target.state().claim(_RUN)
        assert kept == Kept(receipts=1, steps=len(run.plan.after))
        assert stored is not None
        assert sorted(stored.steps) == sorted(s.id for s in run.plan.after)

    async def test_what_a_table_takes_is_told_as_far_as_it_is_there(
        self, endpoint: Endpoint
    ) -> None:
        """With the statement that gives it back."""
        async with self._prepared(endpoint) as run:
            await run.target.write(run.table, Rows(items(10)), run.receipt())
            name = run.table.target.name
            missing = QualifiedName(name.schema, "nowhere")
            found = await run.target.occupied([missing, name])
            assert [o.table for o in found] == [name]
            assert found[0].bytes > 0
            assert found[0].emptying

    async def test_a_table_can_start_over(self, endpoint: Endpoint) -> None:
        """Its receipts and rows are gone, and its new plan is stored."""
        async with self._prepared(endpoint) as run:
            await run.target.write(run.table, Rows(items(10)), run.receipt())
            parts = (Partition(table=NAME, index=0), Partition(table=NAME, index=1))
            fresh = msgspec.structs.replace(run.table, partitions=parts)
            await run.target.restart(_RUN, run.epoch, fresh)
            stored = await run.target.state().claim(_RUN)
        assert stored is not None
        assert stored.receipts == ()
        assert stored.plan.tables[0].partitions == parts
        assert await self.rows(endpoint, NAME) == []

    async def test_a_table_with_rows_of_others_does_not_start_over(
        self, endpoint: Endpoint
    ) -> None:
        """Emptying it would remove rows that no receipt stands for."""
        async with self._prepared(endpoint) as run:
            await run.target.write(run.table, Rows(items(10)), run.receipt())
            await self.fill(endpoint, NAME, items(1, first=99), ("id",))
            with pytest.raises(ResumeRefused, match="holds 11 rows and the run has written 10"):
                await run.target.restart(_RUN, run.epoch, run.table)
            (stored,) = await run.target.state().runs()
        assert len(stored.receipts) == 1
        assert len(await self.rows(endpoint, NAME)) == 11

    async def test_a_plan_is_done_at_once_or_not_at_all(self, endpoint: Endpoint) -> None:
        """Rows that cannot be written bring back what was cleared for them; nothing is stored."""
        await self.fill(endpoint, NAME, items(5, first=100), ("id",))

        def fail() -> None:
            raise SourceError("the source has failed")

        async with self.adapter.target(endpoint, connections=2) as target:
            for mode in ("truncate", "replace"):
                plan = await _planned(target, (), mode=mode)
                once = partial(target.write_once, plan, plan.tables[0])
                receipt = Receipt(run=_RUN, epoch=0, table=NAME, partition=0)
                for reading in (Rows(items(10), middle=fail), Rows(items(10), claims=9)):
                    with pytest.raises(FastloadError):
                        await once(reading, receipt)
                    assert await self.rows(endpoint, NAME) == tuples(items(5, first=100))
                done = await once(Rows(items(10)), receipt)
                assert done.rows == 10
                assert await self.rows(endpoint, NAME) == tuples(items(10))
                append = await _planned(target, (), mode="append")
                more = Rows(items(3, first=50))
                await target.write_once(append, append.tables[0], more, receipt)
                assert len(await self.rows(endpoint, NAME)) == 13
                await self._clear(target, receipt)
            assert await target.state().runs() == []

    async def _clear(self, target: Target, receipt: Receipt) -> None:
        plan = await _planned(target, (), mode="truncate")
        rows = Rows(items(5, first=100))
        await target.write_once(plan, plan.tables[0], rows, receipt)

    @pytest.mark.parametrize(
        ("begun", "then", "outcome"),
        [
            ("create", "create", "refused"),
            ("create", "append", "refused"),
            ("append", "truncate", "forgotten"),
            ("append", "replace", "forgotten"),
            ("append", "append", "kept"),
            ("append", "upsert", "kept"),
            ("upsert", "append", "kept"),
        ],
    )
    async def test_another_run_that_fills_the_table(
        self, endpoint: Endpoint, begun: str, then: str, outcome: str
    ) -> None:
        """It stands in the way, is made void, or goes on beside, as the modes say."""
        if begun != "create":
            await self.fill(endpoint, NAME, items(0), ("id",))
        async with self.adapter.target(endpoint, connections=2) as target:
            first = await _planned(target, (), mode=begun)
            epoch = await target.prepare(first)
            second = await _planned(target, (), mode=then, run="second")
            if outcome == "refused":
                with pytest.raises(StateError, match=f"belongs to run '{_RUN}'"):
                    await target.prepare(second)
            else:
                await target.prepare(second)
            runs = {stored.plan.run for stored in await target.state().runs()}
            if outcome == "forgotten":
                receipt = Receipt(run=_RUN, epoch=epoch, table=NAME, partition=0)
                with pytest.raises(StateError):
                    await target.write(first.tables[0], Rows(items(10)), receipt)
        expected = {"refused": {_RUN}, "forgotten": {"second"}, "kept": {_RUN, "second"}}
        assert runs == expected[outcome]

    async def test_rows_are_mended_at_once_or_not_at_all(self, endpoint: Endpoint) -> None:
        """Deleted by key, then merged; what cannot be merged leaves what was to be deleted."""
        await self.fill(endpoint, NAME, items(10), ("id",))
        changed = pa.table({"id": pa.array([3, 20], pa.int64()), "name": ["other", None]})
        gone = pa.table({"id": pa.array([5, 6, 99], pa.int64())})
        async with self.adapter.target(endpoint, connections=2) as target:
            if not target.capabilities.mend:
                return
            table = (await _planned(target, (), mode="upsert")).tables[0]
            keys = msgspec.structs.replace(table, columns=("id",), target_columns=("id",))
            mend = cast("Mending", target).mend
            with pytest.raises(FastloadError):
                await mend(table, Rows(NO_KEY), keys, Rows(gone))
            assert await self.rows(endpoint, NAME) == tuples(items(10))
            await mend(table, Rows(changed), keys, Rows(gone))
            assert await target.state().runs() == []
        kept = {row[0]: row for row in tuples(items(10)) if row[0] not in (5, 6)}
        expected = kept | {3: (3, "other"), 20: (20, None)}
        assert await self.rows(endpoint, NAME) == sorted(expected.values())

    async def test_a_discarded_run_is_forgotten(self, endpoint: Endpoint) -> None:
        """Its rows stay; discarding again, or an unknown run, has no effect."""
        async with self._prepared(endpoint) as run:
            await run.target.write(run.table, Rows(items(10)), run.receipt())
            state = run.target.state()
            for name in (_RUN, _RUN, "another"):
                await state.discard(name)
            assert await state.claim(_RUN) is None
            assert await state.runs() == []
        assert len(await self.rows(endpoint, NAME)) == 10

    async def test_a_run_of_the_same_name_is_another(self, endpoint: Endpoint) -> None:
        """Whoever worked for one that was forgotten neither writes into it nor forgets it."""
        async with self._prepared(endpoint) as run:
            target, state = run.target, run.target.state()
            await state.discard(_RUN)
            plan = await _planned(target, (), mode="truncate")
            now = replace(run, plan=plan, epoch=await target.prepare(plan))
            with pytest.raises(StateError):
                await target.write(run.table, Rows(items(10)), run.receipt())
            if target.capabilities.rejects:
                with pytest.raises(StateError):
                    await _sifting(target).sift(run.table, run.receipt(), _no_work)
            for step in run.plan.after:
                with pytest.raises(StateError):
                    await target.run_step(step, _RUN, run.epoch)
            with pytest.raises(StateError):
                await target.restart(_RUN, run.epoch, run.table)
            with pytest.raises(StateError):
                await state.discard(_RUN, run.epoch)
            await self._nothing_is_left(endpoint, now)
            done = await target.write(now.table, Rows(items(20)), now.receipt())
            assert [stored.receipts for stored in await state.runs()] == [(done,)]
            claimed = await state.claim(_RUN)
            assert claimed is not None
            with pytest.raises(StateError):
                await state.discard(_RUN, now.epoch)
            for _ in range(2):  # again, where the answer was lost
                await state.discard(_RUN, claimed.epoch)
            assert await state.runs() == []
        assert await self.rows(endpoint, NAME) == tuples(items(20))

    @pytest.mark.parametrize("end", ["discarded", "closed"])
    async def test_who_works_for_a_run_is_seen_while_it_lives(
        self, endpoint: Endpoint, end: str
    ) -> None:
        """By others, and until the run ends by its epoch or the target is closed."""
        async with self.adapter.target(endpoint, connections=1) as other:
            state = other.state()
            async with self._prepared(endpoint) as run:
                look = partial(state.worker, _RUN, run.epoch)
                assert await look() is None
                await run.target.state().show(_RUN, run.epoch)
                await _until(look, there=True)
                await anyio.sleep(2.5)
                worker = await look()
                assert worker is not None
                assert worker.told
                assert worker.silent_s is not None
                assert worker.silent_s < 2.5
                assert await state.worker(_RUN, run.epoch + 1) is None
                assert await state.worker("another", run.epoch) is None
                if end == "discarded":
                    await run.target.state().discard(_RUN, run.epoch)
                    await _until(look, there=False)
            await _until(look, there=False)

    async def test_the_translated_catalogue_stays_as_it_is(self, endpoint: Endpoint) -> None:
        """A catalogue in the target's own dialect comes back unchanged."""
        async with self.adapter.target(endpoint, connections=1) as target:
            once = target.translate(await StreamSource(items(1), NAME).catalog(Selection()))
            assert target.translate(once) == once

    async def test_sequences_are_set_and_kept_if_higher(self, endpoint: Endpoint) -> None:
        """``keep_higher`` never sets one back."""
        name = QualifiedName("public", "numbers")
        async with self._prepared(endpoint, sequences=(_sequence(name, None),)) as run:
            for value, keep_higher in ((50, False), (20, True), (70, True), (30, False)):
                wanted = _sequence(name, value)
                await run.target.advance([wanted], _RUN, run.epoch, keep_higher=keep_higher)
            assert await run.target.state().claim(_RUN)
            wanted = _sequence(name, 80)
            with pytest.raises(StateError):
                await run.target.advance([wanted], _RUN, run.epoch, keep_higher=True)
        async with self.adapter.source(endpoint, connections=1) as source:
            catalog = await source.catalog(Selection())
            found = {s.name: _next(s) for s in await source.sequences(catalog)}
        assert found.get(name) == (31 if self.has_sequences(endpoint) else None)

    def has_sequences(self, endpoint: Endpoint) -> bool:
        """Say whether this database has sequences that belong to no column."""
        return True

    async def _nothing_is_left(self, endpoint: Endpoint, run: Prepared) -> None:
        """Check that neither rows nor receipts are there."""
        (stored,) = await run.target.state().runs()
        assert stored.receipts == ()
        assert await self.rows(endpoint, NAME) == []

    @asynccontextmanager
    async def _prepared(
        self, endpoint: Endpoint, sequences: tuple[Sequence, ...] = ()
    ) -> AsyncIterator[Prepared]:
        async with self.adapter.target(endpoint, connections=2) as target:
            plan = await _planned(target, sequences)
            yield Prepared(target, plan, await target.prepare(plan))


async def _until(look: Callable[[], Awaitable[object]], *, there: bool) -> None:
    for _ in range(200):
        if (await look() is not None) == there:
            return
        await anyio.sleep(0.05)
    raise AssertionError(f"it should be {'there' if there else 'gone'}")


def _sifting(target: Target) -> Sifting:
    """Return the target as what can go on after refused rows."""
    assert target.capabilities.rejects
    return cast("Sifting", target)


async def _no_work(attempt: Attempt) -> Receipt:
    raise AssertionError("the partition is done already")


async def _planned(
    target: Target, sequences: tuple[Sequence, ...], *, mode: str = "create", run: str = _RUN
) -> Plan:
    """Plan a run that makes the table of items with a primary key."""
    from fastload.model import Key

    stream = StreamSource(items(1), NAME)
    catalog = await stream.catalog(Selection())
    (bare,) = catalog.tables
    key = Key(name="items_key", columns=("id",), primary=True)
    columns = (msgspec.structs.replace(bare.columns[0], nullable=False), *bare.columns[1:])
    table = msgspec.structs.replace(bare, columns=columns, keys=(key,))
    catalog = msgspec.structs.replace(catalog, tables=(table,), sequences=sequences)
    wanted = target.translate(catalog)
    plan = planner.make(
        catalog,
        wanted,
        await target.inspect(wanted),
        source=stream,
        target=target,
        options=CopyOptions.make(mode=mode),
        run=run,
    )
    (planned,) = plan.tables
    part = Partition(table=NAME, index=0)
    return msgspec.structs.replace(
        plan, tables=(msgspec.structs.replace(planned, partitions=(part,)),)
    )


def _next(sequence: Sequence) -> int | None:
    """Return the value that a sequence hands out next."""
    if sequence.last_value is None:
        return None
    return sequence.last_value + (sequence.increment if sequence.is_called else 0)


def _sequence(name: QualifiedName, last_value: int | None) -> Sequence:
    return Sequence(
        name=name,
        type="bigint",
        start=1,
        increment=1,
        minimum=1,
        maximum=2**63 - 1,
        cache=1,
        cycle=False,
        last_value=last_value,
        is_called=last_value is not None,
    )
