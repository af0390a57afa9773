"""Run the benchmarks: all, or the one named on the command line."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys

import bench


def main() -> int:
    only = sys.argv[1] if len(sys.argv) > 1 else ""
    found = 0
    for module in sorted(pkgutil.iter_modules(bench.__path__), key=lambda m: m.name):
        if module.name.startswith("_"):
            continue
        for name, run in importlib.import_module(f"bench.{module.name}").BENCHES.items():
            if only and name != only:
                continue
            found += 1
            for result in run():
                print(json.dumps(result), flush=True)
    if not found:
        print(f"enarx: no benchmark is called {only!r}", file=sys.stderr)
    return 0 if found else 2


if __name__ == "__main__":
    sys.exit(main())
