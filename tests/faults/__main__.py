"""The long tier: ``python -m tests.faults [--only WORDS] [--share 0.1] [--out FOLDER]``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

FOLDERS = ("tests/faults", "tests/pairs", "tests/adapters")


def main() -> int:
    """Run the harness, print its table, and write it as JSON and Markdown."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", help="which tests, as of pytest -k: kills or network or ...")
    parser.add_argument("--share", default="1", help="part of the repetitions; 1 is all")
    parser.add_argument("--out", type=Path, default=Path("build/faults"), help="for the table")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    record_file = chosen.out / "faults.json"
    # Read when the harness is imported.
    os.environ |= {"FASTLOAD_FAULTS": chosen.share, "FASTLOAD_FAULTS_RECORD": str(record_file)}
    only = ["-k", chosen.only] if chosen.only else []
    code = pytest.main(["-q", "-m", "harness or long", "--durations=10", *FOLDERS, *only])
    if record_file.exists():
        from tests.faults import record

        (chosen.out / "faults.md").write_text(record.markdown(record.stored(record_file)))
        print(f"the table is in {chosen.out / 'faults.md'}; parts that were not run are kept")
    return int(code)


if __name__ == "__main__":
    sys.exit(main())
