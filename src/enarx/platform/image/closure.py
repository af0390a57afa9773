# SPDX-License-Identifier: Apache-2.0
"""Which modules an image needs: everything that its roots import, followed through the bytecode."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping

import msgspec

SUFFIXES = (".cpython-311-x86_64-linux-gnu.so", ".abi3.so", ".so")


class Source(msgspec.Struct, frozen=True):
    """A file that a module may come from: its contents, and the package that it is from."""

    body: bytes
    origin: str


class Module(msgspec.Struct, frozen=True):
    """A module of the image: the path below the library folder, its bytes there, its origin."""

    path: str
    body: bytes
    origin: str


Compile = Callable[[str, bytes], bytes]
"""Path and source to imports as JSON, a NUL, and bytecode (`toolbox.compiled`)."""


def closure(
    roots: Iterable[str], stop: Collection[str], files: Mapping[str, Source], compile_: Compile
) -> dict[str, Module]:
    """The modules by name. `files` are the candidates by relative path, as below one `sys.path` entry."""
    found: dict[str, Module] = {}
    missing: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name in found or name in missing or not set(_parents(name)).isdisjoint(stop):
            continue
        path = _locate(name, files)
        if path is None:
            missing.add(name)
            continue
        waiting += _parents(name)
        source = files[path]
        if not path.endswith(".py"):
            found[name] = Module(path, source.body, source.origin)
            continue
        imports, _, code = compile_(path, source.body).partition(b"\0")
        found[name] = Module(path[:-3] + ".pyc", code, source.origin)
        package = name if path.endswith("/__init__.py") else name.rpartition(".")[0]
        for level, target, names in json.loads(imports):
            base = _absolute(package, level, target)
            waiting += [base, *(f"{base}.{one}" for one in names)]
    return found


def _parents(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _absolute(package: str, level: int, target: str) -> str:
    if not level:
        return target
    parts = package.split(".")
    above = ".".join(parts[: len(parts) - level + 1])
    return f"{above}.{target}" if target else above


def _locate(name: str, files: Mapping[str, Source]) -> str | None:
    stem = name.replace(".", "/")
    candidates = [f"{stem}/__init__.py", *(stem + suffix for suffix in SUFFIXES), f"{stem}.py"]
    candidates += [f"lib-dynload/{stem}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path in files), None)
