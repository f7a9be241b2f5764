"""Secrets that no text shows: values, or calls that bring one for each connection."""

from __future__ import annotations

import inspect
import shlex
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn, TypeAlias

import anyio

from fastload.connect_options import timeout_s
from fastload.errors import AuthenticationError, ConfigError, ConnectError, FastloadError

if TYPE_CHECKING:
    from fastload.url import Url

Provider: TypeAlias = Callable[[], str | Awaitable[str]]
"""Returns a password, or awaits one; called for each connection that is made."""


class Secret:
    """A value that only ``reveal`` and ``fetch`` show: repr, format, copies and pickles do not.

    Args:
        value: Text; or what is called for it, in a worker thread, each time it is needed, as for
            tokens that expire. It may be an async function.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Provider) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value.

        Raises:
            TypeError: It has to be fetched.
        """
        if isinstance(self._value, str):
            return self._value
        raise TypeError("this secret is brought by a call: await its fetch()")

    async def fetch(self) -> str:
        """Return the value; what brings it is called anew.

        Raises:
            FastloadError: The call has failed, or brought no text.
        """
        if isinstance(self._value, str):
            return self._value
        try:
            # A thread, as most ask a service; a hanging one is left behind when it is cancelled.
            found = await anyio.to_thread.run_sync(self._value, abandon_on_cancel=True)
            if inspect.isawaitable(found):
                found = await found
        except FastloadError:
            raise
        except Exception as error:
            raise _not_brought(error) from error
        if not isinstance(found, str):
            raise ConfigError(
                f"what should bring the password has brought {type(found).__name__}",
                hint="it has to return text",
            )
        return found

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled: what reads the pickle could read it too")


@dataclass(frozen=True, slots=True)
class OfKeyring:
    """Brings a user's password out of the system's keyring.

    Attributes:
        service: The name that it is stored by.
        user: Whose it is.
    """

    service: str
    user: str

    def __call__(self) -> str:
        """Return the password; it may ask the user to unlock the keyring."""
        try:
            import keyring
        except ModuleNotFoundError:
            raise ConfigError(
                "the URL asks the keyring, and the package 'keyring' is not installed",
                hint="pip install 'fastload[keyring]'",
            ) from None
        try:
            found = keyring.get_password(self.service, self.user)
        except keyring.errors.KeyringError as error:
            raise AuthenticationError(
                f"the keyring gives no password for {self.service!r}: {type(error).__name__}",
                hint=f"try it by itself: {shlex.join(['keyring', 'get', self.service, self.user])}",
            ) from None
        if found is None:
            command = shlex.join(["keyring", "set", self.service, self.user])
            raise AuthenticationError(
                f"the keyring has no password of {self.user!r} for {self.service!r}",
                hint=f"store it: {command}",
            )
        return str(found)


def of_keyring(service: str, user: str | None) -> Secret:
    """Return the secret that a keyring holds."""
    return Secret(OfKeyring(service, user or ""))


async def password_of(url: Url, side: str) -> str | None:
    """Return a URL's password for one connection, or None where it has none.

    Raises:
        FastloadError: What should bring it has failed, or takes longer than a connection may.
    """
    if url.password is None:
        return None
    try:
        with anyio.fail_after(timeout_s(url.options, side)):
            return await url.password.fetch()
    except TimeoutError as error:
        raise ConnectError(
            "what should bring the password takes too long",
            side=side,
            hint="check the service that it asks; connect_timeout in the URL has the limit",
        ) from error
    except FastloadError as error:
        error.side = error.side or side
        raise


def forget_locals(error: BaseException) -> None:
    """Clear what an error's frames hold: a driver's have the password as a local variable.

    Programs that report errors with the variables of each frame would show it.
    """
    found, left = set[int](), [error]
    while left:
        one = left.pop()
        if id(one) not in found:
            found.add(id(one))
            traceback.clear_frames(one.__traceback__)
            left += [e for e in (one.__cause__, one.__context__) if e is not None]


def _not_brought(error: Exception) -> FastloadError:
    # Its text is left out: nobody knows what others put there.
    what = f"what should bring the password raised {type(error).__name__}"
    if isinstance(error, OSError):
        return ConnectError(what, hint="check the service that it asks")
    return AuthenticationError(what, hint="call it by itself to see why")
