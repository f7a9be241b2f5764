"""A disk of a few megabytes, on which a target keeps one database; it takes root to make one."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from fastload.testing.private_folder import give, make_folder
from tests.faults.conftest import Mysql, Postgres, Side

_MOUNT = ("mount", "-t", "tmpfs", "-o")


class Disk:
    """A file system in memory."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def resize(self, size: str) -> None:
        """Make it larger, with all that is on it."""
        subprocess.run([*_MOUNT, f"remount,size={size}", str(self._place)], check=True)

    def leave(self, free_bytes: int) -> None:
        """Make it so small that it takes only so much more."""
        self.resize(str(shutil.disk_usage(self._place).used + free_bytes))

    def free_bytes(self) -> int:
        """Return how much more it takes."""
        return shutil.disk_usage(self._place).free


@contextlib.contextmanager
def small_disk(side: Side, size: str) -> Iterator[Disk]:
    """Have the database's tables on a disk of this size."""
    kind = _under_postgres if isinstance(side, Postgres) else _under_mysql
    with kind(side, size) as place:  # type: ignore[operator]
        yield Disk(place)


@contextlib.contextmanager
def _mounted(place: Path, size: str) -> Iterator[None]:
    subprocess.run([*_MOUNT, f"size={size}", "fastload-test", str(place)], check=True)
    try:
        give(place)
        yield
    finally:
        # Lazily: whoever has a file open there, has it until it is closed.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@contextlib.contextmanager
def _under_postgres(side: Postgres, size: str) -> Iterator[Path]:
    place, database = make_folder("fastload-disk-"), side.database.name
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, place, ignore_errors=True)
        stack.enter_context(_mounted(place, size))
        side.run(f"CREATE TABLESPACE {database} LOCATION '{place}'")
        stack.callback(side.run, f"DROP TABLESPACE {database}")
        side.run(f"ALTER DATABASE {database} SET default_tablespace = {database}")
        stack.callback(
            side.run,
            "SET client_min_messages = error; DROP SCHEMA public CASCADE; "
            "DROP SCHEMA IF EXISTS _fastload CASCADE",
        )
        yield place


@contextlib.contextmanager
def _under_mysql(side: Mysql, size: str) -> Iterator[Path]:
    server, name = side.database.server, side.database.name
    place = server.data / name
    kept = {p.name: p.read_bytes() for p in place.iterdir()}
    with _mounted(place, size):
        for file, content in kept.items():
            (place / file).write_bytes(content)
            give(place / file)
        try:
            yield place
        finally:
            for (table,) in server.execute(f"SHOW TABLES FROM {name}"):
                server.execute(f"SET foreign_key_checks = 0; DROP TABLE {name}.{table}")
