"""A URL as the driver's arguments, and what to do when nobody lets us in."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from pymysql import err

from fastload import errors, transport
from fastload.connect_options import check_known, timeout_s, wrong
from fastload.url import Url
from fastload_mysql.driver_errors import refusal
from fastload_mysql.handshake import NoGreeting

PORT = 3306
GREETING_S = 5.0
_FILES = ("ssl_ca", "ssl_cert", "ssl_key")
_KEY = "server_public_key_path"
_KNOWN = (
    "unix_socket",
    "charset",
    "compression",
    "tls",
    "ssl_mode",
    *_FILES,
    _KEY,
    "connect_timeout",
    "program_name",
)
_COMPRESSIONS = ("off", "zlib")
# The names of MySQL's own client.
_MODES = ("DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
DEMANDED = ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_BY_WORD = {transport.OFF: "DISABLED", transport.VERIFY: "VERIFY_IDENTITY"}
_LOGIN_NUMBERS = (1045, 1698, 1130, 1129, 1820, 1862, 3118, 3955, 4151, 1251, 1275, 2059)


def arguments(url: Url, side: str) -> dict[str, Any]:
    """Return the arguments of ``ServerConnection``, without the password.

    Raises:
        ConfigError: An option of the URL is unknown or wrong.
    """
    options = _spelled(url.options, side)
    if options.get("charset", "utf8mb4") != "utf8mb4":
        raise wrong(f"charset={options['charset']} in the URL", ("utf8mb4",), side)
    path = _socket_path(url, options)
    host = "localhost" if path else url.host or "127.0.0.1"
    mode = _mode(options, side, path, host)
    if mode not in DEMANDED and not transport.is_loopback(host):
        transport.warn_of_plaintext(place(url), side, surely=mode == "DISABLED")
    return {
        "host": host,
        "port": url.port or PORT,
        "unix_socket": path,
        "user": url.user,
        "db": url.database,
        "charset": "utf8mb4",
        "connect_timeout": timeout_s(options, side),
        # Long enough for a server that looks up our name; who waits longer says so.
        "greeting_timeout": timeout_s({"connect_timeout": str(GREETING_S), **options}, side),
        "program_name": options.get("program_name", "fastload"),
        "ssl": None if path else _tls(mode, options, side),
        "tls_demanded": mode in DEMANDED,
        "trusts_offered_key": mode == "DISABLED" or transport.is_loopback(host),
        "server_public_key": _public_key(options, side),
        "autocommit": True,
        "local_infile": side == "target",
        "compresses": _compresses(options.get("compression", "off"), side),
    }


def _spelled(given: Mapping[str, str], side: str) -> dict[str, str]:
    """Return options with underscores: other programs write MySQL's with hyphens."""
    options = {name.replace("-", "_"): value for name, value in given.items()}
    if len(options) < len(given):
        twice = sorted(name for name in given if "-" in name)
        raise wrong(f"the URL names an option twice: {', '.join(twice)}", _KNOWN, side)
    check_known(options, _KNOWN, side)
    return options


def _public_key(options: dict[str, str], side: str) -> bytes | None:
    path = options.get(_KEY)
    if path is None:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise errors.ConfigError(
            f"{_KEY} in the URL is no file: {path}", side=side, hint="check the path"
        ) from error


def place(url: Url) -> str:
    """Return where the server of a URL should answer."""
    path = _socket_path(url, url.options)
    return path or f"{url.host or '127.0.0.1'}:{url.port or PORT}"


def _socket_path(url: Url, options: Any) -> str | None:
    if url.host and url.host.startswith("/"):
        return url.host
    path: str | None = options.get("unix_socket") or options.get("unix-socket")
    return path


def _compresses(word: str, side: str) -> bool:
    if word not in _COMPRESSIONS:
        raise wrong(f"compression={word} in the URL", _COMPRESSIONS, side)
    return word == "zlib"


def _mode(options: dict[str, str], side: str, path: str | None, host: str) -> str:
    mode = _written_mode(options, side) or _usual_mode(options, host)
    if path and mode in DEMANDED:
        raise errors.ConfigError(
            f"ssl_mode={mode} in the URL of a unix socket, which stays inside one machine",
            side=side,
            hint="leave out ssl_mode and the certificates, or name a host",
        )
    return mode


def _usual_mode(options: dict[str, str], host: str) -> str:
    if not transport.is_loopback(host):
        return "VERIFY_IDENTITY"
    return "VERIFY_CA" if "ssl_ca" in options else "PREFERRED"


def _written_mode(options: dict[str, str], side: str) -> str | None:
    if word := transport.word(options, side, "ssl_mode"):
        return _BY_WORD[word]
    mode = options.get("ssl_mode")
    if mode is not None and mode.upper() not in _MODES:
        raise wrong(f"ssl_mode={mode} in the URL is no mode", _MODES, side)
    return mode and mode.upper()


def _tls(mode: str, options: dict[str, str], side: str) -> ssl.SSLContext | None:
    if mode == "DISABLED":
        return None
    return transport.context(
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
            hint="leave out ssl_mode=DISABLED or tls=off",
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
    written = {name.replace("-", "_"): value for name, value in url.options.items()}
    for name, value in (("ssl_mode", "DISABLED"), ("tls", transport.OFF)):
        if written.get(name, "").upper() == value.upper():
            return f"; it may demand encryption: leave out {name}={value}"
    return ""


def _unreachable(cause: BaseException, url: Url, side: str, error: BaseException) -> NoReturn:
    if isinstance(cause, socket.gaierror):
        raise errors.ConnectError(
            f"the host {url.host!r} is not known",
            side=side,
            hint="check the host name in the URL and this machine's DNS",
        ) from error
    if isinstance(cause, ssl.SSLError):
        raise transport.distrust(cause, place(url), side, "ssl_ca") from error
    if isinstance(cause, NoGreeting):
        raise errors.ConnectError(
            f"what answers at {place(url)} says nothing, where a MySQL server would begin",
            side=side,
            hint="check host and port: what answers there may not be MySQL (PostgreSQL waits to be "
            "spoken to); connect_timeout in the URL gives a slow server more seconds",
        ) from error
    if isinstance(cause, TimeoutError):
        raise errors.ConnectError(
            f"the server at {place(url)} did not answer",
            side=side,
            hint="check host and port, and that no firewall drops packets on the way",
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
