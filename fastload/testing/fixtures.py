"""What fixtures of private servers share; it needs pytest."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from fastload.testing.private_server import PrivateServer, ServerUnavailable, servers_required

S = TypeVar("S", bound=PrivateServer)


def running(start: Callable[[], S]) -> Iterator[S]:
    """Yield a started server and end it; one that cannot start skips its tests, or fails them.

    Raises:
        ServerUnavailable: It cannot start, and ``servers_required``.
    """
    try:
        server = start()
    except ServerUnavailable as error:
        if servers_required():
            raise
        pytest.skip(str(error))
    with server:
        yield server
