"""What ``fastload doctor`` finds: versions, compiled kernels, and what databases allow."""

from __future__ import annotations

import importlib.util
import platform
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from fastload import registry
from fastload.errors import FastloadError
from fastload.model import Finding
from fastload.wording import visible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastload.url import Url

_PACKAGES = ("fastload", "pyarrow", "anyio", "uvloop", "asyncpg", "aiomysql")
_MARKS = {"ok": "ok  ", "warn": "warn", "bad": "BAD "}


@dataclass(frozen=True, slots=True)
class Placed:
    """A finding and where it holds: ``here``, or a URL as source or target."""

    place: str
    finding: Finding


async def examine(urls: Sequence[Url]) -> list[Placed]:
    """Return findings of this installation and of each database as source and as target."""
    found = [Placed("here", finding) for finding in (*versions(), *kernels())]
    for url in urls:
        found += await _examine_as("source", url)
        found += await _examine_as("target", url)
    return found


def versions() -> list[Finding]:
    """Return the versions of what does the work."""
    found = [_finding("ok", "python", platform.python_version())]
    for package in _PACKAGES:
        try:
            found.append(_finding("ok", package, version(package)))
        except PackageNotFoundError:
            found.append(_finding("warn", package, "not installed"))
    return found


def kernels() -> list[Finding]:
    """Return whether the kernels of the core and of each installed adapter are compiled."""
    if not registry.installed():
        hint = "pip install fastload, or pip install -e . in its sources"
        return [_finding("bad", "adapters", "none installed", hint)]
    packages = ("fastload.kernels", *(entry.module for entry in _distinct_adapters()))
    return [_kernels_of(package) for package in packages]


def as_text(found: Sequence[Placed]) -> str:
    """Return findings as lines under the place where they hold."""
    lines, place = [], None
    width = max(len(p.finding.subject) for p in found)
    for placed in found:
        if placed.place != place:
            place = placed.place
            lines.append(place)
        finding = placed.finding
        lines.append(f"  {_MARKS[finding.level]}  {finding.subject:<{width}}  {finding.text}")
        if finding.hint and finding.level != "ok":
            lines.append(f"        hint: {finding.hint}")
    return "\n".join(map(visible, lines))


def to_dict(placed: Placed) -> dict[str, Any]:
    """Return a finding as plain data."""
    return {"place": placed.place, **msgspec.to_builtins(placed.finding)}


async def _examine_as(side: str, url: Url) -> list[Placed]:
    place = f"{side} {url}"
    opening = registry.open_source if side == "source" else registry.open_target
    try:
        async with opening(url, connections=1) as opened:
            return [Placed(place, finding) for finding in await opened.examine()]
    except FastloadError as error:
        return [Placed(place, _finding("bad", error.code, error.message, error.hint))]


def _distinct_adapters() -> list[Any]:
    return list({entry.module: entry for entry in registry.installed().values()}.values())


def _kernels_of(package: str) -> Finding:
    # Stubs say which exist.
    spec = importlib.util.find_spec(package)
    folders = [Path(f) for f in (spec and spec.submodule_search_locations) or ()]
    wanted = sorted(stub.stem for folder in folders for stub in folder.glob("*.pyi"))
    missing = [k for k in wanted if not any(_is_compiled(folder, k) for folder in folders)]
    if missing:
        text = f"not compiled: {', '.join(missing)}"
        return _finding("bad", package, text, "pip install fastload again, with a C compiler")
    return _finding("ok", package, f"kernels compiled: {', '.join(wanted) or 'has none'}")


def _finding(level: str, subject: str, text: str, hint: str | None = None) -> Finding:
    return Finding(level=level, subject=subject, text=text, hint=hint)


def _is_compiled(folder: Path, kernel: str) -> bool:
    return any((folder / f"{kernel}{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
