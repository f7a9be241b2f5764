"""The meter's arithmetic on a clock of ours, and the displays."""

from __future__ import annotations

import io

import pytest

from fastload.channel import Waits
from fastload.model import Partition, Plan, QualifiedName, Receipt, Table, TablePlan
from fastload.pipeline import _begin_meter
from fastload.progress import Meter, display, line_display, terminal_display
from fastload.report import Progress, progress_line

MB = 1_000_000


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def meter(clock: Clock) -> Meter:
    """A meter that began copying after two seconds of planning."""
    meter = Meter(clock)
    clock.now_s += 2
    meter.begin_copying(tables=2, rows_estimated=1000, bytes_estimated=100 * MB)
    return meter


def test_planning_knows_only_the_time(clock):
    meter = Meter(clock)
    clock.now_s += 3
    told = meter.snapshot()
    assert told == Progress(phase="planning", seconds=3.0)


def test_counts_rates_and_time_left(meter, clock):
    clock.now_s += 4
    meter.add(rows=200, bytes=20 * MB)
    told = meter.snapshot()
    assert (told.rows, told.bytes, told.seconds) == (200, 20 * MB, 6.0)
    assert (told.rows_per_s, told.bytes_per_s) == (50.0, 5 * MB)
    assert told.eta_s == pytest.approx(80 / 5)
    assert told.fraction == pytest.approx(0.2)


@pytest.mark.parametrize(("seconds", "bytes_"), [(1, 10 * MB), (5, 100)])
def test_the_first_moments_and_a_trickle_tell_no_time_left(meter, clock, seconds, bytes_):
    clock.now_s += seconds
    meter.add(rows=1, bytes=bytes_)
    assert meter.snapshot().eta_s is None


def test_rates_are_of_the_last_seconds(meter, clock):
    for _ in range(10):
        clock.now_s += 2
        meter.add(rows=100, bytes=MB)
        meter.snapshot()
    for _ in range(6):
        clock.now_s += 2
        meter.add(rows=20, bytes=3 * MB)
        told = meter.snapshot()
    assert (told.rows_per_s, told.bytes_per_s) == (10.0, 1.5 * MB)


def test_a_snapshot_after_a_long_silence_still_has_a_rate(meter, clock):
    clock.now_s += 40
    meter.add(rows=400, bytes=40 * MB)
    told = meter.snapshot()
    assert (told.rows_per_s, told.eta_s) == (10.0, 60.0)


def test_what_was_there_before_the_start_is_no_speed(clock):
    """A continued run counts what it has; it did not copy that in the last seconds."""
    meter = Meter(clock)
    meter.add(rows=900, bytes=90 * MB)
    meter.begin_copying(tables=1, rows_estimated=1000, bytes_estimated=100 * MB)
    clock.now_s += 5
    meter.add(rows=10, bytes=MB)
    told = meter.snapshot()
    assert (told.rows, told.rows_per_s) == (910, 2.0)


def test_a_partition_that_was_rolled_back_makes_no_negative_speed(meter, clock):
    clock.now_s += 1
    meter.add(rows=100, bytes=10 * MB)
    meter.snapshot()
    clock.now_s += 20
    meter.snapshot()
    meter.add(rows=-100, bytes=-10 * MB)
    clock.now_s += 1
    told = meter.snapshot()
    assert (told.rows, told.bytes) == (0, 0)
    assert (told.rows_per_s, told.bytes_per_s, told.eta_s) == (0.0, 0.0, None)


def test_more_than_estimated_has_no_time_left_and_is_no_more_than_all(meter, clock):
    clock.now_s += 1
    meter.add(rows=5000, bytes=500 * MB)
    told = meter.snapshot()
    assert (told.eta_s, told.fraction) == (None, 1.0)


def test_no_estimate_no_fraction(clock):
    meter = Meter(clock)
    meter.begin_copying(tables=1, rows_estimated=0, bytes_estimated=0)
    assert meter.snapshot().fraction is None


@pytest.mark.parametrize(
    ("reader_s", "writer_s", "waiting", "bottleneck"),
    [
        (8.0, 1.0, "reader", "target"),
        (1.0, 8.0, "writer", "source"),
        (5.0, 4.0, None, None),
        (0.9, 0.0, None, None),
        (0.0, 0.0, None, None),
    ],
)
def test_who_waits_and_who_is_slow(meter, clock, reader_s, writer_s, waiting, bottleneck):
    clock.now_s += 10
    meter.add_waits(Waits(reader_s / 2, writer_s / 2))
    meter.add_waits(Waits(reader_s / 2, writer_s / 2))
    told = meter.snapshot()
    assert (told.waiting, told.bottleneck) == (waiting, bottleneck)


