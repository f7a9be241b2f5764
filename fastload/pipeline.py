"""The run of a plan: snapshot, prepare, copy, steps, sequences, barrier, result."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple, cast

import msgspec

from fastload import partition, retry
from fastload.adapter import PartitionSpec, Sifting, Snapshot, Source, Target
from fastload.config import CopyOptions
from fastload.copier import Copier, Write
from fastload.errors import ConstraintError, StateError
from fastload.lanes import Lanes
from fastload.model import (
    Catalog,
    Cut,
    Partition,
    PhysicalRange,
    Plan,
    Position,
    QualifiedName,
    Receipt,
    StoredRun,
    TablePlan,
    Whole,
)
from fastload.progress import Meter
from fastload.rejecting import Rejecting, Sift
from fastload.report import CopyResult, TableResult, result_of
from fastload.room import telling_what_is_occupied
from fastload.steps import run_steps
from fastload.tasks import task_group
from fastload.verification.outcome import verified
from fastload.verification.passing import Passing


class Job(NamedTuple):
    """What every stage of a run needs.

    Attributes:
        wanted: The catalogue as the target would declare it, under its names.
        lanes: How many partitions and steps are worked at side by side.
        check: What verifies the copy; None where nobody asked.
        times: When each source table's first partition began and its last one ended, filled in.
    """

    source: Source
    target: Target
    catalog: Catalog
    wanted: Catalog
    options: CopyOptions
    meter: Meter
    times: dict[QualifiedName, tuple[float, float]]
    lanes: Lanes
    check: Passing | None = None


async def run(job: Job, plan: Plan, stored: StoredRun | None) -> CopyResult:
    """Do what the plan says, or what is left of it, and return the result.

    Durable when it returns: the run is forgotten only after everything has passed a barrier.
    """
    began = time.monotonic()
    if job.check:
        job.check.settle(job.options, job.catalog.dialect, job.wanted.dialect)
    if stored is None:
        plan, epoch, receipts = await _begin(job, plan)
    else:
        plan, epoch, receipts = await _continue(job, stored)
    done = set(stored.steps) if stored else set()
    await _settle(job.target, plan.run, receipts=len(receipts), steps=len(done))
    if rejecting := _rejecting(job, plan):
        rejecting.settle(receipts)
    with _naming_rejects(receipts):
        async with telling_what_is_occupied(job.target, plan):
            await run_steps(job.target, plan, epoch, done=done, lanes=job.lanes, meter=job.meter)
    await _advance_sequences(job, plan.run, epoch)
    await _settle(job.target, plan.run, receipts=len(receipts), steps=len(plan.after))
    await retry.repeat(partial(job.target.state().discard, plan.run, epoch))
    await job.target.rest()
    earlier = [r for r in receipts if r.epoch != epoch]
    result = _result(plan, receipts, job.times, time.monotonic() - began, earlier)
    notes = (*result.notes, *([job.lanes.note] if job.lanes.note else []))
    result = msgspec.structs.replace(result, notes=notes)
    if job.check is None:
        job.meter.finish()
        return result
    job.meter.begin_verifying()
    verification = await verified(job.check.result(plan), result)
    job.meter.finish()
    seconds = time.monotonic() - began
    return msgspec.structs.replace(result, verification=verification, seconds=seconds)


async def run_once(job: Job, plan: Plan) -> CopyResult:
    """Do a plan of one table in one transaction of the target, which stores nothing of it.

    Durable when it returns. Where it raises, nothing was changed; but who is cancelled during the
    commit, or later, is told so when that has ended, and the rows may be there.
    """
    began = time.monotonic()
    (table,) = plan.tables
    part = Partition(table=table.source.name, index=0)
    plan = msgspec.structs.replace(
        _begun(plan), tables=(msgspec.structs.replace(table, partitions=(part,)),)
    )
    async with job.source.snapshot([table.source], 1) as at:
        write = partial(job.target.write_once, plan)
        rejecting = None
        if job.options.on_error == "reject":
            sift = partial(cast("Sifting", job.target).sift_once, plan)
            rejecting = _rejecting(job, plan, sift=sift)
        receipts = await _copy(job, plan, at, 0, [], write, rejecting)
    if rejecting:
        rejecting.settle(receipts)
    job.meter.finish()
    return _result(plan, receipts, job.times, time.monotonic() - began)


async def _settle(target: Target, run: str, *, receipts: int, steps: int) -> None:
    """Pass a barrier, and make sure that all that was committed is still there behind it.

    Partitions and steps commit asynchronously: a target that crashes, and is back before the next
    attempt, has lost those of its last half second.
    """
    kept = await retry.repeat(partial(target.barrier, run))
    if (kept.receipts, kept.steps) != (receipts, steps):
        raise StateError(
            f"the target has {kept.receipts} of {receipts} partitions and {kept.steps} of {steps} "
            f"steps of run {run!r}: it lost the last ones in a crash, or another process has "
            "taken the run over",
            side="target",
            hint="start the run again: it does what is missing",
        )


async def partitioned(job: Job, plan: Plan, at: Snapshot) -> Plan:
    """Return the plan with partitions from this snapshot."""
    job.lanes.limit(at.readers, "the source gave no more connections")
    tables = list(plan.tables)
    waiting = list(range(len(tables)))

    async def lane() -> None:
        while waiting:
            index = waiting.pop()
            tables[index] = await _partition(job, tables[index], at, tables)

    async with task_group() as group:
        for _ in range(job.lanes.count):
            group.start_soon(lane)
    return msgspec.structs.replace(plan, tables=tuple(tables))


async def _partition(
    job: Job, table: TablePlan, at: Snapshot, among: Sequence[TablePlan]
) -> TablePlan:
    total_bytes = sum(t.source.bytes for t in among)
    want = partition.wanted(table.source.bytes, total_bytes, job.options.parallel)
    if want == 1 or _refers_to_itself(table) or _merges_unseen(table):
        whole = Partition(
            table=table.source.name, index=0, rows=table.source.rows, bytes=table.source.bytes
        )
        return msgspec.structs.replace(table, partitions=(whole,))
    by = job.options.partitioning(table.source.name)
    # Physical partitions mean nothing after a crash: the table would have to start over, which
    # takes emptying it.
    if by == "auto" and (not table.restartable or _clustered(job, table)):
        by = "keys"
    spec = PartitionSpec(want=want, by=by, where=table.where)
    parts = await job.source.partitions(table.source, at, spec)
    if not table.restartable and any(isinstance(p.extent, PhysicalRange) for p in parts):
        parts = [msgspec.structs.replace(parts[0], extent=Whole())]
    return msgspec.structs.replace(table, partitions=tuple(parts))


def _clustered(job: Job, table: TablePlan) -> bool:
    """Say whether the target stores the table by a key: pages of the source are no order there."""
    return job.target.capabilities.clusters and table.target.primary_key is not None


def _refers_to_itself(table: TablePlan) -> bool:
    """Say whether a live foreign key could find its row in a later partition."""
    return any(f.references == table.target.name for f in table.target.foreign_keys)


def _merges_unseen(table: TablePlan) -> bool:
    """Say whether the source may have a merge key twice, which a single partition alone finds."""
    here = dict(zip(table.columns, table.target_columns, strict=True))
    keys = [{here.get(c) for c in key.columns} for key in table.source.keys]
    return bool(table.merge_by) and not any(key <= set(table.merge_by) for key in keys)


async def _begin(job: Job, plan: Plan) -> tuple[Plan, int, list[Receipt]]:
    tables = [t.source for t in plan.tables]
    async with job.source.snapshot(tables, job.options.parallel) as at:
        plan = _begun(await partitioned(job, plan, at))
        rejecting = _rejecting(job, plan)
        try:
            epoch = await job.target.prepare(plan)
        except BaseException:
            if rejecting:
                rejecting.settle([])
            raise
        await job.target.state().show(plan.run, epoch)
        receipts = await _copy(job, plan, at, epoch, [], rejecting=rejecting)
        if job.check:
            await job.target.rest()
            await job.check.read_source(job.source, job.target, at, job.catalog, plan)
        return plan, epoch, receipts


async def _continue(job: Job, stored: StoredRun) -> tuple[Plan, int, list[Receipt]]:
    plan, epoch, receipts = stored.plan, stored.epoch, list(stored.receipts)
    await job.target.state().show(plan.run, epoch)
    unfinished = _unfinished(plan, receipts)
    if not unfinished:
        return plan, epoch, receipts
    async with job.source.snapshot([t.source for t in unfinished], job.options.parallel) as at:
        for table in unfinished:
            if any(isinstance(p.extent, PhysicalRange) for p in table.partitions):
                plan = await _start_over(job, plan, table, at, epoch)
                receipts = [r for r in receipts if r.table != table.source.name]
        rejecting = _rejecting(job, plan, receipts)
        return plan, epoch, await _copy(job, plan, at, epoch, receipts, rejecting=rejecting)


def _begun(plan: Plan) -> Plan:
    """Return the plan of a run that begins now."""
    begun = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}"
    return msgspec.structs.replace(plan, begun=begun)


def _rejecting(
    job: Job, plan: Plan, earlier: Iterable[Receipt] = (), sift: Sift | None = None
) -> Rejecting | None:
    """Return what sets rows aside, where rows may be; None otherwise.

    No other run may replace what this one rejects, also none of its name: nobody else has these
    rows.
    """
    if job.options.on_error != "reject":
        return None
    return Rejecting(
        job.target,
        job.options,
        dialect=job.catalog.dialect,
        files_of="-".join(filter(None, (plan.run, plan.begun))),
        sift=sift,
        earlier=earlier,
    )


@contextmanager
def _naming_rejects(receipts: Sequence[Receipt]) -> Iterator[None]:
    """Say of a step that rows contradict which rows are not there, and may be what it misses."""
    try:
        yield
    except ConstraintError as error:
        files = [r.rejects for r in receipts if r.rejects]
        if files:
            rows = sum(r.rejected for r in receipts)
            more = f" and {len(files) - 1} more files" if files[1:] else ""
            told = (
                f"{rows} rows were rejected, which others may refer to: mend those in {files[0]}"
                f"{more}, write them to the target, and start the run again"
            )
            error.hint = f"{error.hint}; {told}" if error.hint else told
        raise


async def _start_over(job: Job, plan: Plan, table: TablePlan, at: Snapshot, epoch: int) -> Plan:
    """Partition a table anew: its physical partitions meant the earlier snapshot's blocks."""
    fresh = await _partition(job, table, at, plan.tables)
    await job.target.restart(plan.run, epoch, fresh)
    tables = tuple(fresh if t is table else t for t in plan.tables)
    return msgspec.structs.replace(plan, tables=tables)


