# SPDX-License-Identifier: Apache-2.0
"""The Enarx.toml to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from enarx.workload import manifest


def test_the_template_is_the_default_and_is_not_written_twice(
    enarx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = enarx("config", "init")
    assert (said.code, said.out, said.err) == (0, "", "")
    raw = (tmp_path / "Enarx.toml").read_bytes()
    assert manifest.parse(raw) == manifest.DEFAULT
    again = enarx("config", "init")
    assert (again.code, again.err) == (2, 'enarx: already-exists: "Enarx.toml" does already exist.\n')
    assert (tmp_path / "Enarx.toml").read_bytes() == raw


def test_what_the_template_offers_is_understood(enarx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every commented line, uncommented, is a setting that exists."""
    monkeypatch.chdir(tmp_path)
    enarx("config", "init")
    lines = (tmp_path / "Enarx.toml").read_text().splitlines()
    settings = [line.removeprefix("# ") for line in lines if "=" in line or "[" in line]
    parsed = manifest.parse("\n".join(settings).encode())
    assert parsed.steward == "https://steward.example.org"
    assert len(parsed.files) == 5
    assert parsed.env == {"LANG": "C.UTF-8"}
