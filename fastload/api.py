"""The verbs. Each resolves its endpoints, plans, and runs the plan."""

from __future__ import annotations

import hashlib
import math
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fastload import lease, partition, pipeline, planner, rejecting, resume, retry
from fastload.adapter import Endpoint, PartitionSpec, ReadSpec, Selection, Source, Target
from fastload.config import CopyOptions, Name, qualified_name
from fastload.errors import ConfigError, FastloadError, TargetNotEmpty
from fastload.lanes import Lanes
from fastload.model import Plan, StoredRun, Table
from fastload.progress import Meter, show_every
from fastload.reader import TableReading, open_table
from fastload.registry import adapter_for, open_source, open_target
from fastload.report import CopyResult, Progress
from fastload.resolution import resolved
from fastload.selection import selection_of
from fastload.tasks import side_by_side, task_group
from fastload.url import Url
from fastload.verification.passing import Passing

if TYPE_CHECKING:
    from typing import TypeAlias

    from fastload.verification.result import VerifyResult

    Show: TypeAlias = Callable[[Progress], None]

_READ_BATCH_BYTES = 4 << 20


async def copy(
    source: Endpoint | str,
    target: Endpoint | str,
    *,
    tables: Iterable[Name] | str | None = None,
    exclude: Iterable[str] | str = (),
    mode: str = "create",
    parallel: int | None = None,
    memory: str | int = "192MiB",
    partition_by: str | Mapping[Name, str] = "auto",
    route: str = "auto",
    on_unrepresentable: str | Mapping[Name, str] = "error",
    types: Mapping[Name, str] | None = None,
    where: Mapping[Name, str] | None = None,
    rename: Mapping[Name, Name] | None = None,
    indexes: bool = True,
    foreign_keys: bool = True,
    statistics: bool = True,
    triggers: str = "stop",
    on_update: str = "list",
    run: str | None = None,
    fresh: bool = False,
    verify: bool = False,
    on_error: str = "stop",
    reject_limit: int = 1000,
    rejects: str | Path | None = None,
    progress: Show | None = None,
) -> CopyResult:
    """Copy tables with their keys, indexes, foreign keys and sequences to another database.

    All rows come from one snapshot of the source. Everything is durable when it returns. Started
    again after a failure or a kill, with the same arguments, it continues: partitions that are
    in the target are not copied again.

    Args:
        source: A URL such as ``postgresql://user:password@host:5432/database``, a
            ``fastload.Url``, or a pool of the driver's.
        target: Likewise.
        tables: Names or patterns, such as ``"public.*"``; None is every user table. A part of a
            name that contains a dot stands in double quotes, as the plan prints it, or the name
            is a tuple of its parts; so in all options below. Names without a schema mean the
            database of a MySQL URL, and ``public`` in PostgreSQL.
        exclude: Patterns to leave out.
        mode: ``"create"`` makes the tables, which must not exist or be empty; ``"append"`` adds
            to what is there; ``"truncate"`` empties, then loads; ``"replace"`` drops and makes
            anew; ``"upsert"`` merges by primary key.
        parallel: Lanes, each with one connection to either side. Default: number of CPUs, from
            two to eight.
        memory: Bound of all lanes' buffers together.
        partition_by: ``"auto"``, ``"physical"``, ``"keys"``, or ``{table: column}``.
        route: ``"wire"`` passes the source's bytes through, ``"arrow"`` decodes and encodes,
            ``"auto"`` chooses per table.
        on_unrepresentable: ``"error"`` or ``"null"``, for values that the target cannot hold;
            or ``{column: policy}``.
        types: ``{"schema.table.column": type}``: cast on the source, to the source's own type.
        where: ``{"schema.table": filter}`` in the source's own dialect.
        rename: ``{"schema.table": "schema.other"}`` and ``{"schema.table.column": "other"}``.
        indexes: Whether to make the source's indexes; keys are made in any case.
        foreign_keys: Whether to make the source's foreign keys.
        statistics: Whether to gather the target's statistics, which its planner needs.
        triggers: ``"stop"`` refuses existing tables whose triggers, rules or row security would
            see the rows; ``"fire"`` lets them.
        on_update: What becomes of columns that every update sets, as MySQL's ``ON UPDATE
            CURRENT_TIMESTAMP`` does, on a target that knows none: ``"list"`` tells them in
            ``not_carried``, ``"trigger"`` makes triggers.
        run: Name of the run, to continue it by. Default: derived from both databases' identities
            and from the options.
        fresh: Forget what is stored of the run and begin anew.
        verify: Hash the source's rows as they pass, read the target again when everything is
            there, and compare; ``result.verification`` tells.
        on_error: ``"stop"`` ends the run at the first row that the target refuses; ``"reject"``
            writes such rows to files, with the reason, and goes on.
        reject_limit: How many rows of the run may be rejected; one more ends it.
        rejects: The folder that rejected rows go to, as Parquet; ``result.tables`` has the files.
        progress: Called twice a second with a ``Progress``.

    Raises:
        ConfigError: An option or URL is wrong; nothing was contacted.
        PlanError: Something stands in the way; nothing was changed.
        ResumeRefused: The run was begun otherwise; the message has the difference.
        RejectLimit: More rows are refused than may be rejected. Start the run again with a higher
            limit: it continues.
        VerificationError: The copy is complete, and its target differs; ``error.result`` tells.
        NotVerified: The copy is complete, and could not be compared; ``error.copied`` is its
            result.
        FastloadError: Others, as the names say. Cancelling leaves nothing half committed.
    """
    source, target = endpoints(source, target)
    options = CopyOptions.make(
        tables=tables,
        exclude=exclude,
        mode=mode,
        parallel=parallel,
        memory=memory,
        partition_by=partition_by,
        route=route,
        on_unrepresentable=on_unrepresentable,
        types=types,
        where=where,
        rename=rename,
        indexes=indexes,
        foreign_keys=foreign_keys,
        statistics=statistics,
        triggers=triggers,
        on_update=on_update,
        run=run,
        fresh=fresh,
        verify=verify,
        on_error=on_error,
        reject_limit=reject_limit,
        rejects=rejects,
    )
    here, there = source, target
    options = _fitted(options, here, there)
    async with AsyncExitStack() as stack:
        meter = Meter()
        await stack.enter_async_context(_shown(meter, progress))
        lanes = options.parallel
        opened, writing = await stack.enter_async_context(
            side_by_side(
                open_source(here, connections=lanes), open_target(there, connections=lanes)
            )
        )
        check = Passing(here, there, options) if verify else None
        return await _copy(opened, writing, options, meter, check)


