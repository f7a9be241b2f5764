"""The folder of a private server, the user it belongs to, and the watcher that deletes it."""

from __future__ import annotations

import os
import pwd
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterator

_SOCKET_PATH_BYTES = 80  # the kernel takes 107 for the whole path of a unix socket
_FOREIGN_SETTINGS = ("PG", "MYSQL", "MARIADB")

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
signal=$2 tries=0
while found=$(theirs "$1") && [ -n "$found" ] && [ $tries -lt 120 ]; do
    kill -$signal $found 2>/dev/null
    sleep 0.1
    tries=$((tries + 1))
    [ $tries -ge 100 ] && signal=KILL
done
rm -rf "$1"
"""


def open_to_all(folder: Path) -> bool:
    """Return whether every user can enter a folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.resolve().parents))


def server_user() -> tuple[int, int] | None:
    """Return whom servers run as if not as the caller: they refuse to run as root."""
    if os.geteuid() != 0:
        return None
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def give(path: Path) -> None:
    """Make a path the server's; a file then is for nobody else's eyes."""
    if user := server_user():
        os.chown(path, *user)
    if path.is_file():
        path.chmod(0o600)


def environment(home: Path) -> dict[str, str]:
    """Return this process's environment without what would direct a database's programs."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN_SETTINGS)}
    return {**kept, "HOME": str(home), "LC_ALL": "C"}


def make_folder(prefix: str) -> Path:
    """Make a folder for one server, short enough for a unix socket's path."""
    # The server's user must be able to enter it: root's own TMPDIR may lie under /root.
    parent = Path(tempfile.gettempdir())
    if len(str(parent)) > _SOCKET_PATH_BYTES or (server_user() and not open_to_all(parent)):
        parent = Path("/tmp")  # noqa: S108
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    give(folder)
    return folder


def watch(folder: Path, by: signal.Signals) -> subprocess.Popen[bytes]:
    """Have the server ended and its folder deleted once this process is gone."""
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCH, "fastload-watch", str(folder), by.name.removeprefix("SIG")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )


def dismiss(watcher: subprocess.Popen[bytes], *, done: bool) -> None:
    """Let the watcher go, or have it end and delete what is left."""
    if watcher.poll() is not None:
        return
    watcher.communicate(b"done\n" if done else b"")


def processes_in(folder: Path) -> Iterator[int]:
    """Yield the ids of the processes that work in a folder."""
    for process in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if (process / "cwd").samefile(folder):
                yield int(process.name)
