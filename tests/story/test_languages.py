# SPDX-License-Identifier: Apache-2.0
"""The same small program in every language whose compiler can be had, built and run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from examples.build import build
from examples.languages import DEBIAN_RUST, LANGUAGES, RUST_LIBRARY
from tests.parts import part, program


@pytest.mark.slow
@pytest.mark.parametrize("language", ["c", "cpp", "zig"])
def test_fibonacci_numbers_are_the_same_in_every_language(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    counts(build(f"fibonacci-{language}"))


@pytest.mark.slow
@pytest.mark.parametrize("language", ["rust", "go", "assemblyscript"])
def test_fibonacci_numbers_are_the_same_by_compilers_from_elsewhere(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if language == "rust":
        part(lambda: RUST_LIBRARY if RUST_LIBRARY.exists() else None, " ".join(DEBIAN_RUST), "Rust for WASI")
    if language == "assemblyscript":
        program("npm", "npm")
    counts(LANGUAGES[language]())


def counts(module: Path) -> None:
    command = [sys.executable, "-m", "enarx", "run", str(module), "--", "7", "21"]
    ran = subprocess.run(command, capture_output=True, check=False, timeout=120)
    assert (0, b"13\n10946\n", b"") == (ran.returncode, ran.stdout, ran.stderr)
