"""A URL as the driver's arguments, and what to do when nobody lets us in."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from pymysql import err

from fastload import errors
from fastload.connect_options import check_known, timeout_s, tls_context, wrong
from fastload.url import Url
from fastload_mysql.driver_errors import refusal

PORT = 3306
_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_KNOWN = (
    "unix_socket",
    "charset",
    "compression",
    "ssl_mode",
    *_FILES,
    "connect_timeout",
    "program_name",
)
_COMPRESSIONS = ("off", "zlib")
# The names of MySQL's own client.
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
DEMANDED = ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_LOGIN_NUMBERS = (1045, 1698, 1130, 1129, 1820, 1862, 3118, 3955, 4151, 1251, 1275, 2059)


def arguments(url: Url, side: str) -> dict[str, Any]:
    """Return the arguments of ``ServerConnection``.

    Raises:
        ConfigError: An option of the URL is unknown or wrong.
    """
    options = dict(url.options)
    check_known(options, _KNOWN, side)
    if options.get("charset", "utf8mb4") != "utf8mb4":
        raise wrong(f"charset={options['charset']} in the URL", ("utf8mb4",), side)
    path = _socket_path(url, options)
    mode = _mode(options, side, path)
    return {
        "host": "localhost" if path else url.host or "127.0.0.1",
        "port": url.port or PORT,
        "unix_socket": path,
        "user": url.user,
        # The driver (aiomysql 0.3) encodes it as Latin-1, while servers compare UTF-8.
        "password": url.password.reveal().encode().decode("latin-1") if url.password else "",
        "db": url.database,
        "charset": "utf8mb4",
        "connect_timeout": timeout_s(options, side),
        "program_name": options.get("program_name", "fastload"),
        "ssl": None if path else _tls(mode, options, side),
        "tls_demanded": mode in DEMANDED,
        "autocommit": True,
        "local_infile": side == "target",
        "compresses": _compresses(options.get("compression", "off"), side),
    }


def place(url: Url) -> str:
    """Return where the server of a URL should answer."""
    path = _socket_path(url, url.options)
    return path or f"{url.host or '127.0.0.1'}:{url.port or PORT}"


def _socket_path(url: Url, options: Any) -> str | None:
    if url.host and url.host.startswith("/"):
        return url.host
    path: str | None = options.get("unix_socket")
    return path


def _compresses(word: str, side: str) -> bool:
    if word not in _COMPRESSIONS:
        raise wrong(f"compression={word} in the URL", _COMPRESSIONS, side)
    return word == "zlib"


def _mode(options: dict[str, str], side: str, path: str | None) -> str:
    mode = options.get("ssl_mode", "VERIFY_CA" if "ssl_ca" in options else "PREFERRED").upper()
    if mode not in _MODES:
        raise wrong(f"ssl_mode={options['ssl_mode']} in the URL is no mode", _MODES, side)
    if path and mode in DEMANDED:
        raise errors.ConfigError(
            f"ssl_mode={mode} in the URL of a unix socket, which stays inside one machine",
            side=side,
            hint="leave out ssl_mode and the certificates, or name a host",
        )
    return mode


def _tls(mode: str, options: dict[str, str], side: str) -> ssl.SSLContext | None:
    if mode == "DISABLED":
        return None
    return tls_context(
        options,
        side,
        _FILES,
        verifies=mode.startswith("VERIFY"),
        checks_name=mode == "VERIFY_IDENTITY",
    )


@contextmanager
def connecting(url: Url, side: str) -> Iterator[None]:
    """Turn what the driver raises while it connects into the ConnectError that says what to do."""
    try:
        yield
    except err.Error as error:
        cause = error.__cause__
        if isinstance(cause, OSError | EOFError):
            _unreachable(cause, url, side, error)
        _refused(error, url, side)
    except (OSError, EOFError) as error:
        _unreachable(error, url, side, error)
    except (RuntimeError, ValueError, LookupError, TypeError, struct.error) as error:
        raise errors.ConnectError(
            f"what answers at {place(url)} does not speak MySQL's protocol: {error}",
            side=side,
            hint="check host and port",
        ) from error


def _refused(error: err.Error, url: Url, side: str) -> NoReturn:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    message = str(error.args[-1]) if error.args else ""
    if number == 1049:
        raise errors.DatabaseNotFound(
            f"the server at {place(url)} has no database {url.database!r}",
            side=side,
            hint="check the name after the last slash of the URL, or create the database",
        ) from error
    if number == 1044:
        raise errors.AuthenticationError(
            f"the server at {place(url)} lets user {url.user!r} in, but not into database "
            f"{url.database!r}: {message} ({number})",
            side=side,
            hint="check the name after the last slash of the URL, or GRANT rights over it",
        ) from error
    if number in (3159, 4150) or "insecure transport" in message:
        raise errors.TlsError(
            f"the server at {place(url)} takes encrypted connections only",
            side=side,
            hint="leave out ssl_mode=DISABLED",
        ) from error
    if number in _LOGIN_NUMBERS:
        raise errors.AuthenticationError(
            f"the server at {place(url)} refused {_user(url)}: {message} ({number})",
            side=side,
            hint="check user and password, and that the user may come in from this host"
            + _maybe_in_the_clear(url),
        ) from error
    if number in (0, 2013, 2014):
        raise errors.ConnectError(
            f"the server at {place(url)} ended the connection before the login was over",
            side=side,
            hint="check host and port, and the server's log",
        ) from error
    raise refusal(number, message, side) from error


def _user(url: Url) -> str:
    return f"user {url.user!r}" if url.user else "a login without a user"


def _maybe_in_the_clear(url: Url) -> str:
    # MariaDB refuses the user where it means the missing encryption.
    clear = url.options.get("ssl_mode", "").upper() == "DISABLED"
    return "; it may demand encryption: leave out ssl_mode=DISABLED" if clear else ""


def _unreachable(cause: BaseException, url: Url, side: str, error: BaseException) -> NoReturn:
    if isinstance(cause, socket.gaierror):
        raise errors.ConnectError(
            f"the host {url.host!r} is not known",
            side=side,
            hint="check the host name in the URL and this machine's DNS",
        ) from error
    if isinstance(cause, ssl.SSLError):
        raise errors.TlsError(
            f"the encrypted connection to {place(url)} failed: {_tls_reason(cause)}",
            side=side,
            hint="check ssl_mode and ssl_ca in the URL",
        ) from error
    if isinstance(cause, TimeoutError):
        raise errors.ConnectError(
            f"the server at {place(url)} did not answer",
            side=side,
            hint="check host and port (servers of other kinds wait in silence), and that no "
            "firewall drops packets on the way",
        ) from error
    if isinstance(cause, EOFError):
        raise errors.ConnectError(
            f"the server at {place(url)} ended the connection before the login was over",
            side=side,
            hint="check host and port, and the server's log",
        ) from error
    what = "the path" if _socket_path(url, url.options) else "host and port"
    raise errors.ConnectError(
        f"no server answers at {place(url)}",
        side=side,
        hint=f"check {what}, and that the server is running and listens there",
    ) from error


def _tls_reason(error: ssl.SSLError) -> str:
    # Only what OpenSSL itself raises has these.
    verified = getattr(error, "verify_message", None)
    return verified or getattr(error, "reason", None) or str(error)
