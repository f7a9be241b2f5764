"""A URL as the driver's arguments, and what to do when nobody lets us in."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import asyncpg

from fastload import errors, transport
from fastload.connect_options import check_known, timeout_s, wrong
from fastload.url import Url
from fastload_postgres.driver_errors import translate

# Who is cancelled while a connection is made waits no longer for its end.
_END_S = 1.0
_FILES = ("sslrootcert", "sslcert", "sslkey")
_KNOWN = ("host", "tls", "sslmode", *_FILES, "connect_timeout", "application_name")
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_BY_WORD = {transport.OFF: "disable", transport.VERIFY: "verify-full"}


def arguments(url: Url, side: str) -> dict[str, Any]:
    """Return the arguments of ``asyncpg.connect``, without the password.

    Raises:
        ConfigError: An option of the URL is unknown or wrong.
    """
    options = dict(url.options)
    check_known(options, _KNOWN, side)
    name = options.get("application_name", "fastload")
    return {
        "host": _host(url),
        "port": url.port,
        "user": url.user,
        "database": url.database,
        "timeout": timeout_s(options, side),
        "server_settings": {"application_name": name},
        "ssl": _tls(url, side),
    }


def _host(url: Url) -> str:
    return url.options.get("host") or url.host or "127.0.0.1"


def _place(url: Url) -> str:
    return f"{_host(url)}:{url.port or 5432}"


def _mode(url: Url, side: str) -> str:
    """Return how libpq would call what the URL asks for; the environment has no say."""
    if word := transport.word(url.options, side, "sslmode"):
        return _BY_WORD[word]
    usual = "prefer" if transport.is_loopback(_host(url)) else "verify-full"
    mode = url.options.get("sslmode", usual)
    if mode not in _MODES:
        raise wrong(f"sslmode={mode} in the URL is no mode", _MODES, side)
    return mode


def _tls(url: Url, side: str) -> ssl.SSLContext | str:
    mode, options = _mode(url, side), dict(url.options)
    if mode in ("disable", "allow", "prefer") and not transport.is_loopback(_host(url)):
        transport.warn_of_plaintext(_place(url), side, surely=mode == "disable")
    if options.get("sslrootcert") == "system":
        del options["sslrootcert"]
        mode = mode if mode == "disable" else "verify-full"
    given = any(name in options for name in _FILES)
    verifies = mode.startswith("verify") or "sslrootcert" in options
    if mode == "disable" or (not given and (not verifies or _trusts_as_libpq())):
        return mode
    return transport.context(
        options, side, _FILES, verifies=verifies, checks_name=mode == "verify-full"
    )


def _trusts_as_libpq() -> bool:
    """Say whether libpq's own places name authorities; asyncpg reads them, and what is revoked."""
    named = os.environ.get("PGSSLROOTCERT")
    if named:
        return named != "system"
    with suppress(RuntimeError):  # nobody's home
        return (Path.home() / ".postgresql" / "root.crt").is_file()
    return False


async def uninterrupted(connect: Coroutine[Any, Any, Any]) -> Any:
    """Return the connection that is made; one that is not wanted any more is made and dropped.

    asyncpg (0.32) that is cancelled as its socket opens leaves a future behind, of the answer to
    its question for TLS, which nobody awaits and which the loop complains about.
    """
    task = asyncio.ensure_future(connect)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(_drop)
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task], timeout=_END_S)
            task.cancel()
            await asyncio.wait([task], timeout=_END_S)
        raise


def _drop(task: asyncio.Future[Any]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().terminate()


@contextmanager
def connecting(url: Url, side: str) -> Iterator[None]:
    """Turn what the driver raises while it connects into the ConnectError that says what to do."""
    place = _place(url)
    try:
        yield
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as e:
        raise errors.AuthenticationError(
            f"the server at {place} refused user {url.user!r}",
            side=side,
            hint="check user and password; the server's pg_hba.conf decides who may come in",
        ) from e
    except asyncpg.InvalidCatalogNameError as e:
        raise errors.DatabaseNotFound(
            f"the server at {place} has no database {url.database!r}",
            side=side,
            hint="check the name after the last slash of the URL, or create the database",
        ) from e
    except socket.gaierror as e:
        raise errors.ConnectError(
            f"the host {_host(url)!r} is not known",
            side=side,
            hint="check the host name in the URL and this machine's DNS",
        ) from e
    except ssl.SSLError as e:
        raise transport.distrust(e, place, side, "sslrootcert") from e
    except ConnectionError as e:
        # How asyncpg (0.32) says that the server takes no TLS; a closed port is its subclass.
        if "SSL" not in str(e):
            raise _nobody(place, side) from e
        first = "check host and port: a PostgreSQL server has to answer there; if one does, "
        raise transport.unencrypted(place, side, first) from e
    except TimeoutError as e:
        raise errors.ConnectError(
            f"the server at {place} did not answer",
            side=side,
            hint="check host and port, and that no firewall drops packets on the way",
        ) from e
    except OSError as e:
        raise _nobody(place, side) from e
    except (asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as e:
        raise translate(e, side) from e


def _nobody(place: str, side: str) -> errors.ConnectError:
    return errors.ConnectError(
        f"no server answers at {place}",
        side=side,
        hint="check host and port, and that the server is running and listens there",
    )
