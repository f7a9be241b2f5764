"""What pyproject.toml says is in the build, against what is in the sources."""

from __future__ import annotations

import importlib
import tomllib
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
PACKAGES = (ROOT / "fastload", *sorted((ROOT / "adapters").glob("fastload_*/")))


def files(pattern: str) -> list[Path]:
    return [f for package in PACKAGES for f in sorted(package.rglob(pattern))]


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "adapters" else parts)


def test_every_kernel_is_built_and_everything_built_is_there():
    listed = {m["name"]: m["sources"] for m in SETUPTOOLS["ext-modules"]}
    there = {module_name(f): [str(f.relative_to(ROOT))] for f in files("*.pyx")}
    assert there
    assert listed == there


def test_make_checks_the_stubs_of_every_kernel():
    lines = (ROOT / "Makefile").read_text().splitlines()
    checked = [n for line in lines if line.startswith("KERNEL_MODULES") for n in line.split()[2:]]
    assert sorted(checked) == sorted(m["name"] for m in SETUPTOOLS["ext-modules"])


def test_every_kernel_has_a_stub():
    assert [f.with_suffix(".pyi") for f in files("*.pyx")] == files("*.pyi")


def test_packages_that_the_entry_points_name_are_typed():
    for package in PACKAGES:
        assert (package / "py.typed").exists(), package


@pytest.mark.parametrize("pattern", ["py.typed", "*.pyi", "*.pxd"])
def test_package_data_takes_what_is_no_python(pattern):
    taken = SETUPTOOLS["package-data"]["*"]
    assert pattern in taken
    assert files(pattern)


def test_package_data_misses_nothing():
    """Whatever else lies in a package is source that the build compiles, or a build product."""
    ours = {".py", ".pyx", ".pyc", ".so", ".c"}
    left = [
        f
        for f in files("*")
        if f.is_file()
        and f.suffix not in ours
        and not any(fnmatch(f.name, p) for p in SETUPTOOLS["package-data"]["*"])
    ]
    assert left == []


def test_every_folder_with_python_is_a_package():
    """``namespaces = false`` leaves a folder without ``__init__`` out of the wheel."""
    folders = {f.parent for f in files("*.py")}
    assert [f for f in folders if not (f / "__init__.py").exists()] == []


def test_no_adapters_folder_becomes_a_package():
    assert not (ROOT / "adapters" / "__init__.py").exists()


def test_entry_points_are_installed_and_name_adapters_of_their_scheme():
    declared = PROJECT["project"]["entry-points"]["fastload.adapters"]
    installed = {e.name: e for e in entry_points(group="fastload.adapters")}
    assert {n: e.value for n, e in installed.items()} == declared
    for scheme, entry in installed.items():
        assert scheme in entry.load().schemes


def test_the_command_is_there():
    module, _, function = PROJECT["project"]["scripts"]["fastload"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))
