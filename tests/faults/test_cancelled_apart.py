"""Cancelled loads in a process of their own, where nothing that earlier tests left is heard."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.faults.loads import ROOT

CHECK = "tests/faults/test_memory_bound.py"


@pytest.mark.faults
def test_cancelled_loads_leave_nothing_behind_in_a_session_of_their_own():
    command = [sys.executable, "-m", "pytest", "-q", "-m", "long", "-k", "cancelled", CHECK]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
