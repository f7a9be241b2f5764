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

from benchmarks import data, report
from benchmarks.measure import Ratio, Run, run
from benchmarks.works import WORKS, Contender, Work
from fastload.testing.servers import PostgresServer

_RESULTS = Path(__file__).parent / "results"


def main() -> int:
    options = _options()
    if not shutil.which("pgcopydb"):
        print("pgcopydb is missing: apt-get install pgcopydb", file=sys.stderr)
        return 2
    names = options.only.split(",") if options.only else list(WORKS)
    results: dict[str, Any] = {}
    if not options.only:
        results["import fastload"] = _imports(options.pairs)
    with data.servers() as (source, target):
        for name in names:
            _make(source, WORKS[name], options.scale)
            # Memory is the same every time: a work without ratios is done once.
            pairs = options.pairs if WORKS[name].reach else 1
            results[name] = _measure(name, WORKS[name], source, target, pairs)
            _keep(results, options)
    print(report.table(results))
    return 0


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
    parser.add_argument("--only", help=f"some of: {', '.join(WORKS)}")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--scale", type=float, default=1.0, help="TPC-H scale factor")
    parser.add_argument("--output", type=Path, help="file for the results")
    return parser.parse_args()


def _make(source: PostgresServer, work: Work, scale: float) -> None:
    there = source.psql("SELECT datname FROM pg_database").split()
    if work.database not in there:
        # A million rows of lineitem are TPC-H at scale 1/6.
        share = scale / 6 if work.database == "lineitem" else scale
        data.make(source, work.database, scale=share)


def _measure(
    name: str, work: Work, source: PostgresServer, target: PostgresServer, pairs: int
) -> dict[str, Any]:
    series: dict[str, list[Run]] = {who: [] for who in work.contenders}
    expected = [_checksum(source, work.database, t) for t in work.tables]
    made: list[str] = []
    for round_ in range(pairs + 1):
        for who, contender in work.contenders.items():
            made.append(f"bench_{len(made)}")
            if not work.many_files:
                _drop(target, made[:-1])
            took = _one(contender, work, source, target, made[-1])
            if [_checksum(target, made[-1], t) for t in work.tables] != expected:
                raise RuntimeError(f"{who} did not copy the same rows")
            if round_:  # the first round warms the caches
                series[who].append(took)
            told = f"{took.call_s:.2f} s, process {took.wall_s:.2f} s, CPU {took.cpu_s:.2f} s"
            print(f"{name}: {who}: {told}", file=sys.stderr, flush=True)
    _drop(target, made)
    return _summary(work, series)


def _drop(server: PostgresServer, databases: Sequence[str]) -> None:
    for database in databases:
        server.psql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _one(
    contender: Contender, work: Work, source: PostgresServer, target: PostgresServer, database: str
) -> Run:
    target.psql(f"CREATE DATABASE {database}")
    if contender.prepare:
        target.psql(contender.prepare, database)
    for server in (source, target):
        server.psql("CHECKPOINT")
    commands = contender.commands(source.url_for(work.database), target.url_for(database))
    path = f"{target.program('psql').parent}:{os.environ['PATH']}"
    return run(commands, environment={"PATH": path})


def _checksum(server: PostgresServer, database: str, table: str) -> str:
    query = f"SELECT count(*), sum(hashtextextended(t::text, 0)) FROM {table} AS t"
    return server.psql(query, database)


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
