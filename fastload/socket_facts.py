"""What the kernel knows of a TCP connection, and what it is told to find out about it."""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple

# tcp_info of linux/tcp.h: tcpi_probes, tcpi_unacked, tcpi_last_ack_recv (ms), tcpi_bytes_acked and
# tcpi_bytes_received (Linux 4.1).
_FACTS = struct.Struct("@3xB20xI28xI60xQQ")
# An end that has no room is asked about it, and answers; one question may get lost.
_UNANSWERED_PROBES = 2
_KEEPALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}
_USER_TIMEOUT_MS = 25_000


class SocketFacts(NamedTuple):
    """One moment of a connection.

    Attributes:
        moved: Bytes that the other end has acknowledged or sent, since the beginning.
        unheard_s: How long the other end's kernel says nothing of bytes that are under way, or of
            whether it has room again; 0 where neither is asked. One that only has no room says so,
            and takes nothing: 0.
    """

    moved: int
    unheard_s: float


def facts_of(found: Any) -> SocketFacts | None:
    """Return what is known of a socket; None of one that is no TCP, or elsewhere than on Linux."""
    try:
        told = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _FACTS.size)
        probes, unacked, silent_ms, acked, received = _FACTS.unpack(told)
    except (OSError, AttributeError, ValueError, struct.error):
        return None
    asked = unacked or probes >= _UNANSWERED_PROBES
    return SocketFacts(acked + received, silent_ms / 1000 if asked else 0.0)


def keep_alive(found: Any, *, only_asks: bool) -> None:
    """Have the kernel notice within half a minute, 25 s to be exact, that the other end is gone.

    Args:
        found: The socket, or None; one that is no TCP is left as it is.
        only_asks: Whether nothing but statements is sent. Where rows are, a server that reads none
            for a while, as while it waits for a lock, would be taken for one that is gone.
    """
    if found is None or found.family not in (socket.AF_INET, socket.AF_INET6):
        return
    found.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    options = dict(_KEEPALIVE, **({"TCP_USER_TIMEOUT": _USER_TIMEOUT_MS} if only_asks else {}))
    for name, value in options.items():
        if number := getattr(socket, name, None):
            found.setsockopt(socket.IPPROTO_TCP, number, value)
