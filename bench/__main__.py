"""Run the benchmarks: all, or the one named on the command line."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from collections.abc import Callable, Iterator
from typing import Any

import bench


def benches() -> dict[str, Callable[[], Iterator[dict[str, Any]]]]:
    found: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {}
    for module in sorted(pkgutil.iter_modules(bench.__path__), key=lambda m: m.name):
        if not module.name.startswith("_"):
            found |= importlib.import_module(f"bench.{module.name}").BENCHES
    return found


def main() -> int:
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    every = benches()
    # a benchmark may yield several results; one of those is found by its own name, too
    chosen = (
        [only] if only in every else [name for name in every if name.split(".")[0] == only.split(".")[0] or not only]
    )
    printed = 0
    for name in chosen:
        for result in every[name]():
            if not only or only in (name, result["name"]):
                print(json.dumps(result), flush=True)
                printed += 1
    if not printed:
        print(f"enarx: no benchmark is called {only!r}", file=sys.stderr)
    return 0 if printed else 2


if __name__ == "__main__":
    sys.exit(main())
