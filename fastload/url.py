"""Database URLs in SQLAlchemy's spelling, whose texts show no secrets."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass, field, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from fastload.errors import ConfigError
from fastload.secret import Provider, Secret, of_keyring

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALIASES = {"postgres": "postgresql"}
_SECRET_WORDS = ("pass", "pwd", "secret", "token", "credential", "key")
_SHAPE = "write it as scheme://user:password@host:port/database?option=value"
_ENCODE = "percent-encode / ? # @ % and blanks inside user, password, database and option values"
_SCHEME = re.compile(r"[a-z][a-z0-9_.-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_RAW_CONTROL = re.compile(r"[\s\x00-\x1f\x7f#]")
# Bounds keep the search linear in texts of any length.
_START = re.compile(r"[A-Za-z][\w+.-]{0,40}://")
_OPTION_IN_TEXT = re.compile(
    rf"([?&][^=&\s]{{0,60}}(?:{'|'.join(_SECRET_WORDS)})[^=&\s]{{0,60}}=)[^&\s]+", re.IGNORECASE
)
_HOST = re.compile(r"[^\s,:@\[\]/\\%]+")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_KEYRING = re.compile(r"\$\{keyring:([^${}]+)\}")


@dataclass(frozen=True, slots=True)
class Url:
    """A parsed database URL; its text forms leave out what is secret.

    Attributes:
        scheme: The dialect: ``postgresql`` of ``postgresql+asyncpg``.
        driver: What follows the plus, or None.
        host: Name, address without brackets, or an absolute path: the folder of a unix socket.
        password: Given as text or as a call, it becomes a ``Secret``.
        options: What follows the question mark; a plus there is a plus, as libpq reads it.
    """

    scheme: str
    host: str | None = None
    port: int | None = None
    database: str | None = None
    user: str | None = None
    password: Secret | None = None
    driver: str | None = None
    options: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scheme", _ALIASES.get(self.scheme, self.scheme))
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))
        if isinstance(self.password, str) or callable(self.password):
            object.__setattr__(self, "password", Secret(self.password))

    @classmethod
    def parse(cls, text: str) -> Url:
        """Parse strictly: what could be read in two ways is refused.

        ``${NAME}`` stands for a variable of the environment, taken as it is, in any part or for
        the whole URL; ``${keyring:SERVICE}`` as a password is the one that the system's keyring
        has of the URL's user. A dollar sign that means itself before a brace is written %24.

        Raises:
            ConfigError: With what is wrong; never with the text, which may hold a password.
        """
        if isinstance(text, str) and (whole := _VARIABLE.fullmatch(text)):
            text = _variable(whole[1])
        head, rest = _split_scheme(text)
        scheme, _, driver = head.partition("+")
        before, _, query = rest.partition("?")
        authority, _, path = before.partition("/")
        if "@" in path or "@" in query:
            raise _wrong("an @ stands after the URL's host", _ENCODE)
        if "/" in path:
            raise _wrong("the URL's path has more than one part", _ENCODE)
        userinfo, _, place = authority.rpartition("@")
        user, colon, password = userinfo.partition(":")
        host, port = _host_and_port(place)
        return cls(
            scheme=scheme,
            driver=driver or None,
            host=host,
            port=port,
            database=_decoded(path) or None,
            user=_decoded(user) or None,
            password=_secret(password, _decoded(user)) if colon else None,
            options=_options(query),
        )

    def __reduce__(self) -> tuple[object, ...]:
        # A view of a dict is not pickled; a Secret refuses by itself.
        parts = [getattr(self, f.name) for f in fields(self)]
        return (type(self), (*parts[:-1], dict(self.options)))

    def __deepcopy__(self, memo: object) -> Url:
        return self

    def with_password(self, password: str | Provider | Secret) -> Url:
        """Return the same URL with another password.

        Args:
            password: Text; or a function, plain or async, that returns it. It is called for each
                connection that is made, so that tokens may expire.
        """
        secret = password if isinstance(password, Secret) else Secret(password)
        return replace(self, password=secret)

    def __str__(self) -> str:
        driver = f"+{self.driver}" if self.driver else ""
        user = quote(self.user, safe="") if self.user else ""
        secret = ":***" if self.password else ""
        at = "@" if user or secret else ""
        port = f":{self.port}" if self.port else ""
        name = f"/{quote(self.database, safe='')}" if self.database else ""
        shown = "&".join(f"{quote(k)}={_shown(k, v)}" for k, v in self.options.items())
        query = f"?{shown}" if shown else ""
        return (
            f"{self.scheme}{driver}://{user}{secret}{at}{_shown_host(self.host)}{port}{name}{query}"
        )

    def __repr__(self) -> str:
        return f"Url({str(self)!r})"


def redacted(text: str) -> str:
    """Return text that others wrote, without what may be credentials in URLs within it."""
    lines = [_without_credentials(line) for line in text.split("\n")]
    return _OPTION_IN_TEXT.sub(r"\1***", "\n".join(lines))


def _without_credentials(line: str) -> str:
    """Hide all from a URL's start to the line's last @.

    A password that was typed as it is may hold anything, even what looks like another URL.
    """
    start, end = _START.search(line), line.rfind("@")
    if start is None or end < start.end():
        return line
    return f"{line[: start.end()]}***{line[end:]}"


def _wrong(what: str, hint: str = _SHAPE) -> ConfigError:
    return ConfigError(what, hint=hint)


def _split_scheme(text: str) -> tuple[str, str]:
    if not isinstance(text, str):
        raise _wrong(f"a URL is text, not {type(text).__name__}")
    head, mark, rest = text.partition("://")
    if not mark:
        raise _wrong("this is not a database URL: it has no '://'")
    if not all(_SCHEME.fullmatch(word) for word in head.lower().split("+", 1)):
        raise _wrong("the URL's scheme is not a word")
    if _RAW_CONTROL.search(rest):
        raise _wrong("the URL holds a blank, a control character or a #", _ENCODE)
    return head.lower(), rest


def _host_and_port(place: str) -> tuple[str | None, int | None]:
    if place.startswith("["):
        host, bracket, after = place[1:].partition("]")
        if not bracket or not _is_ipv6(unquote(host)) or (after and after[0] != ":"):
            raise _wrong("the URL's host in brackets is not an IPv6 address")
        return unquote(host), _port(after[1:]) if after else None
    host, colon, port = place.partition(":")
    host = _decoded(host)
    port = _decoded(port)
    if not host.startswith("/") and host and not _HOST.fullmatch(host):
        raise _wrong("the URL's host is not a name or an address", f"{_SHAPE}; {_ENCODE}")
    return host or None, _port(port) if colon else None


def _is_ipv6(host: str) -> bool:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _port(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= 65535:
        return int(text)
    raise _wrong("the URL's port is not a number from 1 to 65535", f"{_SHAPE}; {_ENCODE}")


def _secret(text: str, user: str) -> Secret:
    if found := _KEYRING.fullmatch(text):
        return of_keyring(_unquoted(found[1]), user)
    return Secret(_decoded(text))


def _decoded(text: str) -> str:
    """Return text with what variables hold put in, which is not decoded."""
    pieces = _VARIABLE.split(text)
    named = {place: _variable(name) for place, name in enumerate(pieces) if place % 2}
    return "".join(named.get(place) or _unquoted(raw) for place, raw in enumerate(pieces))


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        state = "is empty" if value == "" else "is not set"
        raise _wrong(f"the variable {name}, which the URL names, {state}", f"export {name}=...")
    return value


def _unquoted(text: str) -> str:
    if "${" in text:
        raise _wrong("a ${ in the URL names no variable", "write ${NAME}, or the sign as %24")
    if _BAD_ESCAPE.search(text):
        raise _wrong("a % in the URL is not followed by two hexadecimal digits", "write % as %25")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise _wrong("percent-encoded bytes in the URL are not UTF-8") from None
    if "\0" in decoded:
        raise _wrong("the URL holds a zero byte")
    return decoded


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise _wrong("an option of the URL is not written name=value", f"{_SHAPE}; {_ENCODE}")
        if _decoded(name) in options:
            raise _wrong("the URL names an option twice", "keep one of them")
        options[_decoded(name)] = _decoded(value)
    return options


def _shown(key: str, value: str) -> str:
    secret = any(word in key.lower() for word in _SECRET_WORDS)
    return "***" if secret else quote(value, safe="/:")


def _shown_host(host: str | None) -> str:
    if host and ":" in host:
        return f"[{quote(host, safe=':')}]"
    return quote(host or "", safe="")
