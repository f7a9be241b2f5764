"""Files that hold rows: for their owner's eyes alone."""

from __future__ import annotations

from pathlib import Path

_FOLDER, _FILE = 0o700, 0o600


def make_private_folder(folder: Path) -> None:
    """Make a folder that nobody else looks into; one that is there stays as it is."""
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)


def make_private_file(path: Path) -> Path:
    """Make an empty file in place of any other, to be filled by its path, and return it."""
    path.unlink(missing_ok=True)
    path.touch(mode=_FILE, exist_ok=False)
    return path
