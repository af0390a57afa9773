"""Real parts of the tests: found, or installed where that is allowed, or said to be missing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")


def unavailable(what: str) -> None:
    """A real part is missing: a visible skip here, a failure where CI says so."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and CI needs it")
    pytest.skip(f"{what} is missing")


def part(find: Callable[[], T | None], package: str, what: str) -> T:
    """What `find` finds; Debian's packages, separated by spaces, are installed first where this machine lets us."""
    found = find()
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"setting up: {package} from Debian", file=sys.stderr, flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *package.split()]):
            subprocess.run(["apt-get", *command], env=environment, stdout=subprocess.DEVNULL, check=False)
        found = find()
    if found is None:
        unavailable(what)
        raise AssertionError
    return found


def program(name: str, package: str) -> str:
    """The path of a program."""
    return part(lambda: shutil.which(name), package, name)


def postgres() -> Path:
    """The folder of PostgreSQL's programs, where Debian keeps them."""

    def find() -> Path | None:
        versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        return versions[-1].parent if versions else None

    return part(find, "postgresql", "PostgreSQL")