def _unfinished(plan: Plan, receipts: Iterable[Receipt]) -> list[TablePlan]:
    done = {(r.table, r.partition) for r in receipts}
    return [t for t in plan.tables if any((p.table, p.index) not in done for p in t.partitions)]


async def _copy(
    job: Job,
    plan: Plan,
    at: Snapshot,
    epoch: int,
    receipts: list[Receipt],
    write: Write | None = None,
    rejecting: Rejecting | None = None,
) -> list[Receipt]:
    """Copy what has no receipt, one level of tables after the other."""
    job.lanes.limit(at.readers, "the source gave no more connections")
    copier = Copier(
        job.source,
        write or job.target.write,
        at,
        run=plan.run,
        epoch=epoch,
        lane_bytes=job.options.memory_bytes // job.options.parallel,
        clusters=job.target.capabilities.clusters,
        policies={t.source.name: job.options.policies(t.source.name) for t in plan.tables},
        meter=job.meter,
        check=job.check,
        rejecting=rejecting,
    )
    _begin_meter(job.meter, plan, receipts)
    done = {(r.table, r.partition) for r in receipts}
    levels: defaultdict[int, list[tuple[TablePlan, Partition]]] = defaultdict(list)
    for table in plan.tables:
        parts = [p for p in table.partitions if (p.table, p.index) not in done]
        levels[table.level] += [(table, p) for p in parts]
    made = list(receipts)
    # What writes a whole plan at once has undone it all.
    async with telling_what_is_occupied(job.target, plan, offering=write is None):
        for level in sorted(levels):
            made += await _copy_level(levels[level], copier, job)
    return made


