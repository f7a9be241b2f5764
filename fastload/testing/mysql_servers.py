"""Private MariaDB and MySQL servers for tests and benchmarks.

Like the PostgreSQL ones of ``fastload.testing.servers``, each has its own data directory, port and
socket, listens on 127.0.0.1 only, and is gone with the process that started it. The binaries come
from ``fastload.testing.mysql_packages`` and ``mysql_releases``. It needs
``pip install 'fastload[mysql]'``.
"""

from __future__ import annotations

import secrets
import shlex
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote

import pymysql
from pymysql.constants import CLIENT, ER

from fastload.testing.mysql_programs import Flavour, MysqlSpec, spec_of
from fastload.testing.mysql_settings import (
    USER,
    is_56,
    option_lines,
    program_places,
    settings_of,
    system_tables,
    user_lines,
)
from fastload.testing.private_folder import give, open_to_all, server_user
from fastload.testing.private_server import PrivateServer, ServerUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from pymysql.cursors import Cursor

    Connection: TypeAlias = pymysql.Connection[Cursor]

Row: TypeAlias = tuple[Any, ...]


class MysqlServer(PrivateServer):
    """One private server, from ``MysqlServer.start``.

    It takes TLS, with ``ca_file``, unless it is a MySQL 5.6.
    """

    _end_signal = signal.SIGTERM
    _stop_signal = signal.SIGKILL  # MySQL takes 1.5 s to end by itself

    def __init__(self, spec: MysqlSpec, options: Mapping[str, str], password: str | None) -> None:
        super().__init__(spec.flavour, "fastload-mysql-")
        self.flavour = spec.flavour
        self.password = secrets.token_urlsafe(9) if password is None else password
        self._options = options
        self._spec = spec

    @classmethod
    def start(
        cls,
        flavour: Flavour = "mariadb",
        *,
        version: str | None = None,
        options: Mapping[str, str | int | bool] | None = None,
        fsync: bool = False,
        password: str | None = None,
    ) -> MysqlServer:
        """Start a server and return it once it answers.

        Use it as a context manager, plain or async, or call ``stop``. It blocks; inside an event
        loop call it through ``anyio.to_thread``.

        Args:
            flavour: ``mariadb`` or ``mysql``.
            version: A release of ``fastload.testing.mysql_releases``, such as ``5.6``; None is
                the one of ``mysql_packages``.
            options: Lines of its option file over the defaults.
            fsync: Whether a commit reaches the disk: on for benchmarks, off for tests.
            password: Of the user ``fastload``, who may do everything; None makes one up.

        Raises:
            ServerUnavailable: No binaries, or the server did not start; with the end of its log.
        """
        spec = spec_of(flavour, version)
        chosen = settings_of(spec, fsync=fsync)
        chosen |= {name: _spell(value) for name, value in (options or {}).items()}
        server = cls(spec, chosen, password)
        server._begin(server._initialise)
        return server

    @property
    def url(self) -> str:
        """The URL without a database."""
        return f"{self.flavour}://{USER}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/"

    def url_for(self, database: str) -> str:
        """Return the URL of one database."""
        return self.url + quote(database, safe="")

    @property
    def socket(self) -> Path:
        """Its unix socket."""
        return self.folder / "socket"

    def program(self, name: str) -> list[str]:
        """Return the command that runs one of its programs, such as ``mysqlbinlog``."""
        return self._spec.program(name)

    def connect(self, **options: Any) -> Connection:
        """Connect PyMySQL, with its options, through the socket, or by TCP if they name a host."""
        where = {"port": self.port} if "host" in options else {"unix_socket": str(self.socket)}
        own = {"user": USER, "password": self.password, "client_flag": CLIENT.MULTI_STATEMENTS}
        return pymysql.connect(**{**own, "autocommit": True, **where, **options})

    def execute(self, sql: str, database: str | None = None) -> list[Row]:
        """Run one or more statements and return the rows of the last that returned any."""
        rows: list[Row] = []
        with self.connect(database=database) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            while True:
                if cursor.description:
                    rows = list(cursor.fetchall())
                if not cursor.nextset():
                    return rows

    def create_database(self, name: str) -> None:
        """Make an empty database."""
        self.execute(f"CREATE DATABASE {_quoted(name)}")

    def drop_database(self, name: str) -> None:
        """Drop a database, if there is one, with all that is in it."""
        self.execute(f"DROP DATABASE IF EXISTS {_quoted(name)}")

    @contextmanager
    def database(self, name: str) -> Iterator[str]:
        """Make a database, lend its URL, and drop it."""
        self.create_database(name)
        try:
            yield self.url_for(name)
        finally:
            self.drop_database(name)

    def _initialise(self) -> None:
        self._check_reachable()
        (self.folder / "tmp").mkdir()
        give(self.folder / "tmp")
        _write(self._option_file, option_lines(self._all_options()))
        _write(self._user_file, user_lines(self._spec, self.password))
        if is_56(self._spec):
            self._bootstrap()
        else:
            self._call(*self._data_command())

    def _bootstrap(self) -> None:
        """Make the data of a server that does not do so itself."""
        self.data.mkdir()
        give(self.data)
        script = self.folder / "bootstrap.sql"
        _write(script, system_tables(self._spec))
        command = shlex.join([*self._server_program(), "--bootstrap", "--skip-log-bin"])
        self._call("sh", "-c", f"{command} --skip-gtid-mode < {shlex.quote(str(script))}")

    def _check_reachable(self) -> None:
        tree = self._spec.tree
        if tree and server_user() and not open_to_all(tree):
            raise ServerUnavailable(f"servers run as nobody, who cannot enter {tree}")

    def _all_options(self) -> dict[str, str]:
        own = {
            "datadir": self.data,
            "tmpdir": self.folder / "tmp",
            "socket": self.socket,
            "pid_file": self.folder / "pid",
            **program_places(self._spec),
        }
        if not is_56(self._spec):
            tls = self._make_certificates()
            own |= {
                "ssl_ca": tls / "ca.pem",
                "ssl_cert": tls / "server.pem",
                "ssl_key": tls / "server.key",
            }
        return {**{name: str(path) for name, path in own.items()}, **self._options}

    def _data_command(self) -> list[str]:
        if self.flavour == "mysql":
            return [*self._server_program(), "--initialize-insecure"]
        return [
            *self.program("mariadb-install-db"),
            "--no-defaults",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder / 'tmp'}",
            "--auth-root-authentication-method=socket",
            "--skip-test-db",
            "--skip-name-resolve",
            *([f"--basedir={self._spec.tree}"] if self._spec.tree else []),
        ]

    def _server_program(self) -> list[str]:
        return [*self._spec.server, f"--defaults-file={self._option_file}"]

    def _command(self) -> Sequence[str]:
        # Two servers of one replication must differ in their ids.
        own = (f"--port={self.port}", f"--server-id={self.port}", f"--init-file={self._user_file}")
        return [*self._server_program(), *own]

    def _is_ready(self) -> bool:
        # It writes its process id once it listens: PyMySQL leaks a socket that nobody listens to.
        pid_file = self.folder / "pid"
        if not pid_file.exists() or pid_file.read_text().strip() != str(self.pid):
            return False
        try:
            self.connect().close()
        except pymysql.OperationalError as error:
            if error.args[0] == ER.ACCESS_DENIED_ERROR:
                raise ServerUnavailable(f"{error}\n{self.log_tail()}") from error
            return False
        return True

    @property
    def _option_file(self) -> Path:
        return self.folder / "options"

    @property
    def _user_file(self) -> Path:
        return self.folder / "users.sql"


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    give(path)


def _spell(value: str | int | bool) -> str:
    return ("ON" if value else "OFF") if isinstance(value, bool) else str(value)


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