async def plan(
    source: Endpoint | str,
    target: Endpoint | str,
    *,
    tables: Iterable[Name] | str | None = None,
    exclude: Iterable[str] | str = (),
    mode: str = "create",
    parallel: int | None = None,
    memory: str | int = "192MiB",
    partition_by: str | Mapping[Name, str] = "auto",
    route: str = "auto",
    on_unrepresentable: str | Mapping[Name, str] = "error",
    types: Mapping[Name, str] | None = None,
    where: Mapping[Name, str] | None = None,
    rename: Mapping[Name, Name] | None = None,
    indexes: bool = True,
    foreign_keys: bool = True,
    statistics: bool = True,
    triggers: str = "stop",
    on_update: str = "list",
    run: str | None = None,
    fresh: bool = False,
    on_error: str = "stop",
    reject_limit: int = 1000,
    rejects: str | Path | None = None,
) -> Plan:
    """Return what ``copy`` with the same arguments would do from the start; changes nothing.

    ``print(fastload.describe(plan))`` shows routes and why, partitions, schema work, losses and
    what is not carried.

    Raises:
        FastloadError: As ``copy`` does before its first row.
    """
    source, target = endpoints(source, target)
    options = CopyOptions.make(
        tables=tables,
        exclude=exclude,
        mode=mode,
        parallel=parallel,
        memory=memory,
        partition_by=partition_by,
        route=route,
        on_unrepresentable=on_unrepresentable,
        types=types,
        where=where,
        rename=rename,
        indexes=indexes,
        foreign_keys=foreign_keys,
        statistics=statistics,
        triggers=triggers,
        on_update=on_update,
        run=run,
        fresh=fresh,
        on_error=on_error,
        reject_limit=reject_limit,
        rejects=rejects,
    )
    here, there = source, target
    options = _fitted(options, here, there)
    lanes = options.parallel
    async with side_by_side(
        open_source(here, connections=lanes), open_target(there, connections=lanes)
    ) as (opened, writing):
        job = await _job(opened, writing, options, Meter())
        made = await _plan(job, _run_name(job))
        async with opened.snapshot([t.source for t in made.tables], lanes) as at:
            return await pipeline.partitioned(job, made, at)