def test_tables_come_and_go(meter):
    meter.begin_table("a")
    meter.begin_table("b")
    meter.begin_table("a")
    assert meter.snapshot().current == ("a", "b")
    meter.end_table("a")
    told = meter.snapshot()
    assert (told.current, told.tables_done, told.tables_total) == (("b",), 1, 2)


def test_phases_after_the_rows(meter, clock):
    meter.add(rows=10, bytes=MB)
    meter.begin_steps(3)
    meter.end_step()
    clock.now_s += 1
    told = meter.snapshot()
    assert (told.phase, told.steps_done, told.steps_total, told.eta_s) == ("steps", 1, 3, None)
    meter.begin_table("late")
    meter.finish()
    assert (meter.snapshot().phase, meter.snapshot().current) == ("done", ())


@pytest.mark.parametrize(
    ("progress", "line"),
    [
        (Progress(phase="planning", seconds=1.25), "planning, 1.2 s"),
        (Progress(phase="planning", seconds=2, waits_for="waits for x"), "waits for x, 2.0 s"),
        (
            Progress(
                phase="copying", tables_done=1, tables_total=2, rows=1500, bytes=5 * MB,
                bytes_estimated=10 * MB, rows_per_s=1234.5, bytes_per_s=2.5 * MB, eta_s=125.0,
                waiting="reader",
            ),
            (
                "50 %, 1/2 tables, 1,500 rows, 5.0 MB, 2.5 MB/s, 1,234 rows/s, 2 min 5 s left, "
                "the target is the bottleneck"
            ),
        ),
        (
            Progress(phase="steps", tables_total=1, tables_done=1, rows=1, steps_total=4),
            "1/1 tables, 1 row, 0 B; step 0 of 4, 0.0 s",
        ),
        (
            Progress(phase="done", rows=30, bytes=900, rows_earlier=20, bytes_earlier=600),
            "done: 0/0 tables, 10 rows, 300 B in 0.0 s; 20 rows earlier",
        ),
        (Progress(phase="done", seconds=3661), "done: 0/0 tables, 0 rows, 0 B in 1 h 1 min"),
    ],
)  # fmt: skip
def test_a_snapshot_as_a_line(progress, line):
    assert progress_line(progress) == line


def test_a_log_gets_a_line_every_ten_seconds_and_on_a_new_phase(clock):
    out = io.StringIO()
    show = line_display(out, clock)
    for phase, pause_s in (("planning", 0), ("planning", 9), ("planning", 2), ("copying", 1)):
        clock.now_s += pause_s
        show(Progress(phase=phase))
    for waits_for in ("waits", "waits", None):
        show(Progress(phase="planning", waits_for=waits_for))
    lines = out.getvalue().splitlines()
    told = ["planning", "planning", "0/0 tables", "waits", "planning"]
    assert [line.split(",")[0] for line in lines] == told


def test_a_stream_that_is_no_terminal_gets_lines():
    out = io.StringIO()
    with display(out) as show:
        show(Progress(phase="done"))
    assert out.getvalue().startswith("done: ")


def test_a_terminal_gets_a_bar_and_hostile_names_as_they_are():
    out = io.StringIO()
    names = tuple(f"[bold]t{i}" for i in range(6))
    with terminal_display(out) as show:
        show(Progress(phase="copying", current=names, bytes=1, bytes_estimated=2))
    lines = out.getvalue().splitlines()
    assert set(lines[0]) == {"\N{BOX DRAWINGS HEAVY HORIZONTAL}"}
    assert lines[1].startswith("50 %, 0/0 tables")
    assert lines[2] == "now: [bold]t0, [bold]t1, [bold]t2, [bold]t3 and 2 more"


def test_a_continued_run_does_not_count_its_receipts_as_speed(clock):
    name = QualifiedName("public", "t")
    table = Table(name=name, columns=(), rows=1000, bytes=100 * MB)
    parts = tuple(Partition(table=name, index=i) for i in range(2))
    planned = TablePlan(
        source=table, target=table, columns=(), target_columns=(), route="wire", why="",
        partitions=parts,
    )  # fmt: skip
    plan = Plan(run="r", source="s", target="t", mode="create", guarantee="L3", tables=(planned,))
    receipt = Receipt(run="r", epoch=1, table=name, partition=0, rows=600, bytes=60 * MB)
    meter = Meter(clock)
    _begin_meter(meter, plan, [receipt])
    clock.now_s += 5
    told = meter.snapshot()
    assert (told.rows, told.bytes, told.rows_per_s, told.eta_s) == (600, 60 * MB, 0.0, None)
    assert (told.rows_earlier, told.bytes_earlier) == (600, 60 * MB)
    assert (told.tables_done, told.rows_estimated) == (0, 1000)