async def _copy_level(
    parts: list[tuple[TablePlan, Partition]], copier: Copier, job: Job
) -> list[Receipt]:
    """Copy partitions side by side, largest first."""
    waiting = sorted(parts, key=lambda pair: pair[1].bytes)
    left: defaultdict[QualifiedName, int] = defaultdict(int)
    for _, part in parts:
        left[part.table] += 1
    receipts: list[Receipt] = []

    async def take() -> tuple[TablePlan, Partition] | None:
        return waiting.pop() if waiting else None

    async def work(pair: tuple[TablePlan, Partition]) -> None:
        table, part = pair
        job.meter.begin_table(str(part.table))
        now = time.monotonic()
        receipts.append(await copier.copy(table, part))
        first, _ = job.times.get(part.table, (now, now))
        job.times[part.table] = (first, time.monotonic())
        left[part.table] -= 1
        if not left[part.table]:
            job.meter.end_table(str(part.table))

    await job.lanes.run(len(waiting), take, waiting.append, work)
    return receipts


def _begin_meter(meter: Meter, plan: Plan, receipts: Sequence[Receipt]) -> None:
    # Before the start: they are no speed of this process.
    rows, bytes_ = (sum(getattr(r, what) or 0 for r in receipts) for what in ("rows", "bytes"))
    meter.add_earlier(rows=rows, bytes=bytes_)
    meter.begin_copying(
        tables=len(plan.tables),
        rows_estimated=sum(t.source.rows for t in plan.tables),
        bytes_estimated=sum(t.source.bytes for t in plan.tables),
    )
    unfinished = {t.source.name for t in _unfinished(plan, receipts)}
    for table in plan.tables:
        if table.source.name not in unfinished:
            meter.end_table(str(table.source.name))


