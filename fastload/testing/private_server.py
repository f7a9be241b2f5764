"""What every private server needs, whatever database it serves.

A folder that its user can enter, a free port, a start that waits for an answer, and an end that
leaves nothing behind, also when the process that started it was killed.
"""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from fastload.testing.certificates import make_certificates
from fastload.testing.private_folder import (
    dismiss,
    environment,
    give,
    make_folder,
    processes_in,
    server_user,
    watch,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import Self

_START_S = 60
_STOP_S = 20


class ServerUnavailable(RuntimeError):
    """The binaries are missing or the server did not start; the message has its log."""


def servers_required() -> bool:
    """Return whether a server that cannot start is a failure and no reason to skip its tests."""
    return os.environ.get("CI") == "true" or os.environ.get("FASTLOAD_REQUIRE_SERVERS") == "1"


class PrivateServer(ABC):
    """One private server with its folder, port and process.

    Relies on /proc to tell its processes from others: their working directory is its data
    directory, so a process id that was used again is never signalled.
    """

    # What ends it without waiting for clients: to be started again, and before its data is deleted.
    _end_signal: ClassVar[signal.Signals]
    _stop_signal: ClassVar[signal.Signals]

    def __init__(self, title: str, prefix: str) -> None:
        self.folder = make_folder(prefix)
        self.port = free_port()
        self._title = title
        self._owner_pid = os.getpid()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher = watch(self.folder, self._stop_signal)

    @abstractmethod
    def _command(self) -> Sequence[str | Path]:
        """Return what runs it in the foreground, logging to its standard error."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Return whether it answers."""

    def _before_delete(self) -> None:  # noqa: B027  most hold nothing there
        """Release what it holds outside its folder; it has ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        import anyio

        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.stop)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signed its own, where it takes TLS."""
        return self.folder / "tls" / "ca.pem"

    @property
    def pid(self) -> int:
        """Process id of its first process; it must be running."""
        assert self._process is not None
        return self._process.pid

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
        if ended := self._end(self._stop_signal):
            self._before_delete()
            shutil.rmtree(self.folder, ignore_errors=True)
        dismiss(self._watcher, done=ended)
        self._process = None

    def restart(self) -> None:
        """End it without waiting for clients, or after ``kill``, and start it on the same port."""
        if not self._end(self._end_signal):
            raise ServerUnavailable(f"it did not end within {_STOP_S} s:\n{self.log_tail()}")
        self._run()

    def kill(self) -> None:
        """End all its processes with SIGKILL, as a power cut would; ``restart`` recovers it."""
        while found := list(processes_in(self.data)):
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if self._process:
                self._process.wait()

    def _begin(self, initialise: Callable[[], None]) -> None:
        atexit.register(self.stop)
        try:
            initialise()
            self._run_on_a_free_port()
        except BaseException:
            self.stop()
            raise

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
                self._command(),
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
        self._end(self._stop_signal)
        raise ServerUnavailable(f"{self._title} did not start:\n{self.log_tail()}")

    def _end(self, by: signal.Signals) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return True
        process.send_signal(by)
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _call(self, *command: str | Path) -> None:
        """Run what makes its data to the end, as its user."""
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, **self._as_its_user()
        )
        if done.returncode:
            raise ServerUnavailable(f"{self._title} has no data: {done.stdout}{done.stderr}")

    def _as_its_user(self) -> dict[str, Any]:
        user = server_user()
        identity = {"user": user[0], "group": user[1], "extra_groups": []} if user else {}
        return {"cwd": self.folder, "env": environment(self.folder), **identity}

    def _make_certificates(self) -> Path:
        """Write what ``make_certificates`` writes and return the folder."""
        folder = self.folder / "tls"
        folder.mkdir(mode=0o700)
        make_certificates(folder)
        for path in (folder, *folder.iterdir()):
            give(path)
        return folder


def free_port() -> int:
    """Return a free port below 32768: above, a polling client can connect to itself."""
    for _ in range(200):
        port = random.randint(20000, 32000)  # noqa: S311
        with socket.socket() as probe, suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise ServerUnavailable("no free port between 20000 and 32000")
