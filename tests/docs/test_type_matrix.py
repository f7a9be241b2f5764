"""The page about types has what the code does."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import fastload

PROGRAM = Path(fastload.__file__).parents[1] / "docs" / "type_matrix.py"


def program() -> ModuleType:
    spec = importlib.util.spec_from_file_location("type_matrix", PROGRAM)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_the_program_prints():
    matrix = program()
    text = matrix.PAGE.read_text()
    assert text == matrix.page(text), "run: python docs/type_matrix.py --write"
