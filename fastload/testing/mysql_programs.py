"""Where the programs of MariaDB and MySQL are; ``mysql_packages`` brings what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from fastload.testing.private_server import ServerUnavailable

Flavour = Literal["mariadb", "mysql"]

FOLDER_VARIABLE = "FASTLOAD_MYSQL_FOLDER"
_RELEASE_FOLDERS = ("", "bin", "scripts")
_FOLDER = Path("/var/tmp/fastload/mysql")  # noqa: S108  survives a restart; checked by owner


def folder() -> Path:
    """Return where MySQL is unpacked, below ``FASTLOAD_MYSQL_FOLDER`` if that is set."""
    return Path(os.environ.get(FOLDER_VARIABLE) or _FOLDER)


def mysql_tree() -> Path | None:
    """Return the root that MySQL's packages are unpacked below, if they are.

    Raises:
        ServerUnavailable: It belongs to another user, who could have put any program there.
    """
    return _trusted(folder() / "tree")


def mariadb_plugins() -> Path | None:
    """Return the folder of MariaDB's plugins, if it was unpacked; raises likewise."""
    tree = _trusted(folder() / "mariadb-plugins")
    return tree / "usr/lib/mysql/plugin" if tree else None


def release_tree(flavour: Flavour, version: str) -> Path | None:
    """Return where ``mysql_releases`` has unpacked a release, if it has; raises likewise."""
    return _trusted(folder() / f"{flavour}-{version}")


def _trusted(tree: Path) -> Path | None:
    if not tree.is_dir():
        return None
    if tree.stat().st_uid not in (0, os.geteuid()):
        raise ServerUnavailable(f"{tree} belongs to another user: set {FOLDER_VARIABLE}")
    return tree


def mariadb_program(name: str) -> Path | None:
    """Return the path of an installed program of MariaDB; root's PATH may lack /usr/sbin."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin")
    return Path(found) if found else None


@dataclass(frozen=True, slots=True)
class MysqlSpec:
    """A server of the family that can be started here.

    Attributes:
        flavour: ``mariadb`` or ``mysql``.
        tree: The root that its packages were unpacked below; None if they are installed.
        release: The version that was asked for; None is whichever Debian has.
    """

    flavour: Flavour
    tree: Path | None
    release: str | None = None

    def program(self, name: str) -> list[str]:
        """Return the command that runs one of its programs."""
        if self.tree is None:
            found = mariadb_program(name)
            return [str(found or name)]
        if self.release is not None:
            # One library came along; the rest are the system's.
            path = next(p for f in _RELEASE_FOLDERS if (p := self.tree / f / name).exists())
            return ["env", f"LD_LIBRARY_PATH={self.tree}", str(path)]
        # Its libraries are newer than the system's, the C library among them, hence the loader.
        loader = next(self.tree.glob("usr/lib/*/ld-linux-*.so.*"))
        own = self.tree / "usr/lib/mysql/private"
        libraries = f"{loader.parent}:{loader.parent}/mysql/private:{own}"
        folder = next(f for f in ("usr/sbin", "usr/bin") if (self.tree / f / name).exists())
        return [str(loader), "--library-path", libraries, str(self.tree / folder / name)]

    @property
    def share(self) -> Path | None:
        """The folder with its messages and character sets; None where the server knows it."""
        if self.tree is None:
            return None
        return self.tree / ("share" if self.release else "usr/share/mysql")

    @property
    def server(self) -> list[str]:
        """The command that runs the server itself."""
        return self.program("mariadbd" if self.flavour == "mariadb" else "mysqld")

    def version(self) -> str:
        """Ask its server's program for the version, such as ``10.11.19``."""
        command = [*self.server, "--no-defaults", "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found = re.search(r"Ver (\d[\d.]*)", done.stdout)
        return found[1] if found else done.stdout.strip()


def available() -> list[MysqlSpec]:
    """Return what can be started here."""
    found = []
    for flavour in get_args(Flavour):
        with suppress(ServerUnavailable):
            found.append(spec_of(flavour))
    return found


def spec_of(flavour: Flavour, version: str | None = None) -> MysqlSpec:
    """Return where a flavour is, or a release of it such as ``5.6``.

    Raises:
        ServerUnavailable: With what to install.
    """
    if spec := _find_release(flavour, version) if version else _find(flavour):
        return spec
    module = f"fastload.testing.mysql_{'releases' if version else 'packages'}"
    title = f"{flavour} {version}" if version else flavour
    raise ServerUnavailable(f"{title} is not installed: python -m {module} may bring it")


def _find_release(flavour: Flavour, version: str) -> MysqlSpec | None:
    tree = release_tree(flavour, version)
    return MysqlSpec(flavour, tree, version) if tree else None


def _find(flavour: Flavour) -> MysqlSpec | None:
    if flavour == "mariadb":
        return MysqlSpec(flavour, None) if mariadb_program("mariadbd") else None
    tree = mysql_tree()
    return MysqlSpec(flavour, tree) if tree else None
