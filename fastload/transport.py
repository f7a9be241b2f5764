"""Whether the way to a server is private: what is this machine, and how far others are trusted.

A host that is another machine has to prove who it is, unless the URL says otherwise in words.
"""

from __future__ import annotations

import functools
import ipaddress
import ssl
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from fastload.connect_options import wrong
from fastload.errors import ConfigError, InsecureConnectionWarning, TlsError

OFF, VERIFY = "off", "verify"
_WORDS = (OFF, VERIFY)
# OpenSSL's X509_V_ERR_*: dates, names and addresses, and authorities that nobody here knows.
_DATES, _NAMES, _UNKNOWN = (9, 10), (62, 64), (2, 18, 19, 20, 21)
_warned: set[tuple[str, str]] = set()


class NotEncrypted(ssl.SSLError):
    """The server, or who stands before it, takes no encrypted connections."""


def is_loopback(host: str | None) -> bool:
    """Say whether a URL's host is this machine: no host, a socket's path, or a loopback address.

    Names other than ``localhost`` are not looked up: whoever answers for them could be anybody.
    """
    if not host or host.startswith("/"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def word(options: Mapping[str, str], side: str, mode: str) -> str | None:
    """Return what the option ``tls`` says, or None; it does not stand beside the driver's own.

    Args:
        options: Of the URL.
        side: For errors.
        mode: Name of the driver's own option, which has more to say.
    """
    given = options.get("tls")
    if given is not None and given not in _WORDS:
        raise wrong(f"tls={given} in the URL is no word for it", _WORDS, side)
    if given is not None and mode in options:
        raise ConfigError(
            f"the URL has both tls={given} and {mode}={options[mode]}",
            side=side,
            hint="keep one of them",
        )
    return given


def context(
    options: Mapping[str, str],
    side: str,
    names: tuple[str, str, str],
    *,
    verifies: bool,
    checks_name: bool,
) -> ssl.SSLContext:
    """Return the context that these options describe.

    Args:
        options: Of the URL.
        side: For errors.
        names: Of the options for the file of trusted authorities, and for certificate and key of
            the client. Without a file, the authorities are those that this machine trusts.
        verifies: Whether the server has to prove who it is.
        checks_name: Whether its certificate has to name the host.
    """
    _, certificate, key = names
    files = {name: options[name] for name in names if name in options}
    for name, path in files.items():
        if not Path(path).is_file():
            raise ConfigError(
                f"{name} in the URL is no file: {path}", side=side, hint="check the path"
            )
    if key in files and certificate not in files:
        raise ConfigError(
            f"{key} in the URL stands alone", side=side, hint=f"name its certificate: {certificate}"
        )
    read = [_File.of(files.get(name)) for name in names]
    try:
        return _context(*read, verifies=verifies, checks_name=checks_name)
    except ssl.SSLError as error:
        raise ConfigError(
            f"the certificates that the URL names cannot be used: {error.reason or error}",
            side=side,
            hint=f"check {', '.join(files)}: PEM files are needed, and a key that fits and is not "
            "encrypted",
        ) from error


class _File(NamedTuple):
    """A file as it was when it was read last; another one after a certificate was renewed."""

    path: str
    changed_ns: int

    @classmethod
    def of(cls, path: str | None) -> _File | None:
        """Return the file as it is now."""
        return cls(path, Path(path).stat().st_mtime_ns) if path else None


# One for all connections that ask for the same: to read this machine's authorities takes 60 ms.
@functools.lru_cache(maxsize=16)
def _context(
    authorities: _File | None,
    certificate: _File | None,
    key: _File | None,
    *,
    verifies: bool,
    checks_name: bool,
) -> ssl.SSLContext:
    if verifies:
        made = ssl.create_default_context(cafile=authorities.path if authorities else None)
    else:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = checks_name
    made.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
    if certificate:
        # Without a password, OpenSSL would ask the terminal for that of an encrypted key.
        made.load_cert_chain(certificate.path, key.path if key else None, password="")
    return made


def warn_of_plaintext(place: str, side: str, *, surely: bool) -> None:
    """Warn, once per place, that others on the way can read and change what passes.

    Args:
        place: Host and port.
        side: ``"source"`` or ``"target"``.
        surely: Whether nothing is encrypted; else that is up to the server.
    """
    if (side, place) in _warned:
        return
    what = "is not encrypted" if surely else "is encrypted only if who answers there wants it"
    warnings.warn(
        f"the connection to the {side} at {place} {what}: the URL says so",
        InsecureConnectionWarning,
        stacklevel=2,
    )
    _warned.add((side, place))


def distrust(error: ssl.SSLError, place: str, side: str, authorities: str) -> TlsError:
    """Return the error that tells why the way to a server is not private, and what mends it.

    Args:
        error: What the handshake ended with.
        place: Host and port.
        side: ``"source"`` or ``"target"``.
        authorities: Name of the option for the file of trusted authorities.
    """
    if isinstance(error, NotEncrypted):
        return unencrypted(place, side)
    # Only what OpenSSL itself raises has these.
    reason = getattr(error, "verify_message", None) or getattr(error, "reason", None) or str(error)
    return TlsError(
        f"the encrypted connection to {place} was refused: {reason}",
        side=side,
        hint=_remedy(getattr(error, "verify_code", None), authorities),
    )


def unencrypted(place: str, side: str, first: str = "") -> TlsError:
    """Return the error of a server that takes no encrypted connections.

    Args:
        place: Host and port.
        side: ``"source"`` or ``"target"``.
        first: What else may be the reason, and is to be checked first, for the hint.
    """
    return TlsError(
        f"the server at {place} takes no encrypted connections",
        side=side,
        hint=f"{first}switch on TLS on the server; tls=off in the URL goes without, where nobody "
        "can listen on the way",
    )


def _remedy(code: int | None, authorities: str) -> str:
    if code in _DATES:
        return "renew the server's certificate, and check this machine's clock"
    if code in _NAMES:
        return "the URL's host has to be one of the names in the server's certificate"
    if code in _UNKNOWN:
        return f"name the authority that signed the certificate: {authorities}=/path/to/ca.pem"
    return f"check the server's certificate, and {authorities} in the URL"
