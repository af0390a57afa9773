# SPDX-License-Identifier: Apache-2.0
"""The same small program in every language whose compiler is on PyPI, built and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.build import build


@pytest.mark.slow
@pytest.mark.parametrize("language", ["c", "cpp", "zig"])
def test_fibonacci_numbers_are_the_same_in_every_language(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    command = [sys.executable, "-m", "enarx", "run", str(build(f"fibonacci-{language}")), "--", "7", "21"]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert (0, b"13\n10946\n", b"") == (ran.returncode, ran.stdout, ran.stderr)
