"""Options of a URL that every database's driver has, checked before anything is contacted."""

from __future__ import annotations

import math
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastload.errors import ConfigError

CONNECT_TIMEOUT_S = 30.0


def check_known(options: Mapping[str, str], known: Sequence[str], side: str) -> None:
    """Refuse options that the adapter does not know: most likely misspelt."""
    if unknown := sorted(options.keys() - set(known)):
        raise wrong(f"unknown option in the URL: {', '.join(unknown)}", known, side)


def wrong(what: str, known: Sequence[str], side: str) -> ConfigError:
    """Return the error of an option that is none of those known."""
    return ConfigError(what, side=side, hint=f"known: {', '.join(known)}")


def timeout_s(options: Mapping[str, str], side: str) -> float:
    """Return the seconds that ``connect_timeout`` gives a connection to be made."""
    text = options.get("connect_timeout")
    try:
        seconds = CONNECT_TIMEOUT_S if text is None else float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigError(
            f"connect_timeout={text} in the URL is no number of seconds above 0",
            side=side,
            hint=f"leave it out for {CONNECT_TIMEOUT_S:.0f} s",
        )
    return seconds


def tls_context(
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
            the client.
        verifies: Whether the server has to prove who it is.
        checks_name: Whether its certificate has to name the host.
    """
    authorities, certificate, key = names
    files = {name: options[name] for name in names if name in options}
    for name, path in files.items():
        if not Path(path).is_file():
            raise ConfigError(
                f"{name} in the URL is no file: {path}", side=side, hint="check the path"
            )
    try:
        context = ssl.create_default_context(cafile=files.get(authorities))
        context.check_hostname = checks_name
        context.verify_mode = ssl.CERT_REQUIRED if verifies else ssl.CERT_NONE
        if certificate in files:
            context.load_cert_chain(files[certificate], files.get(key))
    except ssl.SSLError as error:
        raise ConfigError(
            f"the certificates that the URL names cannot be used: {error.reason or error}",
            side=side,
            hint=f"check {', '.join(files)}: PEM files are needed, and a key that fits",
        ) from error
    return context
