"""The driver's connection, with a login that keeps what the URL demands.

The driver (aiomysql 0.3) sends the password in the clear where a server lacks TLS or asks for it,
knows no ed25519, and has a time limit for the TCP connection only.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

import aiomysql
import anyio
from pymysql import _auth, err
from pymysql.constants import CLIENT
from pymysql.protocol import MysqlPacket

from fastload.transport import NotEncrypted
from fastload_mysql.compression import begin_command, compress, is_compressed

# Plugins whose answer tells the password to whoever listens, or nearly so.
_TELLING = (b"mysql_clear_password", b"mysql_old_password")
_PLUGIN_UNKNOWN = 2059
_NO_COMPRESSION = 2066


class NoGreeting(TimeoutError):
    """The connection stands, and the server has said nothing, though it is the one to begin."""


class ServerConnection(aiomysql.Connection):  # type: ignore[misc]  # it has no types
    """A connection that is not made yet; ``login`` makes it.

    Args:
        tls_demanded: Whether to end without a login where the server takes no TLS.
        trusts_offered_key: Whether a password may be encrypted, without TLS, by a key that the
            server itself offers.
        compresses: Whether to compress what follows the login.
        password: Of the user, if there is one.
        connect_timeout: Seconds from the first packet to the end of the login.
        greeting_timeout: Seconds until the server's first packet, with which a login begins.
        options: Everything else that the driver takes.
    """

    def __init__(
        self,
        *,
        tls_demanded: bool,
        trusts_offered_key: bool,
        connect_timeout: float,
        greeting_timeout: float,
        password: str = "",
        compresses: bool = False,
        **options: Any,
    ) -> None:
        self._key: bytes | None = None
        self._trusts_key = True
        # The driver (aiomysql 0.3) encodes it as Latin-1, while servers compare UTF-8.
        super().__init__(password=password.encode().decode("latin-1"), **options)
        self._trusts_key = trusts_offered_key
        self._ssl_context: ssl.SSLContext | None = options.get("ssl")
        self._tls_demanded = tls_demanded
        self._compresses = compresses
        self._reads_header = self._awaits_greeting = False
        self._opened: Any = None
        self._timeout_s, self._greeting_s = connect_timeout, greeting_timeout
        # One statement at a time: none can be smuggled in behind another.
        self.client_flag &= ~CLIENT.MULTI_STATEMENTS
        if compresses:
            self.client_flag |= CLIENT.COMPRESS

    async def login(self) -> None:
        """Connect, encrypt and log in; nothing is left open where that fails."""
        try:
            with anyio.fail_after(self._timeout_s):
                await self._connect()
        except BaseException as error:
            self.close()
            await self._closed()
            if self._awaits_greeting and _is_timeout(error):
                raise NoGreeting from None
            raise
        finally:
            self._password = ""
        # Only load_local sends anything, whatever a server asks for elsewhere.
        self._local_infile = False

    @property
    def server_public_key(self) -> bytes | None:
        """The key by which the driver encrypts a password where there is no TLS."""
        return self._key

    @server_public_key.setter
    def server_public_key(self, key: bytes | None) -> None:
        # What a server offers here is signed by nobody; the one that the URL names stays.
        if self._key is not None:
            return
        if not self._trusts_key:
            raise NotEncrypted("the server takes no encrypted connections")
        self._key = key

    async def _closed(self) -> None:
        """Let the loop close what was opened: the driver forgets it, and the loop may end."""
        if self._opened is not None:
            self._opened.transport.abort()
            with anyio.CancelScope(shield=True), anyio.move_on_after(1), suppress(OSError):
                await self._opened.wait_closed()

    async def _get_server_information(self) -> None:
        self._awaits_greeting = True
        with anyio.fail_after(self._greeting_s):
            await super()._get_server_information()
        self._awaits_greeting = False
        if not self._ssl_context or self.server_capabilities & CLIENT.SSL:
            return
        if self._tls_demanded:
            raise NotEncrypted("the server takes no encrypted connections")
        self._ssl_context = None
        self.client_flag &= ~CLIENT.SSL

    async def _request_authentication(self) -> None:
        if self._compresses and not self.server_capabilities & CLIENT.COMPRESS:
            raise err.OperationalError(_NO_COMPRESSION, "the server compresses nothing")
        await super()._request_authentication()
        if self._compresses:
            compress(self._reader, self._writer)

    async def _read_packet(self, packet_type: Any = MysqlPacket) -> Any:
        self._opened = self._writer  # another one once there is TLS
        self._reads_header = self._compresses
        return await super()._read_packet(packet_type)

    async def _read_bytes(self, num_bytes: int) -> bytes:
        data: bytes = await super()._read_bytes(num_bytes)
        if self._compresses and is_compressed(self._writer.transport):
            # Headers and bodies take turns; the driver demands a number that means nothing here.
            if self._reads_header:
                data = data[:3] + bytes([self._next_seq_id])
            self._reads_header = not self._reads_header
        return data

    async def _execute_command(self, command: int, sql: str | bytes) -> None:
        begin_command(self._writer.transport if self._writer else None)
        await super()._execute_command(command, sql)

    async def _process_auth(self, plugin_name: bytes, auth_packet: Any) -> Any:
        if plugin_name in _TELLING and not self._secure:
            raise err.OperationalError(
                _PLUGIN_UNKNOWN, f"{plugin_name.decode()} would show the password without TLS"
            )
        if plugin_name != b"client_ed25519":
            return await super()._process_auth(plugin_name, auth_packet)
        self.write_packet(_ed25519_answer(self._password.encode("latin-1"), auth_packet.read_all()))
        packet = await self._read_packet()
        packet.check_error()
        self._auth_plugin_used = plugin_name.decode()
        return packet


def _is_timeout(error: BaseException) -> bool:
    # The driver wraps what it meets while it connects.
    return isinstance(error, TimeoutError) or isinstance(error.__cause__, TimeoutError)


def _ed25519_answer(password: bytes, challenge: bytes) -> bytes:
    if not password:
        return b""
    try:
        answer: bytes = _auth.ed25519_password(password, challenge)
    except RuntimeError as error:
        raise err.OperationalError(
            _PLUGIN_UNKNOWN, "ed25519 needs one more package: pip install 'fastload[mysql-ed25519]'"
        ) from error
    return answer
