"""What a copy tells about itself: progress events while it runs, results when it is done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from fastload.model import NotCarried, Plan, Position, Step, TablePlan
from fastload.wording import visible

if TYPE_CHECKING:
    from fastload.verification.result import VerifyResult

_NAMED = 3
PHASES = ("planning", "copying", "steps", "done")
# Where a list in a statement is broken; a text or name with ends of lines stays as it is.
_BREAK = re.compile(r"\n {2,}|\n(?=\))")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot of a running copy, handed to the ``progress`` callback.

    Attributes:
        phase: ``"planning"``, ``"copying"``, ``"steps"`` (indexes, keys, …), ``"verifying"`` or
            ``"done"``.
        rows: Rows of finished and running partitions, with those of ``rows_earlier``.
        rows_estimated: The source's estimate for the whole run; may be below ``rows``.
        rows_per_s: Rate of the last seconds; likewise ``bytes_per_s``.
        eta_s: Seconds until the rows are in, or None while there is nothing to tell it from.
        waiting: The side that waits for the other: ``"reader"``, ``"writer"`` or None.
        current: Tables being copied now.
        rows_earlier: Rows that earlier processes of the run had copied; likewise ``bytes_earlier``.
        waits_for: What the run waits for before it begins, in words; None where nothing.
        lanes: Partitions or steps that are worked at side by side at most; fewer than asked for
            where a server gives no more connections.
    """

    phase: str
    tables_done: int = 0
    tables_total: int = 0
    rows: int = 0
    rows_estimated: int = 0
    bytes: int = 0
    bytes_estimated: int = 0
    seconds: float = 0.0
    rows_per_s: float = 0.0
    bytes_per_s: float = 0.0
    eta_s: float | None = None
    waiting: str | None = None
    current: tuple[str, ...] = ()
    steps_done: int = 0
    steps_total: int = 0
    lanes: int = 0
    rows_earlier: int = 0
    bytes_earlier: int = 0
    waits_for: str | None = None

    @property
    def bottleneck(self) -> str | None:
        """The slower side: ``"target"`` while the reader waits, ``"source"`` while the writer."""
        return {"reader": "target", "writer": "source"}.get(self.waiting or "")

    @property
    def fraction(self) -> float | None:
        """Share of the estimated bytes that is copied, at most 1; None without an estimate."""
        return min(1.0, self.bytes / self.bytes_estimated) if self.bytes_estimated else None

    def __str__(self) -> str:
        return progress_line(self)


class TableResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was copied of one table.

    Attributes:
        name: The source table, as ``schema.name``.
        target: The target table, where its name differs.
        rows: Rows that source and target agreed on.
        seconds: From the first partition's start to the last one's commit.
        why: Why this route.
        nulled: Values that became NULL on the way, as ``on_unrepresentable="null"`` asks.
        rejected: Rows that the target refused, as ``on_error="reject"`` asks; not among ``rows``.
        rejects: The Parquet files that they are in.
    """

    name: str
    rows: int
    bytes: int
    seconds: float
    route: str
    why: str = ""
    partitions: int = 1
    target: str | None = None
    nulled: int = 0
    rejected: int = 0
    rejects: tuple[str, ...] = ()


class CopyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a copy has done.

    Attributes:
        seconds: That this process took.
        rows_earlier: Rows that earlier processes of the run had copied; ``rows`` has them too.
        bytes_earlier: Likewise, of ``bytes``.
        consistent: Whether all rows come from one cut of the source.
        inconsistent_because: Why not.
        not_carried: Objects of the source that the target does not have.
        losses: Lossy type pairs that were accepted, in words.
        position: Where the source's log stood at the cut.
        verification: What ``verify=True`` has found, which is that nothing differs.
        notes: What there is to know of how the rows went, in words.
    """

    run: str
    tables: tuple[TableResult, ...]
    seconds: float
    rows_earlier: int = 0
    bytes_earlier: int = 0
    consistent: bool = True
    inconsistent_because: str | None = None
    not_carried: tuple[NotCarried, ...] = ()
    losses: tuple[str, ...] = ()
    position: Position | None = None
    verification: VerifyResult | None = None
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows in all tables."""
        return sum(t.rows for t in self.tables)

    @property
    def bytes(self) -> int:
        """Bytes of all tables, as read from the source."""
        return sum(t.bytes for t in self.tables)

    @property
    def nulled(self) -> int:
        """Values of all tables that became NULL on the way."""
        return sum(t.nulled for t in self.tables)

    @property
    def rejected(self) -> int:
        """Rows of all tables that the target refused, and that are in files."""
        return sum(t.rejected for t in self.tables)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that any JSON writer takes."""
        plain: dict[str, Any] = msgspec.to_builtins(
            msgspec.structs.replace(self, verification=None)
        )
        plain["verification"] = self.verification.to_dict() if self.verification else None
        plain["position"] = self.position.token if self.position else None
        sums = {"rows": self.rows, "bytes": self.bytes, "nulled": self.nulled}
        return {**plain, **sums, "rejected": self.rejected}

    def html(self) -> str:
        """Return a page of one file, which needs nothing else."""
        from fastload.report_html import result_page

        return result_page(self)

    def _repr_html_(self) -> str:
        from fastload.report_html import result_fragment

        return result_fragment(self)

    def __str__(self) -> str:
        return describe_result(self)


