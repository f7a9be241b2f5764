"""A URL as the driver's arguments, and what to do when nobody lets us in."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from fastload import errors
from fastload.connect_options import check_known, timeout_s, tls_context, wrong
from fastload.url import Url
from fastload_postgres.driver_errors import translate

_FILES = ("sslrootcert", "sslcert", "sslkey")
_KNOWN = ("host", "sslmode", *_FILES, "connect_timeout", "application_name")
_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")


def arguments(url: Url, side: str) -> dict[str, Any]:
    """Return the arguments of ``asyncpg.connect``.

    Raises:
        ConfigError: An option of the URL is unknown or wrong.
    """
    options = dict(url.options)
    check_known(options, _KNOWN, side)
    name = options.get("application_name", "fastload")
    return {
        "host": options.get("host") or url.host or "127.0.0.1",
        "port": url.port,
        "user": url.user,
        "password": url.password.reveal() if url.password else None,
        "database": url.database,
        "timeout": timeout_s(options, side),
        "server_settings": {"application_name": name},
        "ssl": _tls(options, side),
    }


def _tls(options: dict[str, str], side: str) -> ssl.SSLContext | str:
    mode = options.get("sslmode", "prefer")
    if mode not in _MODES:
        raise wrong(f"sslmode={mode} in the URL is no mode", _MODES, side)
    if not any(name in options for name in _FILES):
        return mode
    return tls_context(options, side, _FILES, verifies=True, checks_name=mode == "verify-full")


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
