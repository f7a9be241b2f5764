"""The tutorial runs in a kernel, in its running loop, and says what it says in the sources."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import nbformat
import pytest
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

import fastload

NOTEBOOK = Path(fastload.__file__).parents[1] / "docs" / "tutorial" / "first_copy.ipynb"
# What differs from run to run: names of runs, identities, figures of time and of the log.
CHANGING = re.compile(r"copy-[0-9a-f]{12}|postgresql:\d+|-?\d{15,}|[\d.]+ (?:ms|s)\b")


def outputs(notebook):
    """Return the printed text of each cell."""
    return [
        CHANGING.sub("*", "".join(o.text for o in cell.outputs if o.get("name") == "stdout"))
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


class Here(AsyncKernelManager):
    """Kernels of this interpreter, whatever else is installed under the name python3."""

    @property
    def kernel_spec(self):
        spec = super().kernel_spec
        assert spec is not None
        spec.argv[0] = sys.executable
        return spec


@pytest.mark.filterwarnings("ignore")
def test_the_tutorial_runs_and_prints_what_is_committed():
    committed = nbformat.read(NOTEBOOK, 4)
    fresh = nbformat.read(NOTEBOOK, 4)
    NotebookClient(fresh, timeout=120, kernel_manager_class=Here).execute()
    assert outputs(fresh) == outputs(committed)
    asyncio.set_event_loop(None)
