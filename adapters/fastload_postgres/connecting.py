"""A URL as the driver's arguments, and what to do when nobody lets us in."""

from __future__ import annotations

import math
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from fastload import errors
from fastload.url import Url
from fastload_postgres.driver_errors import translate

CONNECT_TIMEOUT_S = 30.0
_FILES = ("sslrootcert", "sslcert", "sslkey")
_KNOWN = ("host", "sslmode", *_FILES, "connect_timeout", "application_name")
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def arguments(url: Url, side: str) -> dict[str, Any]:
    """Return the arguments of ``asyncpg.connect``.

    Raises:
        ConfigError: An option of the URL is unknown or wrong.
    """
    options = dict(url.options)
    unknown = sorted(options.keys() - set(_KNOWN))
    if unknown:
        raise _wrong(side, f"unknown option in the URL: {', '.join(unknown)}", _KNOWN)
    name = options.get("application_name", "fastload")
    return {
        "host": options.get("host") or url.host or "127.0.0.1",
        "port": url.port,
        "user": url.user,
        "password": url.password.reveal() if url.password else None,
        "database": url.database,
        "timeout": _timeout_s(options.get("connect_timeout"), side),
        "server_settings": {"application_name": name},
        "ssl": _tls(options, side),
    }


def _wrong(side: str, what: str, known: tuple[str, ...]) -> errors.ConfigError:
    return errors.ConfigError(what, side=side, hint=f"known: {', '.join(known)}")


def _timeout_s(text: str | None, side: str) -> float:
    try:
        seconds = CONNECT_TIMEOUT_S if text is None else float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise errors.ConfigError(
            f"connect_timeout={text} in the URL is no number of seconds above 0",
            side=side,
            hint=f"leave it out for {CONNECT_TIMEOUT_S:.0f} s",
        )
    return seconds


def _tls(options: dict[str, str], side: str) -> ssl.SSLContext | str:
    mode = options.get("sslmode", "prefer")
    if mode not in _MODES:
        raise _wrong(side, f"sslmode={mode} in the URL is no mode", _MODES)
    files = {name: options[name] for name in _FILES if name in options}
    for name, path in files.items():
        if not Path(path).is_file():
            raise errors.ConfigError(
                f"{name} in the URL is no file: {path}", side=side, hint="check the path"
            )
    if not files:
        return mode
    try:
        context = ssl.create_default_context(cafile=files.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        if "sslcert" in files:
            context.load_cert_chain(files["sslcert"], files.get("sslkey"))
    except ssl.SSLError as error:
        raise errors.ConfigError(
            f"the certificates that the URL names cannot be used: {error.reason or error}",
            side=side,
            hint=f"check {', '.join(files)}: PEM files are needed, and a key that fits",
        ) from error
    return context


@contextmanager
def connecting(url: Url, side: str) -> Iterator[None]:
    """Turn what the driver raises while it connects into the ConnectError that says what to do."""
    place = f"{url.host or url.options.get('host', '127.0.0.1')}:{url.port or 5432}"
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
            f"the host {url.host!r} is not known",
            side=side,
            hint="check the host name in the URL and this machine's DNS",
        ) from e
    except ssl.SSLError as e:
        raise errors.TlsError(
            f"the encrypted connection to {place} was refused: {e.reason}",
            side=side,
            hint="check sslmode and sslrootcert in the URL",
        ) from e
    except ConnectionError as e:
        # How asyncpg (0.32) says that the server takes no TLS; a closed port is its subclass.
        if "SSL" not in str(e):
            raise _nobody(place, side) from e
        raise errors.TlsError(
            f"the server at {place} takes no encrypted connections",
            side=side,
            hint="switch on ssl on the server; sslmode=prefer takes what there is; and check that "
            "a PostgreSQL server answers there",
        ) from e
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
