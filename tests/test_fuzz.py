"""Every fuzz target runs: half a second each, so that none rots. `make fuzz` runs them longer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parent.parent / "fuzz"
TARGETS = sorted(path for path in FOLDER.glob("*.py") if "\ndef target(" in path.read_text(encoding="utf-8"))


def test_there_are_targets() -> None:
    assert len(TARGETS) >= 12


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_a_target_ends_in_our_family(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, path, "0.5", "1"], capture_output=True, text=True, check=False, cwd=FOLDER, timeout=120
    )

    assert 0 == done.returncode, done.stdout + done.stderr
    found = re.search(r"(\d+) inputs", done.stdout)
    assert found
    assert int(found[1]) > 10
