"""Progress of a running copy: counting, and showing it on a terminal, in a log, in a notebook."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, TypeAlias

import anyio

from fastload.report import Progress, progress_line
from fastload.wording import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fastload.channel import Waits

    Show: TypeAlias = Callable[[Progress], None]

RATE_WINDOW_S = 10.0
LINE_EVERY_S = 10.0
# What the first moments bring, or a trickle, says nothing of the time that is left.
ESTIMATED_AFTER_S = 2.0
ESTIMATED_FROM_BYTES = 1 << 20
_Sample: TypeAlias = tuple[float, int, int, float, float]


class Meter:
    """Counts what a run has done; one per run, used from one event loop.

    Attributes:
        phase: As in ``Progress``; likewise ``lanes``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.phase = "planning"
        self.lanes = 0
        self._clock = clock
        self._began = clock()
        self._tables = self._tables_done = self._steps = self._steps_done = 0
        self._rows = self._bytes = self._rows_estimated = self._bytes_estimated = 0
        self._rows_earlier = self._bytes_earlier = 0
        self._reader_s = self._writer_s = 0.0
        self._current: dict[str, None] = {}
        self._waits_for: str | None = None
        self._samples: deque[_Sample] = deque([(self._began, 0, 0, 0.0, 0.0)])

    def wait_for(self, whom: str | None) -> None:
        """Show what the run waits for before it begins."""
        self._waits_for = whom

    def begin_copying(self, *, tables: int, rows_estimated: int, bytes_estimated: int) -> None:
        """Enter the phase ``copying`` with what the plan expects."""
        self.phase = "copying"
        self._tables = tables
        self._rows_estimated, self._bytes_estimated = rows_estimated, bytes_estimated
        self._samples = deque([self._sample()])

    def begin_table(self, name: str) -> None:
        """Show a table as being copied."""
        self._current[name] = None

    def end_table(self, name: str) -> None:
        """Count a table as copied."""
        self._current.pop(name, None)
        self._tables_done += 1

    def add(self, *, rows: int = 0, bytes: int = 0) -> None:
        """Count rows and bytes; negative where a partition was rolled back."""
        self._rows += rows
        self._bytes += bytes

    def add_earlier(self, *, rows: int, bytes: int) -> None:
        """Count rows and bytes that earlier processes of the run have copied."""
        self._rows_earlier, self._bytes_earlier = rows, bytes
        self.add(rows=rows, bytes=bytes)

    def add_waits(self, waits: Waits) -> None:
        """Count seconds that reader and writer of a lane waited, since the last call."""
        self._reader_s += waits.reader_s
        self._writer_s += waits.writer_s

    def begin_steps(self, steps: int) -> None:
        """Enter the phase ``steps``."""
        self.phase, self._steps = "steps", steps

    def end_step(self) -> None:
        """Count a step as done."""
        self._steps_done += 1

    def begin_verifying(self) -> None:
        """Enter the phase ``verifying``: the copy is complete."""
        self.phase = "verifying"

    def finish(self) -> None:
        """Enter the phase ``done``."""
        self.phase = "done"
        self._current.clear()

    def snapshot(self) -> Progress:
        """Return what there is to tell now; rates are of the last ten seconds."""
        now = self._sample()
        self._samples.append(now)
        # The last sample before the window stays: it may be the only one to compare with.
        while len(self._samples) > 2 and now[0] - self._samples[1][0] >= RATE_WINDOW_S:
            self._samples.popleft()
        span_s = now[0] - self._samples[0][0]
        rows, bytes_, reader_s, writer_s = self._since(self._samples[0], now)
        bytes_per_s = bytes_ / span_s if span_s else 0.0
        return Progress(
            phase=self.phase,
            tables_done=self._tables_done,
            tables_total=self._tables,
            rows=self._rows,
            rows_estimated=self._rows_estimated,
            bytes=self._bytes,
            bytes_estimated=self._bytes_estimated,
            seconds=now[0] - self._began,
            rows_per_s=rows / span_s if span_s else 0.0,
            bytes_per_s=bytes_per_s,
            eta_s=self._eta_s(bytes_, span_s),
            waiting=_waiting(reader_s, writer_s, span_s),
            current=tuple(self._current),
            steps_done=self._steps_done,
            steps_total=self._steps,
            lanes=self.lanes,
            rows_earlier=self._rows_earlier,
            bytes_earlier=self._bytes_earlier,
            waits_for=self._waits_for,
        )

    def _sample(self) -> _Sample:
        return (self._clock(), self._rows, self._bytes, self._reader_s, self._writer_s)

    @staticmethod
    def _since(then: _Sample, now: _Sample) -> tuple[int, int, float, float]:
        rows, bytes_ = now[1] - then[1], now[2] - then[2]
        return max(0, rows), max(0, bytes_), now[3] - then[3], now[4] - then[4]

    def _eta_s(self, bytes_: int, span_s: float) -> float | None:
        left = self._bytes_estimated - self._bytes
        enough = min(ESTIMATED_FROM_BYTES, self._bytes_estimated // 100)
        if self.phase != "copying" or left <= 0 or span_s < ESTIMATED_AFTER_S:
            return None
        return left * span_s / bytes_ if bytes_ > 0 and bytes_ >= enough else None


def _waiting(reader_s: float, writer_s: float, span_s: float) -> str | None:
    """Return the side that waits clearly longer; a tenth of the time is noise."""
    if max(reader_s, writer_s) <= 0.1 * span_s:
        return None
    if reader_s > 1.5 * writer_s:
        return "reader"
    return "writer" if writer_s > 1.5 * reader_s else None


async def show_every(meter: Meter, show: Show, interval_s: float = 0.5) -> None:
    """Show snapshots until cancelled."""
    while True:
        show(meter.snapshot())
        await anyio.sleep(interval_s)


@contextmanager
def display(stream: IO[str] | None = None) -> Iterator[Show]:
    """Open what suits the place: a notebook's cell, a terminal's lines, or a log."""
    stream = stream or sys.stderr
    if _in_notebook():
        yield notebook_display()
    elif stream.isatty() and _has_rich():
        with terminal_display(stream) as show:
            yield show
    else:
        yield line_display(stream)


def line_display(
    stream: IO[str], clock: Callable[[], float] = time.monotonic, every_s: float = LINE_EVERY_S
) -> Show:
    """Return what prints a line every ten seconds, on a new phase, and at the end."""
    last: list[Any] = [(None, False), 0.0]

    def show(progress: Progress) -> None:
        now = clock()
        phase = (progress.phase, progress.waits_for is not None)
        if phase != last[0] or now - last[1] >= every_s:
            last[:] = phase, now
            print(progress_line(progress), file=stream, flush=True)

    return show


@contextmanager
def terminal_display(stream: IO[str]) -> Iterator[Show]:
    """Open a bar that is redrawn in place; no thread, each event redraws."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=stream)
    with Live(console=console, auto_refresh=False) as live:

        def show(progress: Progress) -> None:
            live.update(_terminal_lines(progress), refresh=True)

        yield show


def _terminal_lines(progress: Progress) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    share = 1.0 if progress.phase in ("steps", "done") else progress.fraction or 0.0
    bar = ProgressBar(total=1.0, completed=share, width=48)
    # A bar does not end its line.
    lines: list[Any] = [bar, Text(f"\n{progress_line(progress)}")]
    if progress.current:
        named = visible(", ".join(progress.current[:4]))
        more = f" and {len(progress.current) - 4} more" if len(progress.current) > 4 else ""
        lines.append(Text(f"now: {named}{more}", style="dim", no_wrap=True, overflow="ellipsis"))
    return Group(*lines)


def notebook_display() -> Show:
    """Return what updates one output of the cell; it runs in the cell's own event loop."""
    from IPython.display import HTML
    from IPython.display import display as show_html

    from fastload.report_html import progress_fragment

    handles: list[Any] = []

    def show(progress: Progress) -> None:
        html = HTML(progress_fragment(progress))  # type: ignore[no-untyped-call]
        if handles:
            handles[0].update(html)
        else:
            handles.append(show_html(html, display_id=True))  # type: ignore[no-untyped-call]

    return show


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


def _has_rich() -> bool:
    try:
        import rich  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True
