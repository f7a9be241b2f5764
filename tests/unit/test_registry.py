"""Which adapter answers, and what is said when none does."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fastload import registry
from fastload.errors import AdapterNotFound, ConfigError
from fastload.testing.memory import ADAPTER, MemoryDatabase
from fastload.url import Url

# A machine without the driver: the import system itself is told that there is none.
WITHOUT_DRIVER = """
import sys
sys.modules["asyncpg"] = None
import fastload
try:
    fastload.blocking.plan("postgresql://u:canary4711@127.0.0.1:1/d", "memory://x")
except fastload.AdapterNotFound as error:
    print(type(error.__cause__).__name__, error, sep="\\n")
"""


def test_a_scheme_has_its_adapter():
    assert registry.adapter_for(Url.parse("memory://x")) is ADAPTER
    assert registry.adapter_for(Url.parse("postgres://h/d")).schemes == ("postgresql",)


def test_an_adapter_is_loaded_once():
    url = Url.parse("postgresql://h/d")
    assert registry.adapter_for(url) is registry.adapter_for(url)


def test_a_client_has_the_adapter_that_accepts_it():
    assert registry.adapter_for(MemoryDatabase("x")) is ADAPTER


@pytest.mark.parametrize(
    ("scheme", "guess"),
    [("postgrsql", "postgresql"), ("postgre", "postgresql"), ("memry", "memory")],
)
def test_a_misspelt_scheme_gets_a_guess_and_the_list(scheme, guess):
    with pytest.raises(AdapterNotFound, match=f"no adapter for {scheme}://") as caught:
        registry.adapter_for(Url.parse(f"{scheme}://u:canary4711@h/d"))
    assert caught.value.hint.startswith(f"did you mean {guess}://?")
    assert "canary4711" not in str(caught.value)


def test_an_unlike_scheme_gets_the_list_alone():
    with pytest.raises(AdapterNotFound) as caught:
        registry.adapter_for(Url.parse("oracle://h/d"))
    assert "did you mean" not in caught.value.hint
    assert "installed: mariadb, memory, mysql, postgresql" in caught.value.hint


def test_an_unknown_client_is_named_by_its_type():
    with pytest.raises(AdapterNotFound, match=r"builtins\.dict") as caught:
        registry.adapter_for({})
    assert "postgresql" in caught.value.hint


def test_text_is_not_a_client():
    with pytest.raises(ConfigError, match="still text"):
        registry.adapter_for("postgresql://u:canary4711@h/d")


async def test_opening_an_unknown_scheme_fails_likewise():
    for opening in (registry.open_source, registry.open_target):
        with pytest.raises(AdapterNotFound):
            await opening(Url.parse("oracle://h/d"), connections=1).__aenter__()


async def test_opening_gives_source_and_target():
    async with registry.open_source(Url.parse("memory://r"), connections=1) as source:
        assert source.identity == "memory:r"
    async with registry.open_target(Url.parse("memory://r"), connections=1) as target:
        assert target.capabilities.ddl


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("asyncpg", "pip install 'fastload[postgres]'"),
        ("asyncpg.protocol", "pip install 'fastload[postgres]'"),
        ("uvloop", "pip install 'fastload[cli]'"),
        ("left_pad", "pip install 'left_pad'"),
    ],
)
def test_a_missing_driver_is_told_with_the_line_that_installs_it(module, line):
    error = registry.driver_missing(ModuleNotFoundError(name=module))
    assert error.hint == line
    assert module.split(".")[0] in error.message


def test_other_errors_of_an_adapter_pass():
    with pytest.raises(ImportError, match="wrong library") as caught, registry.explained_imports():
        raise ImportError("wrong library")
    assert not isinstance(caught.value, AdapterNotFound)


def test_a_verb_says_which_driver_is_missing():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_DRIVER], capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "ModuleNotFoundError",
        "the driver 'asyncpg' is not installed",
        "  hint: pip install 'fastload[postgres]'",
    ]
