"""Imports go one way: the core knows no adapter, an adapter knows no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "fastload").rglob("*.py"))
ADAPTERS = sorted((ROOT / "adapters").glob("fastload_*/"))
# From the verbs down: a module may import only what stands after it, or is not listed.
LAYERS = ("cli", "commands", "api", "pipeline", "copier", "adapter", "model", "errors")
DRIVERS = {"asyncpg", "aiomysql", "pymongo", "psycopg"}
NO_NAMES = {"utils", "util", "helpers", "common", "types"}


def imported(file: Path) -> Iterator[str]:
    """Yield the full names of what a file imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def roots(file: Path) -> set[str]:
    return {name.split(".")[0] for name in imported(file)}


def test_the_parser_sees_imports_wherever_they_stand(tmp_path):
    file = tmp_path / "m.py"
    file.write_text("import a.b\ndef f():\n    from c import d\n")
    assert set(imported(file)) == {"a.b", "c.d"}


@pytest.mark.parametrize("file", CORE, ids=lambda f: str(f.relative_to(ROOT)))
def test_the_core_imports_no_adapter_and_no_driver(file):
    found = roots(file)
    assert not {n for n in found if n.startswith("fastload_")}
    # The package for tests may talk to the servers that it starts.
    if "testing" not in file.parts:
        assert not found & DRIVERS


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.name)
def test_an_adapter_imports_the_core_and_itself(adapter):
    for file in sorted(adapter.rglob("*.py")):
        ours = {n for n in roots(file) if n.startswith("fastload")}
        assert ours <= {"fastload", adapter.name}, file


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda a: a.name)
def test_an_adapter_leaves_the_verbs_alone(adapter):
    above = {f"fastload.{name}" for name in ("api", "pipeline", "copier", "planner", "commands")}
    for file in sorted(adapter.rglob("*.py")):
        assert not {".".join(n.split(".")[:2]) for n in imported(file)} & above, file


@pytest.mark.parametrize("layer", LAYERS)
def test_layers_import_downwards(layer):
    above = {f"fastload.{name}" for name in LAYERS[: LAYERS.index(layer)]}
    names = set(imported(ROOT / "fastload" / f"{layer}.py"))
    found = {n for n in names for up in above if n == up or n.startswith(f"{up}.")}
    # The command's two halves are one layer.
    assert found <= {"fastload.cli.main"} if layer == "commands" else not found


def test_the_core_speaks_no_sql():
    words = ("SELECT ", "CREATE TABLE", "INSERT INTO", "pg_")
    for file in CORE:
        if "testing" in file.parts:
            continue
        texts = [
            n.value
            for n in ast.walk(ast.parse(file.read_text()))
            if isinstance(n, ast.Constant) and isinstance(n.value, str)
        ]
        assert not [t for t in texts if any(t.lstrip().startswith(w) for w in words)], file


def test_no_module_has_a_name_that_says_nothing():
    stems = {f.stem for f in CORE} | {f.stem for a in ADAPTERS for f in a.rglob("*.py")}
    assert not stems & NO_NAMES


def test_expressions_of_the_core_name_no_database():
    """What one of them does is a field of its adapter's Dialect, and a reason names none."""
    names = re.compile("mysql|mariadb|postgres", re.IGNORECASE)
    files = sorted((ROOT / "fastload" / "expressions").glob("*.py"))
    assert len(files) > 10
    assert not [f.name for f in files if names.search(f.read_text())]
