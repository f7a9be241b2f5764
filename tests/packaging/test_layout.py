"""What is shipped, what may import what, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fastload

ROOT = Path(fastload.__file__).parents[1]
ADAPTERS = ROOT / "adapters"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def imports(path: Path) -> set[str]:
    """Return the top-level names a module imports, wherever it does so."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def modules(folder: Path) -> list[Path]:
    return sorted(p for p in folder.rglob("*.py") if "build" not in p.parts)


@pytest.mark.parametrize("path", modules(ROOT / "fastload"), ids=lambda p: p.stem)
def test_the_core_imports_no_adapter(path):
    found = {name for name in imports(path) if name.startswith("fastload_")}
    # The demonstration copies between two PostgreSQL servers.
    assert not found


@pytest.mark.parametrize("package", sorted(p.name for p in ADAPTERS.iterdir() if p.is_dir()))
def test_no_adapter_imports_another(package):
    others = {
        name
        for path in modules(ADAPTERS / package)
        for name in imports(path)
        if name.startswith("fastload_") and name != package
    }
    assert not others


def test_every_kernel_is_built_and_every_built_module_exists():
    listed = {m["sources"][0] for m in PROJECT["tool"]["setuptools"]["ext-modules"]}
    there = {
        str(p.relative_to(ROOT))
        for folder in (ROOT / "fastload", ADAPTERS)
        for p in folder.rglob("*.pyx")
    }
    assert listed == there
    for source in there:
        assert (ROOT / source).with_suffix(".pyi").exists()


def test_what_is_not_python_is_shipped():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    assert {"py.typed", "*.pyi", "*.pxd"} <= set(patterns)
    assert (ROOT / "fastload" / "py.typed").exists()


def test_every_module_can_be_imported_and_hides_no_verb():
    for found in pkgutil.walk_packages(fastload.__path__, "fastload."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in fastload.__all__:
        assert getattr(fastload, name) is not None
    for verb in ("copy", "plan", "read", "write", "describe", "display"):
        assert callable(getattr(fastload, verb))
    assert set(fastload.__all__) <= set(dir(fastload))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="copi"):
        _ = fastload.copi


def test_importing_fastload_imports_nothing_heavy():
    script = "import sys, fastload; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"pyarrow", "numpy", "asyncpg", "anyio", "rich", "msgspec", "asyncio"}


def test_the_adapter_is_found_without_its_driver():
    script = (
        "import sys, fastload.registry as r; a = r.adapter_for(r.Url.parse('postgresql://h/d'));"
        "print(a.schemes[0], 'asyncpg' in sys.modules, 'pyarrow' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["postgresql", "False", "False"]