def describe_result(result: CopyResult) -> str:
    """Return a result as text: one line, then one per table, then what was left out."""
    lines = [f"copied {copied(result)} (run {result.run})"]
    if earlier := earlier_line(result):
        lines.append(f"  {earlier}")
    width = max((len(_title(t)) for t in result.tables), default=0)
    lines += [
        f"  {_title(t):<{width}}  {t.rows:>14,} rows  {size(t.bytes):>9}  {t.route}"
        for t in result.tables
    ]
    if not result.consistent:
        lines.append(f"not one consistent state: {result.inconsistent_because}")
    lines += _listed("rejected", rejected_lines(result))
    lines += _listed("values that became NULL", nulled_lines(result))
    lines += _listed("values may lose", result.losses)
    lines += _listed("not carried", not_carried_lines(result.not_carried))
    lines += f"verified: {result.verification}".splitlines() if result.verification else []
    lines += _listed("notes", result.notes)
    return "\n".join(map(visible, lines))


def copied(result: CopyResult) -> str:
    """Return what this process has copied, in its seconds."""
    rows = count(result.rows - result.rows_earlier, "row")
    bytes_ = size(result.bytes - result.bytes_earlier)
    tables = count(len(result.tables), "table")
    return f"{rows} of {tables}, {bytes_} in {duration(result.seconds)}"


def earlier_line(result: CopyResult) -> str | None:
    """Return what earlier processes of the run have copied, and what there is with it."""
    if not result.rows_earlier:
        return None
    before = f"{count(result.rows_earlier, 'row')}, {size(result.bytes_earlier)}"
    return f"an earlier start had copied {before}: {count(result.rows, 'row')} are there now"


def nulled_lines(result: CopyResult) -> list[str]:
    """Return how many values became NULL, by table."""
    return [f"{_title(t)}: {count(t.nulled, 'value')}" for t in result.tables if t.nulled]


def not_carried_lines(items: Sequence[NotCarried]) -> list[str]:
    """Return what is not carried; what many have in common once, with how many they are."""
    names: dict[tuple[str, str], list[str]] = {}
    for item in items:
        names.setdefault((item.kind, item.reason), []).append(item.name)
    lines = []
    for (kind, reason), alike in names.items():
        if len(alike) <= _NAMED:
            lines += [str(NotCarried(kind, name, reason)) for name in alike]
        else:
            more = f"{', '.join(alike[:_NAMED])} and {len(alike) - _NAMED:,} more"
            lines.append(str(NotCarried(kind, more, reason)))
    return lines


def rejected_lines(result: CopyResult) -> list[str]:
    """Return how many rows were rejected, and the files that they are in, by table."""
    return [
        f"{_title(t)}: {count(t.rejected, 'row')} in {t.rejects[0] if t.rejects else 'no file'}"
        + (f" and {count(len(t.rejects) - 1, 'more file')}" if t.rejects[1:] else "")
        for t in result.tables
        if t.rejected
    ]


def describe(plan: Plan) -> str:
    """Return a plan as text: tables with routes, schema work, losses, what is not carried."""
    rows = count(sum(t.source.rows for t in plan.tables), "row")
    bytes_ = size(sum(t.source.bytes for t in plan.tables))
    lines = [
        f"run {plan.run}: {plan.source} -> {plan.target}",
        f"mode {plan.mode}, guarantee {guarantee(plan.guarantee)}",
        f"{count(len(plan.tables), 'table')}, about {rows}, {bytes_}:",
    ]
    for table in plan.tables:
        lines += _table_lines(table)
    lines += _listed("values may lose", plan.losses)
    lines += _listed("not carried", not_carried_lines(plan.not_carried))
    lines += _listed("notes", plan.notes)
    lines += _listed("before the rows", _statements(plan.before))
    lines += _listed("after the rows", _statements(plan.after))
    return "\n".join(map(visible, lines))


