"""The verbs for scripts: each runs an event loop of its own until it is done."""

from __future__ import annotations

import asyncio
import functools
import importlib.util
from contextlib import contextmanager
from inspect import signature
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import anyio
from anyio.from_thread import start_blocking_portal

from fastload import api
from fastload.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    import pyarrow as pa
    from anyio.from_thread import BlockingPortal

    from fastload.verification.result import VerifyResult

__all__ = ["copy", "plan", "read", "repair", "verify", "write"]

P = ParamSpec("P")
T = TypeVar("T")


def _blocking(verb: Callable[P, Awaitable[T]]) -> Callable[P, T]:
    @functools.wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        _refuse_in_loop(f"await fastload.{verb.__name__}(...)", verb.__name__)
        # Frames keep their arguments, and texts of URLs have passwords in them.
        bound = signature(verb).bind(*args, **kwargs)
        args = kwargs = None  # type: ignore[assignment]
        for side in {"source", "target"} & bound.arguments.keys():
            bound.arguments[side] = api.endpoint(bound.arguments[side], side)
        call = functools.partial(verb, *bound.args, **bound.kwargs)
        return anyio.run(call, backend_options=_backend_options())

    return run


copy = _blocking(api.copy)
plan = _blocking(api.plan)
verify = _blocking(api.verify)
write = _blocking(api.write)


def repair(result: VerifyResult) -> VerifyResult:
    """Do what ``await result.repair()`` does."""
    _refuse_in_loop("await result.repair()", "repair")
    return anyio.run(result.repair, backend_options=_backend_options())


class BlockingReading:
    """An open read whose batches a plain loop takes, inside its ``with``."""

    def __init__(self, portal: BlockingPortal, reading: Any) -> None:
        self._portal = portal
        self._reading = reading

    @property
    def schema(self) -> pa.Schema:
        """Arrow schema of the batches."""
        schema: pa.Schema = self._reading.schema
        return schema

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        batches = self._portal.call(self._reading.__aiter__)
        while (batch := self._portal.call(_next, batches)) is not None:
            yield batch

    def table(self) -> pa.Table:
        """Return all batches as one table."""
        import pyarrow as pa

        return pa.Table.from_batches(list(self), self.schema)


@contextmanager
def read(*args: Any, **kwargs: Any) -> Iterator[BlockingReading]:
    """Open a read as ``fastload.read`` does; its event loop runs in a thread."""
    _refuse_in_loop("async with fastload.read(...)", "read")
    with (
        start_blocking_portal(backend_options=_backend_options()) as portal,
        portal.wrap_async_context_manager(api.read(*args, **kwargs)) as reading,
    ):
        yield BlockingReading(portal, reading)


async def _next(batches: Any) -> Any:
    return await anext(batches, None)


def _refuse_in_loop(instead: str, name: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise ConfigError(
        f"fastload.blocking.{name} was called inside a running event loop, which it would stop",
        hint=f"write {instead} here",
    )


def _backend_options() -> dict[str, Any]:
    return {"use_uvloop": importlib.util.find_spec("uvloop") is not None}
