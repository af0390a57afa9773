"""Every console block of README and docs does what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from console import Block, blocks, matches  # noqa: E402

DOCUMENTS = sorted(
    path
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    if any(not block.setup for block in blocks(path.read_text(encoding="utf-8")))
)


@pytest.fixture
def desk(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A folder as a reader has it: the examples at hand, the commands on the path."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "vectors").symlink_to(ROOT / "vectors")
    home = tmp_path / "home"
    home.mkdir()
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "COLUMNS": "120",
        "TERM": "dumb",
    }
    return tmp_path, environment


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_document_shows_happens(document: Path, desk: tuple[Path, dict[str, str]]) -> None:
    folder, environment = desk

    for block in blocks(document.read_text(encoding="utf-8")):
        if not block.setup:
            run(block, document, folder, environment)


def run(block: Block, document: Path, folder: Path, environment: dict[str, str]) -> None:
    for command in block.commands:
        done = subprocess.run(
            ["bash", "-c", command.text],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=240,
            check=False,
        )
        printed = done.stdout.decode()
        assert matches(command.output, printed), f"{document.name}:{command.line}: {command.text}\nprinted:\n{printed}"


def test_the_readme_is_short_and_ci_runs_what_it_says() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    setup = [command.text for block in blocks(readme) if block.setup for command in block.commands]

    assert len(readme.splitlines()) <= 120
    assert "make demo" in setup
    assert "make test" in setup
    assert "python3-venv" in setup[0]
    assert "tools/console.py --setup README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("a\n", "a\n", True),
        ("a …\n", "a b c\n", True),
        ("…\nz\n", "x\ny\nz\n", True),
        ("a\n", "b\n", False),
        ("a\n", "a\nb\n", False),
        ("", "", True),
        ("", "x", False),
    ],
)
def test_output_is_compared_line_by_line(expected: str, printed: str, same: bool) -> None:
    assert same is matches(expected, printed)


GROUPS = {
    "snp": ("snp",),
    "tdx": ("tdx", "tdx-eventlog"),
    "sgx": ("sgx",),
    "nitro": ("nitro", "nitrotpm"),
    "tpm": ("tpm",),
    "azure-snp-vtpm": ("azure-snp-vtpm", "azure-tdx-vtpm"),
    "nvidia-gpu": ("nvidia-gpu", "nvidia-switch"),
    "cca": ("cca", "psa"),
}
"""Rows of the README's table of platforms, by the first kind they name, and the folders they count."""


def test_the_platform_table_counts_the_captures_that_there_are(evidence_dir: Path) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\|.*?\(`([a-z-]+)`.*?\) \| (\d+)", text, re.MULTILINE)
    shown = {name: int(count) for name, count in rows}
    found = {
        name: sum(len(list((evidence_dir / kind).glob("*/vector.json"))) for kind in kinds)
        for name, kinds in GROUPS.items()
    }

    assert found == shown
