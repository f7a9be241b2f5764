"""Results as a table and a chart: ``python -m benchmarks.report results/DATE.json ...``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent
_BEGIN, _END = "<!-- results -->", "<!-- end of results -->"


def table(results: dict[str, Any]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| work | fastload | against | reach | in the call | whole process | CPU s | peak MB |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        lines += [_ratio_line(name, result, ratio) for ratio in result.get("ratios", ())]
        lines += [
            f"| {name} | {g['ours']} | peak memory | {g['reach_mb']} MB | | | | {g['mb']:.0f} |"
            for g in result.get("gates", ())
        ]
        if "import_ms" in result:
            told = f"{result['import_ms']:.0f} ms"
            lines.append(f"| {name} | | | {result['reach_ms']} ms | {told} | | | |")
    return "\n".join(lines)


def _ratio_line(name: str, result: dict[str, Any], ratio: dict[str, Any]) -> str:
    mine = result["contenders"][ratio["ours"]]
    return (
        f"| {name} | {ratio['ours']} | {ratio['theirs']} | {ratio['reach'] or ''} | "
        f"{_spread(ratio['call'])} | {_spread(ratio['process'])} | "
        f"{mine['cpu_s']:.2f} | {mine['peak_bytes'] / 1e6:.0f} |"
    )


def _spread(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})"


def chart(results: dict[str, Any], path: Path) -> None:
    """Draw every ratio with its quartiles, and what is to be reached."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "fastload"
    from matplotlib import pyplot

    ratios = [
        (f"{name}: {r['ours']} / {r['theirs']}", r)
        for name, result in results.items()
        for r in result.get("ratios", ())
        if r["ours"].startswith("fastload")
    ]
    ratios.reverse()
    figure, axes = pyplot.subplots(figsize=(9, 0.34 * len(ratios) + 1.2))
    for place, (_, r) in enumerate(ratios):
        call = r["call"]
        reached = r["reach"] is None or call["median"] <= r["reach"]
        axes.barh(place, call["median"], color="#2a7f62" if reached else "#c8553d", height=0.6)
        axes.plot([call["low"], call["high"]], [place, place], color="#222222", linewidth=1.5)
        if r["reach"] is not None:
            axes.plot([r["reach"]] * 2, [place - 0.4, place + 0.4], color="#222222", linestyle=":")
    axes.set_yticks(range(len(ratios)), [label for label, _ in ratios], fontsize=8)
    axes.axvline(1, color="#888888", linewidth=0.8)
    axes.set_xlabel("time of fastload / time of the other (less is better; dotted: to reach)")
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def kernels(told: dict[str, Any]) -> str:
    """Return what ``benchmarks/kernels.py`` measured as a Markdown table."""
    figures: dict[str, dict[str, str]] = {}
    for benchmark in told["benchmarks"]:
        direction, _, what = benchmark["name"].removeprefix("test_").partition("_")
        unit, _, name = what.partition("[")
        extra = benchmark["extra_info"]
        made = figures.setdefault(f"{name[:-1]} ({unit})", {})
        made[direction] = f"{extra['ns']:.1f} ns, {extra['GB/s']:.2f} GB/s"
    lines = ["| type or row | decode | encode |", "|---|---|---|"]
    lines += [
        f"| {n} | {r.get('decode', '')} | {r.get('encode', '')} |" for n, r in figures.items()
    ]
    return "\n".join(lines)


def main(*sources: str) -> None:
    """Write the results of one or more files; where two have the same work, the later counts."""
    files = [json.loads(Path(source).read_text()) for source in sources]
    told = files[-1] | {"results": {n: r for file in files for n, r in file["results"].items()}}
    chart(told["results"], _FOLDER / "results" / "ratios.svg")
    readme = _FOLDER / "README.md"
    before, _, rest = readme.read_text().partition(_BEGIN)
    after = rest.partition(_END)[2]
    machine = told["machine"]
    intro = (
        f"{told['date']}, {machine['processors']} processors, {told['pairs']} pairs; "
        "ratios are medians with quartiles."
    )
    parts = [_BEGIN, intro, "", table(told["results"]), "", "![ratios](results/ratios.svg)"]
    if (_FOLDER / "results" / "kernels.json").exists():
        measured = json.loads((_FOLDER / "results" / "kernels.json").read_text())
        parts += ["", "Kernels alone, per value of a type and per row:", "", kernels(measured)]
    body = "\n".join([*parts, _END])
    readme.write_text(before + body + after)


if __name__ == "__main__":
    main(*sys.argv[1:])
