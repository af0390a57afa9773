"""The shape of the source: small files, honest names, doors where the world comes in."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src" / "enarx"
FILES = sorted(SOURCE.rglob("*.py"))
LONGEST_FILE = 300
LONGEST_FUNCTION = 40
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "data", "info", "misc", "base", "core"}
JUDGING = ("errors.py", "codec", "workload", "evidence", "measurement", "appraisal")
WORLD = {
    "os",
    "pathlib",
    "socket",
    "ssl",
    "subprocess",
    "time",
    "random",
    "secrets",
    "urllib",
    "http",
    "httpx",
    "shutil",
}


def name(path: Path) -> str:
    return path.relative_to(SOURCE).as_posix()


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function's body, its docstring left out."""
    body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
    return (node.end_lineno or 0) - body[0].lineno + 1


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_fits_in_the_head(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)

    longest = max((lines_of(one), one.name) for one in [*functions(tree)]) if [*functions(tree)] else (0, "")

    # PEM text of pinned roots is data, not code
    code = [line for line in text.splitlines() if not (len(line) == 64 and line.isascii() and " " not in line)]
    assert len(code) <= LONGEST_FILE
    assert longest[0] <= LONGEST_FUNCTION, longest


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_name_says_what_it_is(path: Path) -> None:
    assert path.stem not in VAGUE


@pytest.mark.parametrize("path", [path for path in FILES if name(path).startswith(JUDGING)], ids=name)
def test_judging_touches_nothing(path: Path) -> None:
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])

    assert set() == imported & WORLD


def test_only_an_appraisal_makes_an_acceptance() -> None:
    makers = {
        name(path)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Accepted"
    }

    assert {"appraisal/result.py"} == makers


def test_every_file_says_its_licence_and_its_purpose() -> None:
    without = [
        name(path)
        for path in FILES
        if not path.read_text(encoding="utf-8").startswith("# SPDX-License-Identifier: Apache-2.0")
        or not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]

    assert without == []
