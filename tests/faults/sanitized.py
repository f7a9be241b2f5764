"""The kernels built with gcc's sanitizers, in a copy of the source tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "sanitized"
_FLAGS = "-fsanitize=address,undefined -fno-sanitize-recover=undefined -g -O1"
_BUILD = "from setuptools import setup; setup()"
_PARTS = ("fastload", "adapters", "tests", "pyproject.toml", "README.md", "LICENSE")


def build() -> dict[str, str]:
    """Build what is not built yet, and return the environment in which Python uses it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    for part in _PARTS:
        if (ROOT / part).is_dir():
            # With their times, so that only what has changed is compiled again.
            ignore = shutil.ignore_patterns("*.so", "*.c", "__pycache__", "results")
            shutil.copytree(ROOT / part, BUILD / part, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copy2(ROOT / part, BUILD / part)
    path = os.pathsep.join((str(BUILD), str(BUILD / "adapters")))
    plain = {**os.environ, "PYTHONPATH": path}
    done = subprocess.run(
        [sys.executable, "-c", _BUILD, "--quiet", "build_ext", "--inplace"],
        cwd=BUILD, env={**plain, "CFLAGS": _FLAGS, "LDFLAGS": _FLAGS},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    libraries = [_library("libasan.so"), _library("libubsan.so")]
    return {
        **plain,
        "LD_PRELOAD": " ".join(libraries),
        # Python's own allocator would hide where an object ends; Arrow's as well.
        "PYTHONMALLOC": "malloc",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
        "ASAN_OPTIONS": "detect_leaks=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1",
        "UBSAN_OPTIONS": "print_stacktrace=1",
    }


def _library(name: str) -> str:
    found = subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    )
    return found.stdout.strip()