async def _advance_sequences(job: Job, run: str, epoch: int) -> None:
    """Set sequences to where they stand on the source now, which is beyond every copied value."""
    if not job.catalog.sequences:
        return
    current = [
        msgspec.structs.replace(
            s,
            name=QualifiedName(job.options.target_schema(s.name.schema), s.name.name),
            owner=_owner(s.owner, job.options),
        )
        for s in await job.source.sequences(job.catalog)
    ]
    keep_higher = job.options.mode in ("append", "upsert")
    await retry.repeat(partial(job.target.advance, current, run, epoch, keep_higher=keep_higher))


def _owner(
    owner: tuple[QualifiedName, str] | None, options: CopyOptions
) -> tuple[QualifiedName, str] | None:
    """Return the owning column under its final name on the target."""
    if owner is None:
        return None
    table, column = owner
    return options.target_name(table), options.target_columns(table).get(column, column)


def _result(
    plan: Plan,
    receipts: Sequence[Receipt],
    times: Mapping[QualifiedName, tuple[float, float]],
    seconds: float,
    earlier: Sequence[Receipt] = (),
) -> CopyResult:
    by_table: defaultdict[QualifiedName, list[Receipt]] = defaultdict(list)
    for receipt in receipts:
        by_table[receipt.table].append(receipt)
    cuts = {r.cut for r in receipts if r.cut}
    doubts = _doubts(cuts)
    return CopyResult(
        run=plan.run,
        tables=tuple(_table_result(t, by_table[t.source.name], times) for t in plan.tables),
        seconds=seconds,
        rows_earlier=sum(r.rows or 0 for r in earlier),
        bytes_earlier=sum(r.bytes or 0 for r in earlier),
        consistent=doubts is None,
        inconsistent_because=doubts,
        not_carried=plan.not_carried,
        losses=plan.losses,
        position=_position(cuts),
        notes=plan.notes,
    )


def _doubts(cuts: Iterable[Cut]) -> str | None:
    """Say why the rows may not be of one moment; None where they are."""
    told = sorted({c.inconsistent_because for c in cuts if c.inconsistent_because})
    moments = len({c.visible for c in cuts})
    if moments > 1:
        told.append(
            f"the source was read at {moments} moments: rows changed between them may be missing, "
            "old or doubled under another key"
        )
    return "; ".join(told) or None


def _position(cuts: Iterable[Cut]) -> Position | None:
    """Return where the source's log stood, if it is the same for all rows."""
    positions = {c.position for c in cuts}
    return positions.pop() if len(positions) == 1 else None


def _table_result(
    table: TablePlan,
    receipts: Sequence[Receipt],
    times: Mapping[QualifiedName, tuple[float, float]],
) -> TableResult:
    first, last = times.get(table.source.name, (0.0, 0.0))
    return result_of(
        table,
        rows=sum(r.rows or 0 for r in receipts),
        bytes=sum(r.bytes or 0 for r in receipts),
        seconds=last - first,
        nulled=sum(r.nulled for r in receipts),
        rejected=sum(r.rejected for r in receipts),
        rejects=tuple(sorted(r.rejects for r in receipts if r.rejects)),
    )
