"""One run of one contender: wall time, processor time, and peak memory of all its processes."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_SAMPLE_EVERY_S = 0.01
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Run:
    """What one run took.

    Attributes:
        wall_s: From the start of its first process to the end of its last.
        call_s: Inside the library's call, where it is one; the wall time otherwise.
        cpu_s: Processor time of all its processes.
        peak_bytes: Largest resident memory of all its processes together.
    """

    wall_s: float
    call_s: float
    cpu_s: float
    peak_bytes: int


@dataclass(kw_only=True)
class Series:
    """The runs of one contender."""

    name: str
    runs: list[Run] = field(default_factory=list)


def run(commands: Sequence[Sequence[str]], *, environment: dict[str, str]) -> Run:
    """Run commands as a pipe and measure them together."""
    began = time.perf_counter()
    processes: list[subprocess.Popen[bytes]] = []
    previous = None
    for i, command in enumerate(commands):
        last = i == len(commands) - 1
        process = subprocess.Popen(
            command,
            stdin=previous,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if last else None,
            env=os.environ | environment,
        )
        if previous is not None:
            previous.close()
        previous = process.stdout
        processes.append(process)
    sampler = _Sampler([p.pid for p in processes])
    output, errors = processes[-1].communicate()
    usages = [os.wait4(p.pid, 0) for p in processes[:-1]]
    wall_s = time.perf_counter() - began
    sampler.stop()
    if processes[-1].returncode or any(status for _, status, _ in usages):
        raise RuntimeError(f"{commands}: {errors.decode(errors='replace')[-2000:]}")
    return Run(
        wall_s=wall_s,
        call_s=_reported(output, wall_s),
        cpu_s=sampler.cpu_s,
        peak_bytes=sampler.peak_bytes,
    )


def _reported(output: bytes, wall_s: float) -> float:
    lines = output.decode().strip().splitlines()
    return float(json.loads(lines[-1])["seconds"]) if lines and lines[-1][:1] == "{" else wall_s


class _Sampler(threading.Thread):
    """Samples memory and processor time of process trees until stopped."""

    def __init__(self, roots: Iterable[int]) -> None:
        super().__init__(daemon=True)
        self._roots = list(roots)
        self._cpu_s: dict[int, float] = {}
        self._stopped = threading.Event()
        self.peak_bytes = 0
        self.start()

    @property
    def cpu_s(self) -> float:
        return sum(self._cpu_s.values())

    def run(self) -> None:
        while not self._stopped.wait(_SAMPLE_EVERY_S):
            held = [self._look(pid) for pid in _trees(self._roots)]
            self.peak_bytes = max(self.peak_bytes, sum(held))

    def _look(self, pid: int) -> int:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            held = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
        except (OSError, IndexError):
            return 0
        ticks = int(stat[11]) + int(stat[12])
        self._cpu_s[pid] = ticks / os.sysconf("SC_CLK_TCK")
        return held

    def stop(self) -> None:
        self._stopped.set()
        self.join()


def _trees(roots: Iterable[int]) -> list[int]:
    found, waiting = [], list(roots)
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """Paired ratios of two contenders: the median and its quartiles."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        ratios = sorted(a / b for a, b in zip(ours, theirs, strict=True))
        cuts = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios
        return Ratio(median=statistics.median(ratios), low=cuts[0], high=cuts[-1])
