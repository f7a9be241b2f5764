"""Options of a URL that every database's driver has, checked before anything is contacted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

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
