"""fastload beside other loaders: ``python -m benchmarks.load [--only WORK,...] [--pairs 7]``.

Every contender starts from the same state: an empty target database, and a checkpoint on both
servers. Runs alternate; after each the copied rows are compared on the servers. A ratio is the
median of the ratios of neighbouring runs.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks import data, mysql_works, report, verified_works, works
from benchmarks.measure import Ratio, Run, run
from benchmarks.servers import Fleet, Server, find
from benchmarks.works import APT_PACKAGES, Contender, Work
from fastload.testing.private_server import ServerUnavailable

WORKS = {**works.WORKS, **mysql_works.WORKS, **verified_works.WORKS}
_GROUPS = {"mysql": mysql_works.WORKS, "verified": verified_works.WORKS}
_RESULTS = Path(__file__).parent / "results"


def main() -> int:
    options = _options()
    names = _names(options.only)
    if missing := _missing([WORKS[name] for name in names]):
        print(*missing, sep="\n", file=sys.stderr)
        return 2
    results: dict[str, Any] = {}
    if not options.only:
        results["import fastload"] = _imports(options.pairs)
    with Fleet() as fleet:
        for name in names:
            servers = fleet.servers(WORKS[name].source, WORKS[name].target)
            results[name] = _measure(name, WORKS[name], servers, options)
            _keep(results, options)
    print(report.table(results))
    return 0


def _names(only: str | None) -> list[str]:
    if only in _GROUPS:
        return list(_GROUPS[only])
    return only.split(",") if only else list(WORKS)


def _missing(chosen: Sequence[Work]) -> list[str]:
    """Return what the works need and is not here, each with what brings it."""
    wanted = {c.program for work in chosen for c in work.contenders.values() if c.program}
    programs = [program for program in sorted(wanted) if not shutil.which(program)]
    told = [f"{p} is missing: apt-get install {APT_PACKAGES[p]}" for p in programs]
    for kind in sorted({kind for work in chosen for kind in (work.source, work.target) if kind}):
        try:
            find(kind)
        except ServerUnavailable as error:
            told.append(str(error))
    return told


def _keep(results: dict[str, Any], options: argparse.Namespace) -> None:
    """Write what there is so far."""
    told = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": {"processors": os.cpu_count(), "system": platform.platform()},
        "pairs": options.pairs,
        "scale": options.scale,
        "results": results,
    }
    path = options.output or _RESULTS / f"{told['date']}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(told, indent=1))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"mysql, verified, or some of: {', '.join(WORKS)}")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="share of all the rows")
    parser.add_argument("--output", type=Path, help="file for the results")
    return parser.parse_args()


def _measure(
    name: str, work: Work, servers: tuple[Server, Server | None], options: argparse.Namespace
) -> dict[str, Any]:
    source, target = servers
    _make(source, work, options.scale)
    series: dict[str, list[Run]] = {who: [] for who in work.contenders}
    expected = _digests(source, work.database, work)
    made: list[str] = []
    # Memory is the same every time: a work without ratios is done once.
    for round_ in range(1 + (options.pairs if work.reach else 1)):
        for who, contender in work.contenders.items():
            made.append(f"bench_{len(made)}")
            if not work.many_files:
                _drop(target, made[:-1])
            took = _one(contender, work, source, target, made[-1])
            if target and (found := _digests(target, made[-1], work)) != expected:
                raise RuntimeError(f"{who} did not copy the same: {found}, not {expected}")
            if round_:  # the first round warms the caches
                series[who].append(took)
            told = f"{took.call_s:.2f} s, process {took.wall_s:.2f} s, CPU {took.cpu_s:.2f} s"
            print(f"{name}: {who}: {told}", file=sys.stderr, flush=True)
    _drop(target, made)
    return _summary(work, series)


def _make(source: Server, work: Work, scale: float) -> None:
    if not source.has(work.database):
        data.make(source, work.database, scale=scale)
    if work.file_of_rows:
        data.rows_file(work.file_of_rows, scale)


def _drop(server: Server | None, databases: Sequence[str]) -> None:
    if server:
        for database in databases:
            server.drop(database)


def _one(
    contender: Contender, work: Work, source: Server, target: Server | None, database: str
) -> Run:
    if target:
        target.create(database)
        if contender.prepare:
            target.execute(contender.prepare, database)
    servers = [server for server in (target, source) if server]
    for server in servers:
        server.settle()
    there = target.url_for(database) if target else ""
    commands = contender.commands(source.url_for(work.database), there)
    folders = [str(server.programs) for server in servers if server.programs]
    return run(commands, environment={"PATH": os.pathsep.join([*folders, os.environ["PATH"]])})


def _digests(server: Server, database: str, work: Work) -> list[Any]:
    told: list[Any] = [server.digest(database, t, portable=work.portable) for t in work.tables]
    return told + [server.indexes(database, t) for t in work.tables if work.indexed]


def _summary(work: Work, series: dict[str, list[Run]]) -> dict[str, Any]:
    return {
        "contenders": {who: _medians(runs) for who, runs in series.items()},
        "ratios": [
            {
                "ours": mine,
                "theirs": theirs,
                "reach": reach,
                "call": _ratio(series, mine, theirs, "call_s"),
                "process": _ratio(series, mine, theirs, "wall_s"),
            }
            for mine, theirs, reach in work.reach
        ],
        "gates": [
            {"ours": who, "reach_mb": most, "mb": max(r.peak_bytes for r in series[who]) / 1e6}
            for who, most in work.gates
        ],
        "runs": {who: [asdict(r) for r in runs] for who, runs in series.items()},
    }


def _ratio(series: dict[str, list[Run]], mine: str, theirs: str, field: str) -> dict[str, float]:
    ratio = Ratio.of(
        [getattr(r, field) for r in series[mine]], [getattr(r, field) for r in series[theirs]]
    )
    return asdict(ratio)


def _medians(runs: Sequence[Run]) -> dict[str, float]:
    fields = ("call_s", "wall_s", "cpu_s", "peak_bytes")
    return {f: statistics.median(getattr(r, f) for r in runs) for f in fields}


def _imports(pairs: int) -> dict[str, Any]:
    """Time ``import fastload`` in fresh interpreters, less their own start."""
    times = []
    for _ in range(pairs):
        bare = run([[sys.executable, "-c", "pass"]], environment={}).wall_s
        took = run([[sys.executable, "-c", "import fastload"]], environment={}).wall_s
        times.append(took - bare)
    return {"import_ms": 1000 * statistics.median(times), "reach_ms": 150}


if __name__ == "__main__":
    sys.exit(main())
