"""Which adapter answers to an endpoint: entry points of the group ``fastload.adapters``."""

from __future__ import annotations

import difflib
import functools
import re
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING

from fastload.errors import AdapterNotFound, ConfigError
from fastload.url import Url

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fastload.adapter import Adapter, Endpoint, Source, Target
    from fastload.expressions import Dialect

GROUP = "fastload.adapters"
# One requirement of an extra in a distribution's metadata: asyncpg<1,>=0.30; extra == "postgres"
_EXTRA = re.compile(r"\s*([A-Za-z0-9._-]+)[^;]*;.*\bextra\s*==\s*['\"]([^'\"]+)['\"]")


@functools.cache
def installed() -> dict[str, EntryPoint]:
    """Return the entry points of installed adapters by scheme."""
    return {e.name: e for e in sorted(entry_points(group=GROUP), key=lambda e: e.name)}


@functools.cache
def _load(name: str) -> Adapter:
    with explained_imports():
        adapter: Adapter = installed()[name].load()
    return adapter


def adapter_for(endpoint: Endpoint) -> Adapter:
    """Return the adapter of a URL's scheme, or the one that knows the caller's client.

    Raises:
        AdapterNotFound: With what is installed, and the line that installs what is missing.
    """
    if isinstance(endpoint, Url):
        return _for_scheme(endpoint.scheme)
    if isinstance(endpoint, str):
        raise ConfigError("a URL is still text here", hint="parse it with fastload.Url.parse")
    for name in installed():
        adapter = _load(name)
        if adapter.accepts(endpoint):
            return adapter
    raise AdapterNotFound(
        f"no adapter accepts a client of type {type(endpoint).__module__}."
        f"{type(endpoint).__qualname__}",
        hint=f"pass a URL, or a pool of a driver of: {', '.join(installed()) or 'none installed'}",
    )


def _for_scheme(scheme: str) -> Adapter:
    if scheme in installed():
        return _load(scheme)
    known = tuple(installed())
    near = difflib.get_close_matches(scheme, known, 1, 0.6)
    guess = f"did you mean {near[0]}://? " if near else ""
    raise AdapterNotFound(
        f"no adapter for {scheme}://",
        hint=f"{guess}installed: {', '.join(known) or 'none'}; other databases come as packages "
        f"with an entry point in the group {GROUP!r}",
    )


@functools.cache
def expressions_of(dialect: str) -> Dialect | None:
    """Return what the adapter of a dialect says of its expressions; None where none does."""
    from fastload.adapter import Expressing

    for name in installed():
        try:
            adapter = _load(name)
        except AdapterNotFound:
            continue  # nothing of a database without a driver is read or written
        if isinstance(adapter, Expressing) and adapter.dialect == dialect:
            return adapter.expressions()
    return None


@asynccontextmanager
async def open_source(endpoint: Endpoint, *, connections: int) -> AsyncIterator[Source]:
    """Connect to read; a missing driver raises AdapterNotFound."""
    async with AsyncExitStack() as stack:
        with explained_imports():
            opening = adapter_for(endpoint).source(endpoint, connections=connections)
            source = await stack.enter_async_context(opening)
        yield source


@asynccontextmanager
async def open_target(endpoint: Endpoint, *, connections: int) -> AsyncIterator[Target]:
    """Connect to write; a missing driver raises AdapterNotFound."""
    async with AsyncExitStack() as stack:
        with explained_imports():
            opening = adapter_for(endpoint).target(endpoint, connections=connections)
            target = await stack.enter_async_context(opening)
        yield target


@contextmanager
def explained_imports() -> Iterator[None]:
    """Turn a missing driver's ModuleNotFoundError into the pip line that installs it."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise driver_missing(error) from error


def driver_missing(error: ModuleNotFoundError) -> AdapterNotFound:
    """Return the error that says which pip line installs a missing driver."""
    module = (error.name or "").split(".")[0]
    return AdapterNotFound(
        f"the driver {module!r} is not installed",
        hint=f"pip install {_requirement(module)!r}",
    )


def _requirement(module: str) -> str:
    """Return ``distribution[extra]`` of the smallest extra that brings this module.

    An extra that is built upon another of its distribution brings that one's modules as well.
    """
    found: dict[str, list[str]] = {}
    for dist in [entry.dist for entry in installed().values() if entry.dist]:
        for line in dist.requires or ():
            if match := _EXTRA.match(line):
                found.setdefault(f"{dist.name}[{match[2]}]", []).append(match[1].lower())
    bringing = [extra for extra, modules in found.items() if module.lower() in modules]

    def breadth(extra: str) -> tuple[bool, int]:
        return extra.partition("[")[0].lower() in found[extra], len(found[extra])

    return min(bringing, key=breadth, default=module)
