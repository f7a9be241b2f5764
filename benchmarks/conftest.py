"""What pytest-benchmark writes down: figures, and not the time of every round."""

from __future__ import annotations

from typing import Any


def pytest_benchmark_update_json(output_json: dict[str, Any]) -> None:
    for benchmark in output_json["benchmarks"]:
        benchmark["stats"].pop("data", None)
