"""Install the servers of MySQL's family: ``python -m fastload.testing.mysql_packages``.

MariaDB comes as packages of the running Debian. MySQL is only in Debian's unstable suite: its
packages, libraries and all, are unpacked into a folder of their own, which changes nothing in the
system. Where both are already there, nothing is fetched.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from fastload.testing.mysql_programs import (
    FOLDER_VARIABLE,
    folder,
    mariadb_plugins,
    mariadb_program,
    mysql_tree,
)
from fastload.testing.private_server import ServerUnavailable, servers_required

_MARIADB = ("mariadb-server-core", "mariadb-client-core")
_MARIADB_PLUGINS = "mariadb-server"
_MARIADB_PROGRAMS = ("mariadbd", "mariadb-install-db", "mariadb", "openssl")
_MYSQL = ("mysql-server-core", "mysql-client-core")
_SUITE = "sid"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_QUIET = ("-qq", "-o=Dpkg::Use-Pty=0")


def install_mariadb() -> None:
    """Install MariaDB's packages where a program is missing."""
    if all(map(mariadb_program, _MARIADB_PROGRAMS)):
        return
    wanted = " ".join((*_MARIADB, "openssl"))
    if os.geteuid() != 0:
        raise ServerUnavailable(f"MariaDB is not installed; as root: apt-get install {wanted}")
    options = ("-y", "--no-install-recommends", "-o=DPkg::Lock::Timeout=120")
    with locked(folder()):  # apt does not wait while another process updates its lists
        _run("apt-get", *_QUIET, "update")
        _run("apt-get", *_QUIET, *options, "install", *wanted.split())


def unpack_mariadb_plugins() -> None:
    """Unpack the plugins, which come in a package that would start a server of its own."""
    if mariadb_plugins():
        return
    with locked(folder()):
        if not mariadb_plugins():
            partial = folder() / "partial-plugins"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            _run("apt-get", *_QUIET, "download", _MARIADB_PLUGINS, cwd=partial)
            for package in partial.glob("*.deb"):
                _run("dpkg-deb", "--extract", package, partial)
            partial.chmod(0o755)
            partial.rename(folder() / "mariadb-plugins")


def install_mysql() -> None:
    """Unpack MySQL's packages where they are missing."""
    if mysql_tree():
        return
    with locked(folder()):
        if not mysql_tree():  # another process may have been first
            _fetch_and_unpack(folder())


def _fetch_and_unpack(place: Path) -> None:
    fetched, partial = place / "fetched", place / "partial"
    for path in (fetched, partial):
        shutil.rmtree(path, ignore_errors=True)
    packages = [p for p in _fetch(_write_apt_settings(fetched)) if "perl" not in p.name]
    for package in packages:
        _run("dpkg-deb", "--extract", package, partial)
    partial.chmod(0o755)  # dpkg-deb takes over what the last package says of its root
    (partial / "packages").write_text("".join(f"{p.name}\n" for p in packages))
    partial.rename(place / "tree")
    shutil.rmtree(fetched)


def _write_apt_settings(place: Path) -> Path:
    """Write settings with which apt knows nothing but the unstable suite, and return the file."""
    for name in ("lists/partial", "archives/partial"):
        (place / name).mkdir(parents=True)
    # With no package installed, apt brings every library, down to the C library.
    (place / "status").touch()
    keyring = f" signed-by={_KEYRING}" if _KEYRING.exists() else ""
    (place / "sources").write_text(f"deb [lang=none{keyring}] {_mirror()} {_SUITE} main\n")
    settings = {
        "Dir::State::lists": place / "lists",
        "Dir::State::status": place / "status",
        "Dir::Cache": place,
        "Dir::Cache::archives": place / "archives",
        "Dir::Etc::sourcelist": place / "sources",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferences": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "APT::Sandbox::User": "root",  # its folder need not be open to apt's own user
        "Acquire::ForceHash": "SHA256",
    }
    file = place / "apt.conf"
    file.write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
    return file


def _mirror() -> str:
    """Return the pool that apt takes Debian's packages from."""
    which = ("Origin: Debian", "Label: Debian", "Identifier: Packages")
    found = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", *which).split()
    if not found and os.geteuid() == 0:  # a fresh system has no lists yet
        _run("apt-get", *_QUIET, "update")
        found = _run("apt-get", "indextargets", "--format", "$(REPO_URI)", *which).split()
    if not found:
        raise ServerUnavailable("apt knows no pool of Debian: apt-get update may help")
    return found[0]


def _fetch(settings: Path) -> list[Path]:
    apt = ("env", f"APT_CONFIG={settings}", "apt-get", *_QUIET)
    install = (*apt, "-y", "--no-install-recommends", "install", *_MYSQL)
    _run(*apt, "update")
    listed = _run(*install, "--print-uris")
    _run(*install, "--download-only")
    archives = settings.parent / "archives"
    return [_checked(archives, line) for line in listed.splitlines() if " SHA256:" in line]


def _checked(archives: Path, line: str) -> Path:
    """Return the file that a line of the signed index names, once its checksum agrees."""
    _, name, _, checksum = line.split()
    package = archives / name
    with package.open("rb") as file:
        if f"SHA256:{hashlib.file_digest(file, 'sha256').hexdigest()}" != checksum:
            raise ServerUnavailable(f"{name} is not what Debian's index says: {checksum}")
    return package


@contextmanager
def locked(place: Path) -> Iterator[None]:
    """Keep other processes from bringing anything into a folder meanwhile."""
    try:
        place.mkdir(parents=True, exist_ok=True)
        file = (place / "lock").open("w")
    except OSError as error:
        raise ServerUnavailable(f"{error}: set {FOLDER_VARIABLE} to a folder of yours") from error
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=environment, cwd=cwd
        )
    except FileNotFoundError as error:
        raise ServerUnavailable(f"this needs Debian's {command[0]}") from error
    if done.returncode:
        words = " ".join(map(str, command))
        raise ServerUnavailable(f"{words}: {done.stdout}{done.stderr}")
    return done.stdout


def main() -> int:
    """Install them, say what could not be, and fail only where servers are required."""
    steps: tuple[Callable[[], None], ...] = (
        install_mariadb,
        unpack_mariadb_plugins,
        install_mysql,
    )
    failed = False
    for step in steps:
        try:
            step()
        except ServerUnavailable as error:
            failed = True
            print(error, file=sys.stderr)
    return int(failed and servers_required())


if __name__ == "__main__":
    sys.exit(main())