def _statements(steps: Sequence[Step]) -> list[str]:
    return [f"{_BREAK.sub(' ', text)};" for step in steps for text in step.statements]


def progress_line(progress: Progress) -> str:
    """Return a snapshot as one line: share, rows, rates, time left, the slower side."""
    p = progress
    if p.phase == "planning":
        return f"{visible(p.waits_for or 'planning')}, {duration(p.seconds)}"
    share = f"{100 * p.fraction:.0f} %, " if p.fraction is not None else ""
    done = f"{p.tables_done}/{p.tables_total} tables, {count(p.rows, 'row')}, {size(p.bytes)}"
    if p.phase == "done":
        copied = f"{count(p.rows - p.rows_earlier, 'row')}, {size(p.bytes - p.bytes_earlier)}"
        earlier = f"; {count(p.rows_earlier, 'row')} earlier" if p.rows_earlier else ""
        tables = f"{p.tables_done}/{p.tables_total} tables"
        return f"done: {tables}, {copied} in {duration(p.seconds)}{earlier}"
    if p.phase == "verifying":
        return f"{done}; comparing, {duration(p.seconds)}"
    if p.phase == "steps":
        return f"{done}; step {p.steps_done} of {p.steps_total}, {duration(p.seconds)}"
    rates = f"{size(p.bytes_per_s)}/s, {p.rows_per_s:,.0f} rows/s"
    left = f", {duration(p.eta_s)} left" if p.eta_s is not None else ""
    slower = f", the {p.bottleneck} is the bottleneck" if p.bottleneck else ""
    return f"{share}{done}, {rates}{left}{slower}"


def guarantee(level: str) -> str:
    """Return a guarantee level in words."""
    words = {"L3": "exactly once", "L2": "idempotent", "L1": "at least once"}
    return words.get(level, level)


def table_title(table: TablePlan) -> str:
    """Return a planned table's name, and the target's where it differs."""
    source, target = table.source.name, table.target.name
    return str(source) if source == target else f"{source} -> {target}"


def result_of(
    table: TablePlan,
    *,
    rows: int,
    bytes: int,
    seconds: float,
    route: str | None = None,
    nulled: int = 0,
    rejected: int = 0,
    rejects: tuple[str, ...] = (),
) -> TableResult:
    """Return the result of a planned table."""
    renamed = table.target.name != table.source.name
    return TableResult(
        name=str(table.source.name),
        target=str(table.target.name) if renamed else None,
        rows=rows,
        bytes=bytes,
        seconds=seconds,
        route=route or table.route,
        why=table.why,
        partitions=max(1, len(table.partitions)),
        nulled=nulled,
        rejected=rejected,
        rejects=rejects,
    )


def count(number: int, noun: str) -> str:
    """Return ``1,234 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(size_bytes: float) -> str:
    """Return a size as ``1.2 MB``, in powers of ten as rates are."""
    if size_bytes < 999.5:
        return f"{size_bytes:.0f} B"
    for unit in ("kB", "MB", "GB"):
        size_bytes /= 1000
        if size_bytes < 999.95:
            return f"{size_bytes:.1f} {unit}"
    return f"{size_bytes / 1000:.1f} TB"


def duration(seconds: float) -> str:
    """Return a duration as ``4.2 s``, ``3 min 20 s`` or ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest_s} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _table_lines(table: TablePlan) -> list[str]:
    parts = count(max(1, len(table.partitions)), "partition")
    where = f", where {table.where}" if table.where else ""
    merged = f", merged by {', '.join(table.merge_by)}" if table.merge_by else ""
    estimate = f"about {count(table.source.rows, 'row')}, {size(table.source.bytes)}"
    return [
        f"  {table_title(table)}: {estimate}, {parts}{where}{merged}",
        f"    route {table.route}: {table.why}",
    ]


def _title(table: TableResult) -> str:
    return f"{table.name} -> {table.target}" if table.target else table.name


def _listed(title: str, items: tuple[Any, ...] | list[Any]) -> list[str]:
    return [f"{title}:", *(f"  {item}" for item in items)] if items else []
