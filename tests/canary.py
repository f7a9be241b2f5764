"""A password that must not turn up again: what the suite writes is searched for it.

Every server of the suite is given it. It is looked for in what tests print and log, in what
programs print, in files below ``tmp_path``, in warnings, in every attribute that an error of
fastload's is given, and in plans and results as text, as JSON and as HTML. One hit fails the run.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from fastload import pipeline
from fastload.errors import FastloadError

# All that URLs, option files and SQL give a meaning of its own, between words that stay the same
# however they are quoted: either end alone is a hit.
ENDS = ("c4n4ry", "f1nch")
CANARY = f"""{ENDS[0]}@/%:p'a\\s"s w%r d#{ENDS[1]}"""
_NEEDLES = tuple(end.encode() for end in ENDS)
_BLOCK_BYTES = 1 << 20
_LONGEST_BYTES = max(map(len, _NEEDLES))

leaks: list[str] = []


def look(text: object, where: str) -> None:
    """Note a leak where a text, or bytes, have the canary in them."""
    found = text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogatepass")
    if any(needle in found for needle in _NEEDLES):
        leaks.append(f"{where} ({os.environ.get('PYTEST_CURRENT_TEST', 'after the last test')})")


def pytest_configure(config: pytest.Config) -> None:
    """Watch what no hook of pytest's is told."""
    _watch(subprocess, "run", _look_at_process)
    _watch(pytest.CaptureFixture, "readouterr", lambda found: look(found, "captured output"))
    _watch_errors()
    _watch_copies()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for title, text in report.sections:
        look(text, title)


def pytest_warning_recorded(warning_message: Any, nodeid: str) -> None:
    look(warning_message, f"a warning of {nodeid}")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is not None and factory._basetemp is not None:
        for folder, _, names in os.walk(factory._basetemp):
            for name in names:
                _look_at_file(Path(folder) / name)
    if leaks and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if leaks:
        terminalreporter.section("the canary password leaked", red=True)
        for leak in leaks:
            terminalreporter.line(leak)


def _look_at_file(path: Path) -> None:
    if not path.is_file() or path.is_symlink():
        return
    with path.open("rb") as file:
        kept = b""
        while block := file.read(_BLOCK_BYTES):
            if any(needle in kept + block for needle in _NEEDLES):
                leaks.append(f"file {path}")
                return
            kept = block[-_LONGEST_BYTES:]


def _look_at_process(done: subprocess.CompletedProcess[Any]) -> None:
    for name in ("stdout", "stderr"):
        look(getattr(done, name), f"{name} of a program")


def _watch(owner: Any, name: str, look_at: Callable[[Any], None]) -> None:
    original = getattr(owner, name)

    @functools.wraps(original)
    def watched(*args: Any, **kwargs: Any) -> Any:
        found = original(*args, **kwargs)
        look_at(found)
        return found

    setattr(owner, name, watched)


def _watch_errors() -> None:
    def watched(self: FastloadError, name: str, value: object) -> None:
        if isinstance(value, str):
            look(value, f"{name} of a {type(self).__name__}")
        Exception.__setattr__(self, name, value)

    FastloadError.__setattr__ = watched  # type: ignore[method-assign,assignment]


def _watch_copies() -> None:
    for name in ("run", "run_once"):
        setattr(pipeline, name, _looking_at_copies(getattr(pipeline, name)))


def _looking_at_copies(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    async def watched(job: Any, plan: Any, *more: Any) -> Any:
        look(msgspec.json.encode(plan), "a plan, which is what states store")
        look(repr(plan), "a plan as text")
        done = await original(job, plan, *more)
        told = (repr(done), str(done), orjson.dumps(done.to_dict()), done.html())
        for text, form in zip(told, ("repr", "text", "JSON", "HTML"), strict=True):
            look(text, f"a result as {form}")
        return done

    return watched
