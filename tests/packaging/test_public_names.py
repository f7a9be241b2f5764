"""The public names are there, stay what they are, and cost nothing until they are used."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from typing import Any

import pytest

import fastload

VERBS = ("copy", "plan", "read", "verify", "write")

# Importing a submodule sets it as an attribute of its package: one named like a verb would
# replace the verb from then on.
IMPORT_ALL = """
import importlib, json, pkgutil, types
import fastload

def names(package):
    for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        yield found.name
        if found.ispkg:
            yield from names(importlib.import_module(found.name))

imported = [n for n in names(fastload) if not n.endswith("__main__")]
for name in imported:
    importlib.import_module(name)
modules = [n for n in fastload.__all__ if isinstance(getattr(fastload, n), types.ModuleType)]
verbs = [callable(getattr(fastload, n)) for n in ("copy", "plan", "read", "verify", "write")]
print(json.dumps({"imported": imported, "modules": sorted(modules), "verbs": verbs}))
"""

# What takes long to import, or belongs to one adapter, command or test.
HEAVY = {
    "IPython",
    "aiomysql",
    "asyncio",
    "asyncpg",
    "cyclopts",
    "fastload_mysql",
    "fastload_postgres",
    "msgspec",
    "numpy",
    "orjson",
    "pandas",
    "pyarrow",
    "pytest",
    "rich",
    "sqlglot",
    "uvloop",
}


def python(program: str) -> Any:
    """Run a program in an interpreter of its own and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    return json.loads(done.stdout)


def loaded_by(program: str) -> set[str]:
    told = python(f"{program}\nimport sys, json; print(json.dumps(sorted(sys.modules)))")
    return {name.split(".")[0] for name in told}


def test_no_submodule_replaces_a_public_name():
    told = python(IMPORT_ALL)
    assert len(told["imported"]) > 30
    assert told["modules"] == ["blocking", "errors"]
    assert told["verbs"] == [True] * 5


@pytest.mark.parametrize("name", fastload.__all__)
def test_every_public_name_is_there(name):
    assert getattr(fastload, name) is not None
    assert name in dir(fastload)


def test_public_names_are_what_type_checkers_see():
    """The lazy table and the imports under TYPE_CHECKING say the same."""
    lazy = set(fastload._HOME) | {"blocking", "errors"}
    assert lazy == set(fastload.__all__)
    assert fastload.__all__ == sorted(fastload.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'cpoy'"):
        _ = fastload.cpoy


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_a_blocking_twin_with_its_signature(verb):
    twin = getattr(fastload.blocking, verb)
    assert verb in fastload.blocking.__all__
    if verb != "read":
        assert inspect.signature(twin) == inspect.signature(getattr(fastload, verb))


def test_plan_takes_what_copy_takes():
    copied = dict(inspect.signature(fastload.copy).parameters)
    del copied["progress"], copied["verify"]
    assert copied == dict(inspect.signature(fastload.plan).parameters)


def test_importing_fastload_imports_nothing_heavy():
    assert loaded_by("import fastload") & HEAVY == set()


def test_looking_at_names_imports_nothing_heavy():
    assert loaded_by("import fastload; dir(fastload); fastload.__all__") & HEAVY == set()


def test_the_verbs_import_no_adapter_and_no_driver():
    program = "import fastload; fastload.copy, fastload.read, fastload.blocking"
    assert loaded_by(program) & {"fastload_postgres", "asyncpg", "pyarrow", "numpy"} == set()


def test_the_commands_help_imports_no_adapter_and_no_driver():
    program = (
        "import contextlib, io\nfrom fastload.cli import main\n"
        "with contextlib.redirect_stdout(io.StringIO()): main(['--help'])"
    )
    assert loaded_by(program) & {"fastload_postgres", "asyncpg", "pyarrow", "numpy"} == set()