async def verify(
    source: Endpoint | str,
    target: Endpoint | str,
    *,
    tables: Iterable[Name] | str | None = None,
    exclude: Iterable[str] | str = (),
    parallel: int | None = None,
    memory: str | int = "192MiB",
    on_unrepresentable: str | Mapping[Name, str] = "error",
    types: Mapping[Name, str] | None = None,
    where: Mapping[Name, str] | None = None,
    rename: Mapping[Name, Name] | None = None,
    limit: int = 1000,
    report: str | Path | None = None,
    live: bool = False,
    lag_s: float = 6.0,
) -> VerifyResult:
    """Compare every row of two databases, and name what differs down to key and column.

    Rows are hashed on both sides, by the servers themselves where both are PostgreSQL since 14,
    and the hashes summed part by part; where sums differ, the rows are found and compared column
    by column. Each side is read in one snapshot of its own: what is written to either meanwhile
    is seen on that side alone, unless ``live`` asks for more. Nothing is changed.

    Args:
        source: As in ``copy``.
        target: As in ``copy``.
        tables: As in ``copy``; tables that only the target has are not looked at.
        exclude: As in ``copy``.
        parallel: Connections to either side.
        memory: Bound of the buffers, and of the rows that are held to be matched.
        on_unrepresentable: As it was given to ``copy``: ``"null"`` compares what the target could
            not hold as NULL.
        types: As it was given to ``copy``.
        where: Filter of the source's rows, as given to ``copy``; the target is read whole.
        rename: As it was given to ``copy``.
        limit: Rows of each table to name; whether others differ is told.
        report: A folder to write the differences to, where there are any: as Parquet, as JSON, and
            as statements that would mend the target.
        live: Both sides are being written to, and the target follows: rows that differ are read
            again, up to five times, and only those are told that the source left alone and that
            differ all the same. Rows that the source kept changing are counted.
        lag_s: The longest that the target may be behind, with ``live``.

    Returns:
        What was found. ``result.equal`` says whether all that was compared is equal; columns that
        cannot be compared are listed. ``await result.repair()`` mends the target.

    Raises:
        ConfigError: An option or URL is wrong; nothing was contacted.
        FastloadError: Others, as the names say. Differences are no error.
    """
    from fastload.verification.comparison import comparing
    from fastload.verification.live import comparing_live
    from fastload.verification.repair_file import write_repair
    from fastload.verification.repairing import repairer

    if type(limit) is not int or limit < 1:
        raise ConfigError(f"limit={limit!r} is not a number of rows", hint="1 or more")
    if not 0 < lag_s < math.inf:
        raise ConfigError(f"lag_s={lag_s!r} is no number of seconds above 0")
    source, target = endpoints(source, target)
    options = CopyOptions.make(
        tables=tables,
        exclude=exclude,
        mode="upsert",
        parallel=parallel,
        memory=memory,
        on_unrepresentable=on_unrepresentable,
        types=types,
        where=where,
        rename=rename,
    )
    here, there = source, target
    options = _fitted(options, here, there)
    compare = comparing_live(here, there, limit, lag_s) if live else comparing(here, there, limit)
    compared = await compare(options)
    result = compared.result.with_repair(repairer(here, there, compared.options, compare))
    if report is not None and not result.equal:
        result.write(report)
        await write_repair(here, there, compared, compare, Path(report))
    return result


@asynccontextmanager
async def read(
    source: Endpoint | str,
    table: Name,
    *,
    columns: Iterable[str] | None = None,
    where: str | None = None,
    types: Mapping[str, str] | None = None,
    on_unrepresentable: str | Mapping[str, str] = "error",
    partition_by: str = "auto",
    parallel: int | None = None,
    memory: str | int = "192MiB",
) -> AsyncIterator[TableReading]:
    """Open a table as a stream of Arrow record batches, all of one snapshot.

    Args:
        source: As in ``copy``.
        table: ``"schema.table"``, a tuple, or a bare name that only one schema has.
        columns: Names in the order wanted; None is all.
        where: Filter in the source's own dialect.
        types: ``{column: type}``: cast on the source, to the source's own type.
        on_unrepresentable: ``"error"`` or ``"null"``, for values that the columns' Arrow types
            cannot hold, such as infinite dates; or ``{column: policy}``.
        partition_by: ``"auto"``, ``"physical"``, ``"keys"`` or a column.
        parallel: Partitions read side by side; rows then come in no particular order. One keeps
            the source's order.
        memory: Bound of the buffers; what the caller keeps is the caller's.

    Raises:
        FastloadError: As the names say.
    """
    here = source = endpoint(source, "source")
    options = CopyOptions.make(tables=[table], parallel=parallel, memory=memory)
    lanes = _fitted(options, here, None).parallel
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(open_source(here, connections=lanes))
        found = await _one_table(opened, options, types or {})
        at = await stack.enter_async_context(opened.snapshot([found], lanes))
        want = partition.wanted(found.bytes, found.bytes, lanes) if lanes > 1 else 1
        spec = PartitionSpec(want=want, by=partition_by, where=where)
        parts = await opened.partitions(found, at, spec)
        policies = {"": on_unrepresentable} if isinstance(on_unrepresentable, str) else None
        names = tuple(columns) if columns is not None else tuple(c.name for c in found.columns)
        if not names:
            raise ConfigError(f"columns of {found.name} to be read are none", hint="name one")
        wanted = ReadSpec(
            table=found,
            columns=planner.known_columns("columns", found, names),
            where=where,
            on_unrepresentable=policies or dict(on_unrepresentable),  # type: ignore[arg-type]
            batch_bytes=_READ_BATCH_BYTES,
        )
        buffer_bytes = options.memory_bytes // 2
        yield await stack.enter_async_context(
            open_table(opened, at, parts, wanted, lanes, buffer_bytes)
        )


async def _one_table(source: Source, options: CopyOptions, types: Mapping[str, str]) -> Table:
    """Return the one table that the options name, with its columns as these types."""
    catalog = await source.catalog(selection_of(options))
    names = ", ".join(str(t.name) for t in catalog.tables)
    if len(catalog.tables) != 1:
        raise ConfigError(f"several tables are meant: {names}", hint='name one: "schema.table"')
    found = catalog.tables[0]
    if not types:
        return found
    planner.known_columns("types", found, tuple(types))
    cast = {(found.name.schema, found.name.name, c): t for c, t in types.items()}
    catalog = await source.catalog(Selection(names=(found.name,), types=cast))
    return catalog.tables[0]


async def write(
    data: Any,
    target: Endpoint | str,
    table: Name,
    *,
    mode: str = "create",
    memory: str | int = "192MiB",
    triggers: str = "stop",
    on_error: str = "stop",
    reject_limit: int = 1000,
    rejects: str | Path | None = None,
    progress: Show | None = None,
) -> CopyResult:
    """Write an Arrow stream into one table, in one transaction.

    Args:
        data: A pyarrow Table or RecordBatchReader, a polars or pandas frame, a DuckDB relation:
            anything with ``__arrow_c_stream__``. Read in a worker thread, batch by batch.
        target: As in ``copy``.
        table: ``"schema.table"``, a tuple, or a bare name in the URL's or the usual schema.
        mode: As in ``copy``. ``"create"`` declares columns by their Arrow types, without keys.
        memory: As in ``copy``.
        triggers: As in ``copy``.
        on_error: As in ``copy``; rows are then tried batch by batch from the beginning.
        reject_limit: As in ``copy``.
        rejects: As in ``copy``; each call has files of its own.
        progress: As in ``copy``.

    Raises:
        FastloadError: As ``copy``; the table is then as it was, unless the error says that the
            rows are there, or that nobody knows.

    Cancelled before its commit, it leaves the table as it was. Cancelled later, it waits until the
    server has done with the commit, 5 s and what a look takes, and raises the cancellation whether
    or not the rows are there: look before ``mode="append"`` is repeated; the others may be.
    """
    from fastload.stream import StreamSource

    target = endpoint(target, "target")
    options = CopyOptions.make(
        tables=[table],
        mode=mode,
        parallel=1,
        memory=memory,
        route="arrow",
        triggers=triggers,
        on_error=on_error,
        reject_limit=reject_limit,
        rejects=rejects,
        run="write",
    )
    async with AsyncExitStack() as stack:
        meter = Meter()
        await stack.enter_async_context(_shown(meter, progress))
        writing = await stack.enter_async_context(open_target(target, connections=1))
        name = qualified_name(table, schema=writing.default_schema)
        options = msgspec.structs.replace(options, tables=None, names=(name,))
        job = await _job(StreamSource(data, name), writing, options, meter)
        return await pipeline.run_once(job, await _plan(job, _run_name(job)))


async def _copy(
    source: Source, target: Target, options: CopyOptions, meter: Meter, check: Passing | None
) -> CopyResult:
    job = (await _job(source, target, options, meter))._replace(check=check)
    run = _run_name(job)
    stored = await _claimed(job, run)
    made = stored.plan if stored else await _plan(job, run)
    return await pipeline.run(job, made, stored)


async def _job(source: Source, target: Target, options: CopyOptions, meter: Meter) -> pipeline.Job:
    options, catalog, wanted = await resolved(source, target, options)
    lanes = Lanes(options.parallel, meter)
    return pipeline.Job(source, target, catalog, wanted, options, meter, {}, lanes)


async def _plan(job: pipeline.Job, run: str) -> Plan:
    existing = await job.target.inspect(job.wanted)
    try:
        made = planner.make(
            job.catalog,
            job.wanted,
            existing,
            source=job.source,
            target=job.target,
            options=job.options,
            run=run,
        )
    except TargetNotEmpty as error:
        with suppress(FastloadError):
            stored = await job.target.state().runs()
            resume.name_owner(error, stored, job.options, job.source.identity)
        raise
    if job.options.on_error != "reject":
        return made
    rejecting.check(made, job.target, job.catalog.dialect)
    there = bool(existing.tables) and job.options.mode != "replace"
    makes = job.options.mode == "replace" or len(existing.tables) < len(made.tables)
    notes = rejecting.notes(job.options, made=makes, there=there)
    return msgspec.structs.replace(made, notes=(*made.notes, *notes))


async def _claimed(job: pipeline.Job, run: str) -> StoredRun | None:
    """Take over a stored run that may be continued; None begins anew."""
    state = job.target.state()
    # First what can be told without taking the run from a process that may be at work for it.
    for found in await retry.repeat(state.runs):
        if found.plan.run == run:
            if not job.options.fresh:
                _check(job, found)
            await lease.check_free(state, found, job.meter.wait_for)
    if job.options.fresh:
        # Whoever still works for it is waited for, and then finds that it is gone.
        await retry.repeat(partial(state.discard, run))
        return None
    # Repeated, it only raises the epoch again.
    stored = await retry.repeat(partial(state.claim, run))
    if stored is None:
        return None
    _check(job, stored)
    # Only now do receipts and rows stand still, which are compared here.
    resume.check_target(stored, await job.target.inspect(job.wanted))
    return stored


def _check(job: pipeline.Job, stored: StoredRun) -> None:
    """Refuse to continue what was begun otherwise, or cannot be continued as it is asked for."""
    resume.check(stored, job.catalog, job.options, job.source.identity)
    if job.options.on_error == "reject":
        rejecting.check(stored.plan, job.target, job.catalog.dialect)


def _run_name(job: pipeline.Job) -> str:
    if job.options.run:
        return job.options.run
    told = msgspec.json.encode(
        [job.source.identity, job.target.identity, sorted(job.options.shape().items())]
    )
    return f"copy-{hashlib.blake2b(told, digest_size=6).hexdigest()}"


def endpoints(source: Endpoint | str, target: Endpoint | str) -> tuple[Endpoint, Endpoint]:
    """Return both as what hides a password.

    Programs that report errors with the variables of each frame would show an URL's text.
    """
    return endpoint(source, "source"), endpoint(target, "target")


def endpoint(given: Endpoint | str, side: str) -> Endpoint:
    """Return a URL's text as a ``Url``, and anything else as it is."""
    try:
        return Url.parse(given) if isinstance(given, str) else given
    except FastloadError as error:
        error.side = error.side or side
        raise


def _fitted(options: CopyOptions, source: Endpoint, target: Endpoint | None) -> CopyOptions:
    """Lower the lanes to what the caller's pools can give, one beside for control.

    A target that is verified is written and read through connections of their own.
    """
    lanes = options.parallel
    for endpoint in (source, target):
        if endpoint is not None:
            room = adapter_for(endpoint).room(endpoint)
            uses = [source, target, *([target] if options.verify else [])]
            share = room if room is None else room // sum(e is endpoint for e in uses)
            lanes = lanes if share is None else min(lanes, share - 1)
    if lanes < 1:
        raise ConfigError(
            "the pool is too small", hint="a copy takes two connections of it at least: max_size=2"
        )
    return msgspec.structs.replace(options, parallel=lanes)


@asynccontextmanager
async def _shown(meter: Meter, show: Show | None) -> AsyncIterator[None]:
    """Call ``show`` twice a second inside, and once at the end, whatever ends it."""
    if show is None:
        yield
        return
    try:
        async with task_group() as group:
            group.start_soon(show_every, meter, show)
            yield
            group.cancel_scope.cancel()
    finally:
        show(meter.snapshot())
